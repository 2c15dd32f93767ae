"""Losses on the pixels themselves: total variation, colour histogram, Laplacian.

Each is made once for a picture size and then called with the painted picture [1, 3, H, W].
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
import torch.nn.functional as F
from torch import Tensor

from nst_graph.errors import NodeError
from nst_graph.style import sliced
from nst_graph.values import PixelTerm

PixelLoss = Callable[[Tensor], Tensor]

VARIATIONS = ("l2", "l1", "nine_point")
REDUCTIONS = ("mean", "sum")
LAPLACIAN_SCALES = ("relative", "mean", "sum")


def pixel_loss(term: PixelTerm, reference: Tensor | None) -> PixelLoss:
    """The loss that ``term`` describes.

    Args:
        reference: the term's own picture [1, 3, h, w], at the size of the painted one except
            for histograms.

    Raises:
        NodeError: unknown kind, or options it does not have.
    """
    options = dict(term.options)
    if term.kind in VARIATIONS:
        return _variation(term.kind, options)
    if reference is None:
        raise NodeError(f"{term.name}: link a picture to compare with")
    if term.kind == "histogram":
        return _histogram(reference)
    if term.kind == "laplacian":
        return _laplacian(reference, options)
    raise NodeError(f"{term.name}: unknown kind {term.kind[:40]!r}")


def _variation(kind: str, options: Mapping[str, float | str]) -> PixelLoss:
    """Total variation of the picture times ``value_scale`` (legacy programs paint in 0..255).

    ``mean`` averages each direction over its own differences, ``sum`` adds everything up. Sums
    make the strength depend on the size.
    """
    reduction, scale = options.get("reduction", "mean"), float(options.get("value_scale", 1.0))
    if reduction not in REDUCTIONS:
        raise NodeError(f"reduction {reduction!r} is not one of {', '.join(REDUCTIONS)}")
    reduced = torch.mean if reduction == "mean" else torch.sum

    def straight(x: Tensor) -> Tensor:
        x = x * scale
        total = x.sum() * 0.0
        for axis in (-2, -1):
            step = x.diff(dim=axis)
            if step.numel():  # a single row or column has no neighbours
                total = total + reduced(step.abs() if kind == "l1" else step.square())
        return total

    def nine_point(x: Tensor) -> Tensor:
        """2 [(dx² + dy²)/3 + (d↘² + d↙²)/12], borders replicated (crowsonkb)."""
        x = F.pad(x * scale, (1, 1, 1, 1), mode="replicate")
        centre = x[..., 1:-1, 1:-1]
        right, below = x[..., 1:-1, 2:] - centre, x[..., 2:, 1:-1] - centre
        falling = x[..., 1:, 1:] - x[..., :-1, :-1]
        rising = x[..., 1:, :-1] - x[..., :-1, 1:]
        near = reduced(right.square()) + reduced(below.square())
        return 2 * (near / 3 + (reduced(falling.square()) + reduced(rising.square())) / 12)

    return nine_point if kind == "nine_point" else straight


def _histogram(reference: Tensor) -> PixelLoss:
    """Mean squared distance to the picture with the reference's histogram in each channel.

    Risser et al. (1701.08893), eq. 10, on pixels; the matched picture counts as constant.
    """
    target = sliced.quantiles(reference[0].flatten(1))
    distance = sliced.squared_distance(target)

    def loss(x: Tensor) -> Tensor:
        return distance(x[0].flatten(1), None)

    return loss


def _laplacian(reference: Tensor, options: Mapping[str, float | str]) -> PixelLoss:
    """Σ over pooling sizes of |D * pool(x) - D * pool(x_c)|², the channels added up in D.

    Li et al. (1707.01253), eq. 4; ``relative`` divides by |D * pool(x_c)|², ``mean`` by the
    number of values, ``sum`` by nothing. Pooling sizes larger than the picture are left out.
    """
    scale = options.get("scale", "relative")
    if scale not in LAPLACIAN_SCALES:
        raise NodeError(f"scale {scale!r} is not one of {', '.join(LAPLACIAN_SCALES)}")
    sizes = pooling_sizes(str(options.get("pooling", "4, 16")))
    smallest = min(reference.shape[-2:])
    fitting = [size for size in sizes if size <= smallest]
    if not fitting:
        raise NodeError(
            f"pooling sizes {', '.join(map(str, sizes))} are all larger than the picture "
            f"({reference.shape[-1]} x {reference.shape[-2]} px)"
        )
    kernel = torch.tensor([[0.0, -1, 0], [-1, 4, -1], [0, -1, 0]], device=reference.device)
    kernel = kernel.expand(1, reference.shape[1], 3, 3)

    def edges(x: Tensor, size: int) -> Tensor:
        pooled = F.pad(F.avg_pool2d(x, size), (1, 1, 1, 1), mode="replicate")
        return F.conv2d(pooled, kernel.to(x))

    targets = [(size, edges(reference, size)) for size in fitting]

    def loss(x: Tensor) -> Tensor:
        total = x.new_zeros(())
        for size, target in targets:
            error = (edges(x, size) - target).square()
            if scale == "relative":
                total = total + error.sum() / target.square().sum().clamp_min(1e-8)
            else:
                total = total + (error.mean() if scale == "mean" else error.sum())
        return total

    return loss


def pooling_sizes(text: str) -> list[int]:
    """``4, 16`` as numbers.

    Raises:
        NodeError: not a list of whole numbers from 1 to 1024.
    """
    parts = text.replace(",", " ").split()
    if not parts or not all(p.isascii() and p.isdigit() and 0 < int(p) <= 1024 for p in parts):
        raise NodeError(f"pooling {text[:40]!r} is not a list of sizes such as '4, 16'")
    return [int(part) for part in parts]
