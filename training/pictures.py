"""Training pictures in memory, and random crops that look like what a style loop meets."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

SUFFIXES = {".jpg", ".jpeg", ".png"}
SMALLEST_CROP = 64
Pixels = np.ndarray
"""[H, W, 3] uint8 sRGB."""


def files(folder: Path) -> list[Path]:
    """Every picture below ``folder``, sorted."""
    return sorted(f for f in folder.rglob("*") if f.suffix.lower() in SUFFIXES)


def split(folder: Path) -> tuple[list[Path], list[Path]]:
    """(for training, held out): every twentieth picture of a folder is never trained on."""
    found = files(folder)
    held = found[7::20]
    return [f for f in found if f not in set(held)], held


def read(path: Path, short_side: int) -> Pixels:
    """The picture, made smaller if its short side is longer than ``short_side``."""
    with Image.open(path) as opened:
        image = opened.convert("RGB")
    scale = short_side / min(image.size)
    if scale < 1:
        width, height = (round(side * scale) for side in image.size)
        image = image.resize((width, height), Image.Resampling.LANCZOS)
    return np.asarray(image)


def centre_square(path: Path, side: int) -> Tensor:
    """[3, side, side] in 0..1: the middle of the picture."""
    pixels = read(path, side)
    height, width = pixels.shape[:2]
    m = min(height, width)
    return _cut(pixels, ((width - m) // 2, (height - m) // 2), m, side)


def _cut(pixels: Pixels, corner: tuple[int, int], extent: int, side: int) -> Tensor:
    x, y = corner
    part = Image.fromarray(pixels[y : y + extent, x : x + extent])
    if extent != side:
        part = part.resize((side, side), Image.Resampling.BICUBIC)
    return torch.from_numpy(np.array(part, np.float32) / 255).permute(2, 0, 1)


class Crops:
    """Random square crops of photographs and paintings, augmented.

    Inside a style loop an encoder sees recoloured, blended and noisy pictures, so that is what
    it has to follow its teachers on.
    """

    def __init__(self, photos: Sequence[Pixels], paintings: Sequence[Pixels], seed: int) -> None:
        self._photos, self._paintings = photos, paintings
        self._random = np.random.default_rng(seed)

    def chance(self, probability: float) -> bool:
        return bool(self._random.random() < probability)

    def crop(self, side: int, painting: bool) -> Tensor:
        """[3, side, side] in 0..1; the cut-out is 64 px … the short side, log-uniform."""
        source = self._paintings if painting else self._photos
        pixels = source[self._random.integers(len(source))]
        height, width = pixels.shape[:2]
        most = min(height, width)
        least = min(SMALLEST_CROP, most)
        extent = int(math.exp(self._random.uniform(math.log(least), math.log(most))))
        x = int(self._random.integers(width - extent + 1))
        y = int(self._random.integers(height - extent + 1))
        cut = _cut(pixels, (x, y), extent, side)
        return cut.flip(2) if self.chance(0.5) else cut

    def plain(self, count: int, side: int, paintings: float) -> Tensor:
        """[count, 3, side, side]; a share ``paintings`` of the crops comes from paintings."""
        return torch.stack([self.crop(side, self.chance(paintings)) for _ in range(count)])

    def augmented(self, count: int, side: int) -> Tensor:
        x = self.plain(count, side, paintings=0.3)
        other = torch.from_numpy(self._random.permutation(count))
        for i in range(count):
            x[i] = self._augment(x[i], x[int(other[i])])
        return x.clamp_(0, 1)

    def _augment(self, x: Tensor, other: Tensor) -> Tensor:
        uniform = self._random.uniform
        if self.chance(0.3):
            x = recoloured(x, other)
        if self.chance(0.15):
            x = torch.lerp(x, other, uniform(0.2, 0.8))
        if self.chance(0.35):
            x = saturated(x, uniform(0.5, 2.2), uniform(0.5, 1.7))
        if self.chance(0.15):
            x = x * torch.from_numpy(uniform(0.6, 1.3, (3, 1, 1)).astype(np.float32))
        if self.chance(0.3):
            x = x + self._noise(x.shape[-1]) * uniform(0, 0.12)
        return x

    def _noise(self, side: int) -> Tensor:
        shape = (1 if self.chance(0.3) else 3, side, side)
        return torch.from_numpy(self._random.standard_normal(shape, np.float32))


def recoloured(x: Tensor, like: Tensor) -> Tensor:
    """``x`` with the mean and standard deviation per channel of ``like``, both [3, H, W]."""
    mean, deviation = x.mean((1, 2), keepdim=True), x.std((1, 2), keepdim=True) + 1e-3
    scale = (like.std((1, 2), keepdim=True) + 1e-3) / deviation
    return (x - mean) * scale + like.mean((1, 2), keepdim=True)


def saturated(x: Tensor, saturation: float, contrast: float) -> Tensor:
    """``x`` [3, H, W] with its colours and its contrast multiplied."""
    grey = x.mean(0, keepdim=True)
    centre = grey.mean()
    return (grey + (x - grey) * saturation - centre) * contrast + centre
