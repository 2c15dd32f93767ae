"""Optimize: paint the picture that makes the losses small."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from nst_graph import host
from nst_graph.errors import UserError
from nst_graph.values import History, Loss

from .combine import combined, loss_inputs
from .content_loss import weight_input
from .features import rgb

if TYPE_CHECKING:
    import numpy as np
    from torch import Tensor

    from nst_graph.style.watch import Checkpoint, Moment, Wishes

OPTIMIZERS = ["lbfgs", "adam"]
INITS = ["image", "style", "noise", "gray", "uniform", "style_noise"]
PRECISIONS = ["auto", "fp32", "bf16", "fp16"]
LARGEST = 16384


def _int(default: int, low: int, high: int, tooltip: str, step: int = 1) -> tuple[str, Any]:
    options = {"default": default, "min": low, "max": high, "step": step, "tooltip": tooltip}
    return ("INT", options)


def _float(default: float, low: float, high: float, tooltip: str) -> tuple[str, Any]:
    options = {"default": default, "min": low, "max": high, "step": 0.001, "round": False}
    return ("FLOAT", {**options, "tooltip": tooltip})


class Optimize:
    DESCRIPTION = (
        "Paints the picture that makes the losses small, step by step, beginning with the image. "
        "Goes on from a checkpoint after an interruption; weights may be changed while it runs."
    )
    CATEGORY = "nst/optimize"
    FUNCTION = "optimize"
    NUMERIC = True
    RETURN_TYPES = ("IMAGE", "NST_HISTORY")
    RETURN_NAMES = ("image", "history")
    OUTPUT_TOOLTIPS = ("The painted picture.", "The course of the losses.")

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:
        loss, more_losses = loss_inputs("What shall become small; a content and a style loss.")
        return {
            "required": {
                "image": (
                    "IMAGE",
                    {
                        "tooltip": "Where to begin, and the shape of the result. A batch is "
                        "painted frame by frame, each towards its own frame of the losses."
                    },
                ),
                **loss,
                "steps": _int(200, 1, 100000, "Steps over all scales together."),
                "size": _int(
                    0, 0, LARGEST, "Long side of the result in pixels; 0: that of the image.", 8
                ),
            },
            "optional": {
                **more_losses,
                "optimizer": (
                    OPTIMIZERS,
                    {
                        "default": "lbfgs",
                        "tooltip": "lbfgs: needs the fewest steps. adam: rougher, and what some "
                        "recipes ask for.",
                    },
                ),
                "learning_rate": _float(
                    0.0, 0.0, 100.0, "0: the optimizer's own (1 for lbfgs, 0.02 for adam)."
                ),
                "adam_beta2": _float(
                    0.99,
                    0.5,
                    0.99999,
                    "How long adam remembers the size of gradients (beta1 is 0.9). 0.999 is the "
                    "original paper's.",
                ),
                "scales": _int(
                    1,
                    1,
                    10,
                    "Paint at so many sizes, from coarse to fine. 3 or 4 give larger strokes; the "
                    "first gets the most steps.",
                ),
                "scale_ratio": _float(
                    1.7, 1.1, 4.0, "Each scale is so many times larger than the one before."
                ),
                "scale_steps": (
                    "STRING",
                    {
                        "default": "",
                        "tooltip": "Steps of each scale from coarse to fine, such as "
                        "1000,500,500: replaces steps and scales. Empty: shared out.",
                    },
                ),
                "init": (
                    INITS,
                    {
                        "default": "image",
                        "tooltip": "image: begin with it. style: with it in the style's colours. "
                        "noise, gray, uniform, style_noise: begin with nothing of it.",
                    },
                ),
                "average": _float(
                    0.0,
                    0.0,
                    0.9999,
                    "0: the last picture. 0.99: the running average of about the last hundred, "
                    "which is smoother.",
                ),
                "tv_weight": weight_input(
                    0.5,
                    "A mild total variation against noise (mean squared difference of "
                    "neighbours); 0: none.",
                ),
                "clamp": (
                    "BOOLEAN",
                    {
                        "default": True,
                        "tooltip": "Keep colours displayable at every step; off: only at the end, "
                        "as older programs do.",
                    },
                ),
                "seed": _int(0, 0, 2**32 - 1, "Of noise and of sliced losses."),
                "precision": (
                    PRECISIONS,
                    {
                        "default": "auto",
                        "tooltip": "Of the encoder; all else is fp32. auto: bf16 where the "
                        "processor has it (about twice as fast), else fp32.",
                    },
                ),
                "memory": (
                    "STRING",
                    {
                        "default": "auto",
                        "tooltip": "auto, or the megabytes a run may take: lbfgs then remembers "
                        "less.",
                    },
                ),
                "preview_every": _int(
                    0, 0, 100000, "A preview every so many steps; 0: every few seconds."
                ),
            },
        }

    @classmethod
    def VALIDATE_INPUTS(
        cls, memory: str | None = None, scale_steps: str | None = None
    ) -> bool | str:
        from nst_graph.style.settings import megabytes, steps_of_scales

        try:
            megabytes(memory or "auto")
            steps_of_scales(scale_steps or "")
        except UserError as error:
            return str(error)
        return True

    def optimize(
        self,
        image: Tensor,
        steps: int,
        size: int,
        optimizer: str = "lbfgs",
        learning_rate: float = 0.0,
        adam_beta2: float = 0.99,
        scales: int = 1,
        scale_ratio: float = 1.7,
        scale_steps: str = "",
        init: str = "image",
        average: float = 0.0,
        tv_weight: float = 0.5,
        clamp: bool = True,
        seed: int = 0,
        precision: str = "auto",
        memory: str = "auto",
        preview_every: int = 0,
        **losses: Loss | None,
    ) -> tuple[Tensor, History]:
        from nst_graph.style.encoder import load_encoder
        from nst_graph.style.optimise import optimise
        from nst_graph.style.precision import dtype_of
        from nst_graph.style.settings import Settings, steps_of_scales

        service = host.current()
        loss = combined(losses)
        settings = Settings(
            optimizer=optimizer,
            steps=steps,
            learning_rate=learning_rate,
            beta2=adam_beta2,
            size=size,
            scales=scales,
            scale_ratio=scale_ratio,
            scale_steps=steps_of_scales(scale_steps),
            init=init,
            average=average,
            tv_weight=tv_weight,
            clamp=clamp,
            seed=seed,
            memory=memory,
            limit=service.memory_limit,
        )
        dtype = dtype_of(precision, service.device)
        with host.training_scope():
            return optimise(
                rgb(image),
                loss.terms,
                settings,
                lambda choice: load_encoder(choice, service.folders.models, service.device, dtype),
                _HostWatcher(service, len(loss.terms), preview_every),
                names=service.terms(len(loss.terms)),
                device=service.device,
            )


class _HostWatcher:
    """Passes on between the optimisation, which knows nothing of hosts, and the host."""

    def __init__(self, service: host.Host, terms: int, preview_every: int) -> None:
        self._service, self._terms, self._every = service, terms, preview_every

    def note(self, message: str) -> None:
        self._service.note(message)

    def after_step(
        self,
        moment: Moment,
        read: Callable[[], tuple[float, Sequence[float], Sequence[float]]],
        picture: Callable[[], Tensor],
    ) -> Wishes:
        from nst_graph.style.watch import Wishes

        preview = moment.step % self._every == 0 if self._every else None
        own = ("total variation",)

        def reading() -> host.Reading:
            total, weighted, raw = read()
            extra = own[: len(raw) - self._terms]
            return host.Reading(total, tuple(weighted), tuple(raw), extra)

        orders = self._service.progress(
            host.Update(**vars(moment), preview=preview), reading, lambda: _bytes(picture())
        )
        return Wishes(orders.stop, orders.weights, orders.checkpoint)

    def checkpoint_due(self) -> bool:
        return self._service.checkpoint_due()

    def save(self, checkpoint: Checkpoint, step: int) -> None:
        self._service.save_checkpoint(host.State(checkpoint.tensors, checkpoint.facts), step)

    def load(self) -> Checkpoint | None:
        from nst_graph.style.watch import Checkpoint

        state = self._service.load_checkpoint()
        return None if state is None else Checkpoint(state.tensors, state.facts)


def _bytes(picture: Tensor) -> np.ndarray:
    """[3, H, W] in 0..1 as uint8 [H, W, 3]."""
    import torch

    scaled = picture.movedim(0, -1) * 255 + 0.5
    found: np.ndarray = scaled.to(torch.uint8).cpu().contiguous().numpy()
    return found
