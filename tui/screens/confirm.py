"""One question, answered with y or n."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import BindingType
from textual.screen import ModalScreen

from ..widgets.cells import Cells, Grid


class Words(Cells):
    """Lines of text in the middle of the screen."""

    def __init__(self, lines: Iterable[str]) -> None:
        super().__init__()
        self._lines = list(lines)

    def paint(self, grid: Grid) -> None:
        top = max(0, (grid.height - len(self._lines)) // 2)
        for y, line in enumerate(self._lines, start=top):
            x = max(0, (grid.width - len(line)) // 2)
            grid.write(x, y, line, "title" if y == top else "text")


class ConfirmScreen(ModalScreen[bool]):
    """Dismissed with True for y or Enter, False for n or Escape."""

    BINDINGS: ClassVar[list[BindingType]] = [
        ("y,enter", "answer(True)", "yes"),
        ("n,escape,q", "answer(False)", "no"),
    ]

    def __init__(self, question: str, *details: str) -> None:
        super().__init__()
        self._words = Words([question, *details, "", "y yes    n no"])

    def compose(self) -> ComposeResult:
        yield self._words

    def action_answer(self, yes: bool) -> None:
        self.dismiss(yes)
