"""The whole log of a run, searchable."""

from __future__ import annotations

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import Input

from ..state import LogLine
from ..tail import Follower
from ..widgets.cells import Cells, Grid
from ..widgets.gauges import write_line


class LogLines(Cells):
    """Lines that contain ``wanted``; at the end until scrolled up."""

    def __init__(self, follower: Follower) -> None:
        super().__init__()
        self._follower = follower
        self.wanted = ""
        self.up = 0
        """Lines scrolled up from the end."""

    def lines(self) -> list[LogLine]:
        wanted = self.wanted.lower()
        return [line for line in self._follower.state.lines if wanted in line.text.lower()]

    def scroll_lines(self, by: int) -> None:
        self.up = max(0, min(self.up - by, len(self.lines()) - self.size.height))
        self.repaint()

    def paint(self, grid: Grid) -> None:
        lines = self.lines()
        end = len(lines) - self.up
        for y, line in enumerate(lines[max(0, end - grid.height) : end]):
            write_line(grid, y, line)
        if not lines:
            grid.write(1, 0, "nothing here", "dim")


class LogScreen(ModalScreen[None]):
    """Type to search; Escape or Enter closes."""

    BINDINGS: ClassVar[list[BindingType]] = [
        ("escape", "dismiss", "close"),
        ("up", "by(-1)", "up"),
        ("down", "by(1)", "down"),
        ("pageup", "by(-10)", "page up"),
        ("pagedown", "by(10)", "page down"),
    ]

    def __init__(self, follower: Follower) -> None:
        super().__init__()
        self._follower = follower
        self._lines = LogLines(follower)

    def compose(self) -> ComposeResult:
        with Vertical(id="whole-log"):
            box = Input(placeholder="search the log")
            box.cursor_blink = False
            yield box
            yield self._lines

    def on_mount(self) -> None:
        self.query_one(Input).focus()
        self.set_interval(0.5, self._follow)

    def _follow(self) -> None:
        """The screen below is asleep, so the log is read from here."""
        self._follower.poll()
        self._lines.repaint()

    def on_input_changed(self, event: Input.Changed) -> None:
        self._lines.wanted = event.value.strip()
        self._lines.up = 0
        self._lines.repaint()

    def on_input_submitted(self) -> None:
        self.dismiss()

    def action_by(self, lines: int) -> None:
        self._lines.scroll_lines(lines)
