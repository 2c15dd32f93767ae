"""The edges of a drawing as box-drawing characters: one bit per direction in every cell."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from ..theme import ROLE
from ..widgets.cells import Grid
from .cards import glyph_of
from .detour import Route
from .layout import Edge
from .route import Drawing

NORTH, EAST, SOUTH, WEST = 1, 2, 4, 8
LIGHT = " ╵╶╰╷│╭├╴╯─┴╮┤┬┼"
HEAVY = " ╹╺┗╻┃┏┣╸┛━┻┓┫┳╋"
_LIGHT, _HEAVY = (np.array([ord(c) for c in table], np.uint32) for table in (LIGHT, HEAVY))
_DASHED = {ord("─"): ord("┄"), ord("│"): ord("┆")}

Bits = NDArray[np.uint8]


class Ink:
    """Bits and colours of all edges of a drawing; paints the part of it that is looked at."""

    def __init__(
        self, drawing: Drawing, kinds: Mapping[Edge, str], faded: Collection[Edge] = ()
    ) -> None:
        """``kinds``: the socket type of each edge; ``faded`` edges are dashed and dim."""
        self._drawing = drawing
        self._kinds = kinds
        shape = (drawing.height, drawing.width)
        self._bits: Bits = np.zeros(shape, np.uint8)
        self._faded: NDArray[np.bool_] = np.zeros(shape, bool)
        self._looks: NDArray[np.uint32] = np.zeros(shape, np.uint32)
        for edge, route in drawing.routes.items():
            stroke(self._bits, route)
            look = ROLE["dim" if edge in faded else glyph_of(kinds[edge])[1]]
            for rows, columns in _pieces(route):
                self._looks[rows, columns] = look
                if edge in faded:
                    self._faded[rows, columns] = True

    def paint(self, grid: Grid, x: int, y: int, hot: Collection[Edge] = ()) -> None:
        """Draw the part whose top left corner is cell (x, y); ``hot`` edges are heavy lines."""
        height, width = self._bits.shape
        left, top = max(0, x), max(0, y)
        right, bottom = min(width, x + grid.width), min(height, y + grid.height)
        if left >= right or top >= bottom:
            return
        here = (slice(top, bottom), slice(left, right))
        bits = self._bits[here]
        codes = _LIGHT[bits]
        faded = self._faded[here]
        if faded.any():
            for plain, dashed in _DASHED.items():
                codes[faded & (codes == plain)] = dashed
        looks = self._looks[here].copy()
        if hot:
            heavy = np.zeros(self._bits.shape, np.uint8)
            for edge in hot:
                route = self._drawing.routes.get(edge)
                if route is not None:
                    stroke(heavy, route)
                    for rows, columns in _pieces(route):
                        looks_of_edge = ROLE[glyph_of(self._kinds[edge])[1]]
                        self._recolour(looks, rows, columns, here, looks_of_edge)
            codes = np.where(heavy[here] > 0, _HEAVY[heavy[here]], codes)
        drawn = bits > 0
        window = (slice(top - y, bottom - y), slice(left - x, right - x))
        grid.codes[window][drawn] = codes[drawn]
        grid.looks[window][drawn] = looks[drawn]

    @staticmethod
    def _recolour(
        looks: NDArray[np.uint32],
        rows: slice,
        columns: slice,
        here: tuple[slice, slice],
        look: int,
    ) -> None:
        top, left = here[0].start, here[1].start
        up, down = max(rows.start - top, 0), max(rows.stop - top, 0)
        begin, end = max(columns.start - left, 0), max(columns.stop - left, 0)
        looks[up:down, begin:end] = look


def stroke(bits: Bits, route: Route) -> None:
    """Add a route to ``bits``; its ends reach into the sockets beside them."""
    for (ax, ay), (bx, by) in pairwise(route):
        if ay == by:
            left, right = min(ax, bx), max(ax, bx)
            bits[ay, left:right] |= EAST
            bits[ay, left + 1 : right + 1] |= WEST
        else:
            top, bottom = min(ay, by), max(ay, by)
            bits[top:bottom, ax] |= SOUTH
            bits[top + 1 : bottom + 1, ax] |= NORTH
    (ax, ay), (bx, by) = route[0], route[-1]
    bits[ay, ax] |= WEST
    bits[by, bx] |= EAST


def _pieces(route: Route) -> list[tuple[slice, slice]]:
    if len(route) == 1:
        (x, y) = route[0]
        return [(slice(y, y + 1), slice(x, x + 1))]
    return [
        (slice(min(ay, by), max(ay, by) + 1), slice(min(ax, bx), max(ax, bx) + 1))
        for (ax, ay), (bx, by) in pairwise(route)
    ]
