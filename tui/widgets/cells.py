"""Widgets that know what is on the screen and send only the cells that changed.

Textual repaints the whole region that a widget refreshes. :class:`Cells` compares each new
picture of itself with the last one and refreshes the differing spans alone; over a slow line
that is the difference between 40 and 10 KB/s for a whole monitor.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.cells import get_character_cell_size
from rich.segment import Segment
from rich.style import Style
from textual.filter import LineFilter
from textual.geometry import Region
from textual.strip import Strip
from textual.widget import Widget

from nst_graph.text import clean

from .. import theme
from ..spans import send_only_changed_cells

send_only_changed_cells()

Codes = NDArray[np.uint32]
Looks = NDArray[np.uint32]
Piece = tuple[str, str]
"""Text and its role."""

_GAP = 4
"""Spans this close are sent as one: moving the cursor costs about as much."""


class Grid:
    """A rectangle of characters (code points) and looks (indices of styles).

    The second cell of a wide character holds code 0.
    """

    def __init__(self, width: int, height: int) -> None:
        self.width, self.height = max(0, width), max(0, height)
        self.codes: Codes = np.full((self.height, self.width), 32, np.uint32)
        self.looks: Looks = np.zeros((self.height, self.width), np.uint32)

    def write(self, x: int, y: int, text: str, role: str = "text", limit: int = 1 << 30) -> int:
        """Put ``text``, cleaned, on one line, and return the next free column.

        What is longer than ``limit`` cells or than the grid is cut with an ellipsis.
        """
        start, end = x, min(self.width, x + limit)
        look = theme.ROLE[role]
        if not 0 <= y < self.height:
            return x
        if not (text.isascii() and text.isprintable()):
            text = clean(text, one_line=True)
        for character in text:
            size = 1 if character.isascii() else get_character_cell_size(character)
            if size <= 0:
                continue
            if x + size > end:
                if start < end:
                    self._ellipsis(end - 1, y)
                break
            if x >= 0:
                self.codes[y, x] = ord(character)
                self.looks[y, x : x + size] = look
                if size == 2:
                    self.codes[y, x + 1] = 0
            x += size
        return x

    def _ellipsis(self, x: int, y: int) -> None:
        if x and self.codes[y, x] == 0:
            self.codes[y, x - 1] = 32
        self.codes[y, x] = ord("…")

    def pieces(self, x: int, y: int, pieces: Sequence[Piece]) -> int:
        for text, role in pieces:
            x = self.write(x, y, text, role)
        return x

    def right(self, y: int, text: str, role: str = "text", margin: int = 0) -> None:
        """``text`` at the right end of line ``y``."""
        self.write(max(0, self.width - margin - len(text)), y, text, role)

    def fill(self, y: int, role: str) -> None:
        """Give the whole line ``y`` one role."""
        self.looks[y] = theme.ROLE[role]

    def choose(self, y: int) -> None:
        """Show that the cursor is on line ``y``; each cell keeps its colour."""
        for role in theme.CHOSEN:
            self.looks[y][self.looks[y] == theme.ROLE[role]] = theme.ROLE[f"chosen {role}"]


def changed_spans(old: Grid, new: Grid) -> list[Region]:
    """Regions that cover every cell in which two grids of one size differ."""
    differs = (old.codes != new.codes) | (old.looks != new.looks)
    regions = []
    for y in np.flatnonzero(differs.any(axis=1)).tolist():
        xs = np.flatnonzero(differs[y])
        cuts = np.flatnonzero(np.diff(xs) > _GAP)
        starts = [int(xs[0]), *(int(x) for x in xs[cuts + 1])]
        ends = [*(int(x) for x in xs[cuts]), int(xs[-1])]
        for start, end in zip(starts, ends, strict=True):
            while start > 0 and (old.codes[y, start] == 0 or new.codes[y, start] == 0):
                start -= 1  # never start in the middle of a wide character
            while end + 1 < new.width and 0 in (old.codes[y, end + 1], new.codes[y, end + 1]):
                end += 1
            regions.append(Region(start, y, end - start + 1, 1))
    return regions


class Cells(Widget):
    """A widget that paints a :class:`Grid`; call :meth:`repaint` when its data changed."""

    DEFAULT_CSS = "Cells { width: 1fr; height: 1fr; }"

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._grid = Grid(0, 0)

    def paint(self, grid: Grid) -> None:
        """Draw everything into the empty ``grid``."""
        raise NotImplementedError

    def style_of(self, look: int) -> Style:
        style: Style = theme.styles(self.app.theme)[look]
        return style

    @property
    def ascii(self) -> bool:
        return bool(getattr(self.app, "ascii_only", False))

    @property
    def grid(self) -> Grid:
        """What is on the screen now."""
        return self._grid

    def repaint(self) -> None:
        """Paint again and refresh what differs. Costs nothing while the widget is hidden."""
        size = self.size
        if not self.is_attached or not size.area or not self.display:
            return
        grid = Grid(size.width, size.height)
        self.paint(grid)
        old, self._grid = self._grid, grid
        if (old.width, old.height) != (grid.width, grid.height):
            self.refresh()
            return
        regions = changed_spans(old, grid)
        if regions:
            self.refresh(*regions)

    def on_resize(self) -> None:
        self.repaint()

    def on_mount(self) -> None:
        self.watch(self.app, "theme", self._restyle, init=False)

    def _restyle(self) -> None:
        self._grid = Grid(0, 0)
        self.repaint()

    def get_line_filters(self) -> Sequence[LineFilter]:
        # Without Textual's translation of palette colours into truecolor codes, which are longer.
        own: Sequence[LineFilter] | None = getattr(self.app, "own_filters", None)
        return super().get_line_filters() if own is None else own

    def render_line(self, y: int) -> Strip:
        grid = self._grid
        if y >= grid.height:
            return Strip.blank(self.size.width, self.style_of(0))
        looks = grid.looks[y]
        edges = [0, *(np.flatnonzero(np.diff(looks)) + 1).tolist(), grid.width]
        text = grid.codes[y].astype("<u4").tobytes().decode("utf-32-le", "replace")
        segments = [
            Segment(text[start:end].replace("\0", ""), self.style_of(int(looks[start])))
            for start, end in pairwise(edges)
            if end > start
        ]
        return Strip(segments, grid.width).adjust_cell_length(self.size.width)
