"""Pictures on their way through the student's own style loop.

What an optimiser does to a picture depends on the encoder's faults; a student that only ever
sees photographs never learns where its gradient leads.
"""

from __future__ import annotations

import torch
from torch import Tensor

from training.objective import STYLE_TAPS, STYLE_WEIGHTS, Heads, gram, gram_error
from training.pictures import Crops
from training.student import Student
from training.teachers import Targets

STEP = 0.02
RENEWED = 0.08


class OnPolicy:
    """A pool of crops, each being pushed towards the style of another crop, a step at a time."""

    def __init__(self, crops: Crops, count: int, side: int) -> None:
        self._crops, self._side, self._next = crops, side, 0
        self._pool = crops.plain(count, side, paintings=0.1)
        self._styles = crops.plain(count, side, paintings=0.9)

    def batch(self, count: int, student: Student, heads: Heads, targets: Targets) -> Tensor:
        """[count, 3, side, side]: the next crops of the pool after one more gradient step."""
        size = len(self._pool)
        chosen = torch.arange(self._next, self._next + count) % size
        self._next = (self._next + count) % size
        for i in chosen.tolist():
            if self._crops.chance(RENEWED):
                self._pool[i] = self._crops.crop(self._side, self._crops.chance(0.1))
                self._styles[i] = self._crops.crop(self._side, True)
        x = self._pool[chosen].requires_grad_()
        wanted = self._grams(self._styles[chosen], student, heads, targets)
        features = self._features(x, student, heads, targets)
        style = sum(
            weight * gram_error(features[tap], wanted[tap].detach()).sum()
            for tap, weight in zip(STYLE_TAPS, STYLE_WEIGHTS, strict=True)
        )
        (slope,) = torch.autograd.grad(style, x)
        size_of_slope = slope.pow(2).mean((1, 2, 3), keepdim=True).sqrt().clamp(min=1e-12)
        moved = (x.detach() - STEP * slope / size_of_slope).clamp(0, 1)
        self._pool[chosen] = moved
        return moved

    def _features(
        self, x: Tensor, student: Student, heads: Heads, targets: Targets
    ) -> dict[str, Tensor]:
        with torch.autocast("cpu", torch.bfloat16):
            predicted = heads(student(x), (0, 0))
        return {tap: predicted[tap] + targets.offset[tap] for tap in STYLE_TAPS}

    @torch.no_grad()
    def _grams(
        self, x: Tensor, student: Student, heads: Heads, targets: Targets
    ) -> dict[str, Tensor]:
        return {tap: gram(f) for tap, f in self._features(x, student, heads, targets).items()}
