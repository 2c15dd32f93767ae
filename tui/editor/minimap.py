"""A small map of the whole graph in a corner of the canvas, four pixels to a cell."""

from __future__ import annotations

from collections.abc import Iterator

from ..widgets.cells import Grid
from .picture import Picture
from .route import Drawing

WIDTH, HEIGHT = 26, 8
_QUARTERS = " ▘▝▀▖▌▞▛▗▚▐▜▄▙▟█"


class Minimap:
    """Draws the map; the boxes on it are worked out once for each drawing."""

    def __init__(self) -> None:
        self._drawing: Drawing | None = None
        self._rows: list[str] = []

    def paint(
        self, grid: Grid, picture: Picture, origin: tuple[int, int], selected: str | None
    ) -> None:
        """Draw the map at the bottom right unless everything is in sight anyway."""
        drawing = picture.drawing
        if drawing.width <= grid.width and drawing.height <= grid.height:
            return
        left, top = grid.width - WIDTH - 2, grid.height - HEIGHT - 2
        if left < 0 or top < 0:
            return
        if self._drawing is not drawing:
            self._drawing, self._rows = drawing, _rows(picture)
        across, down = _scale(drawing)
        grid.write(left, top, "╭" + "─ map ".ljust(WIDTH, "─") + "╮", "dim")
        for row, line in enumerate(self._rows):
            grid.write(left, top + 1 + row, f"│{line}│", "dim")
        grid.write(left, top + 1 + HEIGHT, "╰" + "─" * WIDTH + "╯", "dim")
        marks = [(node, "bad") for node, card in picture.cards.items() if card.fault == "error"]
        if selected in drawing.places:
            marks.append((selected or "", "accent"))
        for node, role in marks:
            for px, py in _pixels(picture, node, across, down):
                glyph = self._rows[py // 2][px // 2]
                grid.write(left + 1 + px // 2, top + 1 + py // 2, glyph, role)
        self._frame(grid, left + 1, top + 1, origin, (across, down))

    def _frame(
        self, grid: Grid, left: int, top: int, origin: tuple[int, int], scale: tuple[float, float]
    ) -> None:
        """Dots where the window looks at nothing."""
        first_x, last_x = (round(v / scale[0] / 2) for v in (origin[0], origin[0] + grid.width))
        first_y, last_y = (round(v / scale[1] / 2) for v in (origin[1], origin[1] + grid.height))
        for row in range(max(0, first_y), min(HEIGHT, last_y)):
            for column in range(max(0, first_x), min(WIDTH, last_x)):
                if self._rows[row][column] == " ":
                    grid.write(left + column, top + row, "·", "dim")


def _scale(drawing: Drawing) -> tuple[float, float]:
    """Cells of the drawing to one pixel, across and down."""
    return max(1.0, drawing.width / (WIDTH * 2)), max(1.0, drawing.height / (HEIGHT * 2))


def _pixels(picture: Picture, node: str, across: float, down: float) -> Iterator[tuple[int, int]]:
    x, y = picture.drawing.places[node]
    box = picture.plan.boxes[node]
    for py in range(int(y / down), min(HEIGHT * 2, int((y + box.height - 1) / down) + 1)):
        for px in range(int(x / across), min(WIDTH * 2, int((x + box.width - 1) / across) + 1)):
            yield px, py


def _rows(picture: Picture) -> list[str]:
    across, down = _scale(picture.drawing)
    bits = [[0] * WIDTH for _ in range(HEIGHT)]
    for node in picture.drawing.places:
        for px, py in _pixels(picture, node, across, down):
            bits[py // 2][px // 2] |= 1 << (px % 2 + py % 2 * 2)
    return ["".join(_QUARTERS[cell] for cell in row) for row in bits]
