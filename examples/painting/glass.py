"""Stained glass: a sun with rays, hills, a river and tulips, cut into pieces between lead."""

from __future__ import annotations

import numpy as np

from .canvas import blur, grid, mix, shrink, smoothstep, srgb
from .noise import Array, fbm

WIDTH, HEIGHT, FINE = 640, 512, 2
SUN = (0.80, 0.34)
TULIPS = (
    (0.14, 0.70, 0.085, "#e0243c"), (0.36, 0.78, 0.075, "#f4a51c"), (0.58, 0.72, 0.07, "#d8359a"),
    (0.84, 0.80, 0.08, "#e0243c"), (1.06, 0.73, 0.085, "#f4a51c"), (1.22, 0.82, 0.06, "#d8359a"),
)  # fmt: skip


def _regions(x: Array, y: Array) -> tuple[Array, Array]:
    """The design: a number for every region (lead runs where it changes) and its colour."""
    region = np.zeros(x.shape, np.int64)
    colour = np.zeros((*x.shape, 3), np.float32)

    def put(where: Array, number: Array | int, paint: Array) -> None:
        region[where] = (number + 0 * region)[where]
        colour[where] = (paint + 0 * colour)[where]

    def palette(codes: tuple[str, ...], index: Array) -> Array:
        return np.stack([srgb(c) for c in codes])[index % len(codes)]

    dx, dy = x - SUN[0], y - SUN[1]
    away, angle = np.hypot(dx, dy), np.arctan2(dy, dx)
    turn = angle + 0.10 * np.sin(away * 9)
    ray = np.floor((turn + np.pi) / (2 * np.pi) * 22).astype(np.int64) % 22
    step = 0.07 * (ray % 3)
    ring = np.searchsorted([0.24, 0.38, 0.54, 0.74, 1.0], (away + step).ravel()).reshape(x.shape)
    tone = palette(
        ("#ffd23c", "#ff9a2a", "#f2603a", "#c33a78", "#5a3aa6", "#2a3f9e"), ring + ray % 2
    )
    put(x > -1, 100 + ray * 10 + ring, tone)
    petal = np.floor((angle + np.pi) / (2 * np.pi) * 11).astype(np.int64)
    put(away < 0.175, 400 + petal, palette(("#ffe36a", "#ffc02e"), petal))
    put(away < 0.085, 420, srgb("#fff3b0"))
    for k, (base, tilt, codes) in enumerate(
        (
            (0.47, 0.06, ("#2b6f9e", "#3f95b5", "#265a94")),
            (0.55, -0.05, ("#1f8a6a", "#46ad5c", "#157a70")),
            (0.64, 0.045, ("#6db53a", "#a7cf3e", "#3d9440")),
        )
    ):
        crest = base + tilt * np.sin(x * (4.2 + k) + k * 2.1) + 0.02 * np.sin(x * 11 + k)
        piece = np.floor((x + (y - crest) * (0.7 - 0.6 * k)) * (7 + k)).astype(np.int64)
        layer = np.floor((y - crest) / 0.085).astype(np.int64).clip(0, 3)
        put(y > crest, 500 + 100 * k + piece * 4 + layer, palette(codes, piece + layer))
    middle = 0.66 + 0.22 * np.sin((y - 0.5) * 7.5) * smoothstep(0.55, 0.8, y)
    wide = 0.085 + 0.50 * np.clip(y - 0.66, 0, 1) ** 1.3
    strip = np.floor((x - middle) / wide * 1.0 + 0.5).astype(np.int64)
    wave = np.floor((y + 0.03 * np.sin(x * 17)) / 0.075).astype(np.int64)
    river = (np.abs(x - middle) < wide) & (y > 0.645)
    put(
        river,
        900 + strip * 20 + wave,
        palette(("#1e6fd0", "#45b4e0", "#1750a8", "#8fdcea"), strip + 2 * wave),
    )
    for k, (tx, ty, s, code) in enumerate(TULIPS):
        u, v = (x - tx) / s, (y - ty) / s
        put((np.abs(u - 0.12 * np.sin(v)) < 0.10) & (v > 0.5), 2000 + k, srgb("#2f9a3c"))
        for side in (-1, 1):
            leaf = ((u * side - 0.55 - 0.16 * (2.6 - v)) / 0.42) ** 2 + ((v - 2.3) / 1.3) ** 2 < 1
            put(leaf, 2020 + 2 * k + side, srgb("#57b83a" if side > 0 else "#1d7a3e"))
        cup = (u / 0.82) ** 2 + ((v + 0.1) / 1.0) ** 2 < 1
        top = v > -0.75 + 0.42 * np.abs(((u * 1.8 + 3) % 1.2) - 0.6)
        put(cup & top, 2060 + 3 * k, mix(srgb(code), srgb("#5a1030"), 0.35))
        put(cup & top & (u < -0.18 - 0.25 * v), 2061 + 3 * k, srgb(code))
        put(cup & top & (u > 0.22 + 0.25 * v), 2062 + 3 * k, mix(srgb(code), srgb("#ffffff"), 0.25))
    return region, colour


def _distance(edge: Array, reach: int) -> Array:
    """Distance (pixels) to the nearest edge pixel, exact up to ``reach`` in city-octagon metric."""
    d = np.where(edge, 0, 1e3).astype(np.float32)
    for _ in range(reach):
        p = np.pad(d, 1, mode="edge")
        straight = np.minimum(
            np.minimum(p[:-2, 1:-1], p[2:, 1:-1]), np.minimum(p[1:-1, :-2], p[1:-1, 2:])
        )
        slant = np.minimum(np.minimum(p[:-2, :-2], p[2:, 2:]), np.minimum(p[:-2, 2:], p[2:, :-2]))
        d = np.minimum(d, np.minimum(straight + 1, slant + np.float32(1.414)))
    return d


def paint() -> Array:
    w, h = WIDTH * FINE, HEIGHT * FINE
    x, y = grid(w, h)
    wobble = 0.006
    bx = x + wobble * fbm(x * 6, y * 6, 131, 2)
    by = y + wobble * fbm(x * 6, y * 6, 132, 2)
    region, colour = _regions(bx, by)
    edge = np.zeros(region.shape, bool)
    edge[:, 1:] |= region[:, 1:] != region[:, :-1]
    edge[1:] |= region[1:] != region[:-1]
    reach = round(h * 0.022)
    d = _distance(edge, reach) / h
    # Each piece has its own tone and grain direction, and is brighter in the middle.
    rng = np.random.default_rng(133)
    tones = rng.normal(1.0, 0.12, 8192).astype(np.float32)[region % 8192]
    turns = rng.uniform(0, np.pi, 8192).astype(np.float32)[region % 8192]
    u, v = x * np.cos(turns) + y * np.sin(turns), -x * np.sin(turns) + y * np.cos(turns)
    streak = fbm(u * 5 + turns * 9, v * 26 + 2 * fbm(u * 7, v * 7, 134, 3), 135, 5)
    seeds = fbm(x * 70, y * 70, 136, 2)
    light = tones * (0.80 + 0.30 * smoothstep(0.0, 0.02, d) + 0.34 * streak)
    hue = mix(colour, colour**0.6, (0.5 + 0.5 * streak).clip(0, 1)[..., None] * 0.6)
    sun = np.exp(-np.hypot(x - SUN[0], y - SUN[1]) / 0.45)
    glass = hue * (light * (0.88 + 0.42 * sun))[..., None]
    glass += (smoothstep(0.35, 0.6, seeds) * 0.08)[..., None]
    bevel = blur(d, FINE * 1.0)
    gy, gx = np.gradient(bevel * h)
    glass += (np.clip(gx * 0.5 + gy * 0.7, -1, 1) * smoothstep(0.014, 0.004, d) * 0.16)[..., None]
    half = 0.0056 + 0.0012 * fbm(x * 9, y * 9, 137, 2)
    lead = smoothstep(1.0 / h, -1.0 / h, d - half)
    across = np.clip(d / half, 0, 1)
    round_ = np.sqrt(np.clip(1 - across**2, 0, 1))
    shade = 0.05 + 0.10 * round_ + 0.28 * np.clip(round_ - 0.55, 0, 1) * (0.5 - 0.6 * gx - 0.6 * gy)
    metal = shade[..., None] * srgb("#c8ccd8") * (1 + 0.25 * fbm(x * 60, y * 60, 138, 3))[..., None]
    picture = mix(glass, metal, lead[..., None])
    glow = blur(np.clip(picture - 0.55, 0, 1), h * 0.012)
    return shrink(np.clip(picture + 0.35 * glow, 0, 1), FINE)
