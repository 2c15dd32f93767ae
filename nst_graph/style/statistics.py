"""Statistics of activations: second moment, mean and covariance of a picture or of a region.

The Gram matrix of Gatys, Ecker & Bethge (2016), eq. 3, divided by the number of positions, is the
raw second moment; with mean and covariance it is all that Gram, Wasserstein and mean/std losses
look at. The gradient is the closed form (performance: one matrix product instead of autograd's
three), sums are in float32 whatever the precision of the activations.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from nst_graph.errors import NodeError
from nst_graph.style.resize import resize_mask

SMALLEST_REGION = 0.25
"""A region that covers less than this many positions of a layer has no statistics there."""


@dataclass(frozen=True)
class Moments:
    """Raw moments of C channels over M positions with weights w, Σw = 1.

    ``second`` [C, C] = Σ w F Fᵀ, ``mean`` [C] = Σ w F, float32 or float64; ``count`` = M.
    """

    second: Tensor
    mean: Tensor
    count: int

    @property
    def covariance(self) -> Tensor:
        """[C, C]: second - mean meanᵀ."""
        return self.second - torch.outer(self.mean, self.mean)

    @property
    def variance(self) -> Tensor:
        """[C], never negative."""
        return (self.second.diagonal() - self.mean.square()).clamp_min(0)


def moments(features: Tensor, weights: Tensor | None = None) -> Moments:
    """Moments of ``features`` [1, C, h, w] in any floating dtype.

    ``weights`` [h * w], float32, sum 1: the region that counts (see :func:`region_weights`).
    Differentiable in ``features``.
    """
    second, mean = _Moments.apply(features, weights)
    return Moments(second, mean, features.shape[-2] * features.shape[-1])


def positions(features: Tensor) -> Tensor:
    """``features`` [1, C, h, w] as [h * w, C]; a view where the memory layout allows."""
    return features.permute(0, 2, 3, 1).reshape(-1, features.shape[1])


class _Moments(torch.autograd.Function):
    """S = Σ w F Fᵀ and μ = Σ w F; ∂/∂F = w ((∂S + ∂Sᵀ) F + ∂μ)."""

    @staticmethod
    def forward(ctx: Any, features: Tensor, weights: Tensor | None) -> tuple[Tensor, Tensor]:
        ctx.save_for_backward(features, weights)
        x = _wide(positions(features))
        if weights is None:
            return (x.mT @ x).div_(x.shape[0]), x.mean(0)
        weights = weights.to(x.dtype)
        return x.mT @ (x * weights[:, None]), weights @ x

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        features, weights = ctx.saved_tensors
        by_second, by_mean = gradients
        share = 1.0 if weights is not None else 1.0 / (features.shape[-2] * features.shape[-1])
        x = positions(features)
        both = ((by_second + by_second.mT) * share).to(x.dtype)
        out = torch.addmm((by_mean * share).to(x.dtype), x, both)
        if weights is not None:
            out *= weights.to(x.dtype)[:, None]
        _, channels, height, width = features.shape
        return out.view(1, height, width, channels).permute(0, 3, 1, 2), None


def _wide(x: Tensor) -> Tensor:
    return x.float() if x.dtype in (torch.bfloat16, torch.float16) else x


def calibrated(found: Moments, calibration: tuple[Tensor, Tensor] | None) -> Moments:
    """Moments of whiten @ (F - mean), from those of F: no work per pixel.

    ``calibration``: (whiten [C, C], mean [C]), or None to change nothing.
    """
    if calibration is None:
        return found
    whiten, mean = (t.to(found.second.dtype) for t in calibration)
    cross = torch.outer(mean, found.mean)
    centred = found.second - cross - cross.mT + torch.outer(mean, mean)
    return Moments(whiten @ centred @ whiten.mT, whiten @ (found.mean - mean), found.count)


def region_weights(mask: Tensor, size: tuple[int, int], stride: int) -> Tensor | None:
    """What each position of a layer counts when only a region of the picture matters.

    Gatys et al. (2017), §4: the mask, averaged over the area of each position, squared, divided
    by its sum; so neither the area of the region nor the overall strength of a soft mask matters.

    Args:
        mask: [H, W] at the size of the picture, >= 0.
        size: (h, w) of the layer; stride: its pixels per position.

    Returns:
        [h * w], sum 1; None if the region is too small to be seen by this layer.

    Raises:
        NodeError: the mask is zero everywhere.
    """
    strongest = mask.max()
    if not strongest > 0:
        raise NodeError(
            "the mask of a region is empty (0 everywhere); paint the region white, "
            "or unlink the mask"
        )
    covered = (mask / strongest)[None, : size[0] * stride, : size[1] * stride]
    squares = resize_mask(covered, size)[0].square()
    total = squares.sum()
    if total < SMALLEST_REGION:
        return None
    return (squares / total).flatten()
