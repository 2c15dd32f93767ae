"""Pictures as half blocks: two pixels a cell, equal cells in runs, only changes sent.

In 256 colours a frame of 40 columns costs 5 to 15 KB, a twentieth of what sixel or kitty graphics
take. ``fine`` uses truecolor codes, at twice the bytes, where the terminal has them.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from rich.color import Color
from rich.style import Style

from ..theme import ROLES
from .cells import Cells, Grid

Mode = Literal["colour", "fine", "grey", "off"]
MODES: tuple[Mode, ...] = ("colour", "fine", "grey", "off")
Pixels = NDArray[np.uint8]

LARGEST_FILE = 16 << 20
LARGEST_SIDE = 16_384
_RAMP = " .:-=+*#%@"
_CUBE = np.array([0, 95, 135, 175, 215, 255])
_CUBE_EDGES = np.array([48, 115, 155, 195, 235])
_FIRST = len(ROLES)
_FINE = 1 << 31
"""Looks from here on hold two colours of 15 bits, five a channel."""


@lru_cache(16)
def load(path: Path, modified: int, width: int, height: int) -> Pixels | None:
    """uint8 [h, w, 3], at most ``width`` × ``height``, aspect kept; None if it cannot be read."""
    from PIL import Image

    try:
        if path.stat().st_size > LARGEST_FILE:
            return None
        with Image.open(path, formats=("JPEG", "PNG")) as image:
            if max(image.size) > LARGEST_SIDE:
                return None
            image.draft("RGB", (width * 2, height * 2))
            scale = min(width / image.width, height / image.height)
            size = (max(1, round(image.width * scale)), max(2, round(image.height * scale)))
            return np.asarray(image.convert("RGB").resize(size, Image.Resampling.BOX))
    except (OSError, ValueError, SyntaxError, MemoryError, Image.DecompressionBombError):
        return None


def palette_index(pixels: Pixels) -> NDArray[np.uint8]:
    """The nearest of xterm's colours (least squares): 6×6×6 cube and 24 greys."""
    values = pixels.astype(np.int32)
    steps = np.digitize(values, _CUBE_EDGES)
    cube = 16 + 36 * steps[..., 0] + 6 * steps[..., 1] + steps[..., 2]
    from_cube = ((values - _CUBE[steps]) ** 2).sum(axis=-1)
    greys = np.clip((values.sum(axis=-1) - 9) // 30, 0, 23)
    from_grey = ((values - (8 + 10 * greys)[..., None]) ** 2).sum(axis=-1)
    return np.where(from_grey < from_cube, 232 + greys, cube).astype(np.uint8)


@lru_cache(65_536)
def _half_block(upper: int, lower: int) -> Style:
    return Style(color=Color.from_ansi(upper), bgcolor=Color.from_ansi(lower))


@lru_cache(65_536)
def _fine_half_block(look: int) -> Style:
    upper, lower = (look >> 15) & 0x7FFF, look & 0x7FFF
    return Style(color=_fine_colour(upper), bgcolor=_fine_colour(lower))


def _fine_colour(bits: int) -> Color:
    return Color.from_rgb(*(round(((bits >> shift) & 31) * 255 / 31) for shift in (10, 5, 0)))


class Picture(Cells):
    """Shows one picture file; ``show`` changes it, ``mode`` says how."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.mode: Mode = "colour"
        self.path: Path | None = None
        self.title = ""
        self.note = ""

    def show(self, path: Path | None, title: str, note: str = "") -> None:
        self.path, self.title, self.note = path, title, note
        self.repaint()

    def next_mode(self) -> Mode:
        self.mode = MODES[(MODES.index(self.mode) + 1) % len(MODES)]
        self.repaint()
        return self.mode

    def paint(self, grid: Grid) -> None:
        grid.write(0, 0, "─" * grid.width, "dim")
        x = grid.write(1, 0, f" {self.title} ", "title", max(1, grid.width - 1))
        if self.note:
            grid.write(x, 0, f"· {self.note} ", "dim")
        if self.mode == "off":
            grid.write(1, 1, "picture off (v)", "dim")
            return
        if self.path is None:
            grid.write(1, 1, "no picture yet", "dim")
            return
        plain = self.ascii or bool(self.app.no_color) or self.mode == "grey"
        height = grid.height - 1
        pixels = self._load(grid.width, 2 * height)
        if pixels is None:
            grid.write(1, 1, "the picture is gone or cannot be read", "dim")
        elif plain:
            _paint_ramp(grid, pixels, 1)
        else:
            _paint_blocks(grid, pixels, 1, fine=self.mode == "fine")

    def _load(self, width: int, height: int) -> Pixels | None:
        assert self.path is not None
        try:
            modified = self.path.stat().st_mtime_ns
        except OSError:
            return None
        return load(self.path, modified, width, height)

    def style_of(self, look: int) -> Style:
        if look < _FIRST:
            return super().style_of(look)
        if look >= _FINE:
            return _fine_half_block(look - _FINE)
        return _half_block(*divmod(look - _FIRST, 256))


def _even(pixels: Pixels) -> Pixels:
    return pixels[: len(pixels) // 2 * 2]


def _paint_blocks(grid: Grid, pixels: Pixels, top: int, *, fine: bool) -> None:
    even = _even(pixels)
    index = fifteen_bits(even) if fine else palette_index(even).astype(np.uint32)
    upper, lower = index[0::2], index[1::2]
    height, width = upper.shape
    area = (slice(top, top + height), slice(0, width))
    grid.codes[area] = np.where(upper == lower, ord(" "), ord("▀"))
    grid.looks[area] = _FINE + (upper << 15) + lower if fine else _FIRST + upper * 256 + lower


def fifteen_bits(pixels: Pixels) -> NDArray[np.uint32]:
    """The nearest colour with five bits a channel: fewer codes, longer runs, no visible loss."""
    five = np.rint(pixels.astype(np.float32) * (31 / 255)).astype(np.uint32)
    bits: NDArray[np.uint32] = (five[..., 0] << 10) | (five[..., 1] << 5) | five[..., 2]
    return bits


def _paint_ramp(grid: Grid, pixels: Pixels, top: int) -> None:
    """Brightness as characters, one for each cell."""
    luma = _even(pixels) @ np.array([0.299, 0.587, 0.114])
    cells = (luma[0::2] + luma[1::2]) / 2
    ramp = np.array([ord(c) for c in _RAMP], np.uint32)
    height, width = cells.shape
    place = np.clip(cells * len(ramp) / 256, 0, len(ramp) - 1).astype(np.int64)
    grid.codes[top : top + height, :width] = ramp[place]
