"""L-BFGS for pictures: box constraints, no line search unless a step fails, exact checkpoints.

The direction is that of Nocedal & Wright (Numerical Optimization, algorithm 7.4) restricted to
the pixels that are free to move: those at a bound whose gradient points outwards stay (the
two-metric projection of Bertsekas 1982, as in Schmidt's minConf_TMP). The full step is taken and
accepted as long as the loss stays below the worst of the last few by the usual margin (Grippo,
Lampariello & Lucidi 1986), so an iterate almost always costs one evaluation; otherwise the step
is shortened.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from nst_graph.style.evaluation import Evaluation
from nst_graph.style.memory import HISTORY

Evaluate = Callable[[Tensor], Evaluation]

FIRST_STEP = 0.05
"""Root mean square of the first step, and of the first one after a restart."""
MEMORY = 10
"""How many losses the next one is compared with."""
DECREASE = 1e-4
CURVATURE = 1e-10
"""A pair counts only if sᵀy exceeds this share of |s||y|."""
BACKTRACKS = 12
PATIENCE, PROGRESS = 20, 1e-7
"""Restart when the loss fell by less than this share in so many steps; twice: converged."""
MOST_FAILURES = 5


@dataclass(frozen=True)
class Outcome:
    """What one step came to. ``evaluation`` belongs to the iterate, or for Adam to the one
    before it; ``remark`` is worth telling; ``finished``: nothing more can be gained."""

    evaluation: Evaluation
    evaluations: int
    finished: bool = False
    remark: str | None = None


class Lbfgs:
    """Minimises a function of ``x``, a float tensor of any shape; ``step`` moves it once.

    Attributes:
        x: the current iterate; never modified in place.
    """

    def __init__(
        self,
        x: Tensor,
        *,
        rate: float = 1.0,
        history: int = HISTORY,
        box: tuple[float, float] | None = (0.0, 1.0),
        noise: float = 0.0,
    ) -> None:
        """``noise``: relative error of the loss, within which an increase is not one."""
        self.x = x if box is None else x.clamp(*box)
        self.rate, self.history, self.box, self.noise = rate, history, box, noise
        self._now: Evaluation | None = None
        self._s: list[Tensor] = []
        self._y: list[Tensor] = []
        self._recent: list[float] = []
        self._shrink, self._failures, self._restarts, self._idle = 1.0, 0, 0, 0
        self._best = math.inf

    def changed(self) -> None:
        """The function is another one from now on."""
        self._now, self._recent, self._best = None, [], math.inf
        self._restarts = self._idle = 0
        self._forget()

    def step(self, evaluate: Evaluate) -> Outcome:
        """One accepted iterate.

        Raises:
            FloatingPointError: the function is not finite where it starts.
        """
        count, remark = 0, None
        now = self._now
        if now is None:
            now, count = evaluate(self.x), 1
            if not finite(now):
                raise FloatingPointError("the loss is not finite at the first picture")
            self._accept(self.x, now)
        while True:
            direction = self._direction(now.gradient)
            slope = float((direction * now.gradient).sum())
            if not slope < 0:
                if self._s:
                    self._forget()
                    continue
                return Outcome(now, count, finished=True)
            found, used, failed = self._search(evaluate, now, direction)
            count += used
            if failed:
                self._failures += 1
                self._shrink /= 2
                remark = "the loss became infinite; went back and halved the step"
                if self._failures > MOST_FAILURES:
                    return Outcome(now, count, True, "the loss keeps becoming infinite; stopped")
            if found is not None:
                break
            if not self._s and not failed:
                return Outcome(now, count, True, remark)
            self._forget()
        self._now = now = found
        stuck = self._stalled(float(now.total))
        return Outcome(now, count, finished=stuck and self._restarts > 1, remark=remark)

    # -- direction -------------------------------------------------------------------------

    def _direction(self, gradient: Tensor) -> Tensor:
        """-H g over the free pixels, 0 elsewhere; H from the pairs restricted to these."""
        held = self._free(gradient)
        free = None if held is None else held.flatten()
        q = gradient.flatten().clone() if free is None else gradient.flatten() * free
        pairs: list[tuple[Tensor, Tensor, Tensor, Tensor]] = []
        scale = None
        for s, y in zip(reversed(self._s), reversed(self._y), strict=True):
            y_free = y if free is None else y * free
            inner = s @ y_free
            if free is not None and not inner > 0:
                continue
            if scale is None:
                scale = inner / (y_free @ y_free)
            alpha = (s @ q) / inner
            q.addcmul_(y_free, alpha, value=-1)
            pairs.append((s, y, inner, alpha))
        if scale is None:
            size = float(q.square().mean().sqrt())
            return (q * (-FIRST_STEP / max(size, 1e-38))).view_as(gradient)
        q *= scale
        for s, y, inner, alpha in reversed(pairs):
            beta = (y @ (q if free is None else q * free)) / inner
            q.addcmul_(s, alpha - beta)
        return -(q if free is None else q * free).view_as(gradient)

    def _free(self, gradient: Tensor) -> Tensor | None:
        if self.box is None:
            return None
        low, high = self.box
        held = ((self.x <= low) & (gradient > 0)) | ((self.x >= high) & (gradient < 0))
        return (~held).to(gradient.dtype)

    # -- step length -----------------------------------------------------------------------

    def _search(
        self, evaluate: Evaluate, now: Evaluation, direction: Tensor
    ) -> tuple[Evaluation | None, int, bool]:
        """The evaluation of an acceptable new iterate, evaluations used, whether one failed."""
        length = self._shrink * (self.rate if self._s else 1.0)
        worst = max(self._recent)
        allowed = worst + self.noise * abs(worst)
        for used in range(1, BACKTRACKS + 1):
            trial = self.x + length * direction
            if self.box is not None:
                trial = trial.clamp(*self.box)
            moved = trial - self.x
            slope = float((moved * now.gradient).sum())
            if not slope < 0:
                return None, used - 1, False
            found = evaluate(trial)
            if not finite(found):
                return None, used, True
            if float(found.total) <= allowed + DECREASE * slope:
                self._learn(moved, found.gradient - now.gradient)
                self._accept(trial, found)
                return found, used, False
            # The minimum of the parabola through both losses and the slope.
            rise = float(found.total) - float(now.total) - slope
            length *= min(max(-slope / (2 * rise), 0.1), 0.5) if rise > 0 else 0.5
        return None, BACKTRACKS, False

    def _learn(self, s: Tensor, y: Tensor) -> None:
        s, y = s.flatten(), y.flatten()
        if not float(s @ y) > CURVATURE * float(s.norm()) * float(y.norm()):
            return
        self._s.append(s)
        self._y.append(y)
        if len(self._s) > self.history:
            del self._s[0], self._y[0]

    def _accept(self, x: Tensor, found: Evaluation) -> None:
        self.x, self._now = x, found
        self._recent = [*self._recent, float(found.total)][-MEMORY:]

    def _stalled(self, total: float) -> bool:
        """Whether nothing was gained for a while; forgets the history when it notices."""
        if total < self._best - PROGRESS * abs(self._best) or self._best == math.inf:
            self._best, self._idle = total, 0
            return False
        self._idle += 1
        if self._idle < PATIENCE:
            return False
        self._idle = 0
        self._restarts += 1
        self._forget()
        return True

    def _forget(self) -> None:
        self._s, self._y = [], []

    # -- checkpoints -----------------------------------------------------------------------

    def tensors(self) -> dict[str, Tensor]:
        """Everything :meth:`restore` needs that is a tensor."""
        found = {"x": self.x}
        if self._s:
            found |= {"s": torch.stack(self._s), "y": torch.stack(self._y)}
        if self._now is not None:
            now = self._now
            found |= {"gradient": now.gradient, "total": now.total}
            found |= {"raw": now.raw, "weighted": now.weighted}
        return found

    def facts(self) -> dict[str, Any]:
        return {
            "recent": self._recent,
            "shrink": self._shrink,
            "failures": self._failures,
            "restarts": self._restarts,
            "idle": self._idle,
            "best": None if self._best == math.inf else self._best,
        }

    def restore(self, tensors: Mapping[str, Tensor], facts: Mapping[str, Any]) -> None:
        self.x = tensors["x"]
        # Rows of their own: inner products round otherwise where a row begins off the grid of 64
        # bytes on which tensors are allocated, and the course would no longer be the same.
        self._s = [row.clone() for row in tensors["s"]] if "s" in tensors else []
        self._y = [row.clone() for row in tensors["y"]] if "y" in tensors else []
        if "gradient" in tensors:
            names = ("total", "raw", "weighted", "gradient")
            self._now = Evaluation(*(tensors[name] for name in names))
        self._recent = list(facts["recent"])
        self._shrink, self._failures = facts["shrink"], facts["failures"]
        self._restarts, self._idle = facts["restarts"], facts["idle"]
        self._best = math.inf if facts["best"] is None else facts["best"]


def finite(found: Evaluation) -> bool:
    """Whether loss and gradient hold no NaN and no infinity."""
    return bool(torch.isfinite(found.total)) and bool(torch.isfinite(found.gradient).all())
