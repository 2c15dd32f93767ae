"""Where the cursor goes: along links, to neighbours, by letters. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import product

from .picture import Picture

LETTERS = "fjdkslahgrueiwoqptyvncmxbz"
"""Home row first, strong fingers first."""


def neighbour(picture: Picture, node: str, direction: str) -> str | None:
    """The node one step ``left``, ``right`` (along links if there are any), ``up`` or ``down``."""
    places, boxes = picture.drawing.places, picture.plan.boxes
    x, y = places[node]
    if direction in ("left", "right"):
        linked = [
            edge.source if direction == "left" else edge.target
            for edge in picture.plan.edges
            if node == (edge.target if direction == "left" else edge.source)
        ]
        if linked:
            return min(linked, key=lambda other: (abs(places[other][1] - y), places[other]))
    best: tuple[float, str] | None = None
    middle_x, middle_y = x + boxes[node].width / 2, y + boxes[node].height / 2
    for other, (ox, oy) in places.items():
        if other == node:
            continue
        across = ox + boxes[other].width / 2 - middle_x
        below = (oy + boxes[other].height / 2 - middle_y) * 2  # a cell is twice as tall as wide
        ahead, aside = {
            "left": (-across, below),
            "right": (across, below),
            "up": (-below, across),
            "down": (below, across),
        }[direction]
        if ahead > 0 and (best is None or (ahead + 3 * abs(aside), other) < best):
            best = (ahead + 3 * abs(aside), other)
    return None if best is None else best[1]


def labels(count: int) -> Sequence[str]:
    """``count`` jump labels: one letter each while they last, else two letters each."""
    if count <= len(LETTERS):
        return LETTERS[:count]
    return ["".join(pair) for pair in product(LETTERS, LETTERS)][:count]


def in_view(picture: Picture, x: int, y: int, width: int, height: int) -> Iterator[str]:
    """Nodes of which the head line is visible, from top left to bottom right."""
    places = picture.drawing.places
    for node in sorted(places, key=lambda n: (places[n][1], places[n][0])):
        left, top = places[node]
        if y <= top < y + height and left < x + width and left + picture.plan.boxes[node].width > x:
            yield node
