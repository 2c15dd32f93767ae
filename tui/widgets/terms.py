"""The table of loss terms: value, weight, slope and share, with a selected row."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from nst_graph.progress import number

from ..series import TOTAL, Floats, Track
from ..theme import DASHES, LETTERS, SERIES
from .cells import Cells, Grid
from .gauges import bar

SLOPE_STEPS = 50


@dataclass(frozen=True)
class Row:
    """``slope``: relative change a step, NaN if unknown; ``share``: of the sum of all terms."""

    name: str
    series: int
    value: float
    weight: float | None
    slope: float
    share: float
    hidden: bool


def slope(steps: Floats, values: Floats, since: float = 0.0) -> float:
    """Relative change a step over the last 50 steps, by least squares on the logarithm.

    Steps before ``since`` do not count: a new scale makes every loss jump.
    """
    start = max(since, steps[-1] - SLOPE_STEPS) if len(steps) else 0.0
    first = int(np.searchsorted(steps, start))
    x, y = steps[first:], values[first:]
    usable = y > 0
    if usable.sum() < 3:
        return math.nan
    x, y = x[usable], np.log(y[usable])
    x = x - x.mean()
    spread = float((x * x).sum())
    return float((x * y).sum()) / spread if spread > 0 else math.nan


def rows(
    track: Track,
    weights: dict[str, float | None],
    hidden: set[str],
    at: dict[str, float] | None,
    since: float = 0.0,
) -> list[Row]:
    """The total and each term, with the values ``at`` the cursor, else the newest."""
    newest = {name: _newest(track.last(name)) for name in track.names}
    values = at if at is not None else newest
    terms = [name for name in track.names if name != TOTAL]
    sizes = [abs(values.get(name, math.nan)) for name in terms]
    whole = sum(size for size in sizes if math.isfinite(size))
    return [
        Row(
            name,
            index % SERIES,
            values.get(name, math.nan),
            weights.get(name),
            slope(track.x("step"), track.last(name), since),
            abs(values.get(name, math.nan)) / whole if name != TOTAL and whole else math.nan,
            name in hidden,
        )
        for index, name in enumerate(track.names)
    ]


def _newest(values: Floats) -> float:
    return float(values[-1]) if len(values) else math.nan


class Terms(Cells):
    """Rows of the current optimisation; ``selected`` is a row number."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.rows: list[Row] = []
        self.selected = 0
        self.heading = "now"

    def move(self, by: int) -> None:
        self.selected = max(0, min(self.selected + by, len(self.rows) - 1))
        self.repaint()

    @property
    def current(self) -> Row | None:
        return self.rows[self.selected] if self.selected < len(self.rows) else None

    def paint(self, grid: Grid) -> None:
        grid.write(0, 0, "─" * grid.width, "dim")
        grid.write(1, 0, " terms ", "title")
        if not self.rows:
            grid.write(1, 1, "no optimisation yet", "dim")
            return
        name = max(8, min(26, grid.width - 37))
        columns = (("VALUE", 9), ("WEIGHT", 9), ("%/STEP", 8))
        x = 4 + name
        for title, width in columns:
            if title == "VALUE" and self.heading != "now":
                title = self.heading[: width - 1]
            if x + width <= grid.width:
                grid.write(x + width - len(title), 0, title, "dim")
            x += width
        visible = grid.height - 1
        first = max(0, min(self.selected - visible + 1, len(self.rows) - visible))
        for y, row in enumerate(self.rows[first : first + visible], start=1):
            self._row(grid, y, row, name, chosen=first + y - 1 == self.selected)

    def _row(self, grid: Grid, y: int, row: Row, name: int, *, chosen: bool) -> None:
        role = "dim" if row.hidden else f"series{row.series}"
        grid.write(0, y, "▶" if chosen else " ", "accent")
        pattern = "off" if row.hidden else _sample(row.series)
        grid.write(1, y, pattern if grid.width >= 60 else LETTERS[row.series], role)
        start = 5 if grid.width >= 60 else 3
        grid.write(start, y, row.name, role if not chosen else "title", name + 3 - start)
        x = 4 + name
        texts = (
            (f"{number(row.value)}", 9),
            ("" if row.weight is None else number(row.weight), 9),
            (f"{100 * row.slope:+.2f}" if math.isfinite(row.slope) else "-", 8),
        )
        for text, width in texts:
            if x + width <= grid.width:
                bad = text in ("nan", "inf", "-inf")
                grid.write(x + width - len(text), y, text, "bad" if bad else "text")
            x += width
        if math.isfinite(row.share) and x + 6 <= grid.width:
            room = min(16, grid.width - x - 7)
            if room >= 4:
                filled, rest = bar(row.share, room)
                end = grid.write(x + 1, y, filled, role)
                grid.write(end, y, rest, "rail")
            grid.right(y, f"{row.share:.0%}", "text", 1)


def _sample(series: int) -> str:
    """A letter and two cells of the curve's dash pattern."""
    on, off = DASHES[series % len(DASHES)]
    if not off:
        dash = "──"
    elif on > 5:
        dash = "━╌"
    else:
        dash = "··" if on < 3 else "╌╌"
    return LETTERS[series] + dash
