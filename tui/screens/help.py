"""The keys of a screen, from the key table, with a filter."""

from __future__ import annotations

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import Input

from .. import keys
from ..widgets.cells import Cells, Grid


class KeyList(Cells):
    """One key a line, by scope."""

    def __init__(self, scopes: tuple[str, ...]) -> None:
        super().__init__()
        self.scopes = scopes
        self.wanted = ""
        self.first = 0

    def lines(self) -> list[tuple[str, str]]:
        found: list[tuple[str, str]] = []
        for scope in self.scopes:
            rows = [
                (keys.shown(key.keys), key.help)
                for key in keys.in_scope(scope)
                if self.wanted in f"{key.help} {key.label} {keys.shown(key.keys)}".lower()
            ]
            if rows:
                found += [("", "everywhere" if scope == "app" else scope), *rows]
        return found

    def scroll_lines(self, by: int) -> None:
        self.first = max(0, min(self.first + by, len(self.lines()) - self.size.height))
        self.repaint()

    def paint(self, grid: Grid) -> None:
        lines = self.lines()
        self.first = max(0, min(self.first, len(lines) - grid.height))
        for y, (key, text) in enumerate(lines[self.first : self.first + grid.height]):
            if not key:
                grid.write(0, y, text, "title")
                continue
            grid.write(1, y, key, "accent")
            grid.write(14, y, text, "text")
        if not lines:
            grid.write(0, 0, "no key does that", "dim")


class KeysScreen(ModalScreen[None]):
    """Type to search; Escape, ? or Enter closes."""

    BINDINGS: ClassVar[list[BindingType]] = [
        ("escape,f1", "dismiss", "close"),
        ("up", "by(-1)", "up"),
        ("down", "by(1)", "down"),
        ("pageup", "by(-10)", "page up"),
        ("pagedown", "by(10)", "page down"),
    ]

    def __init__(self, scopes: tuple[str, ...]) -> None:
        super().__init__()
        self._list = KeyList(scopes)

    def compose(self) -> ComposeResult:
        with Vertical(id="keys"):
            box = Input(placeholder="search keys")
            box.cursor_blink = False
            yield box
            yield self._list

    def on_mount(self) -> None:
        self.query_one(Input).focus()

    def on_input_changed(self, event: Input.Changed) -> None:
        if event.value.endswith("?"):
            self.dismiss()
            return
        self._list.wanted = event.value.lower().strip()
        self._list.first = 0
        self._list.repaint()

    def on_input_submitted(self) -> None:
        self.dismiss()

    def action_by(self, lines: int) -> None:
        self._list.scroll_lines(lines)
