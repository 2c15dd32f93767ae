"""The loss curves as a widget: a :class:`Plot` with a title line, and what keys do to it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from nst_graph.progress import number

from .cells import Cells, Grid
from .plot import LEFT, Plot


class Curves(Cells):
    """Set ``plot.lines`` and the rest, then call ``repaint``."""

    def __init__(self, title: str, **options: Any) -> None:
        super().__init__(**options)
        self.title = title
        self.plot = Plot()

    def paint(self, grid: Grid) -> None:
        view = self.plot.view
        self.plot.glyphs = self.app_glyphs
        self.plot.names = grid.width >= 70
        self.plot.draw(grid, top=1)
        grid.write(0, 0, "─" * grid.width, "dim")
        x = grid.write(1, 0, f" {self.title} ", "title")
        shape = [f"{'log' if view.log else 'lin'} y", f"x {view.axis}"]
        if view.smoothing:
            shape.append(f"smooth {view.smoothing:g}")
        if view.follow:
            shape.append("following")
        elif view.window is not None:
            shape.append("zoomed, 0 whole")
        x = grid.write(x, 0, "· " + " · ".join(shape) + " ", "dim")
        if view.cursor is not None:
            values = self.plot.values_at(view.cursor)
            total = f" {self.plot.lines[0].label} {number(values[0])}" if values else ""
            x = grid.write(x, 0, f"▲ {view.axis} {view.cursor:g}{total} ", "accent")
            sign = self.plot.sign_at(view.cursor, grid.width - LEFT)
            if sign:
                grid.write(x, 0, f"{sign} ", "mark")

    @property
    def app_glyphs(self) -> Any:
        return getattr(self.app, "plot_glyphs", "braille")

    # -- what keys do ----------------------------------------------------------------------

    def move_cursor(self, direction: int) -> None:
        """Move the cursor by one cell; it begins at the newest point and pans at the edges."""
        plot, view = self.plot, self.plot.view
        if not plot.lines:
            return
        start, end = plot.x_range()
        cell = (end - start) / max(1, self.size.width - LEFT - 2)
        if view.cursor is None:
            cursor = min(plot.last_x(), end)
        else:
            wanted = view.cursor + direction * cell
            cursor = plot.snap(wanted)
            if direction > 0 and cursor <= view.cursor:
                cursor = min(plot.last_x(), max(wanted, view.cursor))
            elif direction < 0 and cursor >= view.cursor:
                cursor = wanted
        cursor = max(0.0, min(cursor, plot.last_x()))
        plot.view = replace(view, cursor=cursor)
        if not start <= cursor <= end:
            plot.view = plot.view.panned(direction, (start, end))
        self.repaint()

    def drop_cursor(self) -> bool:
        """Whether there was one."""
        there = self.plot.view.cursor is not None
        self.plot.view = replace(self.plot.view, cursor=None)
        self.repaint()
        return there

    def zoom(self, direction: int) -> None:
        self.plot.view = self.plot.view.zoomed(direction, self.plot.x_range())
        start, end = self.plot.x_range()
        if direction < 0 and end - start >= max(self.plot.planned, self.plot.last_x()):
            self.whole()
        self.repaint()

    def pan(self, direction: int) -> None:
        self.plot.view = self.plot.view.panned(direction, self.plot.x_range())
        self.repaint()

    def whole(self) -> None:
        self.plot.view = replace(self.plot.view, window=None, follow=False)
        self.repaint()

    def follow(self) -> None:
        follow = not self.plot.view.follow
        self.plot.view = replace(self.plot.view, window=None, follow=follow, cursor=None)
        self.repaint()

    def log_scale(self) -> None:
        self.plot.view = replace(self.plot.view, log=not self.plot.view.log)
        self.repaint()

    def smooth(self) -> None:
        self.plot.view = self.plot.view.next_smoothing()
        self.repaint()

    def next_axis(self) -> None:
        self.plot.view = self.plot.view.next_axis()
        self.repaint()
