"""Wasserstein-2 distance between the Gaussians that two sets of activations define.

W² = |μ - μ_s|² + tr(Σ + Σ_s - 2 (Σ_s^½ Σ Σ_s^½)^½): the Bures metric of Mroueh (1905.12828) and
Lu et al. (1906.00668), made the style loss of choice by crowsonkb/style-transfer-pytorch. The root
is exact (eigenvalues instead of Newton-Schulz steps) and its gradient is the closed form
½ Σ_s^½ (Σ_s^½ Σ Σ_s^½)^-½ Σ_s^½. With fewer positions M than channels C the same eigenvalues come
from an M x M matrix, which is far smaller in the deep layers of a small picture.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from nst_graph.style.statistics import Moments

SMALLEST_EIGENVALUE = 1e-10
"""Relative to the largest: below, an eigenvalue is rounding and has no gradient."""

BARYCENTRE_STEPS = 50


def root(matrix: Tensor) -> Tensor:
    """The positive semi-definite square root of a symmetric matrix [C, C], in its dtype."""
    values, vectors = torch.linalg.eigh(matrix.to(_wide(matrix)))
    found: Tensor = ((vectors * values.clamp_min(0).sqrt()) @ vectors.mT).to(matrix.dtype)
    return found


def squared_bures(target: Tensor, epsilon: float) -> Callable[[Tensor], Tensor]:
    """tr(Σ + T - 2 (T^½ Σ T^½)^½) as a function of Σ [C, C]; both get ``epsilon`` · I added."""
    dtype = _wide(target)
    ridge = epsilon * torch.eye(len(target), dtype=dtype, device=target.device)
    target = target.to(dtype) + ridge
    half, trace = root(target), target.trace()

    def distance(covariance: Tensor) -> Tensor:
        covariance = covariance.to(dtype) + ridge
        product = half @ covariance @ half
        cross: Tensor = _TraceOfRoot.apply((product + product.mT) / 2)
        return covariance.trace() + trace - 2 * cross

    return distance


def squared_bures_thin(target: Tensor, epsilon: float) -> Callable[[Tensor], Tensor]:
    """The same as a function of X [C, M] with Σ = X Xᵀ, M < C. Only the target gets ``epsilon``."""
    target = target + epsilon * torch.eye(len(target), dtype=target.dtype, device=target.device)
    trace, dtype = target.trace(), _wide(target)

    def distance(x: Tensor) -> Tensor:
        product = (x.mT @ (target.to(x.dtype) @ x)).to(dtype)
        cross: Tensor = _TraceOfRoot.apply((product + product.mT) / 2)
        return x.square().sum() + trace - 2 * cross

    return distance


def _wide(matrix: Tensor) -> torch.dtype:
    """Roots of eigenvalues near 0 are steep, so float64 where the device has it."""
    return matrix.dtype if matrix.device.type == "mps" else torch.float64


class _TraceOfRoot(torch.autograd.Function):
    """tr(K^½) of a symmetric positive semi-definite K; gradient ½ K^-½ on the range of K."""

    @staticmethod
    def forward(ctx: Any, matrix: Tensor) -> Tensor:
        values, vectors = torch.linalg.eigh(matrix)
        kept = values > SMALLEST_EIGENVALUE * values[-1].clamp_min(0)
        roots = torch.where(kept, values, 0.0).sqrt()
        inverse = torch.where(kept, 0.5 / torch.where(kept, roots, 1.0), 0.0)
        ctx.save_for_backward(vectors, inverse)
        total: Tensor = roots.sum()
        return total

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        vectors, inverse = ctx.saved_tensors
        gradient: Tensor = (vectors * (inverse * gradients[0])) @ vectors.mT
        return gradient


def barycentre(parts: Sequence[tuple[float, Moments]]) -> Moments:
    """The Gaussian with the least weighted sum of W² to all ``parts`` (weights sum to 1).

    Fixed point of Álvarez-Esteban et al. (1511.05355): Σ ← Σ^-½ (Σ b_i (Σ^½ Σ_i Σ^½)^½)² Σ^-½,
    in float64 where there is one.
    """
    mean = torch.stack([weight * part.mean for weight, part in parts]).sum(0)
    covariances = [(weight, part.covariance.to(_wide(part.mean))) for weight, part in parts]
    found = torch.stack([weight * covariance for weight, covariance in covariances]).sum(0)
    size = torch.linalg.matrix_norm(found).clamp_min(1e-30)
    for _ in range(BARYCENTRE_STEPS):
        values, vectors = torch.linalg.eigh(found)
        values = values.clamp_min(1e-12 * values[-1].clamp_min(1e-30))
        half = (vectors * values.sqrt()) @ vectors.mT
        back = (vectors * values.rsqrt()) @ vectors.mT
        inner = torch.stack([b * root(half @ part @ half) for b, part in covariances]).sum(0)
        before, found = found, back @ inner @ inner @ back
        found = (found + found.mT) / 2
        if torch.linalg.matrix_norm(found - before) < 1e-10 * size:
            break
    second = found.to(mean.dtype) + torch.outer(mean, mean)
    return Moments(second, mean, max(part.count for _, part in parts))
