"""Routes for edges whose boxes the user moved: few bends, around other boxes where possible."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import pairwise

from .layout import Box

Point = tuple[int, int]
Route = tuple[Point, ...]
"""The corner points of an edge, ends included."""
_AROUND = 8
"""How far around the direct way other boxes are looked at."""
_ROWS = 8
"""How many of the rows above and below other boxes are tried."""
_BEND = 3
_COVERED = 40
"""Costs of one bend and of one cell hidden behind a box, in cells of length."""


def detour(
    start: Point,
    end: Point,
    boxes: Mapping[str, Box],
    places: Mapping[str, Point],
    number: int,
) -> Route:
    """The cheapest of some three- and five-piece routes from ``start`` to ``end``.

    ``number`` spreads the routes of several edges over neighbouring columns.
    """
    (x0, y0), (x1, y1) = start, end
    near = []
    for node, box in boxes.items():
        x, y = places[node]
        if (
            x <= max(x0, x1) + _AROUND
            and x + box.width >= min(x0, x1) - _AROUND
            and y <= max(y0, y1) + _AROUND
            and y + box.height >= min(y0, y1) - _AROUND
        ):
            near.append((x, y, x + box.width, y + box.height))
    shift = number % 4
    tries: list[Route] = []
    if x0 <= x1:
        if y0 == y1:
            tries.append((start, end))
        columns = {min(x1, x0 + shift), max(x0, x1 - shift), (x0 + x1) // 2}
        tries += [(start, (x, y0), (x, y1), end) for x in sorted(columns)]
    out, back = x0 + 1 + shift, max(0, x1 - 1 - shift)
    low, high = min(y0, y1), max(y0, y1)
    rows = {(y0 + y1) // 2, high + 2 + shift, max(0, low - 2 - shift)}
    beside = {box[1] - 1 for box in near if box[1]} | {box[3] for box in near}
    rows |= set(sorted(beside, key=lambda row: (abs(2 * row - y0 - y1), row))[:_ROWS])
    for row in sorted(rows):
        tries.append((start, (out, y0), (out, row), (back, row), (back, y1), end))
    tidy = [simplify(route) for route in tries]
    return min(tidy, key=lambda route: (_cost(route, near), len(route), route))


def simplify(points: Iterable[Point]) -> Route:
    """Without repeated points and without points in the middle of a straight line."""
    kept: list[Point] = []
    for point in points:
        if kept and kept[-1] == point:
            continue
        if len(kept) > 1 and (
            kept[-2][0] == kept[-1][0] == point[0] or kept[-2][1] == kept[-1][1] == point[1]
        ):
            kept.pop()
        kept.append(point)
    return tuple(kept)


def _cost(route: Route, near: list[tuple[int, int, int, int]]) -> int:
    cost = _BEND * len(route)
    for (ax, ay), (bx, by) in pairwise(route):
        left, right = min(ax, bx), max(ax, bx) + 1
        up, below = min(ay, by), max(ay, by) + 1
        cost += right - left + below - up
        for x0, y0, x1, y1 in near:
            if left < x1 and x0 < right and up < y1 and y0 < below:
                wide = min(right, x1) - max(left, x0)
                cost += _COVERED * wide * (min(below, y1) - max(up, y0))
    return cost
