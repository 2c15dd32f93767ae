"""A small map of the whole graph in a corner of the canvas, two rows of pixels to a cell."""

from __future__ import annotations

from ..widgets.cells import Grid
from .picture import Picture

WIDTH, HEIGHT = 26, 8
_QUARTERS = " ▘▝▀▖▌▞▛▗▚▐▜▄▙▟█"


def paint_minimap(
    grid: Grid, picture: Picture, origin: tuple[int, int], selected: str | None
) -> None:
    """Draw the map at the bottom right unless everything is in sight anyway."""
    drawing = picture.drawing
    if drawing.width <= grid.width and drawing.height <= grid.height:
        return
    left, top = grid.width - WIDTH - 2, grid.height - HEIGHT - 2
    if left < 0 or top < 0:
        return
    across = max(1.0, drawing.width / (WIDTH * 2))
    down = max(1.0, drawing.height / (HEIGHT * 2))
    dots = [[0] * WIDTH for _ in range(HEIGHT)]
    roles = [["dim"] * WIDTH for _ in range(HEIGHT)]
    for node, (x, y) in drawing.places.items():
        box = picture.plan.boxes[node]
        for py in range(int(y / down), int((y + box.height - 1) / down) + 1):
            for px in range(int(x / across), int((x + box.width - 1) / across) + 1):
                if px < WIDTH * 2 and py < HEIGHT * 2:
                    dots[py // 2][px // 2] |= 1 << (px % 2 + py % 2 * 2)
                    if node == selected:
                        roles[py // 2][px // 2] = "accent"
                    elif picture.cards[node].fault == "error" and node != selected:
                        roles[py // 2][px // 2] = "bad"
    grid.write(left, top, "╭" + "─ map ".ljust(WIDTH, "─") + "╮", "dim")
    for row in range(HEIGHT):
        grid.write(left, top + 1 + row, "│" + " " * WIDTH + "│", "dim")
        for column in range(WIDTH):
            cell = dots[row][column]
            seen = (
                origin[0] <= column * 2 * across < origin[0] + grid.width
                and origin[1] <= row * 2 * down < origin[1] + grid.height
            )
            glyph = _QUARTERS[cell] if cell else "·" if seen else " "
            grid.write(left + 1 + column, top + 1 + row, glyph, roles[row][column])
    grid.write(left, top + 1 + HEIGHT, "╰" + "─" * WIDTH + "╯", "dim")
