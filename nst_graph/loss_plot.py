"""The course of the losses as a picture, for hosts that show pictures and not terminals."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from nst_graph.text import shorten
from nst_graph.values import History

if TYPE_CHECKING:
    from PIL.Image import Image

WIDTH, HEIGHT = 640, 400
LEFT, RIGHT, TOP, BOTTOM = 72, 16, 16, 36
LEGEND_ROW = 18
BACKGROUND = (24, 24, 27)
GRID = (56, 56, 62)
INK = (228, 228, 231)
CURVES = (
    (228, 228, 231),
    (86, 180, 233),
    (230, 159, 0),
    (0, 158, 115),
    (204, 121, 167),
    (240, 228, 66),
    (213, 94, 0),
    (0, 114, 178),
    (150, 150, 150),
)
"""White for the total, then the colours of Okabe and Ito, which colour-blind readers can tell."""


def loss_plot(history: History) -> Image:
    """Total and weighted losses over the steps, on a logarithmic scale; RGB, 640 px wide.

    What a logarithm cannot show (zero, negative or not a number) leaves a gap.
    """
    from PIL import Image, ImageDraw, ImageFont

    names = ("total", *history.terms)
    curves = [[point.total for point in history.points]]
    curves += [[point.losses[i] for point in history.points] for i in range(len(history.terms))]
    steps = [point.step for point in history.points]
    height = HEIGHT + LEGEND_ROW * math.ceil(len(names) / 2)
    image = Image.new("RGB", (WIDTH, height), BACKGROUND)
    draw = ImageDraw.Draw(image)
    font = ImageFont.load_default(12)
    low, high = _decades(curves)

    def place(step: int, value: float) -> tuple[float, float]:
        across = (step - steps[0]) / max(1, steps[-1] - steps[0])
        up = (math.log10(value) - low) / (high - low)
        return (
            LEFT + across * (WIDTH - LEFT - RIGHT),
            HEIGHT - BOTTOM - up * (HEIGHT - TOP - BOTTOM),
        )

    for decade in range(low, high + 1):
        y = place(steps[0], 10.0**decade)[1]
        draw.line((LEFT, y, WIDTH - RIGHT, y), fill=GRID)
        draw.text((LEFT - 8, y), f"1e{decade}", fill=INK, font=font, anchor="rm")
    for step in sorted({steps[0], steps[len(steps) // 2], steps[-1]}):
        x = place(step, 10.0**low)[0]
        anchor = "ra" if step == steps[-1] != steps[0] else "ma"
        draw.text((x, HEIGHT - BOTTOM + 6), f"{step}", fill=INK, font=font, anchor=anchor)
    for index in range(len(names) - 1, -1, -1):
        colour = CURVES[min(index, len(CURVES) - 1)]
        for run in _drawable(steps, curves[index]):
            points = [place(step, value) for step, value in run]
            if len(points) == 1:
                (x, y), *_ = points
                draw.ellipse((x - 2, y - 2, x + 2, y + 2), fill=colour)
            else:
                draw.line(points, fill=colour, width=3 if index == 0 else 2, joint="curve")
        x = LEFT + (index % 2) * (WIDTH - LEFT) // 2
        y = HEIGHT + LEGEND_ROW * (index // 2)
        draw.line((x, y + 6, x + 18, y + 6), fill=colour, width=3)
        label = f"{shorten(names[index], 26)}  {curves[index][-1]:.4g}"
        draw.text((x + 26, y), label, fill=INK, font=font)
    return image


def _decades(curves: Sequence[Sequence[float]]) -> tuple[int, int]:
    """The powers of ten below and above everything that can be drawn."""
    drawn = [value for curve in curves for value in curve if _has_logarithm(value)]
    if not drawn:
        return 0, 1
    low, high = math.floor(math.log10(min(drawn))), math.ceil(math.log10(max(drawn)))
    return low, max(high, low + 1)


def _drawable(steps: Sequence[int], curve: Sequence[float]) -> list[list[tuple[int, float]]]:
    """The stretches of ``curve`` between its gaps."""
    runs: list[list[tuple[int, float]]] = [[]]
    for step, value in zip(steps, curve, strict=True):
        if _has_logarithm(value):
            runs[-1].append((step, value))
        elif runs[-1]:
            runs.append([])
    return [run for run in runs if run]


def _has_logarithm(value: float) -> bool:
    return math.isfinite(value) and value > 0
