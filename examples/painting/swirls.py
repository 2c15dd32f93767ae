"""A night in thick oil: the air turns round moons and stars above hills and a sleeping farm.

Every stroke follows one flow field, so size and direction of the brush work are alike over the
whole picture.
"""

from __future__ import annotations

import numpy as np

from .canvas import mix, ramp, shrink, smoothstep, srgb
from .noise import Array, fbm
from .oil import Brush, Sheet, cover, lit, stroke

WIDTH, HEIGHT, FINE = 640, 512, 2
# x, y, radius of the disc, turning sense (all in heights)
LIGHTS = (
    (0.98, 0.20, 0.085, 1), (0.20, 0.16, 0.045, -1), (0.50, 0.11, 0.028, 1),
    (0.70, 0.40, 0.032, -1), (0.10, 0.42, 0.026, 1), (1.19, 0.45, 0.030, -1),
)  # fmt: skip
# x, y, size of each house
FARM = (
    (0.69, 0.672, 0.042), (0.80, 0.655, 0.050), (1.10, 0.640, 0.042),
    (0.90, 0.685, 0.062), (1.01, 0.665, 0.050),
)  # fmt: skip
EDDIES = ((0.42, 0.33, 0.15, 1.0), (0.66, 0.23, 0.10, -1.0), (0.90, 0.46, 0.10, 1.0))


def _horizon(x: Array) -> Array:
    return 0.63 + 0.05 * np.sin(x * 4.1 + 0.6) + 0.03 * np.sin(x * 9.3)


def _flow(x: Array, y: Array) -> Array:
    """Direction of the paint, as an angle, at (x, y) in heights."""
    vx = 0.55 + 0 * x
    vy = 0.30 * np.cos(x * 5.0 + y * 3.0) + 0.55 * fbm(x * 1.6, y * 1.6, 51, 2)
    for cx, cy, r, sense in LIGHTS:
        d = np.hypot(x - cx, y - cy)
        pull = 2.6 * np.exp(-((d / (r * 2.6)) ** 2)) * sense
        vx, vy = vx - pull * (y - cy) / (d + 0.01), vy + pull * (x - cx) / (d + 0.01)
    for cx, cy, r, sense in EDDIES:
        dx, dy = x - cx, y - cy
        d = np.hypot(dx, dy)
        pull = 2.2 * np.exp(-((d / r) ** 2)) * sense
        inward = 0.35 * np.abs(pull)
        vx = vx - (pull * dy + inward * dx) / (d + 0.01)
        vy = vy + (pull * dx - inward * dy) / (d + 0.01)
    sky = np.arctan2(vy, vx)
    below = y - _horizon(x)
    slope = 0.05 * 4.1 * np.cos(x * 4.1 + 0.6) + 0.03 * 9.3 * np.cos(x * 9.3)
    land = np.arctan(slope * (1 - 2.0 * below)) + 0.9 * fbm(x * 2.2, y * 4.5, 52, 2)
    tree = np.pi / 2 + 0.42 * np.sin(y * 13 + x * 30)
    angle = np.where(below > 0, land, sky)
    return np.where(_poplar(x, y) > 0.4, tree, angle).astype(np.float32)


def _poplar(x: Array, y: Array) -> Array:
    """Two dark flame-shaped trees at the left."""
    shape = np.zeros_like(x)
    for foot, top, bottom, wide in ((0.30, 0.24, 0.97, 0.062), (0.395, 0.46, 0.97, 0.045)):
        t = np.clip((y - top) / (bottom - top), 0, 1)
        half = wide * np.sqrt(t) * (1.15 - 0.75 * t**3) + 0.012 * np.sin(y * 31 + x * 20)
        middle = foot + 0.010 * np.sin(y * 6 + foot * 9)
        inside = smoothstep(0.008, -0.008, np.abs(x - middle) - half) * (y > top)
        shape = np.maximum(shape, inside * (y < bottom + 0.1))
    return shape


def _colour(x: Array, y: Array) -> Array:
    height = np.clip(y / 0.65, 0, 1)
    sky = ramp(
        height,
        [
            (0.0, srgb("#152463")),
            (0.35, srgb("#1f4796")),
            (0.65, srgb("#2f7fb4")),
            (0.9, srgb("#6bb3b8")),
            (1.0, srgb("#b9cf9a")),
        ],
    )
    angle = _flow(x, y)
    band = np.sin(9 * fbm(x * 1.3 + 0.05 * np.cos(angle), y * 2.6, 53, 3) * 2.2)
    sky = mix(sky, srgb("#8fd0d8"), (smoothstep(0.45, 1.0, band) * 0.65)[..., None])
    sky = mix(sky, srgb("#101a4e"), (smoothstep(-0.45, -1.0, band) * 0.7)[..., None])
    for cx, cy, r, sense in EDDIES:
        dx, dy = x - cx, y - cy
        d = np.hypot(dx, dy)
        spiral = np.sin(np.arctan2(dy, dx) * 2 * sense - d * 62)
        within = np.exp(-((d / (r * 1.05)) ** 4))
        sky = mix(sky, srgb("#d5e6c4"), (within * smoothstep(0.15, 0.9, spiral) * 0.8)[..., None])
        sky = mix(sky, srgb("#173a8a"), (within * smoothstep(-0.3, -0.9, spiral) * 0.6)[..., None])
    for cx, cy, r, _ in LIGHTS:
        d = np.hypot(x - cx, y - cy) / r
        rings = 0.5 + 0.5 * np.cos((d - 1) * 4.4)
        glow = np.exp(-(((d - 0.4).clip(0) / 1.55) ** 2))
        sky = mix(sky, srgb("#f4c542"), (glow * (0.4 + 0.6 * rings))[..., None])
        sky = mix(sky, srgb("#f08a24"), (np.exp(-(((d - 1.15) / 0.28) ** 2)) * 0.75)[..., None])
        sky = mix(sky, srgb("#fff3b8"), smoothstep(0.95, 0.6, d)[..., None])
    below = y - _horizon(x)
    furrow = fbm(x * 2.5 + below * 2, below * 15, 54, 3)
    land = ramp(
        below + 0.05 * furrow,
        [
            (0.0, srgb("#16305c")),
            (0.05, srgb("#1f5a63")),
            (0.12, srgb("#4f8a45")),
            (0.2, srgb("#c5a832")),
            (0.27, srgb("#dd8a2c")),
            (0.36, srgb("#8c4a30")),
        ],
    )
    land = mix(land, srgb("#f0d268"), (smoothstep(0.3, 0.7, furrow) * 0.7)[..., None])
    land = mix(land, srgb("#1b3566"), (smoothstep(-0.25, -0.65, furrow) * 0.7)[..., None])
    colour = np.where((below > 0)[..., None], land, sky)
    flame = 0.5 + 0.5 * np.sin(x * 150 + y * 22)
    dark = mix(srgb("#0d2326"), srgb("#2c6a4a"), (flame**2 * 0.9)[..., None])
    return mix(colour, dark, _poplar(x, y)[..., None])


def _farm(sheet: Sheet, rng: np.random.Generator) -> None:
    """Five houses, each of a few deliberate strokes: walls, roof, a lit window."""
    unit = sheet.thickness.shape[0]

    def dab(a: tuple[float, float], b: tuple[float, float], wide: float, code: str) -> None:
        t = np.linspace(0, 1, 6)
        length = float(np.hypot(b[0] - a[0], b[1] - a[1])) * unit
        brush = Brush(length, wide * unit, streaks=0.09, load=1.3, dry=0.05, taper=0.95)
        stroke(sheet, (a[0] + (b[0] - a[0]) * t) * unit, (a[1] + (b[1] - a[1]) * t) * unit,
               srgb(code), brush, rng)  # fmt: skip

    for x, y, s in FARM:
        for k, wall in enumerate(("#5f86c0", "#4a6fb0", "#34559a", "#28468a")):
            at = x + s * (-0.45 + 0.3 * k)
            dab((at, y - s * 0.5), (at, y + s * 0.55), s * 0.36, wall)
        for k, tile in enumerate(("#8f3226", "#d4582f", "#b5432a")):
            rise = s * (0.62 - 0.26 * k)
            dab((x - s * 0.75, y - s * 0.42), (x + s * 0.08, y - s * 0.45 - rise), s * 0.26, tile)
            dab((x + s * 0.75, y - s * 0.42), (x - s * 0.08, y - s * 0.45 - rise), s * 0.26, tile)
        dab((x - s * 0.2, y - s * 0.12), (x - s * 0.2, y + s * 0.22), s * 0.24, "#ffd24a")
        dab((x + s * 0.25, y - s * 0.12), (x + s * 0.25, y + s * 0.22), s * 0.24, "#ffe58a")


def paint() -> Array:
    w, h = WIDTH * FINE, HEIGHT * FINE
    sheet = Sheet.primed(w, h, srgb("#27406e"))
    rng = np.random.default_rng(55)

    def field(x: Array, y: Array) -> Array:
        return _flow(x / h, y / h)

    def colour(x: Array, y: Array) -> Array:
        return _colour(x / h, y / h)

    def detail(x: Array, y: Array) -> Array:
        near = np.full(x.shape, 0.12, np.float32)
        for cx, cy, r, _ in LIGHTS:
            near += np.exp(-((np.hypot(x / h - cx, y / h - cy) / (r * 2.0)) ** 2))
        return np.clip(near + 0.4 * _poplar(x / h, y / h), 0, 1)

    cover(sheet, field, colour, Brush(90, 30, load=0.8, dry=0.2), 22, rng)
    cover(sheet, field, colour, Brush(64, 15, streaks=0.10), 11.5, rng, hue=0.03, light=0.1)
    cover(sheet, field, colour, Brush(34, 9, streaks=0.10, load=1.2), 9, rng, detail, 0.02, 0.08)
    _farm(sheet, rng)
    return shrink(lit(sheet), FINE)
