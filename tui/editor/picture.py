"""The drawing of a graph, kept up to date: what did not change is not computed again."""

from __future__ import annotations

from collections.abc import Mapping

from .cards import Card, Faults, box, card
from .ink import Ink
from .layout import Box, Edge
from .model import Nodes, Types, links, mode_of, output_type, place_of
from .route import Drawing, Plan, draw, plan

LARGEST = (6000, 3000)
"""Places further out than this are ignored: the drawing is kept in memory cell by cell."""


class Picture:
    """Cards, places, routes and ink of one graph at one level of detail."""

    def __init__(self, types: Types) -> None:
        self.types = types
        self.nodes: Nodes = {}
        self.level = 1
        self.shift = (0, 0)
        """What to add to a drawn place to get the place that the graph says."""
        self.cards: Mapping[str, Card] = {}
        self._seen: dict[str, tuple[object, str, frozenset[str], Card]] = {}
        self._boxes: dict[Card, Box] = {}
        self.plan: Plan = plan({}, ())
        self.drawing: Drawing = draw(self.plan, {})
        self.ink = Ink(self.drawing, {})

    def update(self, nodes: Nodes, faults: Faults, level: int) -> None:
        """Show ``nodes``; the layout is made again only if a size or a link changed."""
        self.nodes = nodes
        self.cards = {node: self._card(node, faults) for node in nodes}
        self._seen = {node: self._seen[node] for node in nodes}
        if level != self.level:
            self._boxes = {}
        known, self._boxes = self._boxes, {}
        boxes = {}
        for node, look in self.cards.items():
            self._boxes[look] = boxes[node] = known.get(look) or box(look, level)
        self.level = level
        edges = tuple(Edge(k.source, k.slot, k.target, k.input) for k in links(nodes))
        last: Drawing | None = self.drawing
        if self.plan.boxes != boxes or self.plan.edges != edges:
            self.plan, last = plan(boxes, edges), None
        self.drawing = draw(self.plan, self._pinned(), last)
        kinds = {e: output_type(nodes, e.source, e.slot, self.types) for e in edges}
        faded = {e for e in edges if mode_of(nodes, e.source) or mode_of(nodes, e.target)}
        self.ink = Ink(self.drawing, kinds, faded)

    def _pinned(self) -> dict[str, tuple[int, int]]:
        """Places chosen by the user, moved so that none is negative (ComfyUI's may be)."""
        places = {node: at for node in self.nodes if (at := place_of(self.nodes, node))}
        left = min((x for x, _ in places.values()), default=0)
        top = min((y for _, y in places.values()), default=0)
        everywhere = len(places) == len(self.nodes)
        self.shift = (left, top) if everywhere else (min(left, 0), min(top, 0))
        moved = {n: (x - self.shift[0], y - self.shift[1]) for n, (x, y) in places.items()}
        if any(x > LARGEST[0] or y > LARGEST[1] for x, y in moved.values()):
            self.shift = (0, 0)
            return {}
        return moved

    def _card(self, node: str, faults: Faults) -> Card:
        """The card as it was if nothing about the node changed."""
        data = self.nodes[node]
        fault = faults.nodes.get(node, "")
        bad = frozenset(name for other, name in faults.inputs if other == node)
        seen = self._seen.get(node)
        if seen is not None and seen[0] is data and seen[1:3] == (fault, bad):
            return seen[3]
        made = card(self.nodes, node, self.types, faults)
        self._seen[node] = (data, fault, bad, made)
        return made

    def edges_of(self, node: str | None) -> list[Edge]:
        return [edge for edge in self.plan.edges if node in (edge.source, edge.target)]

    def at(self, x: int, y: int) -> str | None:
        """The node drawn at a cell."""
        for node, (left, top) in self.drawing.places.items():
            size = self.plan.boxes[node]
            if left <= x < left + size.width and top <= y < top + size.height:
                return node
        return None

    def socket_at(self, x: int, y: int) -> tuple[str, str, int | str] | None:
        """``(node, "in", name)`` or ``(node, "out", slot)`` if the cell belongs to a socket."""
        node = self.at(x, y)
        if node is None:
            return None
        left, top = self.drawing.places[node]
        size = self.plan.boxes[node]
        row = y - top
        card = self.cards[node]
        outs = [slot for slot, at in enumerate(size.outs) if at == row]
        ins = [name for name, at in size.ins.items() if at == row]
        on_right = x - left >= size.width // 2
        if (
            outs
            and (on_right or not ins)
            and x - left >= size.width - 3 - len(card.outs[outs[0]].name)
        ):
            return node, "out", outs[0]
        if ins and x - left <= 2 + len(ins[0]):
            return node, "in", ins[0]
        return None
