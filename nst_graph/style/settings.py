"""How to paint: everything about an optimisation that is not a loss. Needs no torch."""

from __future__ import annotations

from dataclasses import dataclass

from nst_graph.errors import NodeError

OPTIMIZERS = ("lbfgs", "adam")
MOST_SCALES, MOST_STEPS = 10, 100_000


@dataclass(frozen=True)
class Settings:
    """How to paint. ``learning_rate`` 0 is the optimiser's own (1 for L-BFGS, 0.02 for Adam);
    ``size`` 0 keeps the image's; ``average`` 0 returns the last iterate, else the decay of the
    running average that is returned instead; ``tv_weight`` weighs the built-in total variation;
    ``memory`` is ``auto`` or a number of megabytes; what would need more than ``limit`` bytes is
    refused before it begins. ``scale_steps``, from coarse to fine, takes
    the place of ``steps`` and ``scales``.
    """

    optimizer: str = "lbfgs"
    steps: int = 200
    learning_rate: float = 0.0
    beta2: float = 0.99
    size: int = 0
    scales: int = 1
    scale_ratio: float = 2.0
    scale_steps: tuple[int, ...] = ()
    init: str = "image"
    average: float = 0.0
    tv_weight: float = 0.0
    clamp: bool = True
    seed: int = 0
    memory: str = "auto"
    limit: int | None = None


def steps_of_scales(text: str) -> tuple[int, ...]:
    """``1000, 500, 500``: the steps of each scale from coarse to fine; () if empty.

    Raises:
        NodeError: not a list of at most 10 whole numbers from 1 to 100000.
    """
    parts = text.replace(",", " ").split()
    numbers = [int(p) if p.isascii() and p.isdigit() and len(p) < 7 else 0 for p in parts]
    if len(parts) > MOST_SCALES or not all(0 < number <= MOST_STEPS for number in numbers):
        raise NodeError(
            f"scale_steps {text[:40]!r} is not a list of steps such as '400, 300, 200' "
            f"(at most {MOST_SCALES} scales, 1 to {MOST_STEPS} steps each)"
        )
    return tuple(numbers)


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
