"""Oil paint: curved brush strokes with bristle marks, laid wet on wet, lit from one side.

A stroke is a strip of paint points (along × across) thrown onto the sheet; each leaves its
colour and the thickness of its paint, so that light falling across the thickness afterwards
shows every bristle. Strokes are given in pixels of the sheet they are painted on.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from .canvas import blur, luminance
from .noise import Array

Field = Callable[[Array, Array], Array]


@dataclass
class Sheet:
    """Wet paint: its colour (height × width × 3, display values) and thickness."""

    colour: Array
    thickness: Array

    @classmethod
    def primed(cls, width: int, height: int, ground: Array) -> Sheet:
        colour = np.broadcast_to(ground, (height, width, 3)).astype(np.float32).copy()
        return cls(colour, np.zeros((height, width), np.float32))


@dataclass(frozen=True)
class Brush:
    """How a brush leaves paint. Lengths in pixels."""

    length: float
    width: float
    streaks: float = 0.07  # colour difference between bristles
    load: float = 1.0  # thickness of the paint
    dry: float = 0.35  # how far before its end the stroke begins to break up, 0…1
    taper: float = 0.75  # width at the end, relative to the start
    opacity: float = 1.0


def trace(field: Field, x: Array, y: Array, length: float, steps: int) -> tuple[Array, Array]:
    """Follow a field of angles from many starts at once: two arrays of starts × steps."""
    px, py = [x - 0.0], [y - 0.0]
    stride = length / steps
    for _ in range(steps - 1):
        angle = field(px[-1], py[-1])
        middle = field(px[-1] + np.cos(angle) * stride / 2, py[-1] + np.sin(angle) * stride / 2)
        px.append((px[-1] + np.cos(middle) * stride).astype(np.float32))
        py.append((py[-1] + np.sin(middle) * stride).astype(np.float32))
    return np.stack(px, 1), np.stack(py, 1)


def stroke(
    sheet: Sheet, px: Array, py: Array, colour: Array, brush: Brush, rng: np.random.Generator
) -> None:
    """Lay one stroke along the path (px, py)."""
    height, width = sheet.thickness.shape
    n = max(int(brush.length * 1.5), 4)
    m = max(int(brush.width * 1.6), 3)
    t = np.linspace(0, 1, n, dtype=np.float32)
    at = t * (len(px) - 1)
    knots = np.arange(len(px))
    cx, cy = np.interp(at, knots, px), np.interp(at, knots, py)
    tx, ty = np.gradient(cx), np.gradient(cy)
    norm = np.hypot(tx, ty) + 1e-6
    nx, ny = -ty / norm, tx / norm
    across = np.linspace(-1, 1, m, dtype=np.float32)
    # Rounded at both ends: the half width follows an ellipse there.
    end = brush.width / 2 / max(brush.length, brush.width)
    bow = np.sqrt(np.clip(1 - ((end - t).clip(0) / end) ** 2, 0, 1))
    tail = np.sqrt(np.clip(1 - ((t - 1 + end).clip(0) / end) ** 2, 0, 1))
    half = brush.width / 2 * bow * tail * (1 + (brush.taper - 1) * t)
    ix = np.rint(cx[:, None] + nx[:, None] * half[:, None] * across).astype(np.int64)
    iy = np.rint(cy[:, None] + ny[:, None] * half[:, None] * across).astype(np.int64)
    bristle = np.convolve(rng.normal(0, 1, m + 4), [0.25, 0.5, 0.25, 0.2, 0.1], "valid")[:m]
    bristle = bristle.astype(np.float32)
    wear = (t[:, None] - (1 - brush.dry)) / max(brush.dry, 1e-3)
    left = wear < 0.75 + 0.5 * bristle
    inside = (ix >= 0) & (ix < width) & (iy >= 0) & (iy < height) & left
    ix, iy = ix[inside], iy[inside]
    ridge = (0.55 + 0.45 * np.abs(across) ** 3 + 0.35 * bristle) * brush.load
    bead = np.exp(-(((t - 0.93) / 0.07) ** 2)) * 0.35 + 0.8 + 0.2 * (1 - t)
    thick = (ridge[None, :] * bead[:, None]).astype(np.float32)[inside]
    wave = bristle[None, :] * brush.streaks * (0.7 + 0.5 * t[:, None])
    paint = np.clip(colour * (1 + wave[inside][:, None]) + 0.3 * wave[inside][:, None], 0, 1)
    a = brush.opacity
    sheet.colour[iy, ix] = sheet.colour[iy, ix] * (1 - a) + paint * a
    sheet.thickness[iy, ix] = sheet.thickness[iy, ix] * 0.35 + thick


def cover(
    sheet: Sheet,
    field: Field,
    colour_at: Callable[[Array, Array], Array],
    brush: Brush,
    spacing: float,
    rng: np.random.Generator,
    keep: Callable[[Array, Array], Array] | None = None,
    hue: float = 0.05,
    light: float = 0.07,
) -> None:
    """Cover the sheet with strokes that start on a jittered grid of ``spacing`` pixels."""
    height, width = sheet.thickness.shape
    margin = brush.length / 2
    gx, gy = np.meshgrid(
        np.arange(-margin, width + margin, spacing), np.arange(-margin, height + margin, spacing)
    )
    x = (gx + rng.uniform(-0.6, 0.6, gx.shape) * spacing).ravel().astype(np.float32)
    y = (gy + rng.uniform(-0.6, 0.6, gy.shape) * spacing).ravel().astype(np.float32)
    if keep is not None:
        wanted = rng.random(x.size) < keep(x, y)
        x, y = x[wanted], y[wanted]
    order = rng.permutation(x.size)
    x, y = x[order], y[order]
    px, py = trace(field, x, y, brush.length, 9)
    colours = colour_at(px[:, 4], py[:, 4])
    colours = colours * (1 + rng.normal(0, light, (x.size, 1))) + rng.normal(0, hue, (x.size, 3))
    for i in range(x.size):
        stroke(sheet, px[i], py[i], np.clip(colours[i], 0, 1).astype(np.float32), brush, rng)


def lit(sheet: Sheet, relief: float = 1.0, shine: float = 0.22, canvas_seed: int = 7) -> Array:
    """The sheet under a lamp at the upper left: shading by the slope of the paint, and gloss."""
    rng = np.random.default_rng(canvas_seed)
    height, width = sheet.thickness.shape
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    weave = 0.03 * (np.sin(x * 1.05) + np.sin(y * 1.05)) + rng.normal(0, 0.02, x.shape)
    surface = blur(sheet.thickness + weave.astype(np.float32), 0.8)
    gy, gx = np.gradient(surface * 1.6 * relief)
    normal = np.stack([-gx, -gy, np.ones_like(gx)], -1)
    normal /= np.linalg.norm(normal, axis=-1, keepdims=True)
    lamp = np.array([-0.45, -0.6, 0.66])
    diffuse = (normal @ lamp) / lamp[2]
    gloss = np.clip(normal @ (np.array([-0.25, -0.34, 0.9])), 0, 1) ** 40
    flat = float(np.clip(np.float32(0.9), 0, 1) ** 40)
    shaded = sheet.colour * (0.45 + 0.55 * np.clip(diffuse, 0, 1.7))[..., None]
    shaded += ((gloss - flat) * shine).clip(0)[..., None] * (0.4 + luminance(sheet.colour))[
        ..., None
    ]
    return np.clip(shaded, 0, 1).astype(np.float32)
