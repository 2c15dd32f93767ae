"""The project's icon: two small pictures wired into one that is painted in swirls.

``python -m examples.painting.icon`` draws ``web/icon.png`` (400 px square).
"""

from __future__ import annotations

import math
from pathlib import Path

from PIL import Image, ImageDraw

SIDE = 400
FINE = 4
"""Drawn this many times larger, then reduced, so that edges are smooth."""
NIGHT = (23, 32, 66)
SKY = ((38, 70, 131), (74, 124, 178), (132, 178, 206), (222, 186, 92), (246, 221, 148))
CONTENT = (226, 128, 88)
STYLE = (240, 198, 84)
WIRE = (228, 228, 231)


def draw() -> Image.Image:
    """The icon, RGBA."""
    side = SIDE * FINE
    image = Image.new("RGBA", (side, side), (0, 0, 0, 0))
    pen = ImageDraw.Draw(image)
    pen.rounded_rectangle((0, 0, side - 1, side - 1), side // 6, fill=NIGHT)
    centre, radius = (0.64 * side, 0.5 * side), 0.27 * side
    for (x, y), colour in (((0.17, 0.27), CONTENT), ((0.17, 0.73), STYLE)):
        _wire(pen, (x * side, y * side), centre, side)
        box = [(x - 0.085) * side, (y - 0.085) * side, (x + 0.085) * side, (y + 0.085) * side]
        pen.rounded_rectangle(box, side // 40, fill=colour)
    _swirls(pen, centre, radius)
    return image.resize((SIDE, SIDE), Image.Resampling.LANCZOS)


def _wire(
    pen: ImageDraw.ImageDraw, start: tuple[float, float], end: tuple[float, float], side: int
) -> None:
    """A curve that leaves and arrives level, as graph editors draw their links."""
    (x0, y0), (x1, y1) = start, end
    points = []
    for step in range(101):
        t = step / 100
        rise = t * t * (3 - 2 * t)
        points.append((x0 + (x1 - x0) * t, y0 + (y1 - y0) * rise))
    pen.line(points, fill=WIRE, width=side // 45, joint="curve")


def _swirls(pen: ImageDraw.ImageDraw, centre: tuple[float, float], radius: float) -> None:
    """A disc of short strokes that follow a spiral, light in the middle."""
    x, y = centre
    pen.ellipse((x - radius, y - radius, x + radius, y + radius), fill=SKY[0])
    for ring in range(16, 0, -1):
        distance = radius * (ring - 0.5) / 16
        strokes = 5 + ring
        for stroke in range(strokes):
            turn = 2 * math.pi * (stroke / strokes) + 0.55 * ring
            shade = SKY[min(len(SKY) - 1, int((1 - ring / 17 + 0.12 * (stroke % 2)) * len(SKY)))]
            points = []
            for bend in range(13):
                angle = turn + bend / 12 * 4.4 / strokes
                reach = distance + radius * 0.03 * math.sin(bend / 12 * math.pi)
                points.append((x + reach * math.cos(angle), y + reach * math.sin(angle)))
            pen.line(points, fill=shade, width=round(radius / 14), joint="curve")


if __name__ == "__main__":
    target = Path(__file__).resolve().parents[2] / "web" / "icon.png"
    target.parent.mkdir(exist_ok=True)
    draw().save(target, optimize=True)
    print(target)
