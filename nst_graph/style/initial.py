"""The picture an optimisation starts from."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from nst_graph.errors import NodeError
from nst_graph.style.colour import match_statistics
from nst_graph.style.resize import resize
from nst_graph.style.targets import frame_of, mask_of
from nst_graph.values import StyleTerm, Term

INITS = ("image", "style", "noise", "gray", "uniform", "style_noise")
"""``image``: the image itself; ``style``: the image with the mean and deviation of each channel
of the style (its colours); ``noise``: normal, mean ½, deviation 0.15; ``gray``: ½ with a trace of
noise; ``uniform``: every value alike; ``style_noise``: normal with the style's mean and deviation.
"""

NOISE, TRACE = 0.15, 0.001


def initial_picture(
    init: str, image: Tensor, terms: Sequence[Term], frame: int, seed: int
) -> Tensor:
    """The first iterate, like ``image`` [1, 3, H, W] in 0..1. Frames get different noise.

    Raises:
        NodeError: unknown ``init``, or one that needs a style where there is none.
    """
    if init not in INITS:
        raise NodeError(f"init {init[:40]!r} is not one of {', '.join(INITS)}")
    if init == "image":
        return image
    if init == "style":
        return match_statistics(image, _style_colours(terms, frame, init).to(image.device))
    generator = torch.Generator().manual_seed((seed + frame) % 2**63)
    if init == "uniform":
        return torch.rand(image.shape, generator=generator).to(image.device)
    noise = torch.randn(image.shape, generator=generator)
    if init == "noise":
        noise = 0.5 + NOISE * noise
    elif init == "gray":
        noise = 0.5 + TRACE * noise
    else:
        colours = _style_colours(terms, frame, init)
        variance, mean = torch.var_mean(colours, (2, 3), correction=0, keepdim=True)
        noise = mean + variance.sqrt() * noise
    return noise.clamp(0, 1).to(image.device)


def _style_colours(terms: Sequence[Term], frame: int, init: str) -> Tensor:
    """All colours of the style as one picture [1, 3, 1, n], sources mixed by their weights.

    Equal numbers of pixels stand for equal weights: each source is shrunk to its share.
    """
    sources = [
        (abs(source.weight) * max(abs(term.weight), 1e-12), source)
        for term in terms
        if isinstance(term, StyleTerm)
        for source in term.target.sources
    ]
    total = sum(weight for weight, _ in sources)
    if not total > 0:
        raise NodeError(
            f"init {init!r} takes its colours from a style, but no StyleLoss is linked; "
            "choose init 'image' or 'noise'"
        )
    parts = []
    for weight, source in sources:
        picture = frame_of(source.features.image, frame)
        side = max(1, round(256 * (weight / total) ** 0.5))
        pixels = resize(picture, (side, side), "area").flatten(2)
        if source.mask is not None:
            mask = mask_of(source.mask, frame)
            kept = resize(mask[None, None].clamp(0, 1), (side, side), "area").flatten()
            if bool((kept > 0.5).any()):
                pixels = pixels[..., kept > 0.5]
        parts.append(pixels)
    return torch.cat(parts, 2)[:, :, None, :]
