"""The two teachers: true VGG-19 up to conv3_2, and a compressed VGG-19 for the deeper taps."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch
import torch.nn.functional as F
from safetensors.torch import load_file
from torch import Tensor

from nst_graph.style.weights_files import Weights, read

TRUE_TAPS = ("relu1_1", "relu2_1", "relu3_1", "relu3_2")
DEEP_TAPS = ("relu4_1", "relu4_2", "relu5_1")
TAPS = (*TRUE_TAPS, *DEEP_TAPS)
BORDER = {"relu1_1": 1, "relu2_1": 2, "relu3_1": 3, "relu3_2": 3}
"""Activations next to the border are left out: VGG-19 pads with zeros, the student reflects."""

_CAFFE_MEAN = (103.939, 116.779, 123.68)


def inner(features: Tensor, tap: str) -> Tensor:
    """``features`` [B, C, H, W] without the activations that saw the border."""
    border = BORDER.get(tap, 0)
    return features[:, :, border:-border, border:-border] if border else features


class Teachers:
    """Features by tap, [B, C, H, W], of pictures [B, 3, H, W] in 0..1, borders left out."""

    def __init__(self, vgg: Path, compressed: Path) -> None:
        """``vgg``: conv1_1 … conv3_2 or more of the authors' VGG-19 (Caffe input).

        ``compressed``: the encoder of Wang et al., Collaborative Distillation (CVPR 2020).
        """
        self._vgg = _channels_last(_tensors(read(vgg)))
        self._compressed = _channels_last(load_file(compressed))

    @torch.no_grad()
    def __call__(self, x: Tensor) -> dict[str, Tensor]:
        with torch.autocast("cpu", torch.bfloat16):
            true, deep = self._true(x), self._deep(x)
        found = {tap: true[tap] for tap in TRUE_TAPS} | {tap: deep[tap] for tap in DEEP_TAPS}
        return {tap: inner(features, tap) for tap, features in found.items()}

    def _true(self, x: Tensor) -> dict[str, Tensor]:
        x = x.flip(1) * 255 - torch.tensor(_CAFFE_MEAN).view(3, 1, 1)
        x = x.contiguous(memory_format=torch.channels_last)
        found = {}
        for name in ("1_1", "1_2", "2_1", "2_2", "3_1", "3_2"):
            if name in ("2_1", "3_1"):
                x = F.max_pool2d(x, 2)
            weight, bias = self._vgg[f"conv{name}.weight"], self._vgg[f"conv{name}.bias"]
            x = found[f"relu{name}"] = F.relu(F.conv2d(x, weight, bias, padding=1))
        return found

    def _deep(self, x: Tensor) -> dict[str, Tensor]:
        c = self._compressed
        x = x.contiguous(memory_format=torch.channels_last)
        x = F.conv2d(x, c["conv0.weight"], c["conv0.bias"])
        found = {}
        blocks = ((1, 2), (2, 2), (3, 4), (4, 4), (5, 1))
        for block, convs in blocks:
            x = F.max_pool2d(x, 2) if block > 1 else x
            for i in range(1, convs + 1):
                x = F.pad(x, (1, 1, 1, 1), mode="reflect")
                name = f"conv{block}{i}"
                x = F.relu(F.conv2d(x, c[f"{name}.weight"], c[f"{name}.bias"]))
                found[f"relu{block}_{i}"] = x
        return found


class Targets:
    """What the student has to predict: live channels, divided by their standard deviation.

    About a third of the compressed teacher's channels never fire on photographs; those are left
    out. ``offset`` is each channel's mean in units of its deviation.
    """

    def __init__(self, features: Mapping[str, Tensor]) -> None:
        self.live: dict[str, Tensor] = {}
        self.mean: dict[str, Tensor] = {}
        self.deviation: dict[str, Tensor] = {}
        self.offset: dict[str, Tensor] = {}
        for tap, f in features.items():
            f = f.float()
            deviation = f.std((0, 2, 3))
            live = self.live[tap] = deviation > 1e-3 * deviation.max()
            self.deviation[tap] = deviation[live].view(1, -1, 1, 1)
            self.mean[tap] = f.mean((0, 2, 3))[live].view(1, -1, 1, 1)
            self.offset[tap] = self.mean[tap] / self.deviation[tap]

    def channels(self, tap: str) -> int:
        return int(self.live[tap].sum())

    def __call__(self, tap: str, features: Tensor) -> Tensor:
        """Standardised float32 live channels of ``features`` [B, C, H, W] of ``tap``."""
        live = features if bool(self.live[tap].all()) else features[:, self.live[tap]]
        return (live.float() - self.mean[tap]) / self.deviation[tap]


def _tensors(weights: Weights) -> dict[str, Tensor]:
    return dict(weights.tensors)


def _channels_last(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {
        name: t.float().contiguous(memory_format=torch.channels_last) if t.ndim == 4 else t.float()
        for name, t in tensors.items()
    }
