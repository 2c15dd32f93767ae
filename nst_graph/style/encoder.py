"""Encoders: frozen VGG-shaped networks whose activations the losses compare.

Gatys, Ecker & Bethge (2016) compare pictures through the activations of VGG-19 (Simonyan &
Zisserman 2014). An :class:`Encoder` evaluates the requested taps in one pass and stops at the
deepest one. A tap ``convB_I`` is the output of the convolution itself, before the ReLU.
"""

from __future__ import annotations

import os
from collections.abc import Collection
from functools import lru_cache
from pathlib import Path

import torch
from torch import Tensor

from nst_graph.errors import UserError
from nst_graph.style import network
from nst_graph.style.architecture import AUTO, PADDINGS, POOLINGS, TRANSFORMS
from nst_graph.style.weights_files import Weights, read
from nst_graph.style.weights_lookup import TORCHVISION, find, missing
from nst_graph.values import EncoderChoice


class Encoder:
    """A frozen network; its parameters never require gradients, its input may.

    Attributes:
        name: what the user calls it.
        weights: sha256 hex digest of the canonical tensors (see weights_format).
        layers: every tap, in the order of computation.
        pooling, padding, transform: in force, never ``auto``.
        device, dtype: of the parameters and of the activations.
    """

    def __init__(
        self,
        name: str,
        weights: Weights,
        pooling: str = AUTO,
        padding: str = AUTO,
        transform: str = AUTO,
        device: str | torch.device = "cpu",
        dtype: torch.dtype = torch.float32,
    ) -> None:
        self.name = name
        self.weights = weights.id
        self.architecture = weights.architecture
        self.layers = self.architecture.taps
        self.pooling = _chosen("pooling", pooling, self.architecture.pooling, POOLINGS)
        self.padding = _chosen("padding", padding, self.architecture.padding, PADDINGS)
        self.transform = _chosen("transform", transform, self.architecture.input, TRANSFORMS)
        self.device, self.dtype = torch.device(device), dtype
        self._source = weights
        self._calibrations: dict[str, tuple[Tensor, Tensor] | None] = {}
        # Channels last is faster on CPUs and, for half precision, on GPUs.
        last = self.device.type == "cpu" or (self.device.type == "cuda" and dtype != torch.float32)
        self._format = torch.channels_last if last else torch.contiguous_format
        with torch.inference_mode(False), torch.no_grad():
            self.parameters = {
                conv: (
                    weights.tensors[f"{conv}.weight"].to(
                        self.device, dtype, memory_format=self._format
                    ),
                    weights.tensors[f"{conv}.bias"].to(self.device, dtype),
                )
                for conv in self.architecture.conv_names
            }

    def to(self, device: str | torch.device, dtype: torch.dtype) -> Encoder:
        """The same encoder elsewhere or at another precision, from the original values."""
        return Encoder(
            self.name,
            self._source,
            self.pooling,
            self.padding,
            self.transform,
            device,
            dtype,
        )

    def canonical(self, layer: str) -> tuple[str, str | None]:
        """The tap that ``layer`` means and a remark if it replaces the one asked for.

        Raises:
            UserError: there is no such layer; the message names the nearest ones.
        """
        return self.architecture.canonical(layer, self.name)

    def channels(self, layer: str) -> int:
        return self.architecture.channels(layer)

    def stride(self, layer: str) -> int:
        """Pixels of the picture per activation, in each direction."""
        return self.architecture.stride(layer)

    def min_side(self, layers: Collection[str]) -> int:
        """The smallest side in pixels a picture may have for all of ``layers`` to exist."""
        return self.architecture.min_side(layers, self.padding)

    def calibration(self, layer: str) -> tuple[Tensor, Tensor] | None:
        """(whiten [C, C], mean [C]), float32: the calibrated feature is whiten @ (f - mean).

        It makes the taps of this encoder alike in scale and uncorrelated on natural images;
        None where the weights come without.
        """
        if layer not in self._calibrations:
            found = self._source.calibration(layer)
            with torch.inference_mode(False):
                self._calibrations[layer] = found and (
                    found[0].to(self.device),
                    found[1].to(self.device),
                )
        return self._calibrations[layer]

    def __call__(self, x: Tensor, layers: Collection[str]) -> dict[str, Tensor]:
        """Activations of ``layers`` for ``x``, computed up to the deepest of them.

        Args:
            x: sRGB in 0..1, float32 [N, 3, H, W]; values beyond 0..1 are taken as they are.
            layers: canonical tap names.

        Returns:
            By layer, in the order of computation: [N, C, h, w] in the encoder's dtype, h and w
            being the sides divided by the layer's stride, rounded down.

        Raises:
            UserError: the picture is too small for the deepest layer.
            ValueError: a layer is not a canonical tap name of this encoder.
        """
        unknown = set(layers) - set(self.layers)
        if unknown:
            raise ValueError(f"not taps of {self.name}: {sorted(unknown)}")
        if not layers:
            return {}
        height, width = x.shape[-2:]
        deepest = max(layers, key=self.layers.index)
        if min(height, width) < (side := self.min_side(layers)):
            raise UserError(
                f"a picture of {width} x {height} px is too small for {deepest} of {self.name}, "
                f"which needs at least {side} px a side"
            )
        x = network.transform(x.to(self.device, torch.float32), self.transform)
        x = x.to(self.dtype).contiguous(memory_format=self._format)
        found: dict[str, Tensor] = {}
        for tap in self.layers:
            if tap.startswith("conv"):
                x = network.convolve(x, *self.parameters[tap], self._padding(tap))
            elif tap.startswith("relu"):
                x = torch.relu(x) if f"conv{tap[4:]}" in found else torch.relu_(x)
            else:
                x = network.pool(x, self.pooling)
            if tap in layers:
                found[tap] = x
            if tap == deepest:
                break
        return found

    def _padding(self, conv: str) -> str:
        if self.padding == "replicate-first":
            return "replicate" if conv == self.layers[0] else "zeros"
        return self.padding


def _chosen(what: str, value: str, default: str, allowed: tuple[str, ...]) -> str:
    if value == AUTO:
        return default
    if value not in allowed:
        raise UserError(f"{what} {value[:60]!r} is not one of auto, {', '.join(allowed)}")
    return value


def load_encoder(
    choice: EncoderChoice,
    models: Path,
    device: str | torch.device = "cpu",
    dtype: torch.dtype = torch.float32,
) -> Encoder:
    """The encoder that ``choice`` means, from files on this machine; nothing is downloaded.

    The few last used ones are kept in memory for as long as their file does not change.

    Raises:
        UserError: its weights are absent, damaged, or not those ``choice.weights`` names.
    """
    path = find(choice.name, models)
    if path is None:
        raise missing(choice.name, models)
    try:
        status = os.stat(path)
    except OSError as error:
        raise UserError(f"cannot read {str(path)!r}: {error.strerror}") from error
    encoder = _encoder(
        choice.name,
        path,
        (status.st_size, status.st_mtime_ns),
        choice.pooling,
        choice.padding,
        choice.transform,
        str(device),
        dtype,
    )
    if choice.weights and choice.weights != encoder.weights:
        raise UserError(
            f"the weights of {choice.name!r} in {str(path)!r} are not those this work was begun "
            f"with ({encoder.weights[:12]}… instead of {choice.weights[:12]}…) - put the former "
            "file back, or start again"
        )
    return encoder


@lru_cache(maxsize=4)
def _encoder(
    name: str,
    path: Path,
    stamp: tuple[int, int],
    pooling: str,
    padding: str,
    transform: str,
    device: str,
    dtype: torch.dtype,
) -> Encoder:
    return Encoder(name, _weights(name, path, stamp), pooling, padding, transform, device, dtype)


@lru_cache(maxsize=2)
def _weights(name: str, path: Path, stamp: tuple[int, int]) -> Weights:
    with torch.inference_mode(False), torch.no_grad():
        weights = read(path)
    if name in TORCHVISION and weights.architecture != TORCHVISION[name][0]:
        raise UserError(f"{str(path)!r} does not hold torchvision's {name}; remove or rename it")
    return weights
