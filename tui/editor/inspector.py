"""The inspector: shows the rows of one node and which of them the cursor is on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from textual import events
from textual.binding import BindingType

from nst_graph.errors import Problem

from ..keys import bindings
from ..widgets.cells import Cells, Grid
from .inspect import Row, rows
from .model import Nodes, Types, class_of

_LABEL = 15
_VALUE = 16


class Inspector(Cells, can_focus=True):
    """Edits nothing itself: its keys are actions of the screen."""

    BINDINGS: ClassVar[list[BindingType]] = [*bindings("edit.inspector")]

    def __init__(self, types: Types, **options: Any) -> None:
        super().__init__(**options)
        self._types = types
        self._rows: list[Row] = []
        self._node: str | None = None
        self._head = ""
        self._cursor = 0
        self._first = 0

    def show(
        self, nodes: Nodes, node: str | None, types: Types, problems: Sequence[Problem]
    ) -> None:
        self._types = types
        if node != self._node:
            self._first = 0
        before, name = self._node, self.row.name if self.row else ""
        self._rows = rows(nodes, node, types, problems)
        self._node = node
        self._head = f" {class_of(nodes, node)} #{node} " if node in nodes and node else " "
        places = self._places()
        same = [at for at in places if before == node and self._rows[at].name == name]
        widgets = [at for at in places if self._rows[at].kind == "widget"]
        self._cursor = (same or widgets or places or [0])[0]
        self.repaint()

    @property
    def row(self) -> Row | None:
        """The row under the cursor."""
        if 0 <= self._cursor < len(self._rows) and self._rows[self._cursor].can_be_chosen:
            return self._rows[self._cursor]
        return None

    def _places(self) -> list[int]:
        return [at for at, row in enumerate(self._rows) if row.can_be_chosen]

    def by(self, step: int) -> None:
        """Move the cursor over the rows that can be changed."""
        places = self._places()
        if not places:
            return
        here = places.index(self._cursor) if self._cursor in places else 0
        self._cursor = places[max(0, min(here + step, len(places) - 1))]
        self.repaint()

    def go_to(self, name: str) -> bool:
        """Put the cursor on the input ``name``; whether there is one."""
        for at in self._places():
            if self._rows[at].name == name and self._rows[at].kind != "output":
                self._cursor = at
                self.repaint()
                return True
        return False

    def on_focus(self) -> None:
        self.repaint()

    def on_blur(self) -> None:
        self.repaint()

    def on_click(self, event: events.Click) -> None:
        at = event.y - 1 + self._first
        if at in self._places():
            again = at == self._cursor and self.has_focus
            self._cursor = at
            self.repaint()
            if again:
                self.call_later(self.run_action, "screen.edit_value")

    def paint(self, grid: Grid) -> None:
        grid.write(0, 0, "─" * grid.width, "accent" if self.has_focus else "dim")
        grid.write(2, 0, self._head, "title", max(1, grid.width - 3))
        height = grid.height - 1
        if self._cursor < self._first + 1:
            self._first = max(0, self._cursor - 1)
        if self._cursor >= self._first + height:
            self._first = self._cursor - height + 1
        for y, row in enumerate(self._rows[self._first : self._first + height], start=1):
            here = self.has_focus and y - 1 + self._first == self._cursor
            self._paint_row(grid, y, row, here)

    def _paint_row(self, grid: Grid, y: int, row: Row, here: bool) -> None:
        grid.write(0, y, "▶" if here else " ", "accent")
        if row.kind in ("text", "problem", "head"):
            grid.write(2, y, row.label, "dim" if row.kind == "head" else row.role)
            return
        x = 2
        if row.glyph:
            x = grid.write(x, y, row.glyph + " ", row.role)
        plain = "accent" if here else "dim"
        grid.write(x, y, row.label, plain, max(1, 2 + _LABEL - x))
        x = 3 + _LABEL
        room = max(4, grid.width - x - 1)
        text = row.value
        if row.kind == "widget" and row.spec is not None:
            text = {"COMBO": f"‹{text}›", "BOOLEAN": "[x] yes" if row.raw else "[ ] no"}.get(
                row.spec.type, f"[{text}]"
            )
        role = row.role if row.kind in ("widget", "title") else "text"
        if row.value in ("needs a link",):
            role = "bad"
        x = grid.write(x, y, text, "title" if here and role == "text" else role, room)
        x = max(x + 2, 3 + _LABEL + _VALUE)
        if grid.width - x > 6:
            detail = fitting(row.detail, grid.width - x)
            grid.write(x, y, detail, "dim" if role != "bad" else "bad", grid.width - x)


def fitting(detail: str, room: int) -> str:
    """``INT 1 … 20  default 5`` without the default, or the type alone, where it is too long."""
    limits = detail.partition("  ")[0]
    kind = limits.partition(" ")[0]
    shorter = (detail, limits, kind) if kind.isupper() else (detail, limits)
    return next((text for text in shorter if len(text) <= room), detail)
