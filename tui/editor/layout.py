"""Layered layout: where each box goes, in cells. Pure and deterministic.

Longest-path layers with sources pulled next to their consumers; long edges pass through one
reserved row in each layer between (shared by all edges of one output); barycentre sweeps order the
layers; median passes place the boxes (Sugiyama, Tagawa and Toda, 1981; Gansner et al., 1993).
"""

from __future__ import annotations

from bisect import bisect_right, insort
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

SWEEPS = 6
PASSES = 8
GAP = 1
"""Empty rows between two boxes of one layer."""
BESIDE = 2
"""Empty columns that a box the user placed keeps to its sides."""


@dataclass(frozen=True)
class Box:
    """A node's size and the rows of its sockets, counted from its top."""

    width: int
    height: int
    ins: Mapping[str, int] = field(default_factory=dict)
    outs: tuple[int, ...] = ()

    def in_row(self, name: str) -> int:
        return self.ins.get(name, 0)

    def out_row(self, slot: int) -> int:
        return self.outs[slot] if 0 <= slot < len(self.outs) else 0


@dataclass(frozen=True)
class Edge:
    source: str
    slot: int
    target: str
    input: str


@dataclass(frozen=True)
class Pass:
    """A reserved row of one layer through which the edges of one output go on to the right."""

    source: str
    slot: int
    layer: int


Item = str | Pass


@dataclass(frozen=True)
class Layers:
    """The layers from left to right, each from top to bottom, and the top row of every item.

    ``back`` are edges that point to the left (they close a cycle) and take part in nothing.
    """

    layers: tuple[tuple[Item, ...], ...]
    top: Mapping[Item, int]
    layer_of: Mapping[str, int]
    back: tuple[Edge, ...]


def arrange(boxes: Mapping[str, Box], edges: Sequence[Edge]) -> Layers:
    """Lay out ``boxes``; boxes of one layer never touch."""
    layer_of, back = _assign(boxes, edges)
    forward = [edge for edge in edges if layer_of[edge.source] < layer_of[edge.target]]
    layers, up, down = _with_passes(boxes, forward, layer_of)
    _order(layers, up, down)
    top = _rows(layers, boxes, up, down)
    return Layers(tuple(map(tuple, layers)), top, layer_of, tuple(back))


def _assign(boxes: Mapping[str, Box], edges: Sequence[Edge]) -> tuple[dict[str, int], list[Edge]]:
    """The layer of each box, and the edges that would point backwards."""
    after: dict[str, list[str]] = defaultdict(list)
    before: dict[str, list[str]] = defaultdict(list)
    waiting = dict.fromkeys(boxes, 0)
    for edge in edges:
        after[edge.source].append(edge.target)
        before[edge.target].append(edge.source)
        waiting[edge.target] += 1
    layer: dict[str, int] = {}
    ready = [node for node in boxes if not waiting[node]]
    rest = list(boxes)
    while len(layer) < len(boxes):
        if not ready:  # a cycle: cut it open at the first box that is left
            ready = [next(node for node in rest if node not in layer)]
        node = ready.pop(0)
        if node in layer:
            continue
        layer[node] = max((layer[p] + 1 for p in before[node] if p in layer), default=0)
        for target in after[node]:
            waiting[target] -= 1
            if not waiting[target] and target not in layer:
                ready.append(target)
    for node in reversed(layer):
        if not before[node] and after[node]:
            layer[node] = max(0, min(layer[target] for target in after[node]) - 1)
    return layer, [edge for edge in edges if layer[edge.source] >= layer[edge.target]]


@dataclass(frozen=True)
class _Tie:
    """An item's connection to ``other``: the rows at which it meets the other and the item."""

    other: Item
    theirs: int
    ours: int


_Neighbours = dict[Item, list[_Tie]]


def _with_passes(
    boxes: Mapping[str, Box], edges: Sequence[Edge], layer_of: Mapping[str, int]
) -> tuple[list[list[Item]], _Neighbours, _Neighbours]:
    """Layers with the reserved rows of long edges, and each item's neighbours left and right."""
    layers: list[list[Item]] = [[] for _ in range(max(layer_of.values(), default=-1) + 1)]
    for node in boxes:
        layers[layer_of[node]].append(node)
    up: _Neighbours = defaultdict(list)
    down: _Neighbours = defaultdict(list)
    for edge in edges:
        previous: Item = edge.source
        row = boxes[edge.source].out_row(edge.slot)
        for at in range(layer_of[edge.source] + 1, layer_of[edge.target]):
            step = Pass(edge.source, edge.slot, at)
            if step not in up:
                layers[at].append(step)
                up[step].append(_Tie(previous, row, 0))
                down[previous].append(_Tie(step, 0, row))
            previous, row = step, 0
        end = boxes[edge.target].in_row(edge.input)
        up[edge.target].append(_Tie(previous, row, end))
        down[previous].append(_Tie(edge.target, end, row))
    return layers, up, down


def _order(layers: list[list[Item]], up: _Neighbours, down: _Neighbours) -> None:
    """Order each layer so that few edges cross. Depth first keeps separate parts apart."""
    seen: dict[Item, int] = {}
    for layer in layers:
        for root in layer:
            todo = [root]
            while todo:
                item = todo.pop()
                if item not in seen:
                    seen[item] = len(seen)
                    ties = [*down.get(item, []), *up.get(item, [])]
                    todo.extend(tie.other for tie in reversed(ties))
    for layer in layers:
        layer.sort(key=lambda item: seen[item])
    best = [list(layer) for layer in layers]
    fewest = _crossings(layers, down)
    for sweep in range(SWEEPS):
        rightwards = sweep % 2 == 0
        near = up if rightwards else down
        indices = range(1, len(layers)) if rightwards else range(len(layers) - 2, -1, -1)
        for index in indices:
            beside = layers[index - 1 if rightwards else index + 1]
            at = {item: place for place, item in enumerate(beside)}
            own = {item: place for place, item in enumerate(layers[index])}
            centre = {
                item: _mean([_port(at, tie) for tie in near.get(item, [])], own[item])
                for item in layers[index]
            }
            layers[index].sort(key=centre.__getitem__)
        crossings = _crossings(layers, down)
        if crossings < fewest:
            best, fewest = [list(layer) for layer in layers], crossings
        if not fewest:
            break
    layers[:] = best


def _port(at: Mapping[Item, int], tie: _Tie) -> float:
    """Where in the order of a layer a connection arrives: the item's place and its row in it."""
    return at[tie.other] + tie.theirs / 100


def _crossings(layers: Sequence[Sequence[Item]], down: _Neighbours) -> int:
    """Pairs of edges between neighbouring layers that cross, counted by inserting in order."""
    total = 0
    for left, right in pairwise(layers):
        at = {item: place for place, item in enumerate(right)}
        ends: list[float] = []
        for item in left:
            ties = sorted(down.get(item, ()), key=lambda tie: (tie.ours, _port(at, tie)))
            mine = [_port(at, tie) for tie in ties]
            total += sum(len(ends) - bisect_right(ends, end) for end in mine)
            for end in mine:
                insort(ends, end)
    return total


def _mean(values: Sequence[float], otherwise: float) -> float:
    return sum(values) / len(values) if values else otherwise


def _rows(
    layers: Sequence[Sequence[Item]],
    boxes: Mapping[str, Box],
    up: _Neighbours,
    down: _Neighbours,
) -> dict[Item, int]:
    """The top row of every item: near its neighbours, in order, never touching."""
    height = {
        item: boxes[item].height if isinstance(item, str) else 1
        for layer in layers
        for item in layer
    }
    top: dict[Item, float] = {}
    for layer in layers:
        free = 0
        for item in layer:
            top[item] = free
            free += height[item] + GAP
    for turn in range(PASSES):
        near = up if turn % 2 == 0 else down
        for layer in layers if turn % 2 == 0 else reversed(layers):
            wish = [
                _median([top[t.other] + t.theirs - t.ours for t in near.get(item, [])], top[item])
                for item in layer
            ]
            for item, row in zip(layer, _spread(wish, [height[i] for i in layer]), strict=True):
                top[item] = row
    highest = min(top.values(), default=0)
    rows: dict[Item, int] = {}
    for layer in layers:
        free = 0
        for item in layer:
            rows[item] = free = max(free, round(top[item] - highest))
            free += height[item] + GAP
    return rows


def _spread(wish: list[float], height: list[int]) -> list[float]:
    """Rows near ``wish`` in the same order and apart: the mean of pushing down and pushing up."""
    down: list[float] = []
    free = float("-inf")
    for want, tall in zip(wish, height, strict=True):
        down.append(max(want, free))
        free = down[-1] + tall + GAP
    up: list[float] = []
    free = float("inf")
    for want, tall in zip(reversed(wish), reversed(height), strict=True):
        up.append(min(want, free - tall - GAP))
        free = up[-1]
    both = [(a + b) / 2 for a, b in zip(down, reversed(up), strict=True)]
    free = float("-inf")
    for index, tall in enumerate(height):
        both[index] = max(both[index], free)
        free = both[index] + tall + GAP
    return both


def _median(values: list[float], otherwise: float) -> float:
    if not values:
        return otherwise
    values.sort()
    middle = len(values) // 2
    return values[middle] if len(values) % 2 else (values[middle - 1] + values[middle]) / 2


def settle(
    boxes: Mapping[str, Box],
    automatic: Mapping[str, tuple[int, int]],
    pinned: Mapping[str, tuple[int, int]],
) -> dict[str, tuple[int, int]]:
    """Places in which pinned boxes keep theirs and what they cover moves down out of the way.

    Two pinned boxes that overlap (the level of detail grew) are set apart the same way.
    """
    if not pinned:
        return dict(automatic)
    places: dict[str, tuple[int, int]] = {}
    moved: list[str] = []  # boxes that are not where the layout keeps boxes apart

    def lower(node: str, x: int, y: int, others: Iterable[str]) -> int | None:
        """The first row below one of ``others`` that covers the place; None if none does."""
        box = boxes[node]
        for other in others:
            left, up = places[other]
            over = boxes[other]
            if (
                y < up + over.height + GAP
                and up < y + box.height + GAP
                and x < left + over.width + BESIDE
                and left < x + box.width + BESIDE
            ):
                return up + over.height + GAP
        return None

    def by_row(node: str) -> tuple[int, int]:
        x, y = pinned.get(node) or automatic[node]
        return y, x

    for node in sorted(pinned, key=by_row) + sorted(set(automatic) - set(pinned), key=by_row):
        x, y = pinned.get(node) or automatic[node]
        row = lower(node, x, y, moved)
        if row is not None or node in pinned:
            while row is not None:
                y = row
                row = lower(node, x, y, places)
            moved.append(node)
        places[node] = (x, y)
    return places
