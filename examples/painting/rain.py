"""Palette knife: an avenue at night after rain, lamps and autumn trees doubled in the street."""

from __future__ import annotations

import numpy as np

from .canvas import mix, ramp, shrink, smoothstep, srgb
from .noise import Array, fbm
from .oil import Brush, Sheet, lit, stroke

WIDTH, HEIGHT, FINE = 640, 512, 2
EYE_LEVEL = 0.56
VANISH = 0.60
LAMPS = (
    (0.13, 0.20, 1.0),
    (0.30, 0.335, 0.62),
    (0.415, 0.415, 0.40),
    (1.07, 0.20, 1.0),
    (0.90, 0.335, 0.62),
    (0.79, 0.415, 0.40),
)
PEOPLE = (
    (0.52, 0.80, 0.20, "#d8262e"),
    (0.72, 0.68, 0.10, "#2a2f6a"),
    (0.665, 0.66, 0.085, "#3a1f4a"),
)


def _scene(x: Array, y: Array) -> Array:
    """Colour of the upright world at (x, y), used twice: as it is and mirrored."""
    away = np.hypot(x - VANISH, (y - 0.50) * 1.1)
    colour = ramp(
        away,
        [
            (0.0, srgb("#ffe9a0")),
            (0.10, srgb("#f8b45a")),
            (0.24, srgb("#7a6ab8")),
            (0.42, srgb("#2a4aa0")),
            (0.8, srgb("#101f5e")),
        ],
    )
    side = np.abs(x - VANISH)
    roof = 0.50 - 0.70 * side + 0.06 * np.sin(np.floor(side * 11) * 2.3)
    house = (y > roof) & (side > 0.10)
    wall = mix(
        srgb("#1a2358"), srgb("#6a3a78"), (np.sin(np.floor(side * 11) * 5.1) * 0.5 + 0.5)[..., None]
    )
    pane = (
        ((x * 26) % 1 > 0.5)
        & ((y * 21) % 1 > 0.45)
        & (np.sin(np.floor(x * 26) * 9.7 + np.floor(y * 21) * 5.3) > -0.1)
    )
    wall = np.where(pane[..., None], srgb("#ffc24a"), wall)
    colour = np.where(house[..., None], wall, colour)
    rough = fbm(x * 8, y * 8, 181, 4)
    for sense in (-1, 1):
        for dist, top, wide in ((0.20, 0.36, 0.10), (0.33, 0.24, 0.15), (0.56, 0.10, 0.26)):
            cx = VANISH + sense * dist
            crown = np.hypot((x - cx) / wide, (y - top) / (wide * 1.05)) < 1.0 + 0.45 * rough
            warm = np.clip(
                0.5 + 1.1 * rough - 1.2 * (y - top) + 0.6 * np.sign(VANISH - cx) * (x - cx) / wide,
                0,
                1,
            )
            leaf = ramp(
                warm,
                [
                    (0.0, srgb("#5a1430")),
                    (0.3, srgb("#b8281f")),
                    (0.6, srgb("#f07a1a")),
                    (0.85, srgb("#ffc42a")),
                    (1.0, srgb("#fff08a")),
                ],
            )
            trunk = (np.abs(x - cx + 0.02 * np.sin(y * 14)) < wide * 0.09) & (y > top)
            colour = np.where(trunk[..., None], srgb("#1a0f2a"), colour)
            colour = np.where(crown[..., None], leaf, colour)
    for lx, ly, s in LAMPS:
        post = (np.abs(x - lx) < 0.010 * s) & (y > ly)
        colour = np.where(post[..., None], srgb("#0f0f22"), colour)
        d = np.hypot(x - lx, y - ly) / s
        colour = mix(colour, srgb("#ffb43a"), (np.exp(-((d / 0.105) ** 2)) * 0.85)[..., None])
        colour = np.where((d < 0.036)[..., None], srgb("#fffbe0"), colour)
    return colour


def _foot(x: Array) -> Array:
    """Where the upright things stand: nearer (lower) towards both sides."""
    return EYE_LEVEL + 0.13 * np.clip(np.abs(x - VANISH) - 0.05, 0, 1)


def _colour(x: Array, y: Array) -> Array:
    foot = _foot(x)
    jitter = 0.022 * fbm(x * 5, y * 22, 182, 3)
    wet = _scene(x + jitter, np.clip(2 * foot - y, 0, 1) * 0.98)
    wet = mix(wet, srgb("#16245e"), (0.14 + 0.20 * smoothstep(0.0, 0.4, y - foot))[..., None])
    gleam = fbm(x * 2.2, y * 30, 183, 3)
    wet = mix(wet, srgb("#ffd98a"), (smoothstep(0.42, 0.8, gleam) * 0.55)[..., None])
    wet = mix(wet, srgb("#5a8ae0"), (smoothstep(-0.3, -0.7, gleam) * 0.6)[..., None])
    middle = np.exp(-(((x - VANISH) / (0.05 + 0.22 * np.clip(y - EYE_LEVEL, 0, 1))) ** 2))
    wet = mix(wet, srgb("#ffc860"), (middle * 0.5)[..., None])
    return np.where((y > foot)[..., None], wet, _scene(x, y)).astype(np.float32)


def _angle(x: Array, y: Array, rng: np.random.Generator) -> Array:
    """Knife direction: round the lamps, down in reflections, across in the near street."""
    n = len(x)
    sky = 0.5 * np.sin(x * 7) + 2.4 * fbm(x * 3, y * 3, 184, 2)
    street = np.where(
        rng.random(n) < 0.62, np.pi / 2 + rng.normal(0, 0.10, n), rng.normal(0, 0.10, n)
    )
    angle = np.where(y > _foot(x), street, sky + rng.normal(0, 0.35, n))
    for lx, ly, s in LAMPS:
        near = np.hypot(x - lx, y - ly) < 0.11 * s
        angle = np.where(near, np.arctan2(y - ly, x - lx) + np.pi / 2, angle)
    return angle


def _knife(
    sheet: Sheet,
    spacing: float,
    long: float,
    wide: float,
    load: float,
    share: float,
    rng: np.random.Generator,
) -> None:
    height, width = sheet.thickness.shape
    gx, gy = np.meshgrid(
        np.arange(0, width + spacing, spacing), np.arange(0, height + spacing, spacing)
    )
    x = (gx + rng.uniform(-0.6, 0.6, gx.shape) * spacing).ravel()
    y = (gy + rng.uniform(-0.6, 0.6, gy.shape) * spacing).ravel()
    keep = rng.random(len(x)) < share
    x, y = x[keep], y[keep]
    u, v = (x / height).astype(np.float32), (y / height).astype(np.float32)
    angle = _angle(u, v, rng)
    colours = _colour(u, v) * rng.normal(1.0, 0.13, (len(x), 1)) + rng.normal(0, 0.035, (len(x), 3))
    for i in rng.permutation(len(x)):
        length = long * rng.uniform(0.7, 1.3)
        t = np.array([-0.5, -0.17, 0.17, 0.5]) * length
        brush = Brush(
            length, wide * rng.uniform(0.75, 1.25), 0.09, load * rng.uniform(0.7, 1.3), 0.25, 0.9
        )
        stroke(
            sheet,
            x[i] + t * np.cos(angle[i]),
            y[i] + t * np.sin(angle[i]),
            np.clip(colours[i], 0, 1),
            brush,
            rng,
        )


def _people(sheet: Sheet, rng: np.random.Generator) -> None:
    unit = sheet.thickness.shape[0]

    def dab(a: tuple[float, float], b: tuple[float, float], wide: float, code: str) -> None:
        t = np.linspace(0, 1, 5)
        length = float(np.hypot(b[0] - a[0], b[1] - a[1])) * unit
        brush = Brush(length, wide * unit, 0.10, 1.4, 0.05, 0.85)
        stroke(
            sheet,
            (a[0] + (b[0] - a[0]) * t) * unit,
            (a[1] + (b[1] - a[1]) * t) * unit,
            srgb(code),
            brush,
            rng,
        )

    for x, foot, s, code in PEOPLE:
        for k in range(6):
            v = foot + s * (0.06 + 0.13 * k)
            w, lean = s * rng.uniform(0.07, 0.17), s * rng.normal(0, 0.03)
            dab(
                (x - w + lean, v),
                (x + w + lean, v + lean * 0.3),
                s * 0.09,
                code if k % 2 else "#1a1a4a",
            )
        dab((x - s * 0.07, foot - s * 0.42), (x - s * 0.09, foot), s * 0.10, "#14122a")
        dab((x + s * 0.07, foot - s * 0.42), (x + s * 0.08, foot - s * 0.02), s * 0.10, "#14122a")
        for u in (-0.11, 0.0, 0.11):
            dab(
                (x + u * s * 0.6, foot - s * 0.98),
                (x + u * s * 1.5, foot - s * 0.34),
                s * 0.17,
                code,
            )
        dab((x, foot - s * 1.12), (x, foot - s * 1.02), s * 0.13, "#e8a878")
        dab((x + s * 0.1, foot - s * 0.8), (x + s * 0.1, foot - s * 1.3), s * 0.03, "#14122a")
        for k, tone in enumerate(("#8a1430", code, "#ff7a4a")):
            w = s * (0.62 - 0.16 * k)
            lift = s * (1.22 + 0.11 * k)
            dab(
                (x - w + s * 0.1, foot - lift + s * 0.14),
                (x + s * 0.1, foot - lift - s * 0.06),
                s * 0.15,
                tone,
            )
            dab(
                (x + w + s * 0.1, foot - lift + s * 0.14),
                (x + s * 0.1, foot - lift - s * 0.06),
                s * 0.15,
                tone,
            )


def paint() -> Array:
    rng = np.random.default_rng(185)
    sheet = Sheet.primed(WIDTH * FINE, HEIGHT * FINE, srgb("#16205a"))
    _knife(sheet, 26, 70, 40, 0.8, 1.0, rng)
    _knife(sheet, 17, 46, 24, 1.0, 1.0, rng)
    _knife(sheet, 12, 32, 13, 1.2, 0.75, rng)
    _people(sheet, rng)
    return shrink(lit(sheet, relief=1.1, shine=0.32), FINE)
