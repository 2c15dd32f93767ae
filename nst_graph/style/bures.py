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

BARYCENTRE_STEPS, BARYCENTRE_CHANGE = 100, 1e-7
LOWEST_SHARE = 1e-5
"""Eigenvalues below this share of the mean one make the barycentre's iteration diverge."""


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

    Two have a closed form, McCann's interpolation: Σ = T Σ_1 T with T = b_1 I + b_2 times the
    optimal map from the first to the second. More are the fixed point of Álvarez-Esteban et al.
    (1511.05355): Σ ← Σ^-½ (Σ b_i (Σ^½ Σ_i Σ^½)^½)² Σ^-½. In float64; covariances without full rank
    (fewer positions than channels) are lifted to it and the result is lowered again.
    """
    mean = torch.stack([weight * part.mean for weight, part in parts]).sum(0)
    weights = [weight for weight, _ in parts]
    covariances = [(part.covariance + part.covariance.mT).double() / 2 for _, part in parts]
    lift = _lift(covariances)
    lifted = [covariance + lift for covariance in covariances]
    if len(lifted) == 2:
        half, back = _roots(lifted[0])
        onto = back @ root(half @ lifted[1] @ half) @ back
        way = weights[0] * torch.eye(len(mean), dtype=onto.dtype, device=onto.device)
        way = way + weights[1] * onto
        found = way @ lifted[0] @ way
    else:
        found = _fixed_point(weights, lifted)
    second = (found - lift).to(mean.dtype) + torch.outer(mean, mean)
    return Moments((second + second.mT) / 2, mean, max(part.count for _, part in parts))


def _lift(covariances: Sequence[Tensor]) -> Tensor:
    """The multiple of I that gives every covariance a condition the iteration can bear."""
    size = max(float(covariance.trace()) / len(covariance) for covariance in covariances)
    lowest = min(float(torch.linalg.eigvalsh(covariance)[0]) for covariance in covariances)
    amount = max(0.0, LOWEST_SHARE * size - lowest, 1e-30)
    return amount * torch.eye(len(covariances[0])).to(covariances[0])


def _roots(matrix: Tensor) -> tuple[Tensor, Tensor]:
    """``matrix``^½ and its inverse; positive definite."""
    values, vectors = torch.linalg.eigh(matrix)
    values = values.clamp_min(1e-12 * values[-1])
    return (vectors * values.sqrt()) @ vectors.mT, (vectors * values.rsqrt()) @ vectors.mT


def _fixed_point(weights: Sequence[float], covariances: Sequence[Tensor]) -> Tensor:
    found = torch.stack([b * part for b, part in zip(weights, covariances, strict=True)]).sum(0)
    size = torch.linalg.matrix_norm(found)
    for _ in range(BARYCENTRE_STEPS):
        half, back = _roots(found)
        inner = [b * root(half @ part @ half) for b, part in zip(weights, covariances, strict=True)]
        middle = torch.stack(inner).sum(0)
        before, found = found, back @ middle @ middle @ back
        found = (found + found.mT) / 2
        if torch.linalg.matrix_norm(found - before) < BARYCENTRE_CHANGE * size:
            break
    return found
