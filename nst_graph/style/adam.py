"""Adam (Kingma & Ba 1412.6980) for pictures: box projection, a guard, exact checkpoints."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from nst_graph.style.lbfgs import MOST_FAILURES, Evaluate, Outcome, finite

EPSILON = 1e-8


class Adam:
    """Minimises a function of ``x``, a float tensor; each ``step`` costs one evaluation.

    Attributes:
        x: the current iterate; never modified in place.
    """

    def __init__(
        self,
        x: Tensor,
        *,
        rate: float = 0.02,
        betas: tuple[float, float] = (0.9, 0.99),
        box: tuple[float, float] | None = (0.0, 1.0),
    ) -> None:
        self.x = x if box is None else x.clamp(*box)
        self.rate, self.betas, self.box = rate, betas, box
        self.first, self.second = torch.zeros_like(x), torch.zeros_like(x)
        self.count = 0
        self._good = self.x
        self._failures = 0

    def changed(self) -> None:
        """The function is another one from now on: nothing depends on the old one's values."""

    def step(self, evaluate: Evaluate) -> Outcome:
        """One step from ``x``; the outcome's evaluation is the one at the iterate before it.

        Raises:
            FloatingPointError: the function is not finite where it starts.
        """
        used, remark = 0, None
        while True:
            now = evaluate(self.x)
            used += 1
            if finite(now):
                break
            if self._good is self.x:
                raise FloatingPointError("the loss is not finite at the first picture")
            self._failures += 1
            self.x, self.rate, self.count = self._good, self.rate / 2, 0
            self.first, self.second = torch.zeros_like(self.x), torch.zeros_like(self.x)
            remark = "the loss became infinite; went back and halved the learning rate"
            if self._failures > MOST_FAILURES:
                now = evaluate(self.x)
                return Outcome(now, used + 1, True, "the loss keeps becoming infinite; stopped")
        gradient = now.gradient
        self.count += 1
        beta1, beta2 = self.betas
        self.first = self.first.lerp(gradient, 1 - beta1)
        self.second = self.second * beta2 + gradient.square() * (1 - beta2)
        size = (self.second / (1 - beta2**self.count)).sqrt() + EPSILON
        x = self.x - (self.rate / (1 - beta1**self.count)) * self.first / size
        self._good, self.x = self.x, x if self.box is None else x.clamp(*self.box)
        return Outcome(now, used, remark=remark)

    def tensors(self) -> dict[str, Tensor]:
        """Everything :meth:`restore` needs that is a tensor."""
        return {"x": self.x, "first": self.first, "second": self.second, "good": self._good}

    def facts(self) -> dict[str, Any]:
        return {"count": self.count, "rate": self.rate, "failures": self._failures}

    def restore(self, tensors: Mapping[str, Tensor], facts: Mapping[str, Any]) -> None:
        self.x, self._good = tensors["x"], tensors["good"]
        self.first, self.second = tensors["first"], tensors["second"]
        self.count, self.rate, self._failures = facts["count"], facts["rate"], facts["failures"]
