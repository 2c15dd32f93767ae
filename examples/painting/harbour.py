"""A harbour town at dusk: gabled houses on a hill, lit windows, boats, and all of it again in
the water."""

from __future__ import annotations

import numpy as np

from .canvas import blur, develop, fill, grid, line, linear, mix, over, ramp, sample, smoothstep
from .noise import Array, fbm, ridged

WIDTH, HEIGHT, FINE = 640, 480, 2
WATERLINE = 0.60
SUN = (1.09, 0.492)
WALLS = ("#e8d5b0", "#d9a066", "#c9705a", "#e6dfd0", "#c2c9c4", "#e3c27a", "#c98b82", "#efe9da")
ROOFS = ("#8a4634", "#74402f", "#94523a", "#5d5560", "#7c4a3c")
LAMP = linear("#ffcf7a") * 3.2


def _sky(x: Array, y: Array) -> Array:
    colour = ramp(
        y,
        [
            (0.0, linear("#2c4270")),
            (0.2, linear("#5a6a98")),
            (0.36, linear("#a58ca6")),
            (0.48, linear("#eea274")),
            (0.58, linear("#ffcf86")),
        ],
    )
    away = np.hypot((x - SUN[0]) * 0.9, (y - SUN[1]) * 1.5)
    glow = np.exp(-away / 0.16)
    colour += glow[..., None] * linear("#ffa94e") * 1.7
    # Clouds lie on a plane above, so they become flat and narrow towards the horizon.
    depth = 0.14 / np.clip(0.66 - y, 0.06, None)
    u, v = (x - 0.7) * depth * 3.2, depth * 5.2
    shift = fbm(u * 0.5, v * 0.5, 11, 3)
    thick = fbm(u + shift * 0.7, v * 1.3, 12, 6)
    edge = fbm(u + 0.06 - shift * 0.1 + shift * 0.7, v * 1.3 + 0.1, 12, 6)
    cover = smoothstep(-0.12, 0.42, thick) * smoothstep(0.58, 0.44, y)
    lit = np.clip((thick - edge) * 2.6 + 0.42, 0, 1) * smoothstep(1.0, 0.1, away)
    shade = ramp(y, [(0.0, linear("#39477a")), (0.3, linear("#7a6a90")), (0.5, linear("#c07a6e"))])
    flame = ramp(y, [(0.0, linear("#f0b6a0")), (0.25, linear("#ffb07a")), (0.5, linear("#ffd58c"))])
    over(colour, mix(shade, flame * 1.35, lit[..., None]), cover * 0.86)
    disc = smoothstep(0.030, 0.026, np.hypot(x - SUN[0], y - SUN[1]))
    over(colour, linear("#fff1c4") * 4.0, disc)
    return colour


def _hills(image: Array, x: Array, y: Array) -> None:
    for seed, top, high, colour, haze in (
        (21, 0.545, 0.085, "#5c5f8c", 0.55),
        (22, 0.575, 0.06, "#4a4a6c", 0.32),
        (23, 0.592, 0.035, "#3b3a52", 0.12),
    ):
        crest = top - high * ridged(x * (1.6 + seed % 3) + seed, x * 0 + 0.5, seed, 5)
        crest += 0.05 * smoothstep(0.75, 1.1, x) * (seed == 23)
        body = linear(colour) * (1 + 0.35 * fbm(x * 22, y * 44, seed + 9, 4))[..., None]
        warm = np.exp(-np.abs(x - SUN[0]) / 0.22)[..., None]
        body = mix(body, mix(linear("#a88a9a"), linear("#ffb070"), warm), haze * 0.75 + 0.2 * warm)
        over(image, body, smoothstep(-0.0012, 0.0012, y - crest))


def _tree(image: Array, x0: float, base: float, size: float, seed: int) -> None:
    """A round tree: leaves where fractal noise leaves them, lighter towards the sun."""
    h, w = image.shape[:2]
    left, right = int((x0 - size) * h), int((x0 + size) * h)
    top, bottom = int((base - 2.2 * size) * h), int(base * h)
    left, top, right, bottom = max(left, 0), max(top, 0), min(right, w), min(bottom, h)
    if right <= left or bottom <= top:
        return
    py, px = np.mgrid[top:bottom, left:right].astype(np.float32)
    x, y = (px / h - x0) / size, (py / h - (base - 1.15 * size)) / size
    rough = fbm(x * 3 + seed, y * 3, seed, 5)
    leaf = smoothstep(0.16, 0.02, np.hypot(x, y * 0.92) - 0.72 - 0.3 * rough)
    light = np.clip(0.35 + 0.4 * x - 0.35 * y + 0.9 * rough, 0, 1)[..., None]
    paint = mix(linear("#1b2a24"), linear("#6e6a3a"), light)
    over(image[top:bottom, left:right], paint, leaf)


def _window(image: Array, x: float, y: float, w: float, h: float, rng: np.random.Generator) -> None:
    frame = linear("#efe6d2") * 0.5
    fill(image, _rect(x - w * 0.16, y - h * 0.1, w * 1.32, h * 1.24), frame)
    if rng.random() < 0.5:
        glass = linear("#ffb74e") * rng.uniform(0.9, 1.8)
        glass = mix(glass, linear("#ff9a4a") * 1.5, rng.random() * 0.6)
    else:
        glass = mix(linear("#2b3a55"), linear("#8a7a86"), rng.random() * 0.7)
    fill(image, _rect(x, y, w, h), glass)
    bar = frame * 0.6
    line(image, (x + w / 2, y), (x + w / 2, y + h), w * 0.12, bar)
    line(image, (x, y + h * 0.42), (x + w, y + h * 0.42), w * 0.12, bar)


def _rect(x: float, y: float, w: float, h: float) -> list[tuple[float, float]]:
    return [(x, y), (x + w, y), (x + w, y + h), (x, y + h)]


def _house(
    image: Array, grainy: Array, x: float, base: float, w: float, h: float, haze: float, seed: int
) -> None:
    """One gabled house: shaded front, sunlit right side, tiled roof, windows, chimney."""
    rng = np.random.default_rng(seed)
    wall = linear(WALLS[int(rng.integers(len(WALLS)))])
    roof = linear(ROOFS[int(rng.integers(len(ROOFS)))])
    mist = linear("#b08a8e")

    def seen(colour: Array) -> Array:
        return mix(colour, mist, haze)

    ambient, warm = np.array([0.42, 0.40, 0.50], np.float32), linear("#ffb27a") * 1.25
    rough = (1 + 0.22 * grainy)[..., None]
    front = seen(wall * ambient) * rough
    side_w = w * rng.uniform(0.16, 0.3)
    side = seen(wall * warm * 0.8) * rough
    gable = rng.random() < 0.55
    peak = h * rng.uniform(0.28, 0.42) if gable else h * rng.uniform(0.2, 0.28)
    top = base - h
    fill(image, _rect(x, top, w, h + 0.02), front)
    fill(image, _rect(x + w, top, side_w, h + 0.02), side)
    shadow = np.array([0.03, 0.02, 0.04], np.float32)
    stripe = (1 + 0.16 * np.sign(np.sin(grid(*grainy.shape[::-1])[1] * 900)))[..., None]
    tiles = seen(roof * ambient * 0.95) * rough * stripe
    sunny = seen(roof * warm * 0.9) * rough * stripe
    eave = w * 0.06
    if gable:
        fill(image, [(x, top), (x + w / 2, top - peak), (x + w, top)], front)
        far = (x + w + side_w, top - peak * 0.02)
        ridge = (x + w / 2 + side_w, top - peak * 0.98)
        near = [(x + w / 2, top - peak - eave * 0.4), (x + w + eave, top + eave * 0.5)]
        fill(image, [*near, (far[0] + eave, far[1] + eave * 0.4), ridge], sunny)
        line(image, (x - eave, top + eave * 0.6), near[0], w * 0.06, roof * 0.3)
        line(image, near[0], near[1], w * 0.05, roof * 0.5)
    else:
        edge = [(x - eave, top + eave * 0.4), (x + w + eave * 0.4, top + eave * 0.4)]
        crest = [(x + w * 0.84, top - peak), (x + w * 0.14, top - peak)]
        fill(image, [*edge, *crest], tiles)
        tip = (x + w + side_w + eave, top + eave * 0.3)
        fill(image, [edge[1], tip, (x + w + side_w * 0.4, top - peak * 0.9), crest[0]], sunny)
        fill(image, _rect(x, top + eave * 0.4, w, h * 0.05), shadow, 0.35)
    chimney = x + w * rng.uniform(0.55, 0.72)
    fill(image, _rect(chimney, top - peak * 1.12, w * 0.09, peak * 0.8), seen(roof * ambient))
    fill(
        image, _rect(chimney + w * 0.09, top - peak * 1.12, w * 0.04, peak * 0.8), seen(roof * 1.4)
    )
    rows, columns = max(1, round(h / 0.042)), max(2, round(w / 0.026))
    step_x, step_y = w / columns, h / (rows + 0.15)
    for row in range(rows):
        for column in range(columns):
            at = (x + step_x * (column + 0.3), top + step_y * (row + 0.3))
            if base - at[1] > 0.012:
                _window(image, *at, step_x * 0.36, step_y * 0.5, rng)
    if gable:
        _window(image, x + w * 0.45, top - peak * 0.5, w * 0.1, peak * 0.26, rng)


def _church(image: Array, grainy: Array, x: float, base: float) -> None:
    rough = (1 + 0.2 * grainy)[..., None]
    stone = linear("#cdb79a") * np.array([0.42, 0.42, 0.56], np.float32) * rough
    lit = linear("#f3c692") * 0.8 * rough
    slate, slate_lit = linear("#3c4458") * 0.7 * rough, linear("#a0705e") * rough
    fill(image, _rect(x, base - 0.20, 0.05, 0.22), stone)
    fill(image, _rect(x + 0.05, base - 0.20, 0.018, 0.22), lit)
    tip = (x + 0.034, base - 0.345)
    fill(image, [(x - 0.004, base - 0.198), tip, (x + 0.052, base - 0.198)], slate)
    fill(image, [(x + 0.05, base - 0.198), tip, (x + 0.073, base - 0.198)], slate_lit)
    line(image, tip, (tip[0], tip[1] - 0.022), 0.0022, linear("#f0c070"))
    line(
        image, (tip[0] - 0.006, tip[1] - 0.014), (tip[0] + 0.006, tip[1] - 0.014), 0.0022, lit[0, 0]
    )
    for level in (0.165, 0.1):
        y = base - level
        arch = [(x + 0.016, y + 0.035), (x + 0.016, y), (x + 0.025, y - 0.014), (x + 0.034, y)]
        fill(
            image,
            [*arch, (x + 0.034, y + 0.035)],
            linear("#ffb95e") * (1.4 if level > 0.1 else 0.5),
        )
    fill(image, _rect(x - 0.004, base - 0.128, 0.074, 0.005), lit)


def _town(image: Array, x: Array, y: Array) -> list[tuple[float, float]]:
    """The hill, its rows of houses from the farthest to the quay, and the quay's lamps."""
    grainy = fbm(x * 60, y * 60, 31, 4) + 0.5 * fbm(x * 10, y * 10, 32, 3)
    crest = 0.30 + 0.30 * smoothstep(0.18, 0.98, x) ** 1.2 + 0.018 * fbm(x * 5, x * 0, 33, 4)
    slope = mix(linear("#20301f"), linear("#7a6a3c"), np.clip(0.4 + grainy * 0.6, 0, 1)[..., None])
    slope = mix(slope * 0.8, linear("#b08a8e"), (smoothstep(0.5, 0.3, y) * 0.35)[..., None])
    over(image, slope, smoothstep(-0.0015, 0.0015, y - crest) * smoothstep(1.02, 1.0, x))
    rng = np.random.default_rng(34)
    for row, (base, count) in enumerate(
        ((0.37, 3), (0.42, 6), (0.47, 8), (0.525, 10), (0.585, 13))
    ):
        size, haze = 0.6 + 0.11 * row, 0.34 - 0.08 * row
        if row == 1:
            _church(image, grainy, 0.30, base)
        at = -0.05 + rng.uniform(0, 0.03)
        for _ in range(count):
            w, h = rng.uniform(0.058, 0.085) * size, rng.uniform(0.085, 0.125) * size
            ground = base + rng.uniform(-0.008, 0.008) * (row < 4)
            limit = 0.30 + 0.30 * float(smoothstep(0.18, 0.98, np.float32(at + w))) ** 1.2
            if ground > limit + 0.012 and at < 0.98:
                if row < 4 and rng.random() < 0.4:
                    _tree(image, at - 0.006, ground + 0.02, rng.uniform(0.018, 0.03), int(at * 999))
                seed = int(rng.integers(1 << 30))
                _house(image, grainy, at, ground, w, h, haze, seed)
            at += w * rng.uniform(1.25, 1.5)
    for at in (0.07, 0.36, 0.62, 0.83):
        _tree(image, at, 0.592, rng.uniform(0.022, 0.032), int(at * 777))
    stone = mix(linear("#4a4048"), linear("#b08a70"), np.clip(0.45 + grainy, 0, 1)[..., None]) * 0.5
    courses = np.abs(((y * 75) % 1) - 0.5) * 2
    stone *= (0.7 + 0.3 * smoothstep(0.0, 0.25, courses))[..., None]
    over(image, stone, ((y > 0.584) & (x < 1.0)).astype(np.float32))
    over(image, linear("#e0a982") * 0.7 + 0 * stone, ((abs(y - 0.586) < 0.0018) & (x < 1.0)) * 1.0)
    lamps = [(0.045 + 0.135 * i, 0.545) for i in range(8)]
    for lx, ly in lamps:
        line(image, (lx, 0.586), (lx, ly), 0.0024, linear("#15151c"))
        fill(image, _rect(lx - 0.004, ly - 0.009, 0.008, 0.011), LAMP * 1.6)
    return lamps


def _boat(image: Array, x: float, base: float, size: float, kind: int, flip: float) -> None:
    """A boat on the water; ``flip`` -1 paints its mirror image below ``base``."""

    def at(u: float, v: float) -> tuple[float, float]:
        return (x + u * size, base - v * size * flip)

    dim = 1.0 if flip > 0 else 0.72
    hull = [linear(c) * 0.55 * dim for c in ("#27506b", "#8c2f2a", "#e6dcc6", "#2f5a48")][kind % 4]
    outline = [(-0.5, 0.17), (-0.42, -0.02), (0.36, -0.02), (0.56, 0.23), (0.3, 0.16), (-0.2, 0.13)]
    rope = linear("#1a1516")
    if kind % 3 != 2:
        line(image, at(0.02, 0.1), at(0.02, 1.25), size * 0.024, linear("#5a3a26") * dim)
        line(image, at(0.02, 0.32), at(-0.44, 0.36), size * 0.05, linear("#d8c8b0") * 0.6 * dim)
        for u, v in ((0.54, 0.22), (-0.48, 0.17)):
            line(image, at(0.02, 1.22), at(u, v), size * 0.007, rope, 0.8)
    fill(image, [at(u, v) for u, v in outline], hull)
    belt = [(-0.5, 0.17), (-0.2, 0.13), (0.3, 0.16), (0.56, 0.23), (0.55, 0.2), (0.3, 0.13)]
    fill(image, [at(u, v) for u, v in [*belt, (-0.2, 0.1), (-0.49, 0.14)]], linear("#f2d8a8") * dim)
    warm = [(0.36, -0.02), (0.56, 0.23), (0.3, 0.14), (0.2, -0.02)]
    fill(image, [at(u, v) for u, v in warm], linear("#ffb070"), 0.3)
    if kind % 3 != 0:
        cabin = [(-0.2, 0.12), (-0.2, 0.38), (0.1, 0.4), (0.14, 0.13)]
        fill(image, [at(u, v) for u, v in cabin], linear("#efe3cc") * 0.5 * dim)
        roof = [(-0.24, 0.38), (-0.24, 0.42), (0.16, 0.44), (0.16, 0.4)]
        fill(image, [at(u, v) for u, v in roof], linear("#9c4030") * 0.6 * dim)
        for u in (-0.15, -0.02):
            pane = [(u, 0.24), (u, 0.34), (u + 0.09, 0.345), (u + 0.09, 0.24)]
            fill(image, [at(*p) for p in pane], LAMP * 0.7 * dim)


def _water(scene: Array, mirror: Array, x: Array, y: Array) -> Array:
    """The mirror picture, broken by ripples that grow towards the viewer."""
    down = np.clip(y - WATERLINE, 0.0004, None)
    depth = 0.1 / (down + 0.035)
    total = np.zeros_like(scene)
    u, v = (x - 0.66) * depth * 9, depth * 42
    wave = fbm(u * 0.8, v, 41, 4) + 0.6 * fbm(u * 3.1 + 3, v * 2.6, 42, 3)
    rng = np.random.default_rng(43)
    rays = 6
    for _ in range(rays):
        tilt = wave + rng.normal(0, 0.2) * np.ones_like(wave)
        dx = 0.010 * tilt * smoothstep(0, 0.16, down)
        dy = (0.14 * tilt * smoothstep(0, 0.5, down) + 0.008 * tilt).astype(np.float32)
        total += sample(mirror, x + dx, np.maximum(y + dy, WATERLINE + 0.001)) / rays
    facing = np.clip(0.16 + 0.75 * down + 0.25 * wave * smoothstep(0, 0.2, down), 0.05, 0.7)
    deep = mix(linear("#23405c"), linear("#0c2036"), smoothstep(0.0, 0.4, down)[..., None])
    water = mix(total * np.array([0.93, 0.93, 0.98], np.float32), deep, facing[..., None])
    path = np.exp(-(((x - SUN[0]) / (0.030 + 0.20 * down)) ** 2)) * np.exp(-down / 0.28)
    glitter = smoothstep(0.05, 0.5, wave) * path * smoothstep(0.0, 0.01, down)
    water += glitter[..., None] * linear("#ffc878") * 1.6
    crest = smoothstep(0.45, 0.9, wave) * smoothstep(0.01, 0.1, down)
    water += crest[..., None] * total * 0.5
    shore = smoothstep(0.012, 0.0, down)[..., None] * (x < 1.0)[..., None]
    return water * (1 - 0.45 * shore)


def paint() -> Array:
    w, h = WIDTH * FINE, HEIGHT * FINE
    x, y = grid(w, h)
    scene = _sky(x, y)
    _hills(scene, x, y)
    lamps = _town(scene, x, y)
    halo = np.zeros_like(scene)
    for lx, ly in lamps:
        away = np.hypot(x - lx, y - ly)
        halo += (0.16 * np.exp(-away / 0.014) + 0.05 * np.exp(-away / 0.05))[..., None] * LAMP
    scene += halo
    mirror = sample(scene, x, 2 * WATERLINE - y)
    mirror = blur(mirror, 0.6, 2.0)
    fleet = [
        (0.53, 0.622, 0.085, 2), (0.20, 0.625, 0.10, 0), (0.78, 0.628, 0.10, 1),
        (0.36, 0.642, 0.13, 1), (0.07, 0.655, 0.15, 3), (0.93, 0.665, 0.17, 4),
        (0.60, 0.70, 0.22, 7), (1.22, 0.636, 0.10, 0),
    ]  # fmt: skip
    for bx, by, size, kind in fleet:
        _boat(mirror, bx, by, size, kind, -1)
    over(scene, _water(scene, mirror, x, y), (y > WATERLINE).astype(np.float32))
    for bx, by, size, kind in fleet:
        _boat(scene, bx, by, size, kind, 1)
    return develop(scene, FINE, exposure=1.3, saturation=1.05, seed=44)
