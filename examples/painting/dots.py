"""Pointillism: a river at the end of the afternoon in dots of unmixed colour."""

from __future__ import annotations

import numpy as np

from .canvas import mix, ramp, shrink, smoothstep, srgb
from .noise import Array, fbm
from .oil import Brush, Sheet, lit, stroke

WIDTH, HEIGHT, FINE = 640, 512, 2
SHORE = 0.50
SUN = (0.42, 0.30)
TREES = (
    (0.02, 0.30, 0.20),
    (0.20, 0.36, 0.10),
    (1.10, 0.26, 0.22),
    (1.28, 0.30, 0.18),
    (0.90, 0.40, 0.075),
)
SAILS = ((0.56, 0.545, 0.17), (0.78, 0.52, 0.10), (0.34, 0.525, 0.085))


def _crowns(x: Array, y: Array) -> tuple[Array, Array]:
    """Cover of the trees' leaves, and how much sun they have."""
    cover, sun = np.zeros_like(x), np.zeros_like(x)
    rough = fbm(x * 9, y * 9, 151, 4)
    for cx, cy, r in TREES:
        u, v = (x - cx) / r, (y - cy) / r
        inside = smoothstep(0.12, -0.12, np.hypot(u, v * 0.85) - 0.95 - 0.35 * rough)
        toward = np.sign(SUN[0] - cx)
        sun = np.where(
            inside > cover, np.clip(0.5 + 0.45 * toward * u - 0.4 * v + 0.7 * rough, 0, 1), sun
        )
        cover = np.maximum(cover, inside)
    return cover, sun


def _motif(x: Array, y: Array) -> Array:
    away = np.hypot(x - SUN[0], (y - SUN[1]) * 1.15)
    colour = ramp(
        away,
        [
            (0.0, srgb("#fff7c8")),
            (0.09, srgb("#ffdf70")),
            (0.22, srgb("#ffab5c")),
            (0.40, srgb("#f08a98")),
            (0.62, srgb("#9a86d0")),
            (0.95, srgb("#4a74c8")),
        ],
    )
    far = (y > SHORE - 0.055 - 0.03 * np.sin(x * 5 + 1) - 0.012 * np.sin(x * 17))[..., None]
    colour = np.where(
        far, mix(srgb("#5a78c0"), srgb("#c88ab0"), smoothstep(0.9, 0.2, away)[..., None]), colour
    )
    near_bank = (y > SHORE - 0.022 - 0.012 * np.sin(x * 8))[..., None]
    colour = np.where(
        near_bank,
        mix(srgb("#2f8a5c"), srgb("#d8c03a"), smoothstep(0.7, 0.1, away)[..., None]),
        colour,
    )
    cover, sun = _crowns(x, y)
    leaf = ramp(
        sun,
        [
            (0.0, srgb("#1a2f7a")),
            (0.35, srgb("#1f6a5a")),
            (0.7, srgb("#6aa832")),
            (1.0, srgb("#f0d840")),
        ],
    )
    colour = mix(colour, leaf, cover[..., None])
    for cx, cy, r in TREES:
        trunk = (
            (np.abs(x - cx - 0.01 * np.sin(y * 20)) < r * 0.09)
            & (y > cy + 0.4 * r)
            & (y < SHORE + 0.02)
        )
        colour = np.where(trunk[..., None], srgb("#4a2a5a"), colour)
    return colour


def _colour(x: Array, y: Array) -> Array:
    colour = _motif(x, y)
    down = np.clip(y - SHORE, 0, 1)
    ripple = 0.03 * fbm(x * 3, y * 26, 152, 3) * (0.3 + 4 * down)
    mirror = _motif(x + ripple, SHORE - down * 0.95)
    wave = np.sin(y * 120 + 5 * fbm(x * 3, y * 5, 153, 3))
    water = mix(mirror, srgb("#2b66c0"), (0.28 + 0.22 * (wave > 0.35))[..., None])
    path = np.exp(-(((x - SUN[0]) / (0.05 + 0.12 * down)) ** 2)) * (wave > -0.2)
    water = mix(water, srgb("#ffd75e"), (path * 0.85)[..., None])
    colour = np.where((y > SHORE)[..., None], water, colour)
    for sx, base, s in SAILS:
        for sense in (1, -1):
            v = (base - y) / s * sense
            u = (x - sx) / s
            dim = 0.0 if sense > 0 else 0.4
            big = (v > 0.06) & (u > 0.02) & (u < 0.55 * (1 - v / 1.5)) & (v < 1.5)
            jib = (v > 0.06) & (u < -0.02) & (u > -0.40 * (1 - v / 1.25)) & (v < 1.25)
            hull = (v <= 0.08) & (v > -0.07) & (np.abs(u) < 0.55 + 1.2 * v)
            for where, code in ((big, "#fff2d8"), (jib, "#f49a5a"), (hull, "#7a2440")):
                colour = np.where(where[..., None], mix(srgb(code), srgb("#4a70c0"), dim), colour)
    bank = y - (
        0.93
        - 0.16 * smoothstep(0.65, 1.3, x)
        - 0.06 * smoothstep(0.3, 0.0, x)
        + 0.012 * np.sin(x * 14)
    )
    tuft = fbm(x * 7, y * 14, 154, 3)
    grass = ramp(
        tuft + 0.5,
        [
            (0.0, srgb("#1f4a8a")),
            (0.35, srgb("#1f7a4a")),
            (0.65, srgb("#7fb83a")),
            (1.0, srgb("#ffe25a")),
        ],
    )
    colour = np.where((bank > 0)[..., None], grass, colour)
    for px, py, s, dress in ((1.02, 0.74, 0.115, "#c8304a"), (1.13, 0.755, 0.10, "#3a3a8a")):
        u, v = (x - px) / s, (y - py) / s
        skirt = (v > 0.05) & (v < 1.0) & (np.abs(u) < 0.13 + 0.22 * v)
        body = ((u / 0.17) ** 2 + ((v + 0.12) / 0.28) ** 2) < 1
        head = np.hypot(u, v + 0.50) < 0.125
        shade = ((u / 0.62) ** 2 + ((v + 0.78) / 0.30) ** 2 < 1) & (v < -0.74)
        lit_ = (u < 0)[..., None]
        for where, code in ((skirt | body, dress), (head, "#f0b088"), (shade, "#ffc23a")):
            tone = np.where(
                lit_, mix(srgb(code), srgb("#ffe08a"), 0.3), mix(srgb(code), srgb("#2a2a7a"), 0.35)
            )
            colour = np.where(where[..., None], tone, colour)
    return colour.astype(np.float32)


def _divide(colour: Array, rng: np.random.Generator) -> Array:
    """Break colours up as the divisionists did: purer neighbours on the wheel, and now and
    then the complement, which together still look like the colour that was asked for."""
    n = len(colour)
    grey = colour.mean(1, keepdims=True)
    pure = np.clip(grey + (colour - grey) * rng.uniform(1.2, 1.75, (n, 1)), 0, 1)
    shift = rng.normal(0, 0.26, n)
    axis = np.float32(1 / np.sqrt(3))
    c, s = np.cos(shift)[:, None], np.sin(shift)[:, None]
    crossed = np.cross(np.full_like(pure, axis), pure)
    along = axis * axis * pure.sum(1, keepdims=True)
    turned = pure * c + crossed * s + along * (1 - c)
    other = np.clip(2 * grey - pure + rng.normal(0.05, 0.06, (n, 1)), 0, 1)
    turned = np.where(rng.random((n, 1)) < 0.06, other, turned)
    return np.clip(turned * rng.normal(1.0, 0.10, (n, 1)), 0, 1).astype(np.float32)


def paint() -> Array:
    w, h = WIDTH * FINE, HEIGHT * FINE
    rng = np.random.default_rng(155)
    sheet = Sheet.primed(w, h, srgb("#d8c4a4"))
    for gap, size, jitter in ((15.0, 20.0, 0.35), (11.5, 13.5, 0.4), (12.0, 10.5, 0.5)):
        gx, gy = np.meshgrid(np.arange(0, w + gap, gap), np.arange(0, h + gap, gap * 0.87))
        gx = gx + (np.arange(gx.shape[0]) % 2)[:, None] * gap / 2
        x = (gx + rng.normal(0, jitter, gx.shape) * gap * 0.5).ravel()
        y = (gy + rng.normal(0, jitter, gy.shape) * gap * 0.5).ravel()
        colours = _divide(_colour((x / h).astype(np.float32), (y / h).astype(np.float32)), rng)
        for i in rng.permutation(len(x)):
            d = size * rng.uniform(0.85, 1.15)
            turn = rng.uniform(0, np.pi)
            reach = d * 0.55
            px = x[i] + np.array([-1, 0, 1]) * reach * np.cos(turn)
            py = y[i] + np.array([-1, 0, 1]) * reach * np.sin(turn)
            brush = Brush(d, d, streaks=0.04, load=0.9, dry=0.0, taper=1.0)
            stroke(sheet, px, py, colours[i], brush, rng)
    return shrink(lit(sheet, relief=0.7), FINE)
