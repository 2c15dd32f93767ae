"""The running average of the iterates, which is calmer than the last one."""

from __future__ import annotations

import torch
from torch import Tensor


class Average:
    """Exponential running average of the iterates, bias-corrected: Σ d^(n-i) x_i, normalised.

    With few steps the decay is lowered to 1 - 3/steps, so that the start is forgotten.
    """

    def __init__(self, x: Tensor, decay: float, steps: int) -> None:
        self.decay = min(decay, max(0.0, 1 - 3 / steps)) if decay else 0.0
        self.left = 1.0
        self.sum = torch.zeros_like(x) if self.decay else torch.zeros(0)

    def update(self, x: Tensor) -> None:
        if self.decay:
            self.sum = self.decay * self.sum + (1 - self.decay) * x
            self.left *= self.decay

    def picture(self, x: Tensor) -> Tensor:
        return self.sum / (1 - self.left) if self.decay and self.left < 1 else x
