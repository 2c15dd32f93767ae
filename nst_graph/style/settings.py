"""How to paint: everything about an optimisation that is not a loss. Needs no torch."""

from __future__ import annotations

from dataclasses import dataclass

from nst_graph.errors import NodeError

OPTIMIZERS = ("lbfgs", "adam")


@dataclass(frozen=True)
class Settings:
    """How to paint. ``learning_rate`` 0 is the optimiser's own (1 for L-BFGS, 0.02 for Adam);
    ``size`` 0 keeps the image's; ``average`` 0 returns the last iterate, else the decay of the
    running average that is returned instead; ``tv_weight`` weighs the built-in total variation;
    ``memory`` is ``auto`` or a number of megabytes.
    """

    optimizer: str = "lbfgs"
    steps: int = 200
    learning_rate: float = 0.0
    beta2: float = 0.99
    size: int = 0
    scales: int = 1
    scale_ratio: float = 2.0
    init: str = "image"
    average: float = 0.0
    tv_weight: float = 0.0
    clamp: bool = True
    seed: int = 0
    memory: str = "auto"


def megabytes(memory: str) -> float | None:
    """The number in ``memory``; None for ``auto``.

    Raises:
        NodeError: neither.
    """
    text = memory.strip().lower().removesuffix("mb").strip()
    if text in ("", "auto"):
        return None
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value < float("inf"):
        raise NodeError(f"memory {memory[:40]!r} is neither auto nor a number of megabytes")
    return value
