"""Distributions compared along lines: sliced Wasserstein and histogram losses.

Heitz et al. (2006.07229) project the activations on random directions and compare the sorted
values; Risser et al. (1701.08893), §4.1, do the same along the channels themselves. The matched
target of a value is the target's quantile at the value's rank.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from nst_graph.style.statistics import positions

MOST_DIRECTIONS = 64


@dataclass(frozen=True)
class Directions:
    """Projections ``vectors`` @ F - ``offset``: [R, C] and [R]."""

    vectors: Tensor
    offset: Tensor

    def along(self, features: Tensor) -> Tensor:
        """[R, M] from [1, C, h, w]; differentiable, float32 at least."""
        x = positions(features)
        x = x.float() if x.dtype in (torch.bfloat16, torch.float16) else x
        return self.vectors.to(x.dtype) @ x.mT - self.offset.to(x.dtype)[:, None]


def directions(
    channels: int, calibration: tuple[Tensor, Tensor] | None, seed: int | None
) -> Directions:
    """Random unit vectors for calibrated channels, always the same for one ``seed``.

    None for ``seed`` gives the channels themselves.
    """
    if seed is None:
        vectors = torch.eye(channels)
    else:
        generator = torch.Generator().manual_seed(seed)
        vectors = torch.randn(min(channels, MOST_DIRECTIONS), channels, generator=generator)
        vectors = vectors / vectors.norm(dim=1, keepdim=True)
    if calibration is None:
        return Directions(vectors, torch.zeros(len(vectors)))
    whiten, mean = calibration
    vectors = vectors.to(whiten) @ whiten
    return Directions(vectors, vectors @ mean)


@dataclass(frozen=True)
class Quantiles:
    """``values`` [R, K]: quantiles at (k + ½) / K along each direction, ascending."""

    values: Tensor


def quantiles(along: Tensor, weights: Tensor | None = None) -> Quantiles:
    """Quantiles of ``along`` [R, M]; ``weights`` [M], sum 1."""
    ordered, order = along.sort(dim=1)
    if weights is None:
        return Quantiles(ordered)
    ranks = _ranks(weights, order)
    count = max(int((weights > 0).sum()), 1)
    grid = _middles(count, along).expand(len(along), -1).contiguous()
    return Quantiles(_interpolated(ranks, ordered, grid))


def blended(parts: Sequence[tuple[float, Quantiles]]) -> Quantiles:
    """The Wasserstein barycentre along each direction: quantiles average."""
    count = max(part.values.shape[1] for _, part in parts)
    return Quantiles(torch.stack([b * at_middles(part, count) for b, part in parts]).sum(0))


def at_middles(target: Quantiles, count: int) -> Tensor:
    """[R, count]: the target's quantiles at (i + ½) / count."""
    values = target.values
    if values.shape[1] == count:
        return values
    known = _middles(values.shape[1], values).expand(len(values), -1).contiguous()
    wanted = _middles(count, values).expand(len(values), -1).contiguous()
    return _interpolated(known, values, wanted)


def squared_distance(target: Quantiles) -> Callable[[Tensor, Tensor | None], Tensor]:
    """Mean squared difference to the target's quantiles, of [R, M] and region weights [M]."""
    kept: dict[int, Tensor] = {}

    def distance(along: Tensor, weights: Tensor | None) -> Tensor:
        ordered, order = along.sort(dim=1)
        count = along.shape[1]
        if weights is None:
            if count not in kept:
                kept.clear()
                kept[count] = at_middles(target, count)
            return (ordered - kept[count]).square().mean()
        values = target.values
        known = _middles(values.shape[1], values).expand(len(values), -1).contiguous()
        matched = _interpolated(known, values, _ranks(weights, order))
        return ((ordered - matched).square() * weights[order]).sum(1).mean()

    return distance


def _middles(count: int, like: Tensor) -> Tensor:
    return (torch.arange(count, device=like.device, dtype=like.dtype) + 0.5) / count


def _ranks(weights: Tensor, order: Tensor) -> Tensor:
    """Where each sorted value stands between 0 and 1: the middle of its share."""
    shares = weights[order]
    return shares.cumsum(1) - shares / 2


def _interpolated(known: Tensor, values: Tensor, wanted: Tensor) -> Tensor:
    """Rows of ``values`` at ``known`` positions (ascending), linearly at ``wanted`` ones."""
    if values.shape[1] == 1:
        return values.expand(-1, wanted.shape[1])
    right = torch.searchsorted(known, wanted).clamp(1, known.shape[1] - 1)
    left = right - 1
    x0, x1 = known.gather(1, left), known.gather(1, right)
    y0, y1 = values.gather(1, left), values.gather(1, right)
    share = ((wanted - x0) / (x1 - x0).clamp_min(1e-12)).clamp(0, 1)
    return y0 + share * (y1 - y0)
