"""Changing the size of pictures and masks.

Pixels are areas: pixel ``i`` covers ``[i, i + 1)``, and both grids cover the same rectangle
(``align_corners=False``). Shrinking always averages over everything a new pixel covers, so that
no detail turns into aliasing.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from nst_graph.errors import NodeError

FILTERS = ("bicubic", "bilinear", "area", "lanczos", "nearest")
FITS = ("none", "contain", "cover", "stretch", "short", "long", "megapixels")
LARGEST_SIDE = 32768

Box = tuple[int, int, int, int]
Size = tuple[int, int]


def resize(x: Tensor, size: Size, filter: str = "bicubic") -> Tensor:
    """``x`` float [N, C, H, W] in 0..1 at ``size`` = (height, width), clamped to 0..1.

    The very same tensor comes back when it already has that size. ``area`` averages what a new
    pixel covers and repeats pixels when enlarging; ``nearest`` picks the pixel under the new
    pixel's centre.

    Raises:
        NodeError: the size is not positive, or the filter is unknown.
    """
    if filter not in FILTERS:
        raise NodeError(f"unknown filter {filter!r}; choose one of {', '.join(FILTERS)}")
    if min(size) < 1:
        raise NodeError(f"cannot resize a picture to {size[1]}x{size[0]}")
    if tuple(x.shape[-2:]) == tuple(size):
        return x
    if filter == "nearest":
        return F.interpolate(x, size, mode="nearest-exact")
    if filter in ("bicubic", "bilinear"):
        return F.interpolate(x, size, mode=filter, align_corners=False, antialias=True).clamp(0, 1)
    kernel = _LANCZOS if filter == "lanczos" else _AREA
    return _along_rows(_along_rows(x.mT, size[0], kernel).mT, size[1], kernel).clamp(0, 1)


def resize_mask(mask: Tensor, size: Size) -> Tensor:
    """``mask`` float [B, H, W] at ``size`` = (height, width).

    Shrinking is the exact area average, so the share of the picture that a mask selects stays
    what it was; enlarging is linear, so that edges stay soft.
    """
    if min(size) < 1:
        raise NodeError(f"cannot resize a mask to {size[1]}x{size[0]}")
    for axis, target in ((-2, size[0]), (-1, size[1])):
        if mask.shape[axis] == target:
            continue
        kernel = _AREA if target < mask.shape[axis] else _TRIANGLE
        mask = _along_rows(mask.transpose(axis, -1), target, kernel).transpose(axis, -1)
    return mask


def fit_size(
    width: int, height: int, fit: str, target_w: int, target_h: int
) -> tuple[int, int, Box | None]:
    """The size to give a picture of ``width`` by ``height``, and the box to cut out of it then.

    ``contain``: the largest size inside the target; ``cover``: the smallest that covers it, cut
    around the centre; ``stretch``: exactly the target; ``short``/``long``: that side becomes
    ``target_w`` (``target_h`` if that is 0); ``megapixels``: as many pixels as the target has.
    All but ``stretch`` and the cut keep the aspect ratio. A target side of 0 follows from the
    other one. The box is (left, top, right, bottom) in the resized picture.

    Raises:
        NodeError: no such fit, both target sides are 0, or the result is too large.
    """
    if fit not in FITS:
        raise NodeError(f"unknown fit {fit!r}; choose one of {', '.join(FITS)}")
    if fit == "none":
        return width, height, None
    if target_w < 0 or target_h < 0 or not (target_w or target_h):
        raise NodeError(f"fit {fit!r} needs width or height (both are {target_w}x{target_h})")
    if fit in ("short", "long"):
        reference = min(width, height) if fit == "short" else max(width, height)
        return _scaled(width, height, (target_w or target_h) / reference)
    across = target_w / width if target_w else target_h / height
    down = target_h / height if target_h else across
    if fit == "megapixels":
        return _scaled(width, height, math.sqrt(across * down))
    if fit == "contain":
        return _scaled(width, height, min(across, down))
    target = (
        target_w or max(1, round(width * across)),
        target_h or max(1, round(height * down)),
    )
    if fit == "stretch":
        return *_checked(*target), None
    w, h, _ = _scaled(width, height, max(across, down))
    w, h = max(w, target[0]), max(h, target[1])
    left, top = (w - target[0]) // 2, (h - target[1]) // 2
    box = (left, top, left + target[0], top + target[1])
    return w, h, None if (w, h) == target else box


def fitted(x: Tensor, fit: str, target_w: int, target_h: int, filter: str = "bicubic") -> Tensor:
    """``x`` [N, C, H, W] resized and cut as :func:`fit_size` says."""
    width, height, box = fit_size(x.shape[-1], x.shape[-2], fit, target_w, target_h)
    x = resize(x, (height, width), filter)
    return x if box is None else x[..., box[1] : box[3], box[0] : box[2]]


def _scaled(width: int, height: int, scale: float) -> tuple[int, int, None]:
    return *_checked(max(1, round(width * scale)), max(1, round(height * scale))), None


def _checked(width: int, height: int) -> Size:
    if max(width, height) > LARGEST_SIDE:
        raise NodeError(
            f"the picture would become {width}x{height}; sides end at {LARGEST_SIDE} pixels"
        )
    return width, height


@dataclass(frozen=True)
class _Kernel:
    """Weight of a source pixel at a distance (in pixels) from the new pixel's centre.

    ``radius`` counts new pixels when shrinking and source pixels when enlarging; ``weight`` gets
    the distance and the scale (source pixels per new pixel).
    """

    radius: float
    weight: Callable[[Tensor, float], Tensor]


def _overlap(distance: Tensor, scale: float) -> Tensor:
    """Length of a source pixel that lies under the new pixel, which is ``scale`` wide."""
    low = torch.maximum(distance - 0.5, torch.full_like(distance, -scale / 2))
    high = torch.minimum(distance + 0.5, torch.full_like(distance, scale / 2))
    return (high - low).clamp(min=0)


def _triangle(distance: Tensor, scale: float) -> Tensor:
    return (1 - distance.abs() / max(scale, 1.0)).clamp(min=0)


def _lanczos(distance: Tensor, scale: float) -> Tensor:
    """Lanczos window of three lobes (Turkowski 1990), stretched when shrinking."""
    t = distance / max(scale, 1.0)
    return torch.where(t.abs() < 3, torch.sinc(t) * torch.sinc(t / 3), torch.zeros_like(t))


_AREA = _Kernel(0.5, _overlap)
_TRIANGLE = _Kernel(1.0, _triangle)
_LANCZOS = _Kernel(3.0, _lanczos)


def _along_rows(x: Tensor, size: int, kernel: _Kernel) -> Tensor:
    """``x`` [..., W] filtered to [..., size]; one multiply-add per tap, weights sum to 1."""
    length = x.shape[-1]
    if length == size:
        return x
    scale = length / size
    centres = (torch.arange(size, dtype=torch.float64) + 0.5) * scale - 0.5
    reach = kernel.radius * max(scale, 1.0) + 0.5
    first = torch.ceil(centres - reach).long()
    taps = math.floor(2 * reach) + 1
    index = first[:, None] + torch.arange(taps)
    weights = kernel.weight(index.double() - centres[:, None], scale)
    weights = weights * ((index >= 0) & (index < length))
    weights = (weights / weights.sum(1, keepdim=True)).to(x.device, x.dtype)
    index = index.clamp(0, length - 1).to(x.device)
    result = torch.zeros((*x.shape[:-1], size), device=x.device, dtype=x.dtype)
    for tap in range(taps):
        result += x.index_select(-1, index[:, tap]) * weights[:, tap]
    return result
