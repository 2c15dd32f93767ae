"""Soft masks of simple shapes."""

from __future__ import annotations

import torch
from torch import Tensor

from nst_graph.errors import NodeError

SHAPES = ("left", "right", "top", "bottom", "ellipse", "box")


def region(
    shape: str,
    size: tuple[int, int],
    place: tuple[float, float],
    extent: tuple[float, float],
    feather: float,
) -> Tensor:
    """A mask [H, W] float32 in 0..1 of ``size`` = (height, width).

    ``place`` (x, y) is the edge of a side or the centre of an ellipse or box, ``extent`` the
    width and height of the latter, all as shares of the picture. ``feather`` is the width of the
    edge as a share of the long side: the mask rises across it as a smoothstep, ½ on the outline.

    Raises:
        NodeError: unknown shape.
    """
    height, width = size
    rows = torch.arange(height, dtype=torch.float32)[:, None] + 0.5
    columns = torch.arange(width, dtype=torch.float32)[None, :] + 0.5
    across, down = columns - place[0] * width, rows - place[1] * height
    half_width, half_height = extent[0] * width / 2, extent[1] * height / 2
    if shape == "left":
        outside = across.expand(height, width)
    elif shape == "right":
        outside = -across.expand(height, width)
    elif shape == "top":
        outside = down.expand(height, width)
    elif shape == "bottom":
        outside = -down.expand(height, width)
    elif shape == "box":
        outside = torch.maximum(across.abs() - half_width, down.abs() - half_height)
    elif shape == "ellipse":
        outside = _outside_ellipse(across, down, max(half_width, 1e-6), max(half_height, 1e-6))
    else:
        raise NodeError(f"shape {shape[:40]!r} is not one of {', '.join(SHAPES)}")
    edge = max(feather * max(size), 1e-3)
    t = (0.5 - outside / edge).clamp(0, 1)
    return t * t * (3 - 2 * t)


def _outside_ellipse(across: Tensor, down: Tensor, a: float, b: float) -> Tensor:
    """About how many pixels a point is outside of the ellipse (negative: inside).

    First order: the implicit function over the length of its gradient.
    """
    reach = torch.sqrt((across / a) ** 2 + (down / b) ** 2)
    slope = torch.sqrt((across / a**2) ** 2 + (down / b**2) ** 2)
    near = reach * (reach - 1) / slope.clamp_min(1e-12)
    # At the centre the gradient vanishes; the outline is then min(a, b) away.
    return torch.where(reach < 1e-3, torch.full_like(near, -min(a, b)), near)
