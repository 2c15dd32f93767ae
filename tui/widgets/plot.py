"""One plot: axes, curves, marks and cursor, drawn into a grid of cells. Pure."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from nst_graph.progress import number

from ..series import AXES, Axis, Floats, Track, smooth
from ..theme import LETTERS, ROLE, SERIES
from . import decimate
from .cells import Grid
from .raster import Glyphs, Raster

SMOOTHINGS = (0.0, 0.6, 0.9, 0.99)
FOLLOWED = 200
"""Steps (seconds, evaluations) that are shown while following."""
LEFT = 7
"""Cells of the y axis with its labels."""


@dataclass(frozen=True)
class Line:
    """A curve: column ``name`` of ``track``, in the colour, dash and letter of ``series``."""

    label: str
    series: int
    track: Track
    name: str
    divide: float = 1.0


@dataclass(frozen=True)
class Sign:
    """A vertical mark at row position ``step`` of ``track``."""

    track: Track
    step: int
    text: str = ""
    role: str = "mark"


@dataclass(frozen=True)
class View:
    """How the curves are looked at. ``window``: the x range; None: the whole run."""

    axis: Axis = "step"
    log: bool = True
    smoothing: float = 0.0
    window: tuple[float, float] | None = None
    follow: bool = False
    cursor: float | None = None

    def next_axis(self) -> View:
        axis = AXES[(AXES.index(self.axis) + 1) % len(AXES)]
        return replace(self, axis=axis, window=None, cursor=None)

    def next_smoothing(self) -> View:
        index = SMOOTHINGS.index(self.smoothing) if self.smoothing in SMOOTHINGS else 0
        return replace(self, smoothing=SMOOTHINGS[(index + 1) % len(SMOOTHINGS)])

    def zoomed(self, direction: int, shown: tuple[float, float]) -> View:
        """Twice as near or as far, around the cursor or the middle of what is ``shown``."""
        start, end = shown
        centre = self.cursor if self.cursor is not None else (start + end) / 2
        factor = 0.5 if direction > 0 else 2.0
        width = (end - start) * factor
        if direction > 0 and width < 8:
            return self
        left = centre - (centre - start) * factor
        return replace(self, window=(max(0.0, left), max(0.0, left) + width), follow=False)

    def panned(self, direction: int, shown: tuple[float, float]) -> View:
        start, end = shown
        move = max(-start, direction * (end - start) / 4)
        return replace(self, window=(start + move, end + move), follow=False)


@dataclass
class Plot:
    """What is to be drawn. ``planned``: where the step axis ends, 0 if unknown."""

    lines: Sequence[Line] = ()
    signs: Sequence[Sign] = ()
    planned: float = 0.0
    view: View = field(default_factory=View)
    glyphs: Glyphs = "braille"
    names: bool = False
    """Names at the right end of the curves instead of letters."""

    def last_x(self) -> float:
        ends = [line.track.x(self.view.axis)[-1] for line in self.lines if line.track.size]
        return float(max(ends, default=0.0))

    def x_range(self) -> tuple[float, float]:
        view, last = self.view, self.last_x()
        if view.window is not None:
            return view.window
        if view.follow:
            quarter = FOLLOWED / 4
            end = max(FOLLOWED, quarter * math.ceil(last / quarter))
            return end - FOLLOWED, end
        if view.axis == "step" and self.planned >= last > 0:
            return 0.0, float(self.planned)
        return 0.0, decimate.snap_up(last)

    def values_at(self, x: float) -> list[float]:
        """The last value of each line at or before ``x``; NaN where there is none."""
        found = []
        for line in self.lines:
            row = int(np.searchsorted(line.track.x(self.view.axis), x, "right")) - 1
            value = line.track.last(line.name)[row] / line.divide if row >= 0 else math.nan
            found.append(float(value))
        return found

    def sign_at(self, x: float, width: int) -> str:
        """The text of the mark within one of ``width`` cells of ``x``, if any."""
        start, end = self.x_range()
        cell = (end - start) / max(1, width)
        near = [
            (abs(at - x), sign.text)
            for sign in self.signs
            if abs((at := _position(sign.track, sign.step, self.view.axis)) - x) <= cell
        ]
        return min(near)[1] if near else ""

    def snap(self, x: float) -> float:
        """The nearest logged position at or before ``x``, of the longest line."""
        longest = max((line.track for line in self.lines), key=lambda t: t.size, default=None)
        if longest is None or not longest.size:
            return x
        positions = longest.x(self.view.axis)
        row = int(np.searchsorted(positions, x, "right")) - 1
        return float(positions[max(0, row)])

    def draw(self, grid: Grid, top: int = 0) -> None:
        """Fill ``grid`` from line ``top`` down."""
        gutter = 14 if self.names and grid.width >= 70 else 2
        width, height = grid.width - LEFT - gutter, grid.height - top - 2
        if width < 10 or height < 3:
            grid.write(0, top, "too small for a plot", "dim")
            return
        raster = Raster(width, height, self.glyphs)
        start, end = self.x_range()
        curves = self._columns(start, end, raster.columns)
        low, high = self._limits(curves)
        transformed = (_log(low), _log(high)) if self.view.log else (low, high)
        for line, faint, columns in curves:
            if self.view.log:
                columns = decimate.Columns(_logs(columns.low), _logs(columns.high), columns.bad)
            shape = decimate.bridge(columns)
            kind = "faint" if faint else "series"
            look = ROLE[f"{kind}{line.series % SERIES}"]
            raster.add(shape, *transformed, line.series, look)
        codes = raster.codes()
        area = (slice(top, top + height), slice(LEFT, LEFT + width))
        drawn = raster.look >= 0
        grid.codes[area][drawn] = codes[drawn]
        grid.looks[area][drawn] = raster.look[drawn]
        self._axes(grid, top, width, height, (start, end), (low, high))
        self._signs(grid, top, width, height, (start, end), curves)
        self._ends(grid, top, width, height, gutter, transformed)

    def _columns(
        self, start: float, end: float, count: int
    ) -> list[tuple[Line, bool, decimate.Columns]]:
        """Each line decimated; with smoothing the raw one, marked faint, and the smooth one."""
        found = []
        for line in self.lines:
            track, name = line.track, line.name
            x = track.x(self.view.axis)
            raw = decimate.columns(
                x, track.low(name), track.high(name), track.bad(name), start, end, count
            )
            if line.divide != 1:
                low, high = raw.low / line.divide, raw.high / line.divide
                raw = decimate.Columns(np.fmin(low, high), np.fmax(low, high), raw.bad)
            found.append((line, self.view.smoothing > 0, raw))
        if self.view.smoothing > 0:
            for line in self.lines:
                values = smooth(line.track.last(line.name), self.view.smoothing) / line.divide
                x = line.track.x(self.view.axis)
                none = np.zeros(len(values), np.bool_)
                shape = decimate.columns(x, values, values, none, start, end, count)
                found.append((line, False, shape))
        return found

    def _limits(self, curves: Sequence[tuple[Line, bool, decimate.Columns]]) -> tuple[float, float]:
        lows, highs = [], []
        for _, _, columns in curves:
            usable = columns.low > 0 if self.view.log else ~np.isnan(columns.low)
            if usable.any():
                lows.append(float(columns.low[usable].min()))
            reach = columns.high > 0 if self.view.log else ~np.isnan(columns.high)
            if reach.any():
                highs.append(float(columns.high[reach].max()))
        low, high = min(lows, default=math.nan), max(highs, default=math.nan)
        limits = decimate.log_limits if self.view.log else decimate.linear_limits
        bottom, top = limits(min(low, high), high)
        return bottom, top

    def _row(self, value: float, low: float, high: float, height: int) -> int:
        return round((high - value) / (high - low) * (height - 1))

    def _axes(
        self,
        grid: Grid,
        top: int,
        width: int,
        height: int,
        x: tuple[float, float],
        y: tuple[float, float],
    ) -> None:
        for row in range(height):
            grid.write(LEFT - 1, top + row, "│", "dim")
        grid.write(LEFT - 1, top + height, "└" + "─" * width, "dim")
        if self.view.log:
            for value in decimate.log_ticks(*y, max(2, height // 2)):
                row = self._row(_log(value), _log(y[0]), _log(y[1]), height)
                grid.write(0, top + row, f"{number(value):>{LEFT - 1}.{LEFT - 1}}┤", "dim")
        else:
            for value in decimate.ticks(*y, max(2, min(6, height // 2))):
                row = self._row(value, *y, height)
                grid.write(0, top + row, f"{number(value):>{LEFT - 1}.{LEFT - 1}}┤", "dim")
        free = 0
        for value in decimate.ticks(*x, max(2, width // 12)):
            column = LEFT + min(width - 1, int((value - x[0]) / (x[1] - x[0]) * width))
            text = f"{value:g}"
            place = max(LEFT - 1, min(column - len(text) // 2, LEFT + width - len(text)))
            if place >= free:
                grid.write(column, top + height, "┬", "dim")
                free = grid.write(place, top + height + 1, text, "dim") + 2

    def _signs(
        self,
        grid: Grid,
        top: int,
        width: int,
        height: int,
        x: tuple[float, float],
        curves: Sequence[tuple[Line, bool, decimate.Columns]],
    ) -> None:
        for sign in self.signs:
            at = _position(sign.track, sign.step, self.view.axis)
            self._vertical(grid, top, width, height, x, at, "┆", sign.role)
        if self.view.cursor is not None:
            self._vertical(grid, top, width, height, x, self.view.cursor, "│", "accent")
        bad: set[int] = set()
        for _, _, columns in curves:
            across = len(columns.bad) // width
            spoiled = columns.bad.reshape(width, across).any(axis=1)
            bad.update(np.flatnonzero(spoiled).tolist())
            # what is not finite has no place on the axis: the column's top says that it is there
        for column in bad:
            grid.write(LEFT + column, top, "×", "bad")

    def _vertical(
        self,
        grid: Grid,
        top: int,
        width: int,
        height: int,
        x: tuple[float, float],
        at: float,
        glyph: str,
        role: str,
    ) -> None:
        if not x[0] <= at <= x[1]:
            return
        column = LEFT + min(width - 1, int((at - x[0]) / (x[1] - x[0]) * width))
        for row in range(top, top + height):
            if grid.codes[row, column] == 32:
                grid.write(column, row, glyph, role)
        grid.write(column, top + height, "▲", role)

    def _ends(
        self,
        grid: Grid,
        top: int,
        width: int,
        height: int,
        gutter: int,
        y: tuple[float, float],
    ) -> None:
        """A letter or name beside the place where each curve ends, moved apart where they meet."""
        wanted: list[tuple[int, Line]] = []
        for line in self.lines:
            value = _final(line)
            if self.view.log:
                value = _log(value) if value > 0 else math.nan
            if math.isfinite(value):
                row = self._row(min(max(value, y[0]), y[1]), *y, height)
                wanted.append((row, line))
        wanted.sort(key=lambda item: item[0])
        free = 0
        for left, (row, line) in zip(range(len(wanted) - 1, -1, -1), wanted, strict=True):
            row = max(free, min(row, height - 1 - left))
            if row >= height:
                break
            text = LETTERS[line.series % SERIES]
            if gutter > 2:
                text = f"{text} {line.label}"
            role = f"series{line.series % SERIES}"
            grid.write(LEFT + width + 1, top + row, text, role, gutter - 1)
            free = row + 1


def _final(line: Line) -> float:
    values = line.track.last(line.name)
    known = values[~np.isnan(values)]
    return float(known[-1]) / line.divide if len(known) else math.nan


def _position(track: Track, step: int, axis: Axis) -> float:
    if axis == "step" or not track.size:
        return float(step)
    row = min(int(np.searchsorted(track.x("step"), step)), track.size - 1)
    return float(track.x(axis)[row])


def _log(value: float) -> float:
    return math.log10(value)


def _logs(values: Floats) -> Floats:
    with np.errstate(divide="ignore", invalid="ignore"):
        logs = np.log10(values)
    return np.where(np.isfinite(logs), logs, np.nan)
