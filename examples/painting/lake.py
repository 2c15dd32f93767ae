"""A mountain lake in the morning: snow, forest slopes, layers of fog, pines on the near shore."""

from __future__ import annotations

import numpy as np

from .canvas import blur, develop, fill, grid, linear, mix, over, ramp, sample, smoothstep
from .noise import Array, cells, fbm, ridged
from .terrain import Camera, normals, scan, shadow, world_x

WIDTH, HEIGHT, FINE = 640, 480, 2
VIEW = Camera(height=0.22, horizon=0.60, focal=1.25, near=1.2, far=64.0)
SUN = np.array([-0.62, 0.42, -0.28], np.float32) / np.float32(0.80)


def _massif(x: Array, z: Array) -> Array:
    """Height of the bare ground; below zero lies the lake."""
    basin = ((x - 0.6) / (3.2 + 0.10 * z)) ** 2 + ((z - 11) / 10.5) ** 2
    shore = smoothstep(0.75, 2.6, basin + 0.35 * fbm(x * 0.35, z * 0.35, 61, 4))
    back = smoothstep(14, 34, z)
    peak = 9.5 * np.exp(-(((x + 2.5) / 6.5) ** 2) - ((z - 40) / 9) ** 2)
    peak = peak + 6.5 * np.exp(-(((x - 11) / 6.0) ** 2) - ((z - 44) / 9) ** 2)
    peak = peak + 5.5 * np.exp(-(((x + 19) / 6.5) ** 2) - ((z - 42) / 9) ** 2)
    crags = ridged(x * 0.075 + 3.1, z * 0.075, 62, 8, 0.5)
    rolling = fbm(x * 0.22, z * 0.22, 63, 5)
    flanks = 2.6 * smoothstep(4.5, 13, np.abs(x - 0.6) - 0.06 * z) * smoothstep(3, 14, z)
    high = peak * (0.42 + 1.0 * crags) + back * (0.6 + 3.6 * crags) + flanks * (0.8 + 0.5 * rolling)
    return (-0.25 + shore * (0.55 + 0.25 * rolling + high)).astype(np.float32)


def _wooded(x: Array, z: Array, ground: Array) -> Array:
    patch = fbm(x * 0.30, z * 0.30, 64, 4)
    return smoothstep(0.06, 0.16, ground) * smoothstep(3.6, 2.0, ground + 1.6 * patch)


def _surface(x: Array, z: Array) -> Array:
    """Ground with its trees: each cell of a random pattern carries a cone."""
    ground = _massif(x, z)
    near, _, label = cells(x * 4.2, z * 4.2, 65)
    cone = np.clip(1 - near * 1.45, 0, 1) * (0.18 + 0.20 * label)
    return ground + cone * _wooded(x, z, ground)


def _air(y: Array, x: Array) -> Array:
    colour = ramp(
        y,
        [
            (0.0, linear("#3f78b5")),
            (0.25, linear("#7fabd0")),
            (0.45, linear("#c9d6d6")),
            (0.6, linear("#f6dfbd")),
        ],
    )
    colour += (np.exp(-np.hypot(x * 0.8, (y - 0.42) * 1.2) / 0.4) * 0.5)[..., None] * linear(
        "#ffd9a0"
    )
    depth = 0.16 / np.clip(0.68 - y, 0.05, None)
    u, v = (x - 0.7) * depth * 3.0, depth * 5.0
    bend = fbm(u * 0.6, v * 0.6, 66, 3)
    thick = fbm(u + bend, v * 1.1 + 0.4 * bend, 67, 6)
    lit = np.clip(0.6 + 1.8 * (thick - fbm(u + bend + 0.08, v * 1.1 + 0.4 * bend, 67, 6)), 0, 1)
    cloud = mix(linear("#a9b4c8"), linear("#fff3e0") * 1.25, lit[..., None])
    over(colour, cloud, smoothstep(-0.05, 0.6, thick) * smoothstep(0.55, 0.3, y) * 0.85)
    return colour


def _land(view: Camera, x: Array, y: Array, sky: Array) -> tuple[Array, Array, Array]:
    """Picture, depth and ground height of everything that is not water."""
    depth = scan(_surface, view, x, y)
    seen = np.isfinite(depth)
    z = np.where(seen, depth, 1.0).astype(np.float32)
    wx = world_x(view, x, z)
    step = np.clip(z * 0.0022, 0.004, 0.12).astype(np.float32)
    normal, tall = normals(_surface, wx, z, step)
    ground = _massif(wx, z)
    sun = np.clip(normal @ SUN, 0, 1) * shadow(_massif, wx, z, tall, SUN, 14.0, 64.0)
    wood = _wooded(wx, z, ground)
    rough = fbm(wx * 6, z * 6, 68, 5)
    strata = fbm(wx * 0.5, ground * 5 + 0.3 * rough, 69, 4)
    steep = normal[..., 1]
    rock = mix(linear("#57535a"), linear("#a39180"), (0.5 + 0.5 * strata)[..., None])
    rock *= (1 + 0.35 * rough)[..., None]
    meadow = mix(linear("#4f6a2c"), linear("#9c8f45"), (0.5 + 0.6 * rough)[..., None])
    colour = mix(
        rock, meadow, (smoothstep(0.72, 0.9, steep) * smoothstep(2.8, 1.6, ground))[..., None]
    )
    _, _, label = cells(wx * 4.2, z * 4.2, 65)
    fir = mix(linear("#16301f"), linear("#42592a"), label[..., None] * 0.8)
    fir = mix(fir, linear("#a8772c"), (smoothstep(0.86, 0.9, label) * 0.7)[..., None])
    crown = np.clip((tall - ground) / 0.25, 0, 1)
    colour = mix(colour, fir * (0.35 + 1.0 * crown)[..., None], wood[..., None])
    snow = smoothstep(3.0, 5.2, ground + 1.2 * rough + 0.8 * strata) * smoothstep(0.42, 0.72, steep)
    colour = mix(colour, np.array([0.92, 0.94, 0.98], np.float32), snow[..., None])
    sand = smoothstep(0.10, 0.02, ground)
    colour = mix(colour, linear("#8a7a63") * (1 + 0.3 * rough)[..., None], sand[..., None] * 0.8)
    warm, blue = linear("#ffce94") * 3.6, linear("#7fa2d6") * 0.55
    picture = colour * (sun[..., None] * warm + (0.55 + 0.45 * steep)[..., None] * blue)
    haze = 1 - np.exp(-z / 95)
    air = mix(linear("#9db6d3"), linear("#f3d9b8"), (np.exp(-x / 0.5) * 0.8)[..., None])
    picture = mix(picture, air, haze[..., None])
    # Fog lies low over the lake, thicker far away, torn by noise.
    torn = fbm(wx * 0.22 + 0.4, z * 0.16 + ground * 1.2, 70, 4)
    fog = np.exp(-np.clip(tall, 0, None) / (0.85 + 0.5 * torn)) * smoothstep(9, 30, z) * 0.92
    belt = np.exp(-(((tall - 2.5 - 0.7 * torn) / 0.45) ** 2)) * smoothstep(18, 40, z) * 0.6
    veil = np.clip(fog + belt * smoothstep(-0.2, 0.5, torn), 0, 1)
    picture = mix(picture, air * 1.05, veil[..., None])
    return np.where(seen[..., None], picture, sky), depth, np.where(seen, ground, 9.0)


def _pine(image: Array, x: float, foot: float, size: float, seed: int) -> None:
    """A pine of drooping branch tiers, lighter on the sunny left."""
    rng = np.random.default_rng(seed)
    trunk = linear("#2a1d16") * 0.6
    lean = rng.normal(0, 0.012) * size
    fill(
        image,
        [(x - size * 0.014, foot), (x + size * 0.014, foot), (x + lean, foot - size)],
        trunk,
    )
    tiers = 26
    for k in range(tiers):
        t = k / (tiers - 1)  # from the foot to the top
        level = foot - size * (0.10 + 0.9 * t)
        reach = size * 0.20 * (1 - t) ** 0.85 + size * 0.008
        for _ in range(9):
            side = rng.uniform(-1, 1)
            r = reach * rng.uniform(0.7, 1.15) * side
            cx = x + lean * t
            drop = abs(r) * rng.uniform(0.25, 0.55)
            tip = (cx + r, level + drop)
            lit = np.clip(0.42 - 0.5 * side + rng.normal(0, 0.18), 0, 1)
            green = mix(linear("#0c1a14"), linear("#5f7434"), float(lit) ** 1.6)
            thick = size * rng.uniform(0.012, 0.026)
            fringe = [(cx + r * f, level + drop * f**1.4 + thick * g) for f, g in
                      ((0.25, 1.2), (0.45, 0.5), (0.6, 1.3), (0.78, 0.5), (0.9, 1.1))]  # fmt: skip
            fill(image, [(cx, level - thick), tip, *fringe[::-1], (cx, level + thick)], green)


def _foreground(image: Array, x: Array, y: Array) -> None:
    """The near shore at the bottom, with pines at both sides."""
    rough = fbm(x * 26, y * 40, 71, 5)
    bank = 0.955 - 0.14 * smoothstep(0.42, 0.0, x) - 0.15 * smoothstep(0.98, 1.32, x)
    bank = bank + 0.014 * fbm(x * 9, x * 0, 72, 5)
    soil = mix(linear("#1d2415"), linear("#6f7a3a"), np.clip(0.3 + 0.8 * rough, 0, 1)[..., None])
    soil *= (0.55 + 0.6 * smoothstep(0.0, 0.03, y - bank))[..., None]
    over(image, soil, smoothstep(-0.0015, 0.0015, y - bank))
    rng = np.random.default_rng(73)
    for _ in range(900):
        gx = rng.uniform(0, 1.34)
        edge = float(np.interp(gx, x[0], bank[0]))
        gy = edge + rng.uniform(-0.004, 0.14) ** 1.0
        tall, lean = rng.uniform(0.012, 0.03), rng.normal(0.004, 0.008)
        blade = mix(linear("#39451f"), linear("#b9b266"), rng.random() ** 3)
        fill(image, [(gx, gy), (gx + 0.0022, gy), (gx + lean, gy - tall)], blade * 0.8)
    trees = [
        (0.245, 0.90, 0.36), (0.045, 0.845, 0.62), (0.13, 0.87, 0.50), (-0.01, 0.90, 0.80),
        (0.19, 0.90, 0.30), (1.27, 0.85, 0.58), (1.19, 0.89, 0.38), (1.345, 0.92, 0.74),
        (1.12, 0.925, 0.24),
    ]  # fmt: skip
    for k, (px, foot, size) in enumerate(trees):
        _pine(image, px, foot, size, 740 + k)


def paint() -> Array:
    w, h = WIDTH * FINE, HEIGHT * FINE
    x, y = grid(w, h)
    sky = _air(y, x)
    scene, depth, ground = _land(VIEW, x, y, sky)
    below = Camera(-VIEW.height, VIEW.horizon, VIEW.focal, VIEW.near, VIEW.far)
    mirror = blur(_land(below, x, y, sky)[0], 0.8, 1.5)
    down = np.clip(y - VIEW.horizon, 0.001, None)
    z = VIEW.focal * VIEW.height / down
    wx = world_x(VIEW, x, z)
    ripple = fbm(wx * 1.6, z * 3.4, 75, 4) + 0.5 * fbm(wx * 6, z * 10, 76, 3)
    calm = smoothstep(-0.1, 0.5, fbm(wx * 0.25, z * 0.16, 77, 3))
    tilt = ripple * (0.15 + 0.85 * calm)
    image = np.zeros_like(scene)
    for k in (-0.6, 0.0, 0.6):
        push = tilt + 0.12 * k * calm
        image += sample(mirror, x + 0.006 * push, 2 * VIEW.horizon - y - 0.030 * push) / 3
    deep = mix(linear("#1f5560"), linear("#12303c"), smoothstep(0.02, 0.36, down)[..., None])
    view = np.clip(0.10 + 1.1 * down + 0.18 * tilt, 0.05, 0.62)
    water = mix(image * 0.96, deep, view[..., None])
    wet = (ground < 0) & np.isfinite(depth)
    wet |= ~np.isfinite(depth) & (y > VIEW.horizon)
    soft = blur(wet.astype(np.float32), 0.7)
    over(scene, water, soft)
    mist = fbm(wx * 0.35, z * 0.12, 78, 4)
    low = np.exp(-((down / 0.03) ** 1.2)) * smoothstep(-0.5, 0.6, mist) * 0.55
    over(scene, linear("#f3e2cb"), low * (y > VIEW.horizon))
    _foreground(scene, x, y)
    return develop(scene, FINE, exposure=1.0, saturation=1.14, seed=79)
