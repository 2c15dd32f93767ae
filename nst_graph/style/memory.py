"""How much memory an optimisation needs, estimated before it begins."""

from __future__ import annotations

from collections.abc import Collection

import torch

from nst_graph.errors import NodeError
from nst_graph.style.architecture import Architecture
from nst_graph.style.settings import megabytes

HISTORY, LEAST_HISTORY = 20, 4
"""Pairs of L-BFGS: more than 20 gain nothing, fewer than 4 are hardly L-BFGS."""
_PLANE = 12
"""Bytes of one float32 picture per pixel."""
_PLANES = 12
"""Pictures the optimiser, the losses and previews hold beside the history."""


def encoder_bytes(
    architecture: Architecture, padding: str, layers: Collection[str], dtype: torch.dtype
) -> float:
    """Bytes per pixel of the picture for one evaluation with its gradient.

    Every activation is kept until the gradient has passed it; padding other than zeros makes a
    copy of each convolution's input; sums over positions are made in float32.
    """
    size = torch.empty(0, dtype=dtype).element_size()
    deepest = max(layers, key=architecture.taps.index)
    kept = largest = 0.0
    for tap in architecture.taps[: architecture.taps.index(deepest) + 1]:
        area = architecture.stride(tap) ** 2
        if tap.startswith("conv"):
            out, inside, _, _ = architecture.conv_shape(tap)
            kept += out / area + (inside / area if padding != "zeros" else 0)
            largest = max(largest, (out + inside) / area)
        elif tap.startswith("pool"):
            kept += architecture.channels(tap) / area
    return size * (kept + 2 * largest) + 4 * largest


def picture_bytes(per_evaluation: float, pixels: int, history: int) -> int:
    """Bytes above those of the program itself, weights and small statistics left out."""
    return int(pixels * (per_evaluation + _PLANE * (_PLANES + 2 * history)))


def refuse_excess(
    per_evaluation: float, size: tuple[int, int], history: int, frames: int, limit: int
) -> None:
    """Refuse what cannot be painted within ``limit`` bytes, before anything is computed.

    Args:
        size: height and width of the result.
        history: pairs that L-BFGS keeps; 0 for Adam.

    Raises:
        NodeError: the estimate, the limit and the size that would fit.
    """
    pixels = size[0] * size[1]
    needed = picture_bytes(per_evaluation, pixels, history) + 2 * _PLANE * pixels * frames
    if needed <= limit:
        return
    side = int(max(size) * (limit / needed) ** 0.5) // 8 * 8
    batch = f" for {frames} frames" if frames > 1 else ""
    raise NodeError(
        f"{size[1]} x {size[0]} px{batch} need about {needed / 1e9:.3g} GB of memory, more than "
        f"the {limit / 1e9:.3g} GB that a run may take here; a size up to {side} fits "
        "(--force tries all the same)"
    )


def history_for(memory: str, per_evaluation: float, pixels: int) -> int:
    """How many pairs L-BFGS may keep within ``memory``: ``auto`` or megabytes.

    Raises:
        NodeError: not a number, or not enough even with few pairs.
    """
    limit = megabytes(memory)
    if limit is None:
        return HISTORY
    for history in range(HISTORY, LEAST_HISTORY - 1, -1):
        if picture_bytes(per_evaluation, pixels, history) <= limit * 1e6:
            return history
    needed = -(-picture_bytes(per_evaluation, pixels, LEAST_HISTORY) // 10**6)
    raise NodeError(
        f"memory {memory} MB is too little: this size needs about {needed} MB; lower size, or "
        "raise memory"
    )
