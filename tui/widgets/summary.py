"""What one run is about, in a few lines: terms with sparklines, pictures, where it lies."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from nst_graph.progress import duration, number

from ..listing import Entry
from ..series import Floats
from ..state import RunState
from ..theme import SERIES, STATES
from .cells import Cells, Grid
from .gauges import sparkline


class Summary(Cells):
    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._entry: Entry | None = None
        self._state: RunState | None = None

    def show(self, entry: Entry | None, state: RunState | None) -> None:
        self._entry, self._state = entry, state
        self.repaint()

    def paint(self, grid: Grid) -> None:
        entry, state = self._entry, self._state
        grid.write(0, 0, "─" * grid.width, "dim")
        if entry is None or state is None:
            return
        grid.write(1, 0, f" {entry.name} ", "title", max(8, grid.width - 14))
        look = STATES[entry.state]
        grid.right(0, f" {look.glyph} {entry.state} ", look.role, 1)
        y = 1
        if entry.message:
            y = _wrapped(grid, y, entry.message, "bad" if entry.state != "done" else "text")
        kinds = ", ".join(f"{len(state.order)} nodes" for _ in [0] if state.order)
        facts = [entry.run.id, kinds, duration(entry.seconds)]
        grid.write(1, y, "  ".join(fact for fact in facts if fact), "dim")
        y += 1
        found = state.optimisations.get(state.current or "")
        if found is not None:
            step = found.step
            grid.write(1, y, f"step {step.step}/{step.steps}  {step.width}×{step.height}", "text")
            y += 1
            for index, name in enumerate(found.track.names):
                if y >= grid.height - 1:
                    break
                values = _thinned(found.track.last(name), 16)
                role = f"series{index % SERIES}"
                grid.write(1, y, name, role, max(8, grid.width - 32))
                value = number(found.track.last(name)[-1]) if found.track.size else "-"
                x = max(10, grid.width - 30)
                grid.write(x, y, value.rjust(9), "text")
                grid.write(x + 11, y, _spark(values), role)
                y += 1
        for output in state.finished.outputs[-2:] if state.finished else ():
            grid.write(1, y, f"→ {output}", "ok")
            y += 1


def _wrapped(grid: Grid, y: int, text: str, role: str) -> int:
    """At most two lines of ``text``; the next free line."""
    width = max(10, grid.width - 2)
    for start in range(0, min(len(text), 2 * width), width):
        grid.write(1, y, text[start : start + width], role)
        y += 1
    return y


def _thinned(values: Floats, count: int) -> list[float]:
    if not len(values):
        return []
    places = np.linspace(0, len(values) - 1, min(count, len(values))).astype(int)
    return [float(value) for value in values[places]]


def _spark(values: list[float]) -> str:
    """On a logarithmic scale where every value is positive."""
    known = [value for value in values if math.isfinite(value)]
    if not known:
        return ""
    if min(known) > 0:
        values = [math.log(v) if math.isfinite(v) else math.nan for v in values]
        known = [math.log(v) for v in known]
    return sparkline(values, len(values), min(known), max(known))
