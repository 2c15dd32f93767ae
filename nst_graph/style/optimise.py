"""The optimisation: pictures painted from coarse to fine until their losses are small.

Frames of a batch are painted one after another and do not know of each other. After every step a
:class:`Watcher` hears about it and may stop the work, change weights or ask for a checkpoint; a
checkpoint holds everything, so that going on from it gives the very same picture.
"""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from nst_graph.errors import NodeError
from nst_graph.style import pyramid
from nst_graph.style.adam import Adam
from nst_graph.style.average import Average
from nst_graph.style.initial import initial_picture
from nst_graph.style.lbfgs import Lbfgs, Outcome
from nst_graph.style.memory import HISTORY, history_for, refuse_excess
from nst_graph.style.objective import Load, Objective
from nst_graph.style.resize import resize
from nst_graph.style.settings import OPTIMIZERS, Settings
from nst_graph.style.targets import frame_of
from nst_graph.style.terms import bytes_per_pixel, smallest_side, term_names
from nst_graph.style.watch import Checkpoint, Moment, Unwatched, Watcher, Wishes
from nst_graph.values import History, HistoryPoint, PixelTerm, Term

ADAM_RATE = 0.02
NOISE, HALF_PRECISION_NOISE = 1e-5, 2e-3
"""Losses of next to equal pictures differ by up to this share, in float32 and in less."""
HISTORY_POINTS = 2000


def optimise(
    image: Tensor,
    terms: Sequence[Term],
    settings: Settings,
    load: Load,
    watcher: Watcher | None = None,
    *,
    names: Sequence[str] | None = None,
    device: str = "cpu",
) -> tuple[Tensor, History]:
    """Paint every frame of ``image`` [B, H, W, 3] float32 in 0..1.

    Args:
        load: gives the encoder for a choice.
        names: of the terms, for the history; made up if not given.

    Returns:
        The pictures [B, h, w, 3] float32 in 0..1 on the CPU, and the course of the losses.

    Raises:
        NodeError: the settings or the terms make no sense; says what to change.
    """
    return _Painting(image, terms, settings, load, watcher or Unwatched(), names, device)()


@dataclass
class _Place:
    """Where in the work: frame, scale, steps done at this scale, and totals."""

    frame: int = 0
    scale: int = 0
    done: int = 0
    step: int = 0
    evaluations: int = 0
    seconds: float = 0.0


class _Painting:
    def __init__(
        self,
        image: Tensor,
        terms: Sequence[Term],
        settings: Settings,
        load: Load,
        watcher: Watcher,
        names: Sequence[str] | None,
        device: str,
    ) -> None:
        if settings.optimizer not in OPTIMIZERS:
            raise NodeError(
                f"optimizer {settings.optimizer[:40]!r} is not one of {', '.join(OPTIMIZERS)}"
            )
        if not terms:
            raise NodeError("there is no loss; link a ContentLoss or a StyleLoss")
        self.image, self.settings, self.load = image, settings, load
        self.watcher, self.device = watcher, device
        self.terms = list(terms)
        self.names = list(names) if names and len(names) == len(terms) else term_names(terms)
        if settings.tv_weight:
            self.terms.append(PixelTerm("total variation", settings.tv_weight, "l2"))
            self.names.append("total variation")
        final = pyramid.final_size(image.shape[1], image.shape[2], settings.size)
        scales = len(settings.scale_steps) or settings.scales
        smallest = smallest_side(self.terms, load)
        self.sizes, self.counts = pyramid.schedule(final, settings, smallest)
        if len(self.sizes) < scales:
            watcher.note(
                f"{len(self.sizes)} of {scales} scales: smaller ones are too small "
                "for the encoder, or there are fewer steps than scales"
            )
        if settings.limit is not None:
            each = bytes_per_pixel(self.terms, load)
            pairs = 0
            if settings.optimizer == "lbfgs":
                pairs = history_for(settings.memory, each, math.prod(self.sizes[-1]))
            refuse_excess(each, self.sizes[-1], pairs, len(image), settings.limit)
        self.steps = sum(self.counts) * len(image)
        self.weights = [term.weight for term in self.terms]
        self.place = _Place()
        self.finished: list[Tensor] = []
        self.points: list[tuple[int, int, float, Tensor]] = []
        self.stride = max(1, -(-self.steps // HISTORY_POINTS))

    # -- the work --------------------------------------------------------------------------

    def __call__(self) -> tuple[Tensor, History]:
        resumed = self.watcher.load()
        saved = self._resume(resumed) if resumed else None
        before: Tensor | None = saved.get("before") if saved else None
        carried: Adam | None = None
        while self.place.frame < len(self.image):
            size = self.sizes[self.place.scale]
            objective = self._objective(size)
            optimiser = self._optimiser(objective, self._start(before, size), carried)
            average = Average(optimiser.x, self.settings.average, self._count())
            if saved is not None and resumed is not None:
                optimiser = self._restored(optimiser, saved, resumed.facts, size, average)
                saved = None
            stopped = self._paint(objective, optimiser, average)
            before = average.picture(optimiser.x)
            if stopped:
                break
            self.place.scale += 1
            self.place.done = 0
            carried = optimiser if isinstance(optimiser, Adam) else None
            if self.place.scale == len(self.sizes):
                self.finished.append(before.clamp(0, 1))
                self.place.frame, self.place.scale = self.place.frame + 1, 0
                before = carried = None
            if self.place.frame < len(self.image):
                self._save(before, carried, None)
        return self._result(before)

    def _objective(self, size: pyramid.Size) -> Objective:
        objective = Objective(
            self.terms,
            size,
            self.place.frame,
            self.load,
            device=self.device,
            seed=self.settings.seed,
            note=self.watcher.note,
        )
        objective.weights = self.weights
        return objective

    def _start(self, before: Tensor | None, size: pyramid.Size) -> Tensor:
        if before is not None:
            return pyramid.enlarged(before, size, self.settings.clamp)
        frame = self.place.frame
        image = resize(frame_of(self.image, frame).to(self.device), size)
        return initial_picture(self.settings.init, image, self.terms, frame, self.settings.seed)

    def _optimiser(self, objective: Objective, x: Tensor, carried: Adam | None) -> Lbfgs | Adam:
        settings = self.settings
        box = (0.0, 1.0) if settings.clamp else None
        if settings.optimizer == "lbfgs":
            noise = HALF_PRECISION_NOISE if objective.half_precision else NOISE
            rate = settings.learning_rate or 1.0
            pixels = x.shape[-2] * x.shape[-1]
            history = history_for(settings.memory, objective.bytes_per_pixel, pixels)
            if history < HISTORY:
                self.watcher.note(
                    f"L-BFGS remembers {history} steps instead of {HISTORY}, to stay within "
                    f"{settings.memory} MB"
                )
            return Lbfgs(x, rate=rate, history=history, box=box, noise=noise)
        rate = settings.learning_rate or ADAM_RATE
        optimiser = Adam(x, rate=rate, betas=(0.9, settings.beta2), box=box)
        if carried is not None:
            pyramid.carry_moments(carried, optimiser)
        return optimiser

    def _count(self) -> int:
        return self.counts[self.place.scale]

    def _paint(self, objective: Objective, optimiser: Lbfgs | Adam, average: Average) -> bool:
        """All remaining steps of one scale; whether the watcher wants the work to end."""
        place = self.place
        while place.done < self._count():
            began = time.perf_counter()
            try:
                outcome = optimiser.step(objective)
            except FloatingPointError as error:
                if place.step == 0:
                    raise NodeError(
                        f"{error}: a weight is far too large, or a picture holds NaN"
                    ) from error
                self.watcher.note(f"{error} of this scale, which is left out")
                self._skip_rest()
                return False
            average.update(optimiser.x)
            place.seconds += time.perf_counter() - began
            place.evaluations += outcome.evaluations
            place.done += 1
            place.step += 1
            if outcome.remark:
                self.watcher.note(outcome.remark)
            self._record(outcome)
            wishes = self._report(objective, optimiser, average, outcome)
            if wishes.weights:
                for index, weight in wishes.weights.items():
                    self.weights[index] = weight
                optimiser.changed()
            if outcome.finished and not wishes.weights:
                self.watcher.note(
                    f"nothing more to gain at {objective.size[1]} x {objective.size[0]} px "
                    f"after {place.done} steps"
                )
                self._skip_rest()
            if wishes.checkpoint or self.watcher.checkpoint_due():
                self._save(None, optimiser, average)
            if wishes.stop:
                return True
        return False

    def _skip_rest(self) -> None:
        self.place.step += self._count() - self.place.done
        self.place.done = self._count()

    def _report(
        self,
        objective: Objective,
        optimiser: Lbfgs | Adam,
        average: Average,
        outcome: Outcome,
    ) -> Wishes:
        place, evaluation = self.place, outcome.evaluation

        def read() -> tuple[float, list[float], list[float]]:
            return (
                float(evaluation.total),
                evaluation.weighted.tolist(),
                evaluation.raw.tolist(),
            )

        return self.watcher.after_step(
            Moment(
                place.step,
                self.steps,
                place.scale + 1,
                len(self.sizes),
                objective.size[1],
                objective.size[0],
                place.evaluations,
                place.seconds,
            ),
            read,
            lambda: average.picture(optimiser.x)[0].clamp(0, 1),
        )

    def _record(self, outcome: Outcome) -> None:
        place, found = self.place, outcome.evaluation
        if place.step % self.stride == 0 or place.step == self.steps or place.step == 1:
            losses = torch.cat([found.total[None], found.weighted])
            self.points.append((place.step, place.scale + 1, place.seconds, losses))

    def _result(self, unfinished: Tensor | None) -> tuple[Tensor, History]:
        """Frames in order; after a stop also the one at work and the untouched rest."""
        frames = list(self.finished)
        if unfinished is not None:
            frames.append(resize(unfinished.clamp(0, 1), self.sizes[-1]))
            for frame in range(len(frames), len(self.image)):
                frames.append(resize(frame_of(self.image, frame), self.sizes[-1]))
        pictures = torch.cat([frame.detach().cpu() for frame in frames])
        points = []
        for step, scale, seconds, losses in self.points:
            total, *weighted = losses.tolist()
            points.append(HistoryPoint(step, scale, seconds, total, tuple(weighted)))
        images = pictures.clamp(0, 1).movedim(1, -1).contiguous()
        return images, History(tuple(self.names), tuple(points))

    # -- checkpoints -----------------------------------------------------------------------

    def _save(
        self, before: Tensor | None, optimiser: Lbfgs | Adam | None, average: Average | None
    ) -> None:
        """In the middle of a scale (``average`` given), or between two."""
        tensors: dict[str, Tensor] = {}
        facts: dict[str, Any] = {**vars(self.place), "weights": list(self.weights)}
        if before is not None:
            tensors["before"] = before
        if optimiser is not None:
            facts["optimiser"] = optimiser.facts()
            tensors |= {f"optimiser.{k}": v for k, v in optimiser.tensors().items()}
        if average is not None:
            facts["average"] = average.left
            tensors["average"] = average.sum
        for index, frame in enumerate(self.finished):
            tensors[f"finished.{index}"] = frame
        if self.points:
            facts["points"] = [point[:3] for point in self.points]
            tensors["points"] = torch.stack([point[3] for point in self.points])
        kept = {name: tensor.detach().clone() for name, tensor in tensors.items()}
        self.watcher.save(Checkpoint(kept, facts), self.place.step)

    def _resume(self, checkpoint: Checkpoint) -> dict[str, Tensor]:
        facts = checkpoint.facts
        tensors = {
            name: tensor.to(self.device, copy=True) for name, tensor in checkpoint.tensors.items()
        }
        self.place = _Place(*(facts[name] for name in vars(_Place())))
        self.weights[:] = facts["weights"]
        self.finished = [tensors[f"finished.{i}"] for i in range(self.place.frame)]
        if "points" in tensors:
            self.points = [
                (step, scale, seconds, losses)
                for (step, scale, seconds), losses in zip(
                    facts["points"], tensors["points"].unbind(), strict=True
                )
            ]
        return tensors

    def _restored(
        self,
        optimiser: Lbfgs | Adam,
        tensors: Mapping[str, Tensor],
        facts: Mapping[str, Any],
        size: pyramid.Size,
        average: Average,
    ) -> Lbfgs | Adam:
        own = {
            name.removeprefix("optimiser."): tensor
            for name, tensor in tensors.items()
            if name.startswith("optimiser.")
        }
        if "average" in facts:
            optimiser.restore(own, facts["optimiser"])
            average.left, average.sum = facts["average"], tensors["average"]
        elif own and isinstance(optimiser, Adam):  # between scales: warm start from the last one
            last = Adam(own["x"])
            last.restore(own, facts["optimiser"])
            pyramid.carry_moments(last, optimiser)
        return optimiser
