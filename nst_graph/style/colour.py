"""Colour: taking it from one picture to another, and keeping it while the brushwork changes.

Pictures are float [N, 3, H, W] in 0..1, sRGB. Sources: Gatys et al. 2016 (arXiv:1606.05897) for
colour transfer and luminance; Pitie & Kokaram 2007 for the Monge-Kantorovich map; Ottosson 2020
for OkLab.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from nst_graph.errors import NodeError

METHODS = ("mean_std", "cholesky", "pca", "mkl", "histogram")
SPACES = ("ycbcr", "oklab")
EPSILON = 1e-5
"""Added to variances (0..1 squared): gray pictures have none in some directions."""

LUMA = (0.299, 0.587, 0.114)
"""Weights of R'G'B' in Y' (ITU-R BT.601), as JPEG and the field's colour tricks use them."""

# Linear sRGB to cone responses, and their cube roots to OkLab (Ottosson 2020).
_TO_CONES = (
    (0.4122214708, 0.5363325363, 0.0514459929),
    (0.2119034982, 0.6806995451, 0.1073969566),
    (0.0883024619, 0.2817188376, 0.6299787005),
)
_TO_LAB = (
    (0.2104542553, 0.7936177850, -0.0040720468),
    (1.9779984951, -2.4285922050, 0.4505937099),
    (0.0259040371, 0.7827717662, -0.8086757660),
)


class Moments(NamedTuple):
    """``mean`` [3] and ``covariance`` [3, 3] of a picture's colours, float64."""

    mean: Tensor
    covariance: Tensor


def luma(x: Tensor) -> Tensor:
    """Y' [N, 1, H, W] of ``x`` (BT.601)."""
    weights = torch.tensor(LUMA, dtype=x.dtype, device=x.device)
    return (x * weights[:, None, None]).sum(1, keepdim=True)


def match_statistics(content: Tensor, style: Tensor) -> Tensor:
    """``content`` with the mean and deviation of each channel taken from ``style``; in 0..1.

    ``style`` has one frame, or one per frame of ``content``; sizes may differ.
    """
    content_var, content_mean = torch.var_mean(content, (2, 3), correction=0, keepdim=True)
    style_var, style_mean = torch.var_mean(style, (2, 3), correction=0, keepdim=True)
    gain = ((style_var + EPSILON) / (content_var + EPSILON)).sqrt()
    return ((content - content_mean) * gain + style_mean).clamp(0, 1)


def match_colour(x: Tensor, reference: Tensor, method: str, strength: float = 1.0) -> Tensor:
    """``x`` in the colours of ``reference``, blended with ``x`` by ``strength``; in 0..1.

    ``mean_std`` scales each channel; ``cholesky``, ``pca`` and ``mkl`` are linear maps that give
    the reference's mean and covariance (see :func:`colour_map`); ``histogram`` gives each
    channel the reference's distribution. Frame i takes frame i of ``reference``, or its last.

    Raises:
        NodeError: no such method.
    """
    if method not in METHODS:
        raise NodeError(f"unknown method {method!r}; choose one of {', '.join(METHODS)}")
    results = []
    for index, frame in enumerate(x):
        target = reference[min(index, len(reference) - 1)]
        if method == "histogram":
            matched = _match_histograms(frame, target)
        else:
            matched = _match_moments(frame, target, method)
        results.append(torch.lerp(frame, matched, strength))
    return torch.stack(results).clamp(0, 1)


def moments(frame: Tensor) -> Moments:
    """Mean and covariance over the pixels of ``frame`` [3, H, W], summed in float64."""
    blocks = torch.split(frame.reshape(3, -1).cpu(), 1 << 20, dim=1)
    count = frame[0].numel()
    mean = torch.stack([block.double().sum(1) for block in blocks]).sum(0) / count
    covariance = torch.zeros(3, 3, dtype=torch.float64)
    for block in blocks:
        centred = block.double() - mean[:, None]
        covariance += centred @ centred.T
    return Moments(mean, covariance / count)


def colour_map(source: Tensor, target: Tensor, method: str) -> Tensor:
    """A with A (source + eps I) A^T = target + eps I, all [3, 3] float64.

    cholesky: L_t L_s^-1 (channels in order, 1606.05897 eq. 4); pca: T^1/2 S^-1/2 (eq. 5), which
    turns axes into axes; mkl: S^-1/2 (S^1/2 T S^1/2)^1/2 S^-1/2, which moves colours least;
    mean_std: diagonal, matches the variances alone.
    """
    identity = torch.eye(3, dtype=torch.float64)
    s, t = source + EPSILON * identity, target + EPSILON * identity
    if method == "mean_std":
        return torch.diag((t.diagonal() / s.diagonal()).sqrt())
    if method == "cholesky":
        low_t, low_s = torch.linalg.cholesky(t), torch.linalg.cholesky(s)
        matrix: Tensor = torch.linalg.solve_triangular(low_s, low_t, upper=False, left=False)
        return matrix
    root, inverse = _power(s, 0.5), _power(s, -0.5)
    if method == "pca":
        return _power(t, 0.5) @ inverse
    return inverse @ _power(root @ t @ root, 0.5) @ inverse


def _match_moments(frame: Tensor, target: Tensor, method: str) -> Tensor:
    source, wanted = moments(frame), moments(target)
    matrix = colour_map(source.covariance, wanted.covariance, method)
    offset = wanted.mean - matrix @ source.mean
    matrix, offset = matrix.to(frame), offset.to(frame)
    return (matrix @ frame.reshape(3, -1) + offset[:, None]).reshape(frame.shape)


def _power(matrix: Tensor, exponent: float) -> Tensor:
    """A symmetric positive definite matrix to a real power."""
    values, vectors = torch.linalg.eigh(matrix)
    power: Tensor = (vectors * values.clamp(min=1e-12) ** exponent) @ vectors.T
    return power


def _match_histograms(frame: Tensor, target: Tensor) -> Tensor:
    """Each channel's values replaced by those of equal rank in ``target``.

    Equal values share the middle of their ranks, so flat areas stay flat.
    """
    channels = []
    sources, targets = frame.flatten(1).contiguous(), target.flatten(1).to(frame)
    for values, wanted in zip(sources, targets, strict=True):
        ordered, ranked = values.sort().values, wanted.sort().values
        low = torch.searchsorted(ordered, values)
        high = torch.searchsorted(ordered, values, right=True)
        share = (low + high).double() / (2 * len(ordered))
        position = (share * len(ranked) - 0.5).clamp(0, len(ranked) - 1)
        left = position.floor().long()
        right = (left + 1).clamp(max=len(ranked) - 1)
        part = (position - left).to(frame.dtype)
        channels.append(torch.lerp(ranked[left], ranked[right], part))
    return torch.stack(channels).reshape(frame.shape)


def match_luminance(x: Tensor, reference: Tensor | None = None) -> Tensor:
    """The luma of ``x`` in all three channels, with ``reference``'s mean and deviation of luma.

    1606.05897 section 4: stylise luminance alone, with the style's brought to the content's.
    """
    gray = luma(x)
    if reference is not None:
        gray = match_statistics(gray, luma(reference))
    return gray.expand(-1, 3, -1, -1)


def keep_colour(x: Tensor, colours: Tensor, space: str = "ycbcr") -> Tensor:
    """The luminance of ``x`` with the chroma of ``colours`` (same size, same number of frames).

    Where no displayable colour has that luminance and chroma, chroma gives way: luminance and
    hue stay. Luminance is Y' of Y'CbCr or L of OkLab.

    Raises:
        NodeError: no such space.
    """
    if space == "ycbcr":
        gray = luma(x)
        return _within_gamut(gray, colours - luma(colours))
    if space == "oklab":
        lightness = to_oklab(x)[:, :1]
        return _oklab_within_gamut(torch.cat([lightness, to_oklab(colours)[:, 1:]], dim=1))
    raise NodeError(f"unknown colour space {space!r}; choose one of {', '.join(SPACES)}")


def _within_gamut(gray: Tensor, chroma: Tensor) -> Tensor:
    """gray + t * chroma with the largest t in 0..1 that stays in 0..1."""
    room = torch.where(chroma > 0, 1 - gray, gray)
    share = room / chroma.abs().clamp(min=1e-12)
    return (gray + chroma * share.amin(1, keepdim=True).clamp(0, 1)).clamp(0, 1)


def _oklab_within_gamut(lab: Tensor) -> Tensor:
    """sRGB of ``lab`` with chroma reduced, by bisection, to what sRGB can show."""
    rgb = from_oklab(lab)
    outside = ((rgb < -1e-4) | (rgb > 1 + 1e-4)).any(1)
    if bool(outside.any()):
        colours = lab.movedim(1, -1)[outside]
        low, high = torch.zeros_like(colours[:, :1]), torch.ones_like(colours[:, :1])
        scale = torch.tensor([0.0, 1.0, 1.0], dtype=lab.dtype, device=lab.device)
        for _ in range(12):
            middle = (low + high) / 2
            trial = _from_oklab(colours * (1 - scale + scale * middle))
            fits = ((trial >= 0) & (trial <= 1)).all(1, keepdim=True)
            low, high = torch.where(fits, middle, low), torch.where(fits, high, middle)
        rgb = rgb.movedim(1, -1).clone()
        rgb[outside] = _from_oklab(colours * (1 - scale + scale * low))
        rgb = rgb.movedim(-1, 1)
    return rgb.clamp(0, 1)


def to_oklab(x: Tensor) -> Tensor:
    """OkLab [N, 3, H, W] (L in 0..1, a, b) of sRGB ``x``."""
    linear = torch.where(x <= 0.04045, x / 12.92, ((x.clamp(min=0) + 0.055) / 1.055) ** 2.4)
    cones = _mixed(linear.movedim(1, -1), _matrix(_TO_CONES, x))
    roots = cones.sign() * cones.abs() ** (1 / 3)
    return _mixed(roots, _matrix(_TO_LAB, x)).movedim(-1, 1)


def from_oklab(lab: Tensor) -> Tensor:
    """sRGB [N, 3, H, W] of OkLab; colours beyond sRGB lie outside 0..1."""
    return _from_oklab(lab.movedim(1, -1)).movedim(-1, 1)


def _from_oklab(lab: Tensor) -> Tensor:
    """sRGB [..., 3] of OkLab [..., 3]."""
    roots = _mixed(lab, _matrix(_TO_LAB, lab, inverse=True))
    linear = _mixed(roots**3, _matrix(_TO_CONES, lab, inverse=True))
    size = linear.abs()
    curved = torch.where(size <= 0.0031308, size * 12.92, 1.055 * size ** (1 / 2.4) - 0.055)
    return linear.sign() * curved


def _mixed(values: Tensor, matrix: Tensor) -> Tensor:
    return values @ matrix.T


def _matrix(rows: tuple[tuple[float, ...], ...], like: Tensor, *, inverse: bool = False) -> Tensor:
    matrix = torch.tensor(rows, dtype=torch.float64)
    return (torch.linalg.inv(matrix) if inverse else matrix).to(like)
