"""What a style or content term computes from the activations of one layer.

Every style loss is a function of one layer's activations; a term adds its layers up with their
weights. ``relative`` losses are divided by the size of the target and look at calibrated
activations where the encoder knows how, so that one weight means the same for every encoder and
every size. The other normalisations are those of named programs, on the activations as they are.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from nst_graph.errors import NodeError
from nst_graph.style import bures, sliced
from nst_graph.style.statistics import Moments, calibrated, moments, positions

KINDS = ("gram", "wasserstein", "mean_std", "sliced", "histogram")
METRICS = ("relative", "mse", "cosine", "gatys")
_FLOOR = 1e-12

Calibration = tuple[Tensor, Tensor] | None


@dataclass(frozen=True)
class Seen:
    """Activations [1, C, h, w] of one layer and what each position counts ([h * w], sum 1)."""

    features: Tensor
    weights: Tensor | None = None

    @cached_property
    def moments(self) -> Moments:
        return moments(self.features, self.weights)


LayerLoss = Callable[[Seen], Tensor]
Statistic = Moments | sliced.Quantiles


@dataclass(frozen=True)
class Normalization:
    """How the loss of a layer is scaled.

    ``factor`` (channels C, positions M) multiplies mean((S - S_s)²) of the Gram matrices
    S = F Fᵀ / M; ``layer_weights`` is the scheme that goes with it.
    """

    kinds: tuple[str, ...]
    layer_weights: str
    factor: Callable[[int, int], float] = lambda channels, positions: 1.0
    calibrated: bool = False


NORMALIZATIONS: Mapping[str, Normalization] = {
    "relative": Normalization(KINDS, "auto", calibrated=True),
    "raw": Normalization(KINDS, "ones"),
    "gatys": Normalization(("gram",), "equal", lambda c, m: 0.25),
    "gatys_notebook": Normalization(("gram",), "gatys_notebook"),
    "neural_style": Normalization(("gram",), "ones", lambda c, m: 1 / c**2),
    "gordicaleksa": Normalization(("gram",), "equal"),
    "comfy_fst": Normalization(("gram",), "equal"),
    "pystiche": Normalization(("gram",), "equal"),
    "original": Normalization(("gram",), "ones", lambda c, m: m / c),
    "scaled_mse": Normalization(("gram",), "equal"),
    "crowsonkb": Normalization(("wasserstein",), "crowsonkb"),
}
"""With their layer weights (``auto``) and S = F Fᵀ / M, ΔS = S - S_s, these are

==============  =================================================================================
relative        Σ ΔS² / Σ S_s²  (calibrated)             raw             mean ΔS²
gatys           ¼ mean ΔS², 1/n each (eq. 5, 2016)       gatys_notebook  1000/C² mean ΔS²
neural_style    mean (ΔS/C)² (jcjohnson, ProGamerGov)    original        M/C mean ΔS² (notebooks)
gordicaleksa    Σ (ΔS/C)², 1/n each                      comfy_fst       the same
pystiche        mean ΔS², 1/n each                       scaled_mse      Σ ΔS² / Σ |ΔS|
crowsonkb       (|Δμ|² + Bures²)/C, 256:64:16:4:1 (wasserstein)
==============  =================================================================================
"""


def normalization(name: str, kind: str) -> tuple[str, Normalization]:
    """The normalisation called ``name`` (``auto`` is ``relative``) and its name.

    Raises:
        NodeError: unknown kind or normalisation, or the two do not go together.
    """
    if kind not in KINDS:
        raise NodeError(f"kind {kind[:40]!r} is not one of {', '.join(KINDS)}")
    fitting = [n for n, found in NORMALIZATIONS.items() if kind in found.kinds]
    name = "relative" if name == "auto" else name
    if name not in fitting:
        raise NodeError(
            f"normalization {name[:40]!r} does not go with kind {kind!r}; "
            f"choose one of auto, {', '.join(fitting)}"
        )
    return name, NORMALIZATIONS[name]


def style_loss(
    kind: str, name: str, target: Statistic, calibration: Calibration, lines: sliced.Directions
) -> LayerLoss:
    """The loss of one layer. ``target`` is calibrated already where ``name`` asks for it;
    ``lines`` are needed by the sliced and histogram kinds only."""
    scheme = NORMALIZATIONS[name]
    own = calibration if scheme.calibrated else None
    if isinstance(target, sliced.Quantiles):
        return _sliced(target, lines, relative=name == "relative")
    if kind == "gram":
        return _gram(target, own, name)
    if kind == "mean_std":
        return _mean_std(target, own, relative=name == "relative")
    return _wasserstein(target, own, name)


def _gram(target: Moments, calibration: Calibration, name: str) -> LayerLoss:
    # The closed-form gradient needs a symmetric target; blending may have rounded it.
    wanted = (target.second + target.second.mT) / 2
    energy = wanted.square().sum().clamp_min(_FLOOR)

    def loss(seen: Seen) -> Tensor:
        found = calibrated(seen.moments, calibration)
        difference = found.second - wanted
        squares = difference.square()
        if name == "relative":
            return squares.sum() / energy
        if name == "scaled_mse":
            return squares.sum() / (difference.abs().sum() + 1e-8)
        return squares.mean() * NORMALIZATIONS[name].factor(len(wanted), found.count)

    return loss


def _mean_std(target: Moments, calibration: Calibration, relative: bool) -> LayerLoss:
    """|μ - μ_s|² + |σ - σ_s|² (Li et al. 1701.01036), over tr S_s or the number of channels."""
    deviation = target.variance.sqrt()
    energy = target.second.trace().clamp_min(_FLOOR) if relative else float(len(target.mean))

    def loss(seen: Seen) -> Tensor:
        found = calibrated(seen.moments, calibration)
        means = (found.mean - target.mean).square().sum()
        # The root's gradient is infinite at zero, where a channel is constant.
        spread = (found.variance + 1e-10).sqrt()
        return (means + (spread - deviation).square().sum()) / energy

    return loss


def _wasserstein(target: Moments, calibration: Calibration, name: str) -> LayerLoss:
    channels = len(target.mean)
    covariance = (target.covariance + target.covariance.mT) / 2
    if name == "relative":
        energy: Tensor | float = target.second.trace().clamp_min(_FLOOR)
        epsilon = float(1e-4 * covariance.trace().clamp_min(_FLOOR) / channels)
    else:
        energy, epsilon = float(channels), 1e-4
    full = bures.squared_bures(covariance, epsilon)
    thin = bures.squared_bures_thin(covariance, epsilon)

    def loss(seen: Seen) -> Tensor:
        found = calibrated(seen.moments, calibration)
        means = (found.mean - target.mean).square().sum()
        if found.count < channels:
            return (means + thin(_spread(seen, calibration))) / energy
        return (means + full(found.covariance)) / energy

    return loss


def _spread(seen: Seen, calibration: Calibration) -> Tensor:
    """X [C, M] with X Xᵀ the covariance of the (calibrated) activations."""
    x = positions(seen.features)
    x = x.float() if x.dtype in (torch.bfloat16, torch.float16) else x
    if seen.weights is None:
        x = (x - x.mean(0)) / x.shape[0] ** 0.5
    else:
        weights = seen.weights.to(x.dtype)
        x = (x - weights @ x) * weights.sqrt()[:, None]
    return x.mT if calibration is None else calibration[0].to(x.dtype) @ x.mT


def _sliced(target: sliced.Quantiles, lines: sliced.Directions, relative: bool) -> LayerLoss:
    distance = sliced.squared_distance(target)
    energy = target.values.square().mean().clamp_min(_FLOOR) if relative else 1.0

    def loss(seen: Seen) -> Tensor:
        return distance(lines.along(seen.features), seen.weights) / energy

    return loss


def content_loss(metric: str, target: Seen) -> LayerLoss:
    """The loss of one layer towards the activations ``target``, whose weights say where.

    ``mse``: mean((F - F_c)²); ``relative``: that over the mean variance of the channels of F_c;
    ``cosine``: 1 - cos between the channel vectors, measured from F_c's mean; ``gatys``:
    ½ Σ (F - F_c)² (2016, eq. 1).

    Raises:
        NodeError: no such metric.
    """
    if metric not in METRICS:
        raise NodeError(f"metric {metric[:40]!r} is not one of {', '.join(METRICS)}")
    wanted, weights = positions(target.features).float(), target.weights
    if weights is not None:
        weights = weights[:, None]
    centre = _mean(wanted, weights, 0)
    scale: float | Tensor = 1.0
    if metric == "relative":
        variance = _mean((wanted - centre).square(), weights)
        # A flat picture has next to no variance; it must not make the loss infinite.
        scale = variance.maximum(1e-6 * _mean(wanted.square(), weights)).clamp_min(_FLOOR)
    if metric == "gatys":
        scale = 2.0 / wanted.numel()
    away = wanted - centre
    length = away.norm(dim=1, keepdim=True)

    def loss(seen: Seen) -> Tensor:
        found = positions(seen.features).float()
        if metric == "cosine":
            other = found - centre
            lengths = (length * other.norm(dim=1, keepdim=True)).clamp_min(1e-8)
            return 1 - _mean((away * other).sum(1, keepdim=True) / lengths, weights)
        return _mean((found - wanted).square(), weights) / scale

    return loss


def _mean(x: Tensor, weights: Tensor | None, dim: int | None = None) -> Tensor:
    """Mean over positions (and, without ``dim``, channels) of ``x`` [M, C]."""
    if weights is None:
        return x.mean() if dim is None else x.mean(dim)
    weighted = x * weights
    return weighted.sum() / x.shape[1] if dim is None else weighted.sum(dim)
