"""A lighthouse on a cliff: summer clouds, a moving sea with surf, flowers on the grass."""

from __future__ import annotations

import numpy as np

from .canvas import blur, develop, fill, grid, line, linear, mix, over, ramp, smoothstep
from .noise import Array, cells, fbm, ridged
from .terrain import Camera, normals, scan, shadow, world_x

WIDTH, HEIGHT, FINE = 640, 480, 2
VIEW = Camera(height=1.75, horizon=0.50, focal=1.15, near=1.0, far=60.0)
SUN = np.array([-0.86, 0.50, -0.06], np.float32)
TOWER = (2.75, 10.2)


def _land(x: Array, z: Array) -> Array:
    """The headland, its cliffs, and some rocks in the sea (negative: sea bed)."""
    bays = 0.9 * fbm(x * 0.35, z * 0.35, 81, 4) + 0.35 * fbm(x * 1.4, z * 1.4, 82, 3)
    inside = 0.55 * (x - 1.15) - 0.028 * (z - 9.0) ** 2 + 0.45 + bays
    inside = np.maximum(inside, 0.5 * (x - 6.5) + 0.05 * (z - 12) + bays)
    inside = inside + 0.16 * ridged(x * 2.3, z * 2.3, 80, 5, 0.6)
    cliff = smoothstep(0.0, 0.42, inside)
    ledges = 0.20 * ridged(x * 1.1, z * 1.1, 83, 7, 0.6)
    top = 1.25 + 0.28 * fbm(x * 0.4, z * 0.4, 84, 4) + 0.10 * np.clip(inside, 0, 5)
    head = -0.3 + (top + 0.3) * cliff + ledges * cliff * 1.2
    rocks = ridged(x * 0.9 + 2, z * 0.9, 85, 5) * smoothstep(-0.9, 0.0, inside) * 0.75 - 0.38
    far = 2.6 * smoothstep(26, 40, z) * smoothstep(-1.0, -16.0, x) * (0.4 + 0.6 * ridged(
        x * 0.10, z * 0.10, 86, 5)) - 0.3  # fmt: skip
    return np.maximum(np.maximum(head, rocks), far).astype(np.float32)


def _clouds(x: Array, y: Array) -> Array:
    sky = ramp(
        y,
        [
            (0.0, linear("#2e66a4")),
            (0.3, linear("#5f9bcb")),
            (0.5, linear("#a9cbda")),
            (0.57, linear("#e6ead8")),
        ],
    )

    def density(u: Array, v: Array) -> Array:
        warp = 0.10 * fbm(u * 3, v * 3, 87, 4)
        puffs = 1 - cells((u + warp) * 6.5, (v + warp) * 7.5, 88)[0]
        fine = 1 - cells((u - warp) * 15, (v + warp) * 16, 89)[0]
        heap = np.zeros_like(u)
        for cx, base, wide, tall in (
            (0.36, 0.36, 0.30, 0.25), (0.02, 0.43, 0.22, 0.13), (1.06, 0.34, 0.20, 0.15),
            (0.74, 0.45, 0.28, 0.09), (1.28, 0.43, 0.2, 0.10), (0.30, 0.48, 0.4, 0.05),
        ):  # fmt: skip
            rise = (base - v) / tall
            dome = 1 - ((u - cx) / wide) ** 2 - np.where(rise > 0, rise, -rise * 5) ** 2
            heap = np.maximum(heap, dome)
        shape = (
            heap + 0.55 * (puffs - 0.62) + 0.30 * (fine - 0.6) + 0.28 * fbm(u * 9, v * 10, 90, 5)
        )
        return np.clip((shape - 0.22) * 2.4, 0, 1) * (heap > 0)

    thick = density(x, y)
    path = np.zeros_like(thick)
    for k in range(1, 9):
        path += density(x - 0.016 * k, y - 0.012 * k) / 8
    light = np.exp(-2.3 * path)[..., None]
    body = mix(linear("#7f98bd") * 0.75, linear("#fff3e0") * 1.12, light)
    body = mix(body, linear("#dfe6e2"), (smoothstep(0.3, 0.56, y) * 0.45)[..., None])
    over(sky, body, smoothstep(0.0, 0.5, thick) * 0.97)
    wisp = fbm(x * 1.6 + 0.6 * fbm(x * 2, y * 4, 91, 3), y * 9, 92, 5)
    over(sky, linear("#f4f6f2"), smoothstep(0.1, 0.8, wisp) * smoothstep(0.4, 0.1, y) * 0.5)
    return sky


def _sea(x: Array, y: Array, sky: Array) -> Array:
    down = np.clip(y - VIEW.horizon, 0.0012, None)
    z = VIEW.focal * VIEW.height / down
    wx = world_x(VIEW, x, z)
    crests = ridged(wx * 0.55 + 0.25 * z, z * 1.5 + 0.2 * wx, 93, 5, 0.6)
    chop = fbm(wx * 3.2, z * 5.2, 94, 4)
    far = smoothstep(10, 55, z)
    slope = (crests - 0.35) * 1.2 + 0.5 * chop * (1 - 0.6 * far)
    deep = mix(linear("#0f5868"), linear("#0a2f57"), np.clip(0.5 + 0.8 * fbm(
        wx * 0.15, z * 0.10, 95, 3), 0, 1)[..., None])  # fmt: skip
    glass = mix(deep, linear("#2fa39a"), (np.clip(slope, 0, 1) * (1 - far) * 0.6)[..., None])
    mirror = mix(linear("#7fb2d6"), linear("#dfe9e4"), smoothstep(0.06, 0.0, down)[..., None])
    fresnel = np.clip(0.10 + 0.62 * np.exp(-down / 0.055) - 0.22 * slope + 0.05, 0.03, 0.85)
    water = mix(glass, mirror, fresnel[..., None])
    spark = smoothstep(0.5, 0.75, chop + 0.5 * crests) * np.exp(-(((x - 0.12) / 0.3) ** 2))
    water += (spark * smoothstep(0.0, 0.03, down))[..., None] * linear("#fff4d8") * 0.9
    ground = _land(wx, z)
    near = smoothstep(-0.30, 0.0, ground + 0.16 * fbm(wx * 1.1, z * 1.1, 96, 4))
    lace = ridged(wx * 2.1, z * 2.6, 97, 5, 0.7)
    foam = near * smoothstep(0.22, 0.5, lace + 0.5 * near)
    foam = (
        foam
        + smoothstep(0.52, 0.7, crests) * smoothstep(0.3, 0.6, lace + chop * 0.4) * (1 - far) * 0.8
    )
    over(water, linear("#f6faf6") * 1.1, np.clip(foam, 0, 1) * 0.92)
    return mix(water, linear("#c9dde0"), (smoothstep(0.02, 0.0, down) * 0.55)[..., None])


def _cliffs(scene: Array, x: Array, y: Array) -> Array:
    depth = scan(_land, VIEW, x, y)
    seen = np.isfinite(depth)
    z = np.where(seen, depth, 1.0).astype(np.float32)
    wx = world_x(VIEW, x, z)
    normal, tall = normals(_land, wx, z, np.clip(z * 0.002, 0.004, 0.1).astype(np.float32))
    sun = np.clip(normal @ SUN, 0, 1) * shadow(_land, wx, z, tall, SUN, 5.0, 60.0)
    rough = fbm(wx * 7, z * 7 + tall * 9, 98, 5)
    strata = fbm(wx * 0.6 + 0.3 * rough, tall * 13 + 0.5 * rough, 99, 6, 0.65)
    crack = ridged((wx + z) * 2.6 + 0.4 * rough, tall * 0.8 + 0.2 * rough, 105, 5, 0.6)
    rock = mix(linear("#5a4a42"), linear("#d1b48c"), (0.5 + 0.7 * strata)[..., None])
    rock *= ((1 + 0.45 * rough) * (0.55 + 0.9 * crack))[..., None]
    rock = mix(rock, linear("#26302a"), (smoothstep(0.16, 0.02, tall) * 0.85)[..., None])
    tuft = fbm(wx * 16, z * 9, 100, 4)
    grass = mix(linear("#3d6a24"), linear("#a9b04a"), (0.5 + 0.7 * tuft + 0.3 * rough)[..., None])
    bloom = cells(wx * 9, z * 7, 101)
    dots = (bloom[0] < 0.20) & (bloom[2] > 0.45) & (z < 14)
    flower = np.where((bloom[2] > 0.72)[..., None], linear("#e88aa8"), linear("#fff0a0"))
    grass = np.where(dots[..., None], flower, grass)
    green = smoothstep(0.62, 0.82, normal[..., 1] + 0.12 * rough) * smoothstep(0.5, 0.8, tall)
    colour = mix(rock, grass, green[..., None])
    sky_light = linear("#8fb4dc") * 0.62
    picture = colour * (sun[..., None] * linear("#ffeaca") * 2.5 + sky_light)
    bounce = np.clip(-normal[..., 2], 0, 1) * 0.16
    picture += colour * bounce[..., None] * linear("#ffe0b0")
    haze = 1 - np.exp(-np.clip(z - 6, 0, None) / 42)
    picture = mix(picture, linear("#bfd6e2"), haze[..., None])
    solid = seen & (tall > 0.0)
    over(scene, picture, blur(solid.astype(np.float32), 0.7))
    return np.where(solid, z, np.inf)


def _tower(scene: Array, x: Array, y: Array) -> None:
    wx, wz = TOWER
    px = wx / wz * VIEW.focal + WIDTH / HEIGHT / 2
    ground = float(_land(np.float32([wx]), np.float32([wz]))[0])
    unit = VIEW.focal / wz
    foot = VIEW.horizon - (ground - 0.08 - VIEW.height) * unit
    top = foot - 2.75 * unit

    def barrel(low: float, high: float, wide0: float, wide1: float, colour: Array) -> None:
        """A slice of the round tower, shaded across: lit left, reflected light at the right."""
        t = np.clip((y - high) / (low - high), 0, 1)
        half = (wide1 + (wide0 - wide1) * t) * unit / 2
        u = (x - px) / half
        turn = np.sqrt(np.clip(1 - u**2, 0, 1))
        light = np.clip(-0.72 * u + 0.52 * turn, 0, 1) * 2.1
        shade = 0.34 + 0.14 * np.clip(u, 0, 1)
        stain = 1 + 0.10 * fbm(u * 2.5, y * 26, 102, 4)
        paint = colour * (
            (light[..., None] * linear("#ffeaca")) + shade[..., None] * linear("#bcd0ea")
        )
        edge = 1.2 / scene.shape[0] / half
        cover = np.clip((1 - np.abs(u)) / edge, 0, 1) * ((y >= high) & (y < low))
        over(scene, paint * stain[..., None], cover.astype(np.float32))

    white, red = linear("#f7f1e4"), linear("#c8321f")
    for k in range(5):
        a, b = k / 5, (k + 1) / 5
        barrel(
            foot + (top - foot) * a, foot + (top - foot) * b,
            0.80 - 0.30 * a, 0.80 - 0.30 * b, red if k % 2 == 0 else white,
        )  # fmt: skip
    for level, side in ((0.13, -0.1), (0.5, -0.1), (0.83, -0.08)):
        wy = foot + (top - foot) * level
        w = 0.045 * unit
        cx = px + side * unit
        fill(
            scene,
            [(cx - w, wy), (cx + w, wy), (cx + w, wy - 4 * w), (cx - w, wy - 4 * w)],
            linear("#1d2a38"),
        )
    barrel(top + 0.04 * unit, top - 0.06 * unit, 0.78, 0.78, linear("#3a4148"))
    barrel(top - 0.06 * unit, top - 0.46 * unit, 0.36, 0.36, linear("#f9d98a"))
    for u in (-0.17, -0.06, 0.06, 0.17):
        line(
            scene,
            (px + u * unit, top - 0.06 * unit),
            (px + u * unit, top - 0.46 * unit),
            0.022 * unit,
            linear("#2a3036"),
        )
    for u in np.linspace(-0.38, 0.38, 12):
        line(
            scene,
            (px + u * unit, top - 0.06 * unit),
            (px + u * unit, top - 0.2 * unit),
            0.012 * unit,
            linear("#2a3036"),
        )
    line(
        scene,
        (px - 0.39 * unit, top - 0.2 * unit),
        (px + 0.39 * unit, top - 0.2 * unit),
        0.02 * unit,
        linear("#2a3036"),
    )
    barrel(top - 0.46 * unit, top - 0.72 * unit, 0.52, 0.04, red)
    line(scene, (px, top - 0.70 * unit), (px, top - 0.92 * unit), 0.02 * unit, linear("#2a3036"))
    _cottage(scene, px, foot, unit)


def _cottage(scene: Array, px: float, foot: float, unit: float) -> None:
    def at(u: float, v: float) -> tuple[float, float]:
        return (px + u * unit, foot - v * unit)

    def box(u0: float, u1: float, v0: float, v1: float, colour: Array) -> None:
        fill(scene, [at(u0, v0), at(u1, v0), at(u1, v1), at(u0, v1)], colour)

    box(0.45, 0.80, -0.1, 0.46, linear("#f5eedd") * 1.5)
    fill(scene, [at(0.45, 0.45), at(0.625, 0.76), at(0.80, 0.45)], linear("#f5eedd") * 1.5)
    box(0.80, 1.75, -0.1, 0.46, linear("#d6d9dc") * 0.62)
    slope = [at(0.77, 0.42), at(0.625, 0.78), at(1.60, 0.78), at(1.80, 0.42)]
    fill(scene, slope, linear("#a5452c") * 0.85)
    for k in range(1, 5):
        t = k / 5
        line(
            scene,
            at(0.77 - 0.145 * t, 0.42 + 0.36 * t),
            at(1.80 - 0.2 * t, 0.42 + 0.36 * t),
            0.012 * unit,
            linear("#6e2c1e"),
        )
    line(scene, at(0.42, 0.40), at(0.625, 0.79), 0.03 * unit, linear("#7a3322"))
    box(1.25, 1.38, 0.66, 0.98, linear("#b58a70") * 0.8)
    for u in (0.93, 1.22, 1.5):
        box(u, u + 0.13, 0.12, 0.32, linear("#22313f"))
    box(0.57, 0.68, -0.1, 0.26, linear("#2f6a70"))


def _gulls(scene: Array) -> None:
    rng = np.random.default_rng(103)
    for gx, gy, s in (
        (0.60, 0.26, 0.018),
        (0.68, 0.31, 0.013),
        (0.54, 0.34, 0.011),
        (0.75, 0.22, 0.012),
        (0.20, 0.50, 0.009),
    ):
        tilt = rng.normal(0, 0.25)
        for side in (-1, 1):
            elbow = (gx + side * s * 0.5, gy - s * (0.32 + tilt * side * 0.4))
            tip = (gx + side * s, gy - s * (0.12 + tilt * side))
            line(scene, (gx, gy), elbow, s * 0.13, linear("#f8f8f4") * 1.1)
            line(scene, elbow, tip, s * 0.09, linear("#5a6470"))


def paint() -> Array:
    w, h = WIDTH * FINE, HEIGHT * FINE
    x, y = grid(w, h)
    scene = _clouds(x, y)
    over(scene, _sea(x, y, scene), (y > VIEW.horizon).astype(np.float32))
    _cliffs(scene, x, y)
    _tower(scene, x, y)
    _gulls(scene)
    return develop(scene, FINE, exposure=0.95, saturation=1.12, seed=104)
