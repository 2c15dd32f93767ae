"""Orthogonal routes for the edges of a layout, and their box-drawing characters. Pure.

Between two layers lies a channel. Every output that leads across it is a *net*: it comes in at one
row, runs down one vertical track and leaves at one or more rows. Tracks are assigned from left to
right so that nets of different outputs share a cell only where they cross (left-edge algorithm
with row constraints; Hashimoto and Stevens, 1971). Constraints that form a cycle are broken by
giving one net a second track, joined to its first in a row that is free.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from .detour import Point, Route, detour, simplify
from .layout import Box, Edge, Layers, Pass, arrange, settle

_WIDE = 8
"""With more tracks than this in a channel they lie side by side instead of two columns apart."""


@dataclass(frozen=True)
class Drawing:
    """Top left corners of the boxes, the corner points of every edge, and the size of it all."""

    places: Mapping[str, Point]
    routes: Mapping[Edge, Route]
    width: int
    height: int


@dataclass(frozen=True)
class Plan:
    """The automatic part of a drawing: it changes only when boxes or edges do."""

    boxes: Mapping[str, Box]
    edges: tuple[Edge, ...]
    places: Mapping[str, Point]
    routes: Mapping[Edge, Route]


def plan(boxes: Mapping[str, Box], edges: Sequence[Edge]) -> Plan:
    """Lay out and route everything, as if the user had moved nothing."""
    layers = arrange(boxes, edges)
    tracks, widths = _channels(layers, boxes, edges)
    left: list[int] = []
    starts: list[int] = []  # first track column of each channel
    pitch = [1 if width > _WIDE else 2 for width in widths]
    x = 0
    for index, layer in enumerate(layers.layers):
        left.append(x)
        wide = max((boxes[item].width for item in layer if isinstance(item, str)), default=1)
        starts.append(x + wide + 1)
        x += wide + 3 + (max(0, widths[index] - 1) * pitch[index] + 1 if widths[index] else 0)
    places = {node: (left[layers.layer_of[node]], layers.top[node]) for node in boxes}
    routes: dict[Edge, Route] = {}
    for edge in edges:
        if edge in layers.back:
            continue
        points = [_exit(boxes, places, edge)]
        y = points[0][1]
        for channel in range(layers.layer_of[edge.source], layers.layer_of[edge.target]):
            last = channel + 1 == layers.layer_of[edge.target]
            end = (
                _entry(boxes, places, edge)[1]
                if last
                else layers.top[Pass(edge.source, edge.slot, channel + 1)]
            )
            for track, join in tracks[channel].get((edge.source, edge.slot), ()):
                if y != end:
                    column = starts[channel] + track * pitch[channel]
                    points.append((column, y))
                    y = end if join is None else join
                    points.append((column, y))
        points.append(_entry(boxes, places, edge))
        routes[edge] = simplify(points)
    return Plan(boxes, tuple(edges), places, routes)


def draw(plan: Plan, pinned: Mapping[str, Point], last: Drawing | None = None) -> Drawing:
    """The drawing with the boxes that the user placed; only edges of moved boxes are re-routed.

    ``last`` is an earlier drawing of the same plan: routes whose ends stayed are taken from it.
    """
    boxes = plan.boxes
    places = settle(boxes, plan.places, pinned)
    routes: dict[Edge, Route] = {}
    for edge in plan.edges:
        ends = (edge.source, edge.target)
        kept = plan.routes.get(edge)
        if kept is None or any(places[node] != plan.places[node] for node in ends):
            start, end = _exit(boxes, places, edge), _entry(boxes, places, edge)
            kept = last.routes.get(edge) if last is not None else None
            if kept is None or (kept[0], kept[-1]) != (start, end):
                kept = detour(start, end, boxes, places, boxes[edge.target].in_row(edge.input))
        routes[edge] = kept
    width = max((places[n][0] + boxes[n].width for n in boxes), default=0)
    height = max((places[n][1] + boxes[n].height for n in boxes), default=0)
    points = [point for route in routes.values() for point in route]
    width = max([width, *(x + 1 for x, _ in points)])
    height = max([height, *(y + 1 for _, y in points)])
    return Drawing(places, routes, width, height)


def _exit(boxes: Mapping[str, Box], places: Mapping[str, Point], edge: Edge) -> Point:
    """The cell right of the output socket."""
    x, y = places[edge.source]
    box = boxes[edge.source]
    return x + box.width, y + box.out_row(edge.slot)


def _entry(boxes: Mapping[str, Box], places: Mapping[str, Point], edge: Edge) -> Point:
    """The cell left of the input socket."""
    x, y = places[edge.target]
    return x - 1, y + boxes[edge.target].in_row(edge.input)


Net = tuple[str, int]


@dataclass
class _Wire:
    """One vertical piece of a net: from row ``start`` to ``ends``; ``second`` if after a join."""

    net: Net
    start: int
    ends: list[int]
    second: bool = False

    @property
    def low(self) -> int:
        return min(self.start, *self.ends)

    @property
    def high(self) -> int:
        return max(self.start, *self.ends)


_Tracks = dict[Net, list[tuple[int, int | None]]]
"""For each net the tracks it takes and the row it joins the next at (None: its end row)."""


def _channels(
    layers: Layers, boxes: Mapping[str, Box], edges: Sequence[Edge]
) -> tuple[list[_Tracks], list[int]]:
    """The tracks of every net in every channel, and how many tracks each channel has."""
    wires: list[dict[Net, _Wire]] = [{} for _ in layers.layers]

    for edge in edges:
        if edge in layers.back:
            continue
        net = (edge.source, edge.slot)
        y = layers.top[edge.source] + boxes[edge.source].out_row(edge.slot)
        first, last = layers.layer_of[edge.source], layers.layer_of[edge.target]
        for channel in range(first, last):
            if channel + 1 == last:
                end = layers.top[edge.target] + boxes[edge.target].in_row(edge.input)
            else:
                end = layers.top[Pass(*net, channel + 1)]
            wire = wires[channel].setdefault(net, _Wire(net, y, []))
            if end not in (y, *wire.ends):
                wire.ends.append(end)
            y = end
    tracks, widths = [], []
    for crossing in wires:
        bent = [wire for wire in crossing.values() if wire.ends]
        straight = {wire.start for wire in crossing.values() if not wire.ends}
        assigned, width = _assign_tracks(bent, straight)
        tracks.append(assigned)
        widths.append(width)
    return tracks, widths


def _assign_tracks(wires: list[_Wire], straight: set[int]) -> tuple[_Tracks, int]:
    wires = sorted(wires, key=lambda wire: (wire.low, wire.net))
    after = _constraints(wires)
    while (stuck := _on_cycle(wires, after)) is not None:
        taken = straight | {row for w in wires for row in (w.start, *w.ends)}
        middle = (stuck.low + stuck.high) // 2
        join = min(
            (row for row in range(0, max(taken) + 2) if row not in taken),
            key=lambda row: (abs(row - middle), row),
        )
        wires.append(_Wire(stuck.net, join, stuck.ends, second=True))
        stuck.ends = [join]
        after = _constraints(wires)
    waiting = [sum(index in later for later in after.values()) for index in range(len(wires))]
    at: dict[int, int] = {}
    columns: list[list[_Wire]] = []
    earliest = [0] * len(wires)
    while len(at) < len(wires):
        index = min(
            (i for i in range(len(wires)) if i not in at and not waiting[i]),
            key=lambda i: (wires[i].low, wires[i].net),
        )
        wire = wires[index]
        column = earliest[index]
        while column < len(columns) and any(
            wire.low <= other.high and other.low <= wire.high for other in columns[column]
        ):
            column += 1
        while column >= len(columns):
            columns.append([])
        columns[column].append(wire)
        at[index] = column
        for later in after[index]:
            waiting[later] -= 1
            earliest[later] = max(earliest[later], column + 1)
    tracks: _Tracks = defaultdict(list)
    for index in sorted(at, key=lambda i: wires[i].second):
        wire = wires[index]
        joined = any(other.second and other.net == wire.net for other in wires)
        join_row = wire.ends[0] if joined and not wire.second else None
        tracks[wire.net].append((at[index], join_row))
    return tracks, len(columns)


def _constraints(wires: Sequence[_Wire]) -> dict[int, set[int]]:
    """Who must lie right of whom: a net turns off its row left of where another comes onto it."""
    after: dict[int, set[int]] = {index: set() for index in range(len(wires))}
    starts: dict[int, list[int]] = defaultdict(list)
    for index, wire in enumerate(wires):
        starts[wire.start].append(index)
    for index, wire in enumerate(wires):
        for end in wire.ends:
            for other in starts.get(end, ()):
                if wires[other].net != wire.net:
                    after[other].add(index)
                elif other != index and wires[other].second:
                    after[index].add(other)
    return after


def _on_cycle(wires: Sequence[_Wire], after: Mapping[int, set[int]]) -> _Wire | None:
    """The first net whose constraints cannot all be met; None if there is an order."""
    waiting = [sum(index in later for later in after.values()) for index in range(len(wires))]
    ready = [index for index in range(len(wires)) if not waiting[index]]
    for index in ready:  # grows while it is read
        for later in sorted(after[index]):
            waiting[later] -= 1
            if not waiting[later]:
                ready.append(later)
    placed = set(ready)
    stuck = [index for index in range(len(wires)) if index not in placed]
    # Only nets that both follow and precede stuck ones lie on a cycle; the rest are behind it.
    for index in stuck:
        if not wires[index].second and any(later in stuck for later in after[index]):
            return wires[index]
    return None
