"""NSTContactSheet and NSTLossPlot: pictures about pictures."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nst_graph.errors import NodeError
from nst_graph.values import History

from .tensors import as_rgb

if TYPE_CHECKING:
    from PIL import Image
    from torch import Tensor

MOST_PICTURES = 8


def picture_inputs(tooltip: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Required ``image_1`` and optional ``image_2`` … ``image_8``."""
    more = {f"image_{number}": ("IMAGE", {"tooltip": tooltip}) for number in range(2, 9)}
    return {"image_1": ("IMAGE", {"tooltip": tooltip})}, more


def frames_of(images: dict[str, Tensor | None]) -> list[Tensor]:
    """All frames [H, W, 3] of ``image_1`` …, in the order of the numbers."""
    ordered = sorted(images.items(), key=lambda item: int(item[0].removeprefix("image_")))
    return [frame for name, batch in ordered if batch is not None for frame in as_rgb(batch, name)]


class NSTContactSheet:
    DESCRIPTION = "Pictures side by side in a grid, each with a label, to be compared at a glance."
    CATEGORY = "nst/image"
    FUNCTION = "lay_out"
    RETURN_TYPES = ("IMAGE",)
    OUTPUT_TOOLTIPS = ("The sheet, one picture.",)

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:
        first, more = picture_inputs("A picture, or a batch whose frames all go on the sheet.")
        return {
            "required": {
                **first,
                "labels": (
                    "STRING",
                    {
                        "default": "",
                        "multiline": True,
                        "tooltip": "One for each picture, a line each or separated by |.",
                    },
                ),
                "columns": (
                    "INT",
                    {"default": 0, "min": 0, "max": 64, "tooltip": "0: about as wide as high."},
                ),
                "side": (
                    "INT",
                    {
                        "default": 320,
                        "min": 32,
                        "max": 4096,
                        "step": 8,
                        "tooltip": "Pictures are scaled down to this many pixels a side.",
                    },
                ),
            },
            "optional": more,
        }

    def lay_out(
        self, labels: str, columns: int, side: int, **images: Tensor | None
    ) -> tuple[Tensor]:
        from nst_graph.sheet import contact_sheet

        frames = frames_of(images)
        named = [label.strip() for label in labels.replace("\n", "|").split("|")]
        if len(named) > len(frames) and any(named[len(frames) :]):
            raise NodeError(
                f"there are {len(named)} labels for {len(frames)} pictures; write one for each"
            )
        named += [""] * (len(frames) - len(named))
        pictures = [(to_pillow(f), label) for f, label in zip(frames, named, strict=False)]
        return (from_pillow(contact_sheet(pictures, columns=columns, side=side)),)


class NSTLossPlot:
    DESCRIPTION = "Draws the course of the losses of an Optimize, on a logarithmic scale."
    CATEGORY = "nst/image"
    FUNCTION = "draw"
    RETURN_TYPES = ("IMAGE",)
    OUTPUT_TOOLTIPS = ("The plot, 640 pixels wide.",)

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:
        return {"required": {"history": ("NST_HISTORY", {"tooltip": "From Optimize."})}}

    def draw(self, history: History) -> tuple[Tensor]:
        from nst_graph.loss_plot import loss_plot

        if not history.points:
            raise NodeError("this history is empty: the optimisation did not take a step")
        return (from_pillow(loss_plot(history)),)


def to_pillow(frame: Tensor) -> Image.Image:
    """[H, W, 3] in 0..1, rounded to 8 bits."""
    import torch
    from PIL import Image

    samples = (frame.nan_to_num(0.0).clamp(0, 1) * 255 + 0.5).to(torch.uint8)
    return Image.fromarray(samples.contiguous().numpy())


def from_pillow(picture: Image.Image) -> Tensor:
    """An RGB picture as IMAGE [1, H, W, 3]."""
    import numpy as np
    import torch

    samples = np.array(picture.convert("RGB"))
    return torch.from_numpy(samples).to(torch.float32)[None] / 255
