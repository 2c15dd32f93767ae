"""The table of runs: glyph, word and colour for each state, a cursor, marks."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from textual import events
from textual.message import Message

from nst_graph.progress import duration, number

from ..listing import Entry
from ..theme import STATES
from .cells import Cells, Grid


@dataclass(frozen=True)
class Column:
    """``width`` 0: takes what is left. ``from_width``: shown in tables at least so wide."""

    title: str
    width: int
    text: Callable[[Entry], str]
    order: Callable[[Entry], Any]
    right: bool = True
    from_width: int = 0


def _clock(when: float) -> str:
    return time.strftime("%m-%d %H:%M", time.localtime(when)) if when else "-"


def _optional(value: float | None, show: Callable[[float], str]) -> str:
    return "-" if value is None else show(value)


def _time_left(entry: Entry) -> str:
    """The place in the queue for those that wait in it."""
    return f"#{entry.place}" if entry.place else _optional(entry.eta, duration)


def _last(value: float | None) -> tuple[bool, float]:
    """Sorts missing values and NaN behind all others."""
    known = value is not None and not math.isnan(value)
    return (not known, value if known and value is not None else 0.0)


COLUMNS = (
    Column("CREATED", 11, lambda e: _clock(e.created), lambda e: -e.created, from_width=76),
    Column("NAME", 0, lambda e: e.name, lambda e: e.name, right=False),
    Column("STATE", 8, lambda e: e.state, lambda e: list(STATES).index(e.state), right=False),
    Column(
        "STEP",
        10,
        lambda e: f"{e.step}/{e.steps}" if e.steps else "-",
        lambda e: -(e.step / e.steps if e.steps else 0),
    ),
    Column("LOSS", 8, lambda e: _optional(e.total, number), lambda e: _last(e.total)),
    Column("TIME", 8, lambda e: duration(e.seconds), lambda e: -e.seconds),
    Column("ETA", 7, _time_left, lambda e: _last(e.eta)),
    Column(
        "IT/S",
        7,
        lambda e: _optional(e.rate, number),
        lambda e: _last(-e.rate if e.rate is not None else None),
        from_width=90,
    ),
    Column("TERMS", 6, lambda e: str(e.terms or "-"), lambda e: -e.terms, from_width=100),
)


class RunTable(Cells):
    """``entries`` in the order shown; ``marked`` ids carry a letter."""

    class Selected(Message):
        """The cursor is on another run."""

    class Opened(Message):
        """A run was double-clicked."""

    BINDINGS = [  # noqa: RUF012 (Textual's own form)
        ("up,k", "by(-1)", "up"),
        ("down,j", "by(1)", "down"),
        ("pageup", "by(-10)", "page up"),
        ("pagedown", "by(10)", "page down"),
        ("home", "by(-100000)", "first"),
        ("end", "by(100000)", "last"),
    ]
    can_focus = True

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.entries: list[Entry] = []
        self.marked: list[str] = []
        self.sorted_by = 0
        self.reverse = False
        self.empty = "no runs yet; a runs a graph, for example: quickstart"
        self.cursor = 0
        self._first = 0

    def set_entries(self, entries: list[Entry]) -> None:
        """Show ``entries`` sorted; the cursor stays on its run."""
        current = self.current
        column = COLUMNS[self.sorted_by]
        by_age = sorted(entries, key=lambda e: e.run.id, reverse=True)
        self.entries = sorted(by_age, key=column.order, reverse=self.reverse)
        if current is not None:
            ids = [entry.run.id for entry in self.entries]
            if current.run.id in ids:
                self.cursor = ids.index(current.run.id)
        self.cursor = max(0, min(self.cursor, len(self.entries) - 1))
        self.repaint()

    @property
    def current(self) -> Entry | None:
        return self.entries[self.cursor] if self.cursor < len(self.entries) else None

    def sort_next(self) -> str:
        self.sorted_by = (self.sorted_by + 1) % len(COLUMNS)
        self.reverse = False
        self.set_entries(self.entries)
        return COLUMNS[self.sorted_by].title.lower()

    def action_by(self, rows: int) -> None:
        cursor = max(0, min(self.cursor + rows, len(self.entries) - 1))
        if cursor != self.cursor:
            self.cursor = cursor
            self.repaint()
            self.post_message(self.Selected())

    def on_click(self, event: events.Click) -> None:
        row = self._first + event.y - 1
        if 0 <= row < len(self.entries):
            self.action_by(row - self.cursor)
            if event.chain > 1:
                self.post_message(self.Opened())

    def on_mouse_scroll_down(self) -> None:
        self.action_by(1)

    def on_mouse_scroll_up(self) -> None:
        self.action_by(-1)

    def paint(self, grid: Grid) -> None:
        columns = [column for column in COLUMNS if grid.width >= column.from_width]
        used = sum(column.width + 1 for column in columns if column.width)
        flexible = max(8, grid.width - used - 6)
        self._head(grid, columns, flexible)
        if not self.entries:
            grid.write(2, 2, self.empty, "dim")
            return
        rows = grid.height - 1
        top = min(self.cursor, max(self._first, self.cursor - rows + 1))
        self._first = max(0, min(top, len(self.entries) - rows))
        for y, entry in enumerate(self.entries[self._first : self._first + rows], start=1):
            self._row(grid, y, entry, columns, flexible)

    def _head(self, grid: Grid, columns: list[Column], flexible: int) -> None:
        x = 5
        for column in columns:
            width = column.width or flexible
            title = column.title
            if column is COLUMNS[self.sorted_by]:
                title += "▲" if self.reverse else "▼"
            place = x + width - len(title) if column.right else x
            grid.write(place, 0, title, "dim" if title == column.title else "accent")
            x += width + 1

    def _row(self, grid: Grid, y: int, entry: Entry, columns: list[Column], flexible: int) -> None:
        look = STATES[entry.state]
        chosen = self._first + y - 1 == self.cursor
        if entry.run.id in self.marked:
            grid.write(1, y, "abcdef"[self.marked.index(entry.run.id) % 6], "mark")
        grid.write(3, y, look.glyph, look.role)
        x = 5
        for column in columns:
            width = column.width or flexible
            text = column.text(entry)
            place = x + max(0, width - len(text)) if column.right else x
            role = look.role if column.title == "STATE" else "text"
            if column.title == "LOSS" and text in ("nan", "inf", "-inf"):
                role = "bad"
            grid.write(place, y, text, role, width)
            x += width + 1
        if chosen:
            grid.write(0, y, "▶", "accent")
            grid.choose(y)
