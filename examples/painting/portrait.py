"""Head and shoulders of a woman in a red beret, in soft window light (portrait format)."""

from __future__ import annotations

import numpy as np

from .canvas import blur, develop, grid, linear, mix, smoothstep
from .march import (
    View,
    blend,
    capsule,
    carve,
    ellipsoid,
    length,
    normal,
    openness,
    sphere,
    sunlight,
    trace,
)
from .noise import Array, fbm

WIDTH, HEIGHT, FINE = 480, 640, 2
VIEW = View(eye=(1.9, 0.20, -6.2), target=(0.02, -0.20, 0.0), focal=1.66)
LAMP = np.array([0.78, 0.48, -0.40], np.float32)
SKIN, EYE, HAIR, BERET, COAT, SCARF, GOLD = range(7)


def _skin(p: Array) -> Array:
    m = np.stack([np.abs(p[:, 0]), p[:, 1], p[:, 2]], 1)  # the face is symmetric
    head = ellipsoid(p, (0, 0.28, 0.10), (0.70, 0.84, 0.84))
    head = blend(head, ellipsoid(p, (0, -0.24, -0.14), (0.52, 0.70, 0.58)), 0.30)
    head = blend(head, sphere(p, (0, -0.80, -0.46), 0.13), 0.25)
    head = blend(head, sphere(m, (0.30, -0.17, -0.47), 0.20), 0.22)
    head = blend(head, ellipsoid(m, (0.22, 0.27, -0.60), (0.24, 0.09, 0.12)), 0.14)
    head = carve(head, sphere(m, (0.25, 0.09, -0.86), 0.16), 0.16)
    ball = sphere(m, (0.235, 0.085, -0.575), 0.148)
    lid = p[:, 1] - 0.016 * np.cos((m[:, 0] - 0.235) * 9)
    eye_at = np.stack([m[:, 0], lid, p[:, 2]], 1)
    gape = ellipsoid(eye_at, (0.235, 0.056, -0.74), (0.135, 0.046, 0.15))
    head = blend(head, carve(ball, gape, 0.02), 0.06)
    head = carve(head, gape, 0.02)
    nose = capsule(p, (0, 0.18, -0.68), (0, -0.19, -0.90), 0.050, 0.078)
    nose = blend(nose, sphere(m, (0.078, -0.215, -0.79), 0.056), 0.07)
    head = blend(head, nose, 0.12)
    head = carve(head, ellipsoid(m, (0.045, -0.275, -0.84), (0.024, 0.02, 0.04)), 0.03)
    lips = blend(
        capsule(m, (0.0, -0.452, -0.722), (0.19, -0.488, -0.632), 0.036, 0.012),
        capsule(m, (0.0, -0.532, -0.704), (0.16, -0.500, -0.632), 0.046, 0.014),
        0.012,
    )
    head = blend(head, lips, 0.05)
    head = carve(head, capsule(m, (0, -0.489, -0.775), (0.19, -0.492, -0.672), 0.012, 0.006), 0.02)
    ear = ellipsoid(m, (0.68, -0.02, 0.10), (0.07, 0.19, 0.12))
    head = blend(head, ear, 0.06)
    neck = capsule(p, (0, -0.70, 0.16), (0, -1.7, 0.30), 0.33, 0.40)
    return blend(head, neck, 0.16)


def _hair(p: Array) -> Array:
    m = np.stack([np.abs(p[:, 0]), p[:, 1], p[:, 2]], 1)
    cap = ellipsoid(p, (0, 0.34, 0.22), (0.82, 0.86, 0.88))
    face = ellipsoid(p, (0, -0.22, -0.86), (0.60, 0.86, 0.76))
    cap = carve(cap, face, 0.12)
    fringe = blend(
        capsule(p, (0.16, 0.72, -0.58), (-0.60, 0.22, -0.36), 0.14, 0.15),
        capsule(p, (0.16, 0.72, -0.58), (0.62, 0.30, -0.34), 0.15, 0.15),
        0.10,
    )
    fringe = blend(fringe, capsule(m, (0.0, 0.84, -0.44), (0.58, 0.50, -0.30), 0.19, 0.18), 0.06)
    sides = capsule(m, (0.70, 0.30, -0.05), (0.66, -0.78, 0.10), 0.22, 0.17)
    back = ellipsoid(p, (0, -0.30, 0.50), (0.74, 0.85, 0.50))
    hair = blend(blend(cap, sides, 0.15), blend(back, fringe, 0.05), 0.14)
    strand = np.sin(np.arctan2(p[:, 0] * 1.0, p[:, 2] - 0.25) * 34 + 2.5 * np.sin(p[:, 1] * 3.2))
    return hair + 0.006 * strand + 0.005 * np.sin(p[:, 0] * 19 + p[:, 1] * 4)


def _parts(p: Array) -> list[tuple[int, Array]]:
    m = np.stack([np.abs(p[:, 0]), p[:, 1], p[:, 2]], 1)
    c, s = np.float32(np.cos(0.30)), np.float32(np.sin(0.30))
    q = p - np.float32((-0.10, 1.02, 0.16))
    q = np.stack([q[:, 0] * c - q[:, 1] * s, q[:, 0] * s + q[:, 1] * c, q[:, 2]], 1)
    q = np.stack([q[:, 0], q[:, 1] * 0.97 + q[:, 2] * 0.22, q[:, 2]], 1)
    wave = 0.02 * np.sin(np.arctan2(q[:, 0], q[:, 2]) * 5 + 1)
    beret = ellipsoid(q, (-0.12, 0.03, 0.05), (1.02, 0.30, 0.98)) + wave
    band = ellipsoid(q, (0.08, -0.20, -0.02), (0.74, 0.14, 0.78))
    beret = blend(
        blend(beret, band, 0.10), capsule(q, (-0.1, 0.28, 0.1), (-0.1, 0.42, 0.1), 0.03, 0.02), 0.03
    )
    body = capsule(m, (0.0, -2.02, 0.36), (0.98, -2.16, 0.34), 0.52, 0.40)
    body = blend(body, ellipsoid(p, (0, -2.7, 0.25), (1.15, 1.1, 0.68)), 0.3)
    lapel = 0.025 * np.sin(6 * (m[:, 0] + 0.6 * p[:, 1]))
    loop = p - np.float32((0, -1.40, 0.14))
    tilt = loop[:, 1] + 0.28 * loop[:, 2]
    fold = 0.022 * np.sin(np.arctan2(loop[:, 0], loop[:, 2]) * 3 + tilt * 24)
    ring = np.hypot(np.hypot(loop[:, 0], loop[:, 2]) - 0.50, tilt * 0.72) - 0.185 + fold
    end = capsule(p, (0.28, -1.62, -0.42), (0.36, -2.6, -0.62), 0.15, 0.24) + fold
    return [
        (SKIN, _skin(p)),
        (EYE, sphere(m, (0.235, 0.085, -0.575), 0.132)),
        (HAIR, _hair(p)),
        (BERET, beret),
        (COAT, body + lapel),
        (SCARF, blend(ring, end, 0.1)),
        (GOLD, sphere(m, (0.70, -0.28, 0.04), 0.055)),
    ]


def _solid(p: Array) -> Array:
    return (np.min(np.stack([d for _, d in _parts(p)]), 0) * 0.85).astype(np.float32)


def _spot(p: Array, x: float, y: float, wide: float, tall: float) -> Array:
    near = ((np.abs(p[:, 0]) - x) / wide) ** 2 + ((p[:, 1] - y) / tall) ** 2
    return np.exp(-near).astype(np.float32)[:, None]


def _albedo(p: Array, n: Array, kind: Array) -> tuple[Array, Array]:
    x, y, z = p[:, 0], p[:, 1], p[:, 2]
    rough = fbm(x * 5 + z, y * 5 - z, 121, 4)
    skin = np.broadcast_to(linear("#e6b08c"), p.shape) * (1 + 0.05 * rough[:, None])
    skin = mix(skin, linear("#d9745c"), 0.55 * _spot(p, 0.36, -0.20, 0.17, 0.14))
    skin = mix(
        skin, linear("#d97a5e"), 0.35 * _spot(p, 0.0, -0.2, 0.10, 0.09) * (z < -0.7)[:, None]
    )
    skin = mix(skin, linear("#b8806a"), 0.45 * _spot(p, 0.24, 0.16, 0.17, 0.08))
    mouth = (np.abs(x) / 0.215) ** 2 + ((y + 0.492) / np.where(y > -0.487, 0.082, 0.092)) ** 2
    lip = smoothstep(1.05, 0.75, mouth) * (z < -0.55)
    skin = mix(skin, linear("#b03a3a"), lip[:, None] * 0.9)
    u = np.abs(x) - 0.235
    lash = y - 0.016 * np.cos(u * 9) - 0.056 - 0.046 * np.sqrt(np.clip(1 - (u / 0.15) ** 2, 0, 1))
    liner = smoothstep(0.034, 0.016, np.abs(lash - 0.004)) * smoothstep(0.185, 0.13, np.abs(u))
    arch = y - 0.285 - 0.045 * np.cos((u - 0.03) * 8.5)
    brow = smoothstep(0.036, 0.012, np.abs(arch) * (1 + 1.2 * (u > 0.05) * (u - 0.05) / 0.1))
    brow *= smoothstep(0.19, 0.14, np.abs(u))
    front = (z < -0.42).astype(np.float32)
    skin = mix(skin, linear("#4a2414"), (brow * front * 0.85)[:, None])
    skin = mix(skin, linear("#24120e"), (liner * front * 0.95)[:, None])
    gaze = np.minimum(np.hypot(x - 0.262, y - 0.078), np.hypot(x + 0.208, y - 0.078))
    ball = mix(linear("#f3ece4"), linear("#d8b8a8"), smoothstep(0.07, 0.13, gaze)[:, None])
    iris = mix(linear("#6fae9a"), linear("#1f4a48"), smoothstep(0.025, 0.062, gaze)[:, None])
    ball = mix(ball, iris, smoothstep(0.067, 0.060, gaze)[:, None])
    ball = mix(ball, linear("#08090a"), smoothstep(0.031, 0.026, gaze)[:, None])
    strand = fbm(np.arctan2(x, z - 0.25) * 16, y * 1.6 + 0.3 * x, 122, 5)
    hair = mix(linear("#2c140c"), linear("#9a5426"), np.clip(0.45 + 0.8 * strand, 0, 1)[:, None])
    felt = fbm(x * 30, y * 30 + z * 30, 123, 3)
    beret = mix(linear("#8e1420"), linear("#c8303a"), (0.5 + 0.4 * felt + 0.3 * rough)[:, None])
    twill = 0.5 + 0.5 * np.sin((x + y) * 120)
    coat = mix(linear("#1f3350"), linear("#35547a"), (0.3 + 0.25 * twill + 0.4 * rough)[:, None])
    stripes = smoothstep(-0.2, 0.2, np.sin((y + 0.28 * z + 0.15 * np.sin(x * 4)) * 42))
    knit = 0.5 + 0.5 * np.sin(np.arctan2(x, z) * 90)
    scarf = (
        mix(linear("#e0a93a"), linear("#f0e2bc"), stripes[:, None]) * (0.85 + 0.15 * knit)[:, None]
    )
    gold = np.broadcast_to(linear("#e8b84a"), p.shape)
    table = np.stack([skin, ball, hair, beret, coat, scarf, gold])
    shine = np.float32([0.20, 1.0, 0.30, 0.03, 0.04, 0.03, 0.9])
    return table[kind, np.arange(len(p))].astype(np.float32), shine[kind]


def _room(x: Array, y: Array) -> Array:
    """A wall out of focus: a gradient of light, and the warm lamps of a street outside."""
    tone = 0.5 + 0.4 * fbm(x * 1.6, y * 1.6, 124, 3)
    wall = mix(linear("#1f3a40"), linear("#5f7d74"), tone[..., None])
    wall = mix(
        wall, linear("#c9a878"), (np.exp(-np.hypot(x - 0.02, y - 0.25) / 0.28) * 0.75)[..., None]
    )
    rng = np.random.default_rng(125)
    for _ in range(26):
        cx, cy, r = rng.uniform(0, 0.75), rng.uniform(0, 0.7), rng.uniform(0.015, 0.05)
        colour = linear(["#ffc070", "#ff9a5a", "#9fd0c0", "#ffe0a8"][int(rng.integers(4))])
        disc = smoothstep(r, r * 0.85, np.hypot(x - cx, y - cy)) * rng.uniform(0.05, 0.25)
        wall = wall + disc[..., None] * colour
    return blur(wall * 0.8, x.shape[0] / 260)


def _shade(eye: Array, rays: Array, room: Array) -> Array:
    t = trace(_solid, eye, rays, 11.0)
    hit = np.isfinite(t)
    picture = room.copy()
    if not hit.any():
        return picture
    rays = rays[hit]
    p = eye + rays * t[hit, None]
    parts = _parts(p)
    kind = np.argmin(np.stack([d for _, d in parts]), 0)
    n = normal(_solid, p, 0.003)
    colour, gloss = _albedo(p, n, kind)
    seen = sunlight(_solid, p + n * 0.012, LAMP, 3.2, 3.0)
    straight = n @ LAMP
    facing = np.clip(straight, 0, 1)
    soft = np.clip((straight + 0.35) / 1.35, 0, 1) ** 1.6
    flesh = (kind == SKIN)[:, None]
    # Light that goes into skin comes out redder, a little beyond the shadow's edge.
    red = np.stack(
        [0.45 * facing + 0.55 * soft, 0.8 * facing + 0.2 * soft, 0.9 * facing + 0.1 * soft], 1
    )
    key = np.where(flesh, red, (0.7 * facing + 0.3 * soft)[:, None])
    glow = np.where(flesh, np.float32((0.10, 0.02, 0.01)), 0) * (1 - seen)[:, None]
    key = key * (0.08 + 0.92 * seen)[:, None] + glow * facing[:, None]
    open_ = openness(_solid, p, n, 0.30)[:, None]
    fill = (0.5 + 0.5 * n[:, 1])[:, None] * linear("#8fa8c0") * 0.40
    fill = fill + np.clip(-n[:, 0], 0, 1)[:, None] * linear("#e09a6a") * 0.38
    fill = fill + np.clip(-n[:, 2], 0, 1)[:, None] * linear("#c8b8a8") * 0.22
    body = colour * (key * linear("#ffe8cc") * 2.3 + fill * (0.25 + 0.75 * open_))
    half = LAMP - rays
    half /= length(half)[:, None]
    spec = np.clip(np.einsum("ij,ij->i", n, half), 0, 1)
    tight = np.where(kind == EYE, spec**220 * 3.5, spec**28 * 0.8)
    rim = np.clip(1 + np.einsum("ij,ij->i", rays, n), 0, 1) ** 4
    body += (gloss * seen * tight)[:, None] * linear("#fff4e4")
    body += (rim * (0.12 + 0.3 * gloss))[:, None] * open_ * linear("#a8bccc")
    picture[hit] = body
    return picture


def paint() -> Array:
    x, y = grid(WIDTH * FINE, HEIGHT * FINE)
    rays, eye = VIEW.rays(x, y), np.float32(VIEW.eye)
    room = _room(x, y).reshape(-1, 3)
    chunk = 24000
    shaded = [
        _shade(eye, rays[i : i + chunk], room[i : i + chunk]) for i in range(0, len(rays), chunk)
    ]
    scene = np.concatenate(shaded).reshape(*x.shape, 3).astype(np.float32)
    return develop(scene, FINE, exposure=1.0, saturation=1.06, vignette=0.35, seed=126)
