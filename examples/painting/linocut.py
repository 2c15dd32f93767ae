"""A linocut of waves, a fishing boat, mountains and a red sun: gouge marks along the forms."""

from __future__ import annotations

import numpy as np

from .canvas import blur, grid, mix, polygon, shrink, smoothstep, srgb
from .noise import Array, fbm

WIDTH, HEIGHT, FINE = 640, 512, 3
INK, PAPER, ACCENT = srgb("#16130f"), srgb("#f1e6cd"), srgb("#c8281c")
SUN = (0.86, 0.30, 0.17)
BOAT = (0.42, 0.590)


def _crest(k: int, x: Array) -> Array:
    """Height of wave k of 5, from the far one to the near one."""
    size = 0.018 + 0.013 * k
    length = 0.16 + 0.10 * k
    u = x / length + 0.37 * k
    phase = u - np.floor(u)
    shape = np.where(phase < 0.62, (phase / 0.62) ** 1.7, ((1 - phase) / 0.38) ** 0.75)
    return 0.555 + 0.088 * k + 0.008 * k - size * 1.7 * shape + 0.004 * np.sin(x * 23 + k)


def _ridge(x: Array) -> Array:
    a = 0.20 + 0.55 * np.abs(x - 0.30) ** 0.9
    b = 0.33 + 0.50 * np.abs(x - 1.12) ** 0.95
    return (
        np.minimum(a, b)
        + 0.018 * np.sin(x * 31) * np.sin(x * 13)
        + 0.02 * fbm(x * 9, x * 0, 141, 3)
    )


def _forms(x: Array, y: Array) -> tuple[Array, Array, Array]:
    """At every point: direction of the gouge, darkness to leave (0 paper … 1 ink), region."""
    dx, dy = x - SUN[0], y - SUN[1]
    away = np.hypot(dx, dy)
    angle = np.arctan2(dy, dx) + np.pi / 2 + 0.3 * np.sin(away * 12)
    dark = 0.46 + 0.28 * np.sin(away * 24 - 1.0) + 0.1 * np.clip(away - 0.4, 0, 1)
    region = np.zeros(x.shape, np.int64)
    sun = away < SUN[2]
    region = np.where(sun, 1, region)
    angle, dark = np.where(sun, 0.0, angle), np.where(sun, 0.82, dark)
    crest = _ridge(x)
    rock = y > crest
    lean = np.where(x < 0.30, 1.0, np.where(x < 0.74, -1.0, np.where(x < 1.12, 1.0, -1.0)))
    lit = lean < 0
    down = np.pi / 2 + lean * (0.62 + 0.5 * (y - crest)) + 0.6 * fbm(x * 7, y * 7, 142, 2)
    tone = np.where(lit, 0.50, 0.86) - 0.55 * smoothstep(0.10, 0.0, y - crest) * lit
    angle, dark, region = (
        np.where(rock, down, angle),
        np.where(rock, tone, dark),
        np.where(rock, 2, region),
    )
    for k in range(5):
        top = _crest(k, x)
        step = np.float32(0.002)
        slope = np.arctan((_crest(k, x + step) - _crest(k, x - step)) / (2 * step))
        below = y - top
        sea = below > 0
        curl = (
            slope * np.exp(-below / (0.05 + 0.02 * k)) + 0.25 * np.sin(x * 16 + k * 2) * below * 4
        )
        tone = (
            0.30
            + 0.75 * smoothstep(0.0, 0.075 + 0.012 * k, below)
            - 0.25 * np.sin(below * 120 / (1 + 0.4 * k))
        )
        angle, dark = np.where(sea, curl, angle), np.where(sea, tone, dark)
        region = np.where(sea, 10 + k, region)
    return angle.astype(np.float32), np.clip(dark, 0.05, 0.93).astype(np.float32), region


def _gouges(shape: tuple[int, int], angle: Array, dark: Array, region: Array) -> Array:
    """Carved lines at even distances along the forms, wide where the form is light, tapered at
    both ends (evenly spaced streamlines, each stopped near its neighbours)."""
    height, width = shape
    gap = height / 82.0
    taken = np.zeros((int(height / gap * 3) + 3, int(width / gap * 3) + 3), np.int64)
    cut = np.zeros(shape, np.float32)
    rng = np.random.default_rng(143)
    starts = rng.uniform(0, 1, (16000, 2)) * (width, height)
    stride = gap * 0.4
    cell = gap / 3
    for number, (sx, sy) in enumerate(starts, 1):
        path: list[tuple[float, float]] = []
        home = region[min(int(sy), height - 1), min(int(sx), width - 1)]
        for sense in (1, -1):
            px, py = sx, sy
            side: list[tuple[float, float]] = []
            for _ in range(26):
                ix, iy = int(px), int(py)
                if not (0 <= ix < width and 0 <= iy < height) or region[iy, ix] != home:
                    break
                cx, cy = int(px / cell) + 1, int(py / cell) + 1
                near = taken[max(cy - 1, 0) : cy + 2, max(cx - 1, 0) : cx + 2]
                if ((near != 0) & (near != number)).any():
                    break
                side.append((px, py))
                a = angle[iy, ix]
                px, py = px + sense * stride * np.cos(a), py + sense * stride * np.sin(a)
            path = [*side[:0:-1], *path] if sense == -1 else [*path, *side]
        if len(path) < 7:
            continue
        for px, py in path:
            taken[int(py / cell) + 1, int(px / cell) + 1] = number
        p = np.array(path)
        t = np.linspace(0, 1, len(p))
        tone = dark[p[:, 1].astype(int), p[:, 0].astype(int)]
        wide = (
            gap * 0.92 * (1 - tone) ** 0.8 * np.minimum(1, np.minimum(t / 0.22, (1 - t) / 0.35))
            + 0.2
        )
        wide *= 1 + 0.12 * rng.normal(size=len(p))
        d = np.gradient(p, axis=0)
        n = np.stack([-d[:, 1], d[:, 0]], 1) / (np.hypot(d[:, 0], d[:, 1]) + 1e-9)[:, None]
        outline = np.concatenate([p + n * wide[:, None] / 2, (p - n * wide[:, None] / 2)[::-1]])
        window, cover = polygon(shape, (outline / height).tolist())
        cut[window] = np.maximum(cut[window], cover)
    return cut


def paint() -> Array:
    w, h = WIDTH * FINE, HEIGHT * FINE
    x, y = grid(w, h)
    bent = 0.004 * fbm(x * 14, y * 14, 144, 3)
    angle, dark, region = _forms(x + bent, y + bent)
    cut = _gouges((h, w), angle, dark, region)
    # White outlines between the forms, as a knife leaves them.
    edge = np.zeros((h, w), np.float32)
    edge[:, 1:] += region[:, 1:] != region[:, :-1]
    edge[1:] += region[1:] != region[:-1]
    cut = np.maximum(cut, smoothstep(0.05, 0.12, blur(np.minimum(edge, 1), h * 0.0022)))
    bx, by = BOAT
    s = 0.185
    hull = [(-0.62, -0.06), (-0.45, 0.17), (0.45, 0.17), (0.72, -0.12), (0.3, -0.02)]
    sail = [(0.02, -0.14), (0.04, -1.32), (0.30, -0.75), (0.52, -0.16)]
    jib = [(-0.04, -0.14), (-0.02, -1.15), (-0.5, -0.14)]
    red = (region == 1).astype(np.float32)
    for outline, is_red in ((hull, False), (sail, True), (jib, True)):
        points = [(bx + u * s, by + v * s) for u, v in outline]
        window, cover = polygon((h, w), points)
        rim = np.clip(blur(cover, h * 0.0035) * 3, 0, 1)
        stripes = 0.5 + 0.5 * np.sin((x[window] * 0.5 + y[window]) * (330 if is_red else 420))
        inner = cover * smoothstep(0.30, 0.55, stripes)
        cut[window] = np.maximum(cut[window] * (1 - rim), rim * (1 - cover))
        cut[window] = np.where(cover > 0.5, 1 - inner, cut[window])
        red[window] = np.where(cover > 0.5, float(is_red), red[window])
    press = fbm(x * 40, y * 40, 145, 4)
    grain = fbm(x * 150, y * 150, 146, 2)
    inked = smoothstep(0.35, 0.65, 1 - cut)
    worn = smoothstep(0.50, 0.85, press * 0.7 + grain * 0.55)
    ink = mix(INK, ACCENT, red[..., None]) * (1 + 0.10 * press)[..., None]
    paper = PAPER * (1 + 0.03 * grain)[..., None]
    return shrink(np.clip(mix(paper, ink, (inked * (1 - 0.55 * worn))[..., None]), 0, 1), FINE)
