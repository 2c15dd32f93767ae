"""Painted cards, kept until they look different: most keys change one or two of them."""

from __future__ import annotations

from collections.abc import Collection

from ..widgets.cells import Grid
from .cards import Card, Look, paint
from .layout import Box


class Sprites:
    """The last picture of every card."""

    def __init__(self) -> None:
        self._kept: dict[str, tuple[Card, Look, int, Grid]] = {}

    def stamp(
        self, grid: Grid, node: str, card: Card, look: Look, box: Box, x: int, y: int, level: int
    ) -> None:
        """Put the card of ``node`` at (x, y) of ``grid``, clipped to it."""
        kept = self._kept.get(node)
        if kept is None or kept[0] is not card or kept[1] != look or kept[2] != level:
            sprite = Grid(box.width, box.height)
            paint(sprite, card, look, box, 0, 0, level)
            kept = self._kept[node] = (card, look, level, sprite)
        sprite = kept[3]
        left, top = max(0, -x), max(0, -y)
        right, bottom = min(sprite.width, grid.width - x), min(sprite.height, grid.height - y)
        if left >= right or top >= bottom:
            return
        codes = sprite.codes[top:bottom, left:right]
        if left or right < sprite.width:  # no half of a wide character at the edge of the canvas
            codes = codes.copy()
            codes[codes[:, 0] == 0, 0] = ord(" ")
            if right < sprite.width:
                codes[sprite.codes[top:bottom, right] == 0, -1] = ord(" ")
        here = (slice(y + top, y + bottom), slice(x + left, x + right))
        grid.codes[here] = codes
        grid.looks[here] = sprite.looks[top:bottom, left:right]

    def forget_all_but(self, nodes: Collection[str]) -> None:
        self._kept = {node: kept for node, kept in self._kept.items() if node in nodes}
