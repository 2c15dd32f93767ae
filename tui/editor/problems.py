"""The list of problems below the canvas (on tall terminals)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from textual import events
from textual.message import Message

from nst_graph.errors import Problem

from ..widgets.cells import Cells, Grid


class ProblemList(Cells):
    """Shows the first problems; a click goes to one."""

    @dataclass
    class Chosen(Message):
        index: int

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._problems: Sequence[Problem] = ()
        self._name_of: Callable[[str | None], str] = str
        self.current = -1

    def show(self, problems: Sequence[Problem], name_of: Callable[[str | None], str]) -> None:
        if problems != self._problems:
            self.current = -1
        self._problems, self._name_of = problems, name_of
        self.repaint()

    def on_click(self, event: events.Click) -> None:
        if 0 < event.y <= len(self._problems):
            self.post_message(self.Chosen(event.y - 1))

    def paint(self, grid: Grid) -> None:
        grid.write(0, 0, "─" * grid.width, "dim")
        count = len(self._problems)
        grid.write(2, 0, f" Problems ({count}) " if count else " No problems ", "title")
        if count:
            grid.write(26, 0, " ] [ go to · . fix ", "dim")
        room = grid.height - 1
        first = max(0, min(self.current, count - room))
        for row, problem in enumerate(self._problems[first : first + room], start=1):
            error = problem.severity == "error"
            here = row - 1 + first == self.current
            x = grid.write(0, row, "▶" if here else " ", "accent")
            x = grid.write(x, row, "✗ " if error else "! ", "bad" if error else "warn")
            if problem.node is not None:
                x = grid.write(x, row, f"{self._name_of(problem.node)}  ", "text", 40)
            what = f"{problem.input}: {problem.message}" if problem.input else problem.message
            x = grid.write(x, row, what, "text")
            if problem.hint:
                grid.write(x, row, f" - {problem.hint}", "dim")
