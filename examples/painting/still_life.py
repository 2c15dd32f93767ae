"""A bowl of fruit, a jug and grapes on a cloth by a window."""

from __future__ import annotations

import numpy as np

from .canvas import develop, grid, linear, mix, smoothstep
from .march import (
    View,
    blend,
    capsule,
    ellipsoid,
    length,
    normal,
    openness,
    sphere,
    sunlight,
    trace,
    turned,
)
from .noise import Array, cells, fbm

WIDTH, HEIGHT, FINE = 640, 480, 2
VIEW = View(eye=(0.15, 1.75, -5.2), target=(0.10, 0.72, 0.0), focal=1.62)
LAMP = np.array([-0.66, 0.62, -0.43], np.float32)
BOWL = ((0.0, 0.06), (0.34, 0.06), (0.62, 0.16), (0.86, 0.34), (0.98, 0.56))
JUG_Y = np.linspace(0.0, 1.46, 60)
JUG_R = 0.37 + 0.17 * np.sin(JUG_Y * 3.9 - 0.75) + 0.10 * np.clip(JUG_Y - 1.12, 0, 1) ** 0.8
APPLES = ((-0.42, 0.62, -0.30), (0.44, 0.60, -0.42), (-1.42, 0.30, -0.72))
ORANGES = ((0.04, 0.66, 0.28), (0.58, 0.64, 0.22), (1.02, 0.27, -1.02))
LEMON = (1.62, 0.24, -0.55)
GRAPES = tuple(
    (-0.62 + 0.15 * u + 0.05 * v, 0.13 + 0.17 * v, -1.25 + 0.14 * w + 0.04 * v)
    for u, v, w in (
        (0, 0, 0), (1, 0, 0.2), (2, 0, 0), (3, 0, 0.4), (0.5, 0, 1.2), (1.6, 0, 1.3), (2.6, 0, 1.5),
        (0.6, 0.8, 0.5), (1.6, 0.85, 0.5), (2.5, 0.8, 0.8), (1.2, 1.5, 0.8), (-0.8, 0, 0.8),
        (3.7, 0, 1.0),
    )
)  # fmt: skip
TABLE, WALL, BOWL_M, JUG_M, APPLE, ORANGE, LEMON_M, GRAPE, PEAR, STALK = range(10)


def _apple(p: Array, c: tuple[float, float, float]) -> Array:
    q = p - np.float32(c)
    r = np.hypot(q[:, 0], q[:, 2])
    body = length(q * np.float32((1, 1.06, 1))) - np.float32(0.335) - 0.03 * q[:, 1]
    dimple = 0.15 * np.exp(-((r / 0.12) ** 2)) * (np.abs(q[:, 1]) > 0.1)
    return (body + dimple) * 0.72


def _parts(p: Array) -> list[tuple[int, Array]]:
    folds = (
        0.035 * np.sin(p[:, 0] * 2.3 + 1.2 * np.sin(p[:, 2] * 1.3)) * np.sin(p[:, 2] * 1.9 + 0.7)
    )
    parts = [
        (TABLE, (p[:, 1] - folds * smoothstep(1.1, 2.2, np.hypot(p[:, 0], p[:, 2] + 0.3))) * 0.95),
        (WALL, 2.6 - p[:, 2]),
        (BOWL_M, turned(p, BOWL, 0.045)),
    ]
    jug = p - np.float32((-1.22, 0, 0.62))
    outline = np.interp(jug[:, 1], JUG_Y, JUG_R).astype(np.float32)
    body = np.abs(np.hypot(jug[:, 0], jug[:, 2]) - outline) * 0.78 - 0.035
    body = np.maximum(body, np.abs(jug[:, 1] - 0.74) - 0.72)
    loop = np.hypot(np.hypot(jug[:, 0] + 0.46, jug[:, 1] - 0.98) - 0.29, jug[:, 2]) - 0.05
    parts.append(
        (JUG_M, np.minimum(body, blend(body, np.maximum(loop, 0.23 - length(jug[:, :2])), 0.05)))
    )
    for c in APPLES:
        parts.append((APPLE, _apple(p, c)))
        foot = np.float32(c) + np.float32((0, 0.24, 0))
        parts.append((STALK, capsule(p, foot, foot + np.float32((0.05, 0.20, 0.02)), 0.012, 0.02)))
    parts += [(ORANGE, sphere(p, c, 0.33 if k < 2 else 0.29)) for k, c in enumerate(ORANGES)]
    q = p - np.float32(LEMON)
    lemon = blend(
        ellipsoid(q, (0, 0, 0), (0.32, 0.23, 0.23)), sphere(q, (-0.31, 0.01, 0.0), 0.06), 0.14
    )
    parts.append((LEMON_M, blend(lemon, sphere(q, (0.31, 0.01, 0), 0.05), 0.14)))
    parts += [(GRAPE, sphere(p, c, 0.118)) for c in GRAPES]
    pear = blend(sphere(p, (0.10, 0.72, -0.28), 0.30), sphere(p, (0.02, 1.12, -0.20), 0.17), 0.32)
    parts.append((PEAR, pear))
    parts.append((STALK, capsule(p, (0.0, 1.26, -0.19), (-0.07, 1.46, -0.16), 0.014, 0.022)))
    return parts


def _solid(p: Array) -> Array:
    nearest = None
    for _, d in _parts(p):
        nearest = d if nearest is None else np.minimum(nearest, d)
    assert nearest is not None
    return nearest.astype(np.float32)


def _albedo(p: Array, n: Array, kind: Array) -> tuple[Array, Array]:
    """Colour and gloss of the surface."""
    x, y, z = p[:, 0], p[:, 1], p[:, 2]
    colour = np.zeros_like(p)
    gloss = np.zeros(len(p), np.float32)

    def put(which: int, paint: Array, shine: float) -> None:
        here = kind == which
        colour[here], gloss[here] = paint[here], shine

    mottled = fbm(x * 3.2 + z, y * 3.2 - z, 111, 5)
    fine = fbm(x * 22 + z * 7, y * 22 - z * 9, 112, 3)
    weave = 0.5 + 0.25 * np.sin(x * 150) + 0.25 * np.sin(z * 150)
    cloth = mix(linear("#e9dfc8"), linear("#fbf4e4"), weave[:, None])
    stripe = smoothstep(0.415, 0.425, np.abs(((x * 0.62 + 0.1) % 1) - 0.5))
    second = smoothstep(0.462, 0.47, np.abs(((x * 0.62 + 0.32) % 1) - 0.5))
    cloth = mix(cloth, linear("#2e5f92"), stripe[:, None])
    put(TABLE, mix(cloth, linear("#c0503a"), second[:, None]), 0.02)
    plaster = mix(
        linear("#7d5a48"), linear("#a98a62"), (0.5 + 0.35 * mottled + 0.08 * fine)[:, None]
    )
    put(WALL, plaster * 0.8, 0.0)
    around = np.arctan2(z, x)
    band = smoothstep(0.02, 0.0, np.abs(y - 0.42 - 0.035 * np.sin(around * 14)) - 0.025)
    band += smoothstep(0.01, 0.0, np.abs(y - 0.53) - 0.012)
    glaze = mix(linear("#e8e4d4"), linear("#f7f3e6"), (0.5 + mottled)[:, None])
    put(BOWL_M, mix(glaze, linear("#234c8c"), np.clip(band, 0, 1)[:, None]), 0.5)
    enamel = mix(
        linear("#1d5a6e"), linear("#3a93a0"), np.clip(0.4 + 0.8 * mottled + y * 0.2, 0, 1)[:, None]
    )
    drip = smoothstep(0.02, -0.02, y - 0.30 - 0.06 * fbm((x + z) * 6, y * 0, 113, 3))
    put(JUG_M, mix(enamel, linear("#b7855a"), drip[:, None]), 0.55)
    blush = np.clip(0.5 + 0.9 * fbm(x * 2.2 + 5, z * 2.2 + y, 114, 4) - 0.3 * n[:, 0], 0, 1)
    streak = 0.5 + 0.5 * np.sin(np.arctan2(n[:, 2], n[:, 0]) * 34 + 5 * mottled)
    apple = mix(
        linear("#d7b23c"), linear("#b3181c"), np.clip(blush * 1.25 + 0.25 * streak, 0, 1)[:, None]
    )
    put(APPLE, apple, 0.35)
    pore = smoothstep(0.28, 0.1, cells(x * 26 + z * 13, y * 26 - z * 17, 115)[0])
    put(
        ORANGE,
        mix(linear("#f08a12"), linear("#c8620a"), (0.6 * pore + 0.3 * mottled.clip(0))[:, None]),
        0.28,
    )
    put(LEMON_M, mix(linear("#f6d22e"), linear("#d9b020"), (0.6 * pore)[:, None]), 0.28)
    dust = np.clip(0.25 + 0.9 * mottled + 0.4 * n[:, 1], 0, 1)[:, None]
    put(GRAPE, mix(linear("#3a1440"), linear("#7a5a9a"), dust * 0.7), 0.5)
    freckle = smoothstep(0.2, 0.6, fine)[:, None]
    pear = mix(
        linear("#c9c144"), linear("#dc9a3c"), np.clip(0.3 + n[:, 0] + mottled, 0, 1)[:, None]
    )
    put(PEAR, mix(pear, linear("#7a6a24"), freckle * 0.5), 0.22)
    put(STALK, np.broadcast_to(linear("#4a3220"), p.shape), 0.05)
    return colour, gloss


def _shade(eye: Array, rays: Array) -> Array:
    t = trace(_solid, eye, rays, 14.0)
    hit = np.isfinite(t)
    p = eye + rays * np.where(hit, t, 6.0)[:, None]
    parts = _parts(p)
    kind = np.argmin(np.stack([d for _, d in parts]), 0)
    kind = np.array([m for m, _ in parts])[kind]
    n = normal(_solid, p)
    bump = fbm(p[:, 0] * 14 + p[:, 2] * 5, p[:, 1] * 14, 116, 3)
    rough = np.isin(kind, (ORANGE, LEMON_M)) * 0.10 + (kind == WALL) * 0.06
    n = n + (rough * bump)[:, None] * np.float32((0.8, 0.6, -0.3))
    n /= length(n)[:, None]
    colour, gloss = _albedo(p, n, kind)
    seen = sunlight(_solid, p + n * 0.01, LAMP, 5.0, 4.5)
    facing = np.clip(n @ LAMP, 0, 1)
    wrap = np.clip((n @ LAMP + 0.25) / 1.25, 0, 1) ** 2
    soft = np.where(
        np.isin(kind, (GRAPE, ORANGE, PEAR, LEMON_M)), 0.5 * facing + 0.5 * wrap, facing
    )
    open_ = openness(_solid, p, n, 0.45)
    # A window: the wall is brighter where its light falls.
    pool = np.exp(-(((p[:, 0] + 0.2 - 0.35 * (p[:, 1] - 1.4)) / 1.5) ** 2)) * (kind == WALL)
    sky = (0.5 + 0.5 * n[:, 1])[:, None] * linear("#9fb6d8") * 0.42
    sky = sky + np.clip(0.5 - 0.5 * n[:, 1], 0, 1)[:, None] * linear("#e8c898") * 0.22
    key = (soft * seen)[:, None] * linear("#ffe2b4") * 2.5
    key = np.where((kind == WALL)[:, None], key * (0.25 + 0.75 * pool)[:, None], key)
    picture = colour * (key + sky * open_[:, None])
    half = LAMP - rays
    half /= length(half)[:, None]
    spec = np.clip(np.einsum("ij,ij->i", n, half), 0, 1)
    fresnel = 0.05 + 0.95 * np.clip(1 + np.einsum("ij,ij->i", rays, n), 0, 1) ** 5
    shine = gloss * seen * (spec**90 * 1.6 + spec**18 * 0.16)
    rim = gloss * fresnel * open_ * 0.55
    return picture + shine[:, None] * linear("#fff2dc") + rim[:, None] * linear("#b8cbe4")


def paint() -> Array:
    x, y = grid(WIDTH * FINE, HEIGHT * FINE)
    rays = VIEW.rays(x, y)
    eye = np.float32(VIEW.eye)
    chunk = 24000
    shaded = [_shade(eye, rays[i : i + chunk]) for i in range(0, len(rays), chunk)]
    scene = np.concatenate(shaded).reshape(*x.shape, 3).astype(np.float32)
    return develop(scene, FINE, exposure=0.88, saturation=1.1, vignette=0.4, seed=117)
