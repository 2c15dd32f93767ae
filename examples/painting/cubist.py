"""A guitar, a bottle and fruit taken apart into planes, each with its own light."""

from __future__ import annotations

import numpy as np

from .canvas import blur, grid, mix, shrink, smoothstep, srgb
from .noise import Array, fbm
from .oil import Sheet, lit

WIDTH, HEIGHT, FINE = 640, 512, 2
# Straight cuts through the picture: angle of the normal, offset (heights)
CUTS = (
    (0.42, 0.66), (1.95, 0.22), (2.62, -0.40), (1.18, 0.82), (0.12, 0.95), (2.25, -0.10),
    (0.80, 1.02), (1.62, 0.60), (2.95, -0.98), (0.62, 0.38), (1.45, 0.34), (0.25, 0.30),
)  # fmt: skip
ARCS = ((0.55, 0.62, 0.42), (0.98, 0.30, 0.30), (0.20, 0.20, 0.27), (1.15, 0.92, 0.33))
GROUND = (
    "#c9a15a",
    "#7f8f96",
    "#d8c49a",
    "#4a6a80",
    "#b5643a",
    "#e8dcc0",
    "#5f7a5a",
    "#8a4a34",
    "#2f4a6a",
    "#d89a4a",
)


def _turn(
    x: Array, y: Array, cx: float, cy: float, angle: float, size: float
) -> tuple[Array, Array]:
    c, s = np.cos(angle), np.sin(angle)
    return ((x - cx) * c + (y - cy) * s) / size, (-(x - cx) * s + (y - cy) * c) / size


def _objects(x: Array, y: Array, shift: Array) -> tuple[Array, list[tuple[str, ...]]]:
    """Which part of which thing lies at every point; every plane sees them a little moved."""
    part = np.zeros(x.shape, np.int64)
    x, y = x + shift[0], y + shift[1]

    def put(where: Array, number: int) -> None:
        part[where] = number

    put(y > 0.70 + 0.10 * (x - 0.6), 1)
    u, v = _turn(x, y, 0.64, 0.55, -0.95, 0.30)
    waist = 0.56 - 0.16 * np.cos((u + 0.15) * 4.4) * (np.abs(u) < 1.0)
    body = (np.abs(v) < waist * np.sqrt(np.clip(1 - (np.abs(u) / 1.02) ** 6, 0, 1))) & (
        np.abs(u) < 1.02
    )
    put(body, 2)
    put(body & (v > 0.02 + 0.10 * u), 3)
    put((np.abs(v) < 0.10) & (u > 0.2) & (u < 2.1), 4)
    put((np.abs(v) < 0.17) & (u > 2.1) & (u < 2.5), 5)
    put(np.hypot(u - 0.18, v) < 0.25, 6)
    put((np.abs(v) < 0.26) & (np.abs(u + 0.56) < 0.055), 5)
    u, v = _turn(x, y, 0.26, 0.46, 0.06, 0.24)
    glass = (np.abs(u) < 0.42 - 0.30 * smoothstep(-0.25, -0.75, v)) & (v > -1.45) & (v < 1.15)
    put(glass, 7)
    put(glass & (u > 0.08), 8)
    put(glass & (v > 0.1) & (v < 0.62), 9)
    for k, (cx, cy, r) in enumerate(
        ((0.98, 0.80, 0.105), (1.13, 0.74, 0.095), (0.84, 0.86, 0.085))
    ):
        put(np.hypot(x - cx, y - cy) < r, 10 + 2 * k)
        put((np.hypot(x - cx, y - cy) < r) & (x - cx > 0.25 * (y - cy)), 11 + 2 * k)
    u, v = _turn(x, y, 1.05, 0.38, 0.30, 0.24)
    sheet = (np.abs(u) < 0.62) & (np.abs(v) < 0.80)
    put(sheet & (part < 2), 16)
    put(
        sheet
        & (part == 16)
        & (np.abs((v * 3.2) % 1 - 0.5) < 0.30)
        & (np.abs(((v * 3.2) % 1 * 5) % 1 - 0.5) < 0.13),
        17,
    )
    codes: list[tuple[str, ...]] = [
        GROUND, ("#9a5a30", "#c08848", "#3f5a78", "#d8a860", "#7a3a2a"),
        ("#d8883a", "#e8a850", "#c0702e"),
        ("#8a4420", "#a85828", "#6e3418"), ("#3a2a22", "#5a4030"), ("#1f1814", "#33261e"),
        ("#14100e", "#2a1a14"),
        ("#2f6a58", "#3f8a6e", "#24523f"), ("#16403a", "#1f5a4a"), ("#efe2bc", "#d8c898"),
        ("#d8402a", "#e8603a"), ("#9a1f1f", "#b02a24"), ("#e8b030", "#f0c850"),
        ("#b57a1a", "#c88a24"),
        ("#a8b83a", "#bccc50"), ("#5f7a24", "#708a30"), ("#f0e6cc", "#e0d2b0"),
        ("#2a2420", "#3a3028"),
    ]  # fmt: skip
    return part, codes


def paint() -> Array:
    w, h = WIDTH * FINE, HEIGHT * FINE
    x, y = grid(w, h)
    hand = 0.0035
    x = x + hand * fbm(x * 7, y * 7, 191, 2)
    y = y + hand * fbm(x * 7, y * 7, 192, 2)
    plane = np.zeros(x.shape, np.int64)
    for k, (angle, offset) in enumerate(CUTS):
        side = x * np.cos(angle) + y * np.sin(angle) > offset
        # Not every cut runs through the whole picture.
        reach = (
            np.sin(x * np.cos(angle + 1.57) * 2.2 + y * np.sin(angle + 1.57) * 2.2 + k * 1.7)
            > -0.75
        )
        plane = plane * 2 + (side & reach)
    for cx, cy, r in ARCS:
        plane = plane * 2 + (np.hypot(x - cx, y - cy) < r)
    _, plane = np.unique(plane, return_inverse=True)
    plane = plane.reshape(x.shape)
    count = int(plane.max()) + 1
    rng = np.random.default_rng(193)
    drift = rng.normal(0, 0.016, (2, count)).astype(np.float32)
    part, codes = _objects(x, y, drift[:, plane])
    region = plane * 32 + part
    pick = rng.integers(0, 1 << 20, (count, 32))[plane, part]
    colour = np.zeros((h, w, 3), np.float32)
    for number, choices in enumerate(codes):
        here = part == number
        colour[here] = np.stack([srgb(c) for c in choices])[pick[here] % len(choices)]
    # Each plane goes from light to dark across itself, in a direction of its own.
    turn = rng.uniform(0, 2 * np.pi, count).astype(np.float32)[plane]
    along = x * np.cos(turn) + y * np.sin(turn)
    low, high = np.full(count * 32, np.inf), np.full(count * 32, -np.inf)
    np.minimum.at(low, region.ravel(), along.ravel())
    np.maximum.at(high, region.ravel(), along.ravel())
    t = (along - low[region]) / np.maximum(high - low, 0.05)[region]
    t = np.clip(t, 0, 1).astype(np.float32)
    tone = (0.74 + 0.62 * t)[..., None]
    colour = colour * tone + (smoothstep(0.6, 1.0, t) * 0.10)[..., None]
    # Short parallel touches of a flat brush, along each plane's own direction.
    cross = -x * np.sin(turn) + y * np.cos(turn)
    bend = 1.6 * fbm(x * 6, y * 6, 196, 3)
    row = np.floor(cross * 40 + bend)
    touch = (
        np.sin(row * 12.9898 + np.floor(along * 8 + 0.3 * bend + row * 0.37) * 78.233) * 43758.5453
    )
    touch = (touch - np.floor(touch)).astype(np.float32)
    bristle = fbm(along * 7, cross * 150, 194, 3)
    colour *= (1 + 0.20 * (touch - 0.5) + 0.09 * bristle)[..., None]
    edge = np.zeros((h, w), np.float32)
    edge[:, 1:] = region[:, 1:] != region[:, :-1]
    edge[1:] = np.maximum(edge[1:], region[1:] != region[:-1])
    wide = 0.0026 + 0.0014 * fbm(x * 5, y * 5, 195, 3)
    soft = blur(edge, h * 0.0026)
    line = smoothstep(0.05, 0.13, soft * (0.6 + 160 * wide)) * (0.86 + 0.14 * bristle)
    shade = blur(edge, h * 0.012)
    colour *= (1 - 1.1 * np.clip(shade, 0, 0.3))[..., None]
    colour = mix(colour, srgb("#15110f"), np.clip(line, 0, 1)[..., None])
    thickness = 0.5 * touch + 0.5 * bristle + 0.9 * line + 0.3 * t
    sheet = Sheet(np.clip(colour, 0, 1).astype(np.float32), thickness.astype(np.float32))
    return shrink(lit(sheet, relief=0.7, shine=0.08), FINE)
