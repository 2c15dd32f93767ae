"""The value and the gradient of an objective at one picture."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True)
class Evaluation:
    """``total`` (0-d), ``raw`` [T] and ``weighted`` [T] in the order of terms, ``gradient`` of
    the total, shaped like the picture. Float32 on the device of the picture."""

    total: Tensor
    raw: Tensor
    weighted: Tensor
    gradient: Tensor
