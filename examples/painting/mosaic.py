"""A mosaic of two fish among waves: tiles in rows that follow the forms."""

from __future__ import annotations

import numpy as np

from .canvas import blur, grid, mix, shrink, smoothstep, srgb
from .noise import Array, fbm

WIDTH, HEIGHT, FINE = 640, 512, 2
TILE = 0.0255  # side of a tile, in heights
FISH = ((0.50, 0.36, 0.30, 1, 0.16), (0.78, 0.72, 0.27, -1, -0.12))


def _fish(
    x: Array, y: Array, fish: tuple[float, float, float, int, float]
) -> tuple[Array, Array, Array]:
    """Coordinates in the fish's own frame (length 2, nose at +1) and a rough signed distance."""
    cx, cy, s, way, tilt = fish
    c, k = np.cos(tilt), np.sin(tilt)
    u = ((x - cx) * c + (y - cy) * k) / s * way
    v = (-(x - cx) * k + (y - cy) * c) / s + 0.10 * np.sin(u * 2.4)
    half = (
        0.52 * np.sqrt(np.clip(1 - ((u - 0.15) / 0.85) ** 2, 0, 1)) * (1 - 0.25 * np.clip(u, 0, 1))
    )
    body = np.abs(v) - half
    body = np.where(np.abs(u - 0.15) > 0.85, np.hypot(np.abs(u - 0.15) - 0.85, v), body)
    tail = np.maximum(np.abs(np.abs(v) + 0.62 * (u + 0.58)) - 0.15, np.abs(u + 0.92) - 0.32)
    fin = np.maximum(
        np.abs(v + 0.50 - 0.25 * u) - 0.16, np.abs(u - 0.05) - 0.42 + 0.9 * np.clip(-v - 0.5, 0, 1)
    )
    return u, v, np.minimum(body, np.minimum(tail, fin)) * s


def _height(x: Array, y: Array) -> Array:
    """The field whose contours the rows of tiles follow."""
    fish = np.minimum(_fish(x, y, FISH[0])[2], _fish(x, y, FISH[1])[2])
    wave = (
        0.085 * np.sin(x * 5.2 + 3.0 * np.sin(y * 2.2))
        + 0.9 * y * 0.35
        + 0.10 * fbm(x * 1.5, y * 1.5, 161, 2)
    )
    near = np.exp(-np.clip(fish, 0, None) / 0.06)
    return (fish * near + wave * (1 - near)).astype(np.float32)


def _angle(x: Array, y: Array) -> Array:
    e = np.float32(0.004)
    gx = _height(x + e, y) - _height(x - e, y)
    gy = _height(x, y + e) - _height(x, y - e)
    return np.arctan2(gy, gx).astype(np.float32)


def _colour(x: Array, y: Array, rng: np.random.Generator) -> Array:
    n = len(x)
    pick = rng.random(n)

    def choose(*codes: str) -> Array:
        return np.stack([srgb(c) for c in codes])[(pick * len(codes)).astype(int)]

    band = np.sin(22 * (0.085 * np.sin(x * 5.2 + 3.0 * np.sin(y * 2.2)) + 0.315 * y) * 1.9)
    deep = choose("#0f3a6e", "#14508a", "#0d2f5a", "#1a6a94")
    light = choose("#2fa3a8", "#5cc4b4", "#238aa0", "#8adcc4")
    foam = choose("#e8eedc", "#cfe6dc", "#f4ecd0", "#9fd8d0")
    sea = np.where((band > 0.0)[:, None], light, deep)
    sea = np.where((band > 0.86)[:, None], foam, sea)
    sun = np.hypot(x - 1.08, y - 0.16)
    ray = np.sin(np.arctan2(y - 0.16, x - 1.08) * 14) > 0.1
    sea = np.where(((sun < 0.30) & ray)[:, None], choose("#f2c14a", "#e8a02e", "#f6d874"), sea)
    sea = np.where((sun < 0.17)[:, None], choose("#d8602a", "#e8842e", "#c8481f"), sea)
    sea = np.where((sun < 0.105)[:, None], choose("#f6cf4a", "#fbe28a", "#efb52f"), sea)
    weed = np.sin(y * 16 + x * 40) * 0.012
    for wx, top in ((0.07, 0.52), (0.17, 0.66), (1.20, 0.60), (0.30, 0.80)):
        stem = (np.abs(x - wx - weed * 1.6) < 0.017) & (y > top)
        sea = np.where(stem[:, None], choose("#3f8a3a", "#7fb03a", "#2a6a3a", "#a8c44a"), sea)
    colour = sea
    for k, fish in enumerate(FISH):
        u, v, d = _fish(x, y, fish)
        warm = [("#e0562a", "#c83a1e", "#f0803a"), ("#8a2a5a", "#b03a6a", "#6a1f4a")][k]
        gold = [("#f4b83a", "#ffd76a", "#e89a2a"), ("#f0a07a", "#f8c89a", "#e07a5a")][k]
        stripe = np.sin(u * 13 + 2.2 * np.abs(v)) > 0.15
        body = np.where(stripe[:, None], choose(*warm), choose(*gold))
        body = np.where(
            (v > 0.24 * (1 - u * u))[:, None], choose("#f8e6c0", "#f0d49a", "#fff2dc"), body
        )
        body = np.where((u > 0.58)[:, None], choose(*gold), body)
        body = np.where((u < -0.72)[:, None], choose(*warm), body)
        eye = np.hypot(u - 0.70, v + 0.08) * fish[2]
        body = np.where((eye < 0.040)[:, None], srgb("#fbf4e0"), body)
        body = np.where((eye < 0.018)[:, None], srgb("#101418"), body)
        rim = np.abs(d - 0.010) < 0.013
        colour = np.where((d < 0)[:, None], body, colour)
        colour = np.where(rim[:, None], choose("#1a1a2e", "#2a2440", "#141428"), colour)
    return np.clip(
        colour * rng.normal(1, 0.09, (n, 1)) + rng.normal(0, 0.015, (n, 3)), 0, 1
    ).astype(np.float32)


def _settle(width: int, height: int, rng: np.random.Generator) -> tuple[Array, Array]:
    """Spread the tiles evenly along the field: Lloyd's iterations in the Manhattan metric
    turned with the field (Hausner 2001, "Simulating decorative mosaics")."""
    side = TILE * height * 1.06
    gx, gy = np.meshgrid(
        np.arange(-side, width + side, side), np.arange(-side, height + side, side)
    )
    x = (gx + rng.uniform(-0.4, 0.4, gx.shape) * side).ravel().astype(np.float32)
    y = (gy + rng.uniform(-0.4, 0.4, gy.shape) * side).ravel().astype(np.float32)
    reach = int(side * 1.5)
    dy, dx = np.mgrid[-reach : reach + 1, -reach : reach + 1].astype(np.float32)
    pad = reach + int(side) + 3
    for _ in range(14):
        angle = _angle(x / height, y / height)
        best = np.full((height + 2 * pad, width + 2 * pad), 1e9, np.float32)
        owner = np.full(best.shape, -1, np.int64)
        for i in range(len(x)):
            ix, iy = round(float(x[i])), round(float(y[i]))
            c, s = np.cos(angle[i]), np.sin(angle[i])
            u, v = dx + (ix - x[i]), dy + (iy - y[i])
            d = np.maximum(np.abs(u * c + v * s), np.abs(v * c - u * s))
            rows = slice(iy - reach + pad, iy + reach + 1 + pad)
            columns = slice(ix - reach + pad, ix + reach + 1 + pad)
            if best[rows, columns].shape != d.shape:
                continue
            closer = d < best[rows, columns]
            best[rows, columns][closer] = d[closer]
            owner[rows, columns][closer] = i
        py, px = np.nonzero(owner >= 0)
        who = owner[py, px]
        count = np.maximum(np.bincount(who, minlength=len(x)), 1)
        x = (np.bincount(who, px - pad, len(x)) / count).astype(np.float32)
        y = (np.bincount(who, py - pad, len(y)) / count).astype(np.float32)
        x, y = np.clip(x, -side, width + side), np.clip(y, -side, height + side)
    return x, y


def paint() -> Array:
    w, h = WIDTH * FINE, HEIGHT * FINE
    rng = np.random.default_rng(162)
    x, y = (v * FINE for v in _settle(WIDTH, HEIGHT, rng))
    angle = _angle(x / h, y / h) + rng.normal(0, 0.05, len(x)).astype(np.float32)
    colour = _colour(x / h, y / h, rng)
    gx, gy = grid(w, h)
    mortar = fbm(gx * 60, gy * 60, 163, 4)
    picture = srgb("#3a332e") * (1 + 0.35 * mortar)[..., None]
    level = np.zeros((h, w), np.float32)
    half = TILE * h * 0.5
    reach = int(half * 1.7)
    dy, dx = np.mgrid[-reach : reach + 1, -reach : reach + 1].astype(np.float32)
    tilt = rng.normal(0, 0.35, (len(x), 2))
    for i in range(len(x)):
        ix, iy = round(float(x[i])), round(float(y[i]))
        x0, x1, y0, y1 = (
            max(ix - reach, 0),
            min(ix + reach + 1, w),
            max(iy - reach, 0),
            min(iy + reach + 1, h),
        )
        if x1 <= x0 or y1 <= y0:
            continue
        cut = (slice(y0 - iy + reach, y1 - iy + reach), slice(x0 - ix + reach, x1 - ix + reach))
        c, s = np.cos(angle[i]), np.sin(angle[i])
        u, v = (dx * c + dy * s)[cut], (dy * c - dx * s)[cut]
        a, b = half * rng.uniform(0.86, 0.98), half * rng.uniform(0.86, 0.98)
        skew = rng.normal(0, 0.05, 4)
        edge = np.maximum(
            np.maximum(u - a + skew[0] * v, -u - a + skew[1] * v),
            np.maximum(v - b + skew[2] * u, -v - b + skew[3] * u),
        )
        inside = np.clip(0.5 - edge, 0, 1)
        window = (slice(y0, y1), slice(x0, x1))
        bump = np.clip(-edge / (half * 0.35), 0, 1) ** 0.6
        slope = (u * tilt[i, 0] + v * tilt[i, 1]) / half * 0.10
        patch = picture[window]
        patch += (colour[i] * (1 + slope[..., None]) - patch) * inside[..., None]
        level[window] = np.maximum(level[window] * (1 - inside), inside * (bump + slope))
    soft = blur(level, FINE * 0.6)
    sy, sx = np.gradient(soft * h * 0.010)
    light = 1 - 0.30 * sx - 0.38 * sy
    cloudy = fbm(gx * 26, gy * 26, 164, 4)
    picture = picture * (np.clip(light, 0.35, 1.7) * (1 + 0.10 * cloudy))[..., None]
    gleam = smoothstep(0.45, 1.1, -sx - sy) * 0.22
    return shrink(np.clip(mix(picture, srgb("#fff6e0"), gleam[..., None]), 0, 1), FINE)
