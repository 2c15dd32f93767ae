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
Looks = NDArray[np.uint32]


class Ink:
    """The edges of a drawing; paints the part of them that is looked at."""

    def __init__(
        self, drawing: Drawing, kinds: Mapping[Edge, str], faded: Collection[Edge] = ()
    ) -> None:
        """``kinds``: the socket type of each edge; ``faded`` edges are dashed and dim."""
        self._drawing = drawing
        self._kinds = kinds
        self._faded = frozenset(faded)
        self._extents = {edge: _extent(route) for edge, route in drawing.routes.items()}

    def paint(self, grid: Grid, x: int, y: int, hot: Collection[Edge] = ()) -> None:
        """Draw the part whose top left corner is cell (x, y); ``hot`` edges are heavy lines."""
        light, heavy, dashed = (_blank(grid) for _ in range(3))
        first = [edge for edge in self._drawing.routes if edge not in hot]
        for edge in (*first, *hot):  # hot edges last: crossings take their colour
            left, top, right, bottom = self._extents.get(edge, (0, 0, -1, -1))
            if not (left < x + grid.width and right >= x):
                continue
            if not (top < y + grid.height and bottom >= y):
                continue
            route = tuple((px - x, py - y) for px, py in self._drawing.routes[edge])
            bits = heavy if edge in hot else dashed if edge in self._faded else light
            role = "dim" if edge in self._faded else glyph_of(self._kinds[edge])[1]
            stroke(bits, route, grid.looks, ROLE[role])
        lines = _LIGHT[light | dashed]
        for plain, broken in _DASHED.items():
            lines[(dashed > 0) & (light == 0) & (lines == plain)] = broken
        lines = np.where(heavy > 0, _HEAVY[heavy], lines)
        drawn = lines != ord(" ")
        grid.codes[drawn] = lines[drawn]


def _blank(grid: Grid) -> Bits:
    return np.zeros((grid.height, grid.width), np.uint8)


def _extent(route: Route) -> tuple[int, int, int, int]:
    """Left, top, right and bottom of a route."""
    xs, ys = [x for x, _ in route], [y for _, y in route]
    return min(xs), min(ys), max(xs), max(ys)


def stroke(bits: Bits, route: Route, looks: Looks | None = None, look: int = 0) -> None:
    """Add a route to ``bits``, clipped to it; its ends reach into the sockets beside them.

    ``looks``, if given, gets ``look`` in every cell of the route.
    """
    height, width = bits.shape
    for (ax, ay), (bx, by) in pairwise(route):
        if ay == by:
            left, right = min(ax, bx), max(ax, bx)
            if 0 <= ay < height and right >= 0:
                bits[ay, max(0, left) : max(0, right)] |= EAST
                bits[ay, max(0, left + 1) : right + 1] |= WEST
                if looks is not None:
                    looks[ay, max(0, left) : right + 1] = look
        else:
            top, bottom = min(ay, by), max(ay, by)
            if 0 <= ax < width and bottom >= 0:
                bits[max(0, top) : max(0, bottom), ax] |= SOUTH
                bits[max(0, top + 1) : bottom + 1, ax] |= NORTH
                if looks is not None:
                    looks[max(0, top) : bottom + 1, ax] = look
    for (x, y), side in ((route[0], WEST), (route[-1], EAST)):
        if 0 <= x < width and 0 <= y < height:
            bits[y, x] |= side
            if looks is not None:
                looks[y, x] = look
