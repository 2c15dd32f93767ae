"""Rescale an encoder so that every filter's mean activation is one (Gatys et al. 2016, sec. 2).

A ReLU network computes the same when a filter is divided by a positive number and the weights that
read it are multiplied by it. Dividing each filter by its mean activation over pictures and
positions therefore changes the scale of each activation and nothing else.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import torch
from torch import Tensor

from nst_graph.errors import UserError
from nst_graph.style.encoder import Encoder
from nst_graph.style.weights_files import Weights, canonical

TOLERANCE = 1e-4
"""The largest difference, relative to a layer's largest activation, that rounding may cause."""


def mean_activations(encoder: Encoder, pictures: Iterable[Tensor]) -> dict[str, Tensor]:
    """Mean over pictures and positions after each ReLU: [C] float64 by ``convB_I``.

    ``pictures``: float32 [1, 3, H, W] in 0..1, of any sizes; positions count alike.
    """
    relus = {conv: conv.replace("conv", "relu") for conv in encoder.architecture.conv_names}
    sums: dict[str, Tensor] = {}
    counts = dict.fromkeys(relus, 0)
    for picture in pictures:
        with torch.no_grad():
            found = encoder(picture, relus.values())
        for conv, relu in relus.items():
            total = found[relu].sum(dim=(0, 2, 3), dtype=torch.float64)
            sums[conv] = sums[conv] + total if conv in sums else total
            counts[conv] += found[relu].shape[-1] * found[relu].shape[-2]
    return {conv: total / counts[conv] for conv, total in sums.items()}


def rescaled(weights: Weights, scales: Mapping[str, Tensor]) -> Weights:
    """Every filter of ``convB_I`` divided by ``scales[convB_I]`` [C]; a dead one stays as it is."""
    tensors = dict(weights.tensors)
    before: Tensor | None = None
    for conv in weights.architecture.conv_names:
        scale = _positive(scales[conv])
        weight = tensors[f"{conv}.weight"].double()
        if before is not None:
            weight = weight * before.view(1, -1, 1, 1)
        tensors[f"{conv}.weight"] = weight / scale.view(-1, 1, 1, 1)
        tensors[f"{conv}.bias"] = tensors[f"{conv}.bias"].double() / scale
        calibration = f"calibration.{conv.replace('conv', 'relu')}"
        if f"{calibration}.whiten" in tensors:
            tensors[f"{calibration}.whiten"] = tensors[f"{calibration}.whiten"].double() * scale
            tensors[f"{calibration}.mean"] = tensors[f"{calibration}.mean"].double() / scale
        before = scale
    return canonical(weights.architecture, tensors)


def verify(original: Encoder, new: Encoder, scales: Mapping[str, Tensor], picture: Tensor) -> float:
    """The largest relative difference between ``original`` and ``new`` times ``scales``.

    Raises:
        UserError: it exceeds :data:`TOLERANCE`, so the rescaling did not preserve the output.
    """
    relus = {conv: conv.replace("conv", "relu") for conv in original.architecture.conv_names}
    with torch.no_grad():
        before, after = original(picture, relus.values()), new(picture, relus.values())
    worst = 0.0
    for conv, relu in relus.items():
        undone = after[relu].double() * _positive(scales[conv]).view(-1, 1, 1)
        reference = before[relu].double()
        error = (undone - reference).abs().max() / reference.abs().max().clamp_min(1e-30)
        worst = max(worst, float(error))
    if worst > TOLERANCE:
        raise UserError(f"rescaling {original.name} changed its output by {worst:.1e}; not kept")
    return worst


def _positive(scale: Tensor) -> Tensor:
    return torch.where(scale > 1e-12, scale, torch.ones_like(scale)).double()
