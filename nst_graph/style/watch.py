"""Looking on while a picture is painted: what is told, and what may be asked for."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from torch import Tensor


@dataclass(frozen=True)
class Moment:
    """Where an optimisation stands: ``step`` of ``steps`` over all scales and frames."""

    step: int
    steps: int
    scale: int
    scales: int
    width: int
    height: int
    evaluations: int
    seconds: float


@dataclass(frozen=True)
class Wishes:
    """What the watcher wants after a step; ``weights`` by term index, from the next step on."""

    stop: bool = False
    weights: Mapping[int, float] | None = None
    checkpoint: bool = False


@dataclass(frozen=True)
class Checkpoint:
    """Tensors by name and JSON-serialisable facts."""

    tensors: Mapping[str, Tensor]
    facts: Mapping[str, Any]


class Watcher(Protocol):
    """Whoever looks on."""

    def note(self, message: str) -> None: ...

    def after_step(
        self,
        moment: Moment,
        read: Callable[[], tuple[float, Sequence[float], Sequence[float]]],
        picture: Callable[[], Tensor],
    ) -> Wishes:
        """``read`` gives total, weighted and raw losses; ``picture`` [3, H, W] in 0..1."""

    def checkpoint_due(self) -> bool: ...

    def save(self, checkpoint: Checkpoint, step: int) -> None: ...

    def load(self) -> Checkpoint | None: ...


class Unwatched:
    """Nobody looks on."""

    def note(self, message: str) -> None: ...

    def after_step(self, moment: Moment, read: object, picture: object) -> Wishes:
        return Wishes()

    def checkpoint_due(self) -> bool:
        return False

    def save(self, checkpoint: Checkpoint, step: int) -> None: ...

    def load(self) -> Checkpoint | None:
        return None
