"""Painting from coarse to fine: sizes, steps per size, and what is carried over."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor

from nst_graph.errors import NodeError
from nst_graph.style.adam import Adam
from nst_graph.style.resize import LARGEST_SIDE, resize
from nst_graph.style.settings import Settings

Size = tuple[int, int]


def final_size(height: int, width: int, long_side: int) -> Size:
    """(height, width) with the given long side, the aspect kept; 0 keeps the size.

    Raises:
        NodeError: the result is larger than a picture may be.
    """
    if not long_side:
        return height, width
    if long_side > LARGEST_SIDE:
        raise NodeError(f"size {long_side} is too large; sides end at {LARGEST_SIDE} pixels")
    factor = long_side / max(height, width)
    return max(1, round(height * factor)), max(1, round(width * factor))


def schedule(final: Size, settings: Settings, smallest: int) -> tuple[list[Size], list[int]]:
    """Sizes from coarse to fine and the steps at each.

    Coarse scales that the encoder could not see, or that have no step, are left out.
    """
    scales = len(settings.scale_steps) or settings.scales
    sizes = scale_sizes(final, scales, settings.scale_ratio, smallest)
    if settings.scale_steps:
        return sizes, list(settings.scale_steps[-len(sizes) :])
    counts = split_steps(settings.steps, len(sizes))
    return sizes[-len(counts) :], counts


def scale_sizes(final: Size, scales: int, ratio: float, smallest: int) -> list[Size]:
    """Sizes from coarse to fine, each ``ratio`` times the one before, the last one ``final``.

    Sizes with a side below ``smallest`` px, which the encoder could not see, are left out.
    """
    sizes = [final]
    for step in range(1, scales):
        size = (round(final[0] / ratio**step), round(final[1] / ratio**step))
        if min(size) < smallest:
            break
        if size != sizes[0]:
            sizes.insert(0, size)
    return sizes


def split_steps(steps: int, scales: int) -> list[int]:
    """``steps`` shared among the scales as n+1 : n : … : 2 (5:4:3 for three), each at least 1.

    Coarse scales are cheap and lay out the picture; fine ones only add detail.
    """
    scales = min(scales, steps)
    shares = [scales + 2 - k for k in range(scales)] if scales > 1 else [1]
    counts = [max(1, steps * share // sum(shares)) for share in shares]
    counts[0] += steps - sum(counts)
    return counts


def enlarged(x: Tensor, size: Size, clamp: bool = True) -> Tensor:
    """The iterate [1, 3, h, w] at the next size, bicubic."""
    if clamp:
        return resize(x, size)
    return F.interpolate(x, size, mode="bicubic", align_corners=False)


def carry_moments(old: Adam, new: Adam) -> None:
    """Warm start (crowsonkb): moments enlarged with the picture, the step count kept."""
    size = (new.x.shape[-2], new.x.shape[-1])
    new.first = F.interpolate(old.first, size, mode="bicubic", align_corners=False)
    second = F.interpolate(old.second, size, mode="bilinear", align_corners=False)
    new.second = second.clamp_min(0)
    new.count = old.count
