"""Curves as characters: braille dots (2×4 a cell), quadrant blocks (2×2) or ASCII letters."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from ..series import Flags
from ..theme import DASHES
from .decimate import Columns

Glyphs = Literal["braille", "blocks", "ascii"]
Dots = NDArray[np.bool_]

_BRAILLE = np.array([[1, 8], [2, 16], [4, 32], [64, 128]], np.uint32)
_QUADRANTS = np.array([ord(c) for c in " ▘▝▀▖▌▞▛▗▚▐▜▄▙▟█"], np.uint32)


@dataclass(frozen=True)
class Cell:
    """Dots of one character cell: ``across`` × ``down``."""

    across: int
    down: int


CELLS: dict[Glyphs, Cell] = {
    "braille": Cell(2, 4),
    "blocks": Cell(2, 2),
    "ascii": Cell(1, 1),
}


def dots(values: Columns, low: float, high: float, rows: int, dash: tuple[int, int]) -> Dots:
    """bool [rows, columns]: a connected line; values and limits on the (transformed) y axis.

    A dash pattern leaves out columns, but never one in which the curve rises or falls by more
    than two dots: extremes stay visible.
    """
    count = len(values.low)
    scale = (rows - 1) / (high - low)
    known = ~np.isnan(values.low)
    top = np.where(known, (high - values.high) * scale, 0.0)
    bottom = np.where(known, (high - values.low) * scale, 0.0)
    top = np.rint(np.clip(top, -1, rows)).astype(np.int64)
    bottom = np.rint(np.clip(bottom, -1, rows)).astype(np.int64)
    _connect(top, bottom, known)
    drawn = known.copy()
    on, off = dash
    if off:
        pattern = np.arange(count) % (on + off) < on
        drawn &= pattern | (bottom - top > 2)
    y = np.arange(rows)[:, None]
    picture: Dots = (y >= top) & (y <= bottom) & drawn
    return picture


def _connect(top: NDArray[np.int64], bottom: NDArray[np.int64], known: Flags) -> None:
    """Stretch neighbouring columns until they touch, each half of the way."""
    both = known[1:] & known[:-1]
    falls = both & (top[1:] > bottom[:-1] + 1)
    rises = both & (bottom[1:] < top[:-1] - 1)
    middle_down = (top[1:] + bottom[:-1]) // 2
    middle_up = (bottom[1:] + top[:-1]) // 2
    new_top, new_bottom = top.copy(), bottom.copy()
    new_bottom[:-1] = np.where(falls, np.maximum(new_bottom[:-1], middle_down), new_bottom[:-1])
    new_top[1:] = np.where(falls, np.minimum(new_top[1:], middle_down + 1), new_top[1:])
    new_top[:-1] = np.where(rises, np.minimum(new_top[:-1], middle_up), new_top[:-1])
    new_bottom[1:] = np.where(rises, np.maximum(new_bottom[1:], middle_up - 1), new_bottom[1:])
    top[:], bottom[:] = new_top, new_bottom


class Raster:
    """Cells of a plot. Lines drawn later lie on top; ``look`` tells whose a cell is, -1: no one."""

    def __init__(self, width: int, height: int, glyphs: Glyphs) -> None:
        self.glyphs = glyphs
        self.cell = CELLS[glyphs]
        self.width, self.height = width, height
        self.rows, self.columns = height * self.cell.down, width * self.cell.across
        self.look = np.full((height, width), -1, np.int64)
        self._bits = np.zeros((height, width), np.uint32)

    def add(self, values: Columns, low: float, high: float, series: int, look: int) -> None:
        """Draw one curve in the dash pattern (and letter) of ``series``."""
        picture = dots(values, low, high, self.rows, DASHES[series % len(DASHES)])
        down, across = self.cell.down, self.cell.across
        parts = picture.reshape(self.height, down, self.width, across)
        filled = parts.any(axis=(1, 3))
        if self.glyphs == "ascii":
            self._bits[filled] = ord("Tabcdefgh"[series % len(DASHES)])
        else:
            weights = _BRAILLE if self.glyphs == "braille" else _QUADRANT_BITS
            self._bits |= np.einsum("hdwa,da->hw", parts.astype(np.uint32), weights)
        self.look[filled] = look

    def codes(self) -> NDArray[np.uint32]:
        """uint32 [height, width]: code points; 32 where nothing was drawn."""
        empty = self._bits == 0
        if self.glyphs == "braille":
            return np.where(empty, np.uint32(32), self._bits + np.uint32(0x2800))
        if self.glyphs == "blocks":
            return _QUADRANTS[self._bits]
        return np.where(empty, np.uint32(32), self._bits)


_QUADRANT_BITS = np.array([[1, 2], [4, 8]], np.uint32)
