"""A lane of an old town in the late afternoon, seen down its middle: sun on one side, shade on
the other, flags across, a domed church at the end."""

from __future__ import annotations

import numpy as np

from .canvas import blur, develop, fill, grid, line, linear, mix, over, ramp, smoothstep
from .noise import Array, cells, fbm

WIDTH, HEIGHT, FINE = 640, 480, 2
EYE, FOCAL, HORIZON, MIDDLE = 1.75, 0.92, 0.60, 0.64
HALF = 3.4  # half the width of the lane, metres
SUN = np.array([-0.62, 0.72, 0.45], np.float32)  # towards the sun: left and ahead
SUNLIGHT, SKYLIGHT = linear("#ffd9a0") * 2.7, linear("#9db8de") * 0.62
WALLS = ("#e9c98e", "#d98a5f", "#f0dfc0", "#c9705a", "#e6b0a0", "#d9b45e", "#b9c4b0", "#efe6d6")
SHUTTERS = ("#2f5f6a", "#3f6a4a", "#7a3030", "#44507a", "#8a6a3a")
AWNINGS = ("#c8342a", "#2f6a5a", "#e0a030", "#3a5a9a")


def _spot(x: float, y: float, z: float) -> tuple[float, float]:
    """Where a point of the world (metres; x right, y up, z ahead) is on the sheet."""
    return MIDDLE + FOCAL * x / z, HORIZON - FOCAL * (y - EYE) / z


class Row:
    """One side of the lane: houses one behind the other, with their fronts in one plane."""

    def __init__(self, seed: int) -> None:
        rng = np.random.default_rng(seed)
        n = 14
        self.start = np.concatenate([[1.2], 1.2 + np.cumsum(rng.uniform(4.2, 7.0, n - 1))])
        self.tall = rng.uniform(8.2, 12.5, n).astype(np.float32)
        self.bay = rng.uniform(1.5, 1.9, n).astype(np.float32)
        self.storey = rng.uniform(2.75, 3.2, n).astype(np.float32)
        self.wall = np.stack([linear(WALLS[k]) for k in rng.permutation(n * 2)[:n] % len(WALLS)])
        self.shutter = np.stack([linear(SHUTTERS[int(k)]) for k in rng.integers(0, 5, n)])
        self.awning = np.stack([linear(AWNINGS[int(k)]) for k in rng.integers(0, 4, n)])
        self.lit = rng.random((n, 8, 8))

    def house(self, z: Array) -> Array:
        return np.clip(np.searchsorted(self.start, z, side="right") - 1, 0, len(self.start) - 1)


def _sky(x: Array, y: Array) -> Array:
    colour = ramp(y, [(0.0, linear("#3f7fc4")), (0.3, linear("#8ab8dc")), (0.6, linear("#ffe6b8"))])
    shift = fbm(x * 2.5, y * 4, 201, 3)
    thick = fbm(x * 3 + shift, y * 6 + shift, 202, 6)
    light = np.clip(
        0.7 + 2.0 * (thick - fbm(x * 3 + shift + 0.08, y * 6 + shift - 0.1, 202, 6)), 0, 1
    )
    cloud = mix(linear("#b8b4c4"), linear("#fff4e0") * 1.2, light[..., None])
    over(colour, cloud, smoothstep(-0.05, 0.5, thick) * 0.85)
    colour += np.exp(-np.hypot(x - 0.45, y - 0.30) / 0.2)[..., None] * linear("#ffd9a0") * 0.7
    return colour


def _front(row: Row, side: int, dx: Array, dy: Array, opposite: Row) -> tuple[Array, Array, Array]:
    """Picture, distance and cover of one row of fronts."""
    z = np.where(dx * side > 1e-4, HALF / np.maximum(dx * side, 1e-4), 1e4).astype(np.float32)
    y = EYE + dy * z
    k = row.house(z)
    top = row.tall[k]
    solid = (y < top) & (y > 0) & (z < 76) & (z > 0.4)
    along = z - row.start[k].astype(np.float32)
    wide = np.append(np.diff(row.start), 6.0).astype(np.float32)[k]
    bays = np.maximum(np.round(wide / row.bay[k]), 2)
    u = along / wide * bays
    v = y / row.storey[k]
    column, floor = np.floor(u), np.floor(v)
    fu, fv = u - column - 0.5, v - floor
    grain = fbm(z * 5, y * 5, 203 + side, 5)
    stain = fbm(z * 1.1, y * 0.5, 205, 4)
    wall = row.wall[k] * (1 + 0.16 * grain + 0.22 * stain)[..., None]
    wall = wall * (0.62 + 0.38 * smoothstep(0.0, 1.2, y))[..., None]
    upper = (floor >= 1) & (y < top - 0.55)
    in_w = (np.abs(fu) < 0.19) & (fv > 0.24) & (fv < 0.82) & upper
    frame = (np.abs(fu) < 0.24) & (fv > 0.20) & (fv < 0.87) & upper
    leaf = (np.abs(np.abs(fu) - 0.33) < 0.085) & (fv > 0.22) & (fv < 0.84) & upper
    slats = 0.75 + 0.25 * np.sign(np.sin(v * 75))
    sill = (np.abs(fu) < 0.27) & (np.abs(fv - 0.20) < 0.022) & upper
    colour = np.where(frame[..., None], linear("#f2e8d6"), wall)
    colour = np.where(leaf[..., None], row.shutter[k] * slats[..., None], colour)
    colour = np.where(sill[..., None], linear("#d8ccb8"), colour)
    # Panes lie behind the wall: their frame's shadow falls on one side of them.
    glow = row.lit[k, column.astype(int) % 8, floor.astype(int) % 8] < 0.16
    pane = mix(linear("#1c2a3a"), linear("#7f9ab8"), np.clip(fv + 0.6 * stain, 0, 1)[..., None])
    pane = np.where(glow[..., None], linear("#ffc874") * 0.9, pane)
    cross = (np.abs(fu) < 0.014) | (np.abs(fv - 0.62) < 0.012)
    pane = np.where(cross[..., None], linear("#e8dcc8"), pane)
    pane = pane * (0.4 + 0.6 * smoothstep(-0.19, -0.10, fu))[..., None]
    colour = np.where(in_w[..., None], pane, colour)
    cornice = (y > top - 0.42) | ((np.abs(v - 1.02) < 0.045) & (floor <= 1))
    colour = np.where(cornice[..., None], linear("#efe2cc") * (1 + 0.15 * grain)[..., None], colour)
    shop = (floor == 0) & (np.abs(fu) < 0.38) & (fv > 0.06) & (fv < 0.80)
    wares = fbm(z * 1.7, y * 2.6, 204, 2)
    warm = np.clip(0.02 + 0.25 * wares + 0.45 * np.exp(-(((fv - 0.62) / 0.2) ** 2)), 0, 1)
    glass = mix(linear("#141a24"), linear("#ffc070") * 0.9, (warm * 0.8)[..., None])
    goods = (np.sin(z * 9 + row.start[k]) * np.sin(z * 4.1) > 0.1) & (fv < 0.34 + 0.1 * wares)
    glass = np.where(goods[..., None], row.awning[k] * 0.5, glass)
    bars = (np.abs(np.abs(fu) - 0.12) < 0.014) | (np.abs(fv - 0.62) < 0.016) | (fv < 0.13)
    bars |= np.abs(np.abs(fu) - 0.36) < 0.03
    glass = np.where(bars[..., None], row.shutter[k] * 0.9, glass)
    colour = np.where(shop[..., None], glass, colour)
    gap = smoothstep(0.0, 0.10, np.minimum(along, wide - along))
    colour = colour * (0.5 + 0.5 * gap)[..., None]
    if side > 0:
        # The sun comes over the houses opposite; below their shadow's edge there is none.
        reach = 2 * HALF / -SUN[0]
        at = z + SUN[2] * reach
        over_roofs = y + SUN[1] * reach - opposite.tall[opposite.house(at)]
        sun = smoothstep(-0.12, 0.12, over_roofs) * -SUN[0]
        eaves = smoothstep(0.42, 0.75, top - y)
        under = 1 - 0.75 * ((fv > 0.72) & frame) - 0.6 * ((floor == 0) & shop)
        light = (sun * eaves * under)[..., None] * SUNLIGHT * 1.5 + SKYLIGHT
    else:
        bounce = np.exp(-(((y - 4.5) / 4.5) ** 2))
        light = SKYLIGHT * 0.95 + bounce[..., None] * linear("#ffce90") * 0.30
    return colour * light, z, solid


def _ground(dx: Array, dy: Array, left: Row, x: Array, y: Array) -> Array:
    z = EYE / np.maximum(-dy, 1e-3)
    wx = dx * z
    near, second, label = cells(wx * 4.6, z * 4.6, 206)
    joint = smoothstep(0.02, 0.16, second - near)
    stone = mix(linear("#6a6058"), linear("#b5a48e"), label[..., None])
    stone = stone * (1 + 0.25 * fbm(wx * 3, z * 3, 207, 4))[..., None]
    fade = smoothstep(16, 6, z)
    stone = stone * (1 - 0.55 * fade * (1 - joint))[..., None]
    kerb = np.abs(np.abs(wx) - HALF + 0.9) < 0.10
    stone = np.where(kerb[..., None], linear("#c4b8a4"), stone)
    reach = (wx + HALF) / -SUN[0]
    sun = smoothstep(-0.3, 0.3, SUN[1] * reach - left.tall[left.house(z + SUN[2] * reach)])
    sheen = np.clip(0.10 + 0.5 * (label - 0.5), 0, 1) * smoothstep(3, 22, z)
    light = sun[..., None] * SUNLIGHT * 0.62 + SKYLIGHT * 0.8
    near_wall = smoothstep(0.0, 0.8, HALF - np.abs(wx))
    picture = stone * light * (0.5 + 0.5 * near_wall)[..., None]
    return picture + (sheen * 0.8)[..., None] * linear("#ffe0b0") * 0.5


def _church(scene: Array) -> None:
    haze = linear("#f0d2a8")

    def tint(code: str, share: float = 0.42) -> Array:
        return mix(linear(code) * 0.9, haze, share * 0.62)

    z = 84.0

    def at(x: float, y: float) -> tuple[float, float]:
        return _spot(x, y, z)

    def box(x0: float, x1: float, y0: float, y1: float, colour: Array) -> None:
        fill(scene, [at(x0, y0), at(x1, y0), at(x1, y1), at(x0, y1)], colour)

    box(-9, 9, 0, 15, tint("#b08a70"))
    box(3, 9, 0, 15, tint("#e8c090"))
    box(-5.5, 5.5, 15, 19, tint("#a88068"))
    box(1.5, 5.5, 15, 19, tint("#ecc898"))
    t = np.linspace(0, np.pi, 24)
    fill(scene, [at(5.6 * np.cos(a), 19 + 7.0 * np.sin(a)) for a in t], tint("#5f7f7a", 0.35))
    fill(
        scene,
        [at(5.6 * np.cos(a), 19 + 7.0 * np.sin(a)) for a in t[:12]] + [at(1.2, 26), at(2.4, 19)],
        tint("#a8c0a8", 0.35),
    )
    box(-1.0, 1.0, 25.8, 29, tint("#c8a080"))
    fill(scene, [at(-1.3, 29), at(0, 33), at(1.3, 29)], tint("#5f7f7a", 0.35))
    line(scene, at(0, 33), at(0, 36), 0.003, tint("#e8c060", 0.2))
    for cx in (-6.5, -2.2, 2.2, 6.5):
        box(cx - 0.8, cx + 0.8, 5, 11, tint("#5a4a50", 0.35))
    box(-1.6, 1.6, 0, 6, tint("#4a3a40", 0.3))


def _things(scene: Array) -> None:
    """Awnings, lamps, flags on lines, tables and people, from the farthest to the nearest."""
    rng = np.random.default_rng(208)
    todo: list[tuple[float, str, int]] = [
        (float(z), "awning", s) for s in (-1, 1) for z in (4.6, 7.4, 11.5, 16.0, 21, 28)
    ]
    todo += [(float(z), "lamp", s) for s in (-1, 1) for z in (6.2, 13.5, 24.0)]
    todo += [(float(z), "flags", 0) for z in (6.0, 9.5, 14, 20, 29)]
    todo += [
        (float(z), "person", int(k))
        for k, z in enumerate((9.0, 12.5, 14.0, 18, 22, 26, 31, 37, 40))
    ]
    todo += [(float(z), "pot", s) for s in (-1, 1) for z in (5.2, 8.6, 12.4, 18.0)]
    for z, kind, s in sorted(todo, reverse=True):
        lit = s > 0
        shade = SUNLIGHT * 0.55 + SKYLIGHT * 0.7 if lit else SKYLIGHT * 1.25
        if kind == "awning":
            colour = linear(AWNINGS[int(rng.integers(4))])
            for j in range(8):
                a, b = z + 0.28 * j, z + 0.28 * (j + 1)
                tone = colour if j % 2 else linear("#f4ead6")
                wall, edge = HALF * s, (HALF - 1.15) * s
                quad = [
                    _spot(wall, 2.95, a),
                    _spot(wall, 2.95, b),
                    _spot(edge, 2.45, b),
                    _spot(edge, 2.45, a),
                ]
                fill(scene, quad, tone * shade * 1.15)
                hang = [
                    _spot(edge, 2.45, a),
                    _spot(edge, 2.45, b),
                    _spot(edge, 2.22, b),
                    _spot(edge, 2.22, a),
                ]
                fill(scene, hang, tone * shade * 0.75)
        elif kind == "lamp":
            iron = linear("#16161a")
            foot = _spot(HALF * s, 4.0, z)
            head = _spot((HALF - 0.9) * s, 3.75, z)
            line(scene, foot, _spot((HALF - 0.9) * s, 4.15, z), 0.05 / z, iron)
            line(scene, head, _spot((HALF - 0.9) * s, 4.15, z), 0.04 / z, iron)
            w = 0.15 * FOCAL / z
            fill(
                scene,
                [
                    (head[0] - w, head[1]),
                    (head[0] + w, head[1]),
                    (head[0] + 0.7 * w, head[1] + 3.2 * w),
                    (head[0] - 0.7 * w, head[1] + 3.2 * w),
                ],
                linear("#ffd48a") * 1.5,
            )
            fill(
                scene,
                [
                    (head[0] - 1.3 * w, head[1]),
                    (head[0], head[1] - w),
                    (head[0] + 1.3 * w, head[1]),
                ],
                iron,
            )
        elif kind == "flags":
            colours = [
                linear(c)
                for c in ("#d8382e", "#f0b83a", "#2f7f9a", "#f4ecd8", "#5f9a4a", "#e07a3a")
            ]
            n = 13
            for j in range(n):
                u0, u1 = j / n, (j + 1) / n
                p = [(HALF * (2 * u - 1), 6.6 - 1.1 * 4 * u * (1 - u)) for u in (u0, u1)]
                a, b = (_spot(px, py, z) for px, py in p)
                tip = _spot((p[0][0] + p[1][0]) / 2, min(p[0][1], p[1][1]) - 0.52, z + 0.1)
                fill(
                    scene,
                    [a, b, tip],
                    colours[j % 6] * (SKYLIGHT * 1.2 + SUNLIGHT * (0.20 + 0.35 * u0)),
                )
                line(scene, a, b, 0.02 / z, linear("#2a2420"))
        elif kind == "pot":
            cx = (HALF - 0.45) * s
            base = [
                _spot(cx - 0.22, 0, z),
                _spot(cx + 0.22, 0, z),
                _spot(cx + 0.3, 0.5, z),
                _spot(cx - 0.3, 0.5, z),
            ]
            fill(scene, base, linear("#b0603a") * shade)
            ring = np.linspace(0, 2 * np.pi, 8, endpoint=False)
            for _ in range(190):
                px, py = cx + rng.normal(0, 0.24), 0.55 + abs(rng.normal(0, 0.36))
                r = rng.uniform(0.025, 0.06) * FOCAL / z
                q = _spot(px, py, z)
                bloom = (
                    linear(("#e0486a", "#f4c0d0")[s > 0])
                    if rng.random() < 0.22
                    else mix(linear("#24401f"), linear("#7a9a3a"), rng.random())
                )
                fill(
                    scene,
                    [(q[0] + r * np.cos(a), q[1] + 0.7 * r * np.sin(a)) for a in ring],
                    bloom * shade * (0.6 + 0.7 * (py - 0.4)),
                )
        else:
            _person(scene, rng.uniform(-1.9, 1.9), z, rng)


def _person(scene: Array, x: float, z: float, rng: np.random.Generator) -> None:
    light = SUNLIGHT * 0.30 + SKYLIGHT
    coat = linear(
        ("#a83a30", "#2f4a6a", "#d8b070", "#e8e0d0", "#4a6a4a", "#5a3a5a")[int(rng.integers(6))]
    )
    legs = linear(("#2a2a34", "#4a4038", "#38465a")[int(rng.integers(3))])
    tall = rng.uniform(0.93, 1.05)

    def part(points: list[tuple[float, float]], colour: Array) -> None:
        fill(scene, [_spot(x + u * tall, v * tall, z) for u, v in points], colour * light)

    fill(
        scene,
        [
            _spot(x + u, 0.0, z + v)
            for u, v in ((-0.2, -0.1), (0.25, -0.1), (1.0, -1.1), (0.7, -1.2))
        ],
        linear("#1a1c28"),
        0.45,
    )
    step = rng.uniform(0.05, 0.16)
    part([(-0.13, 0.9), (0.02, 0.9), (-0.02 + step, 0.0), (-0.13 + step, 0.0)], legs)
    part([(-0.02, 0.9), (0.14, 0.9), (0.08 - step, 0.0), (-0.03 - step, 0.0)], legs * 0.8)
    part(
        [(-0.21, 1.45), (-0.1, 1.52), (0.1, 1.52), (0.21, 1.45), (0.19, 0.78), (-0.19, 0.78)], coat
    )
    part([(-0.21, 1.45), (-0.1, 1.52), (-0.06, 0.78), (-0.19, 0.78)], coat * 1.6)
    part([(0.16, 1.44), (0.22, 1.42), (0.28, 0.9), (0.22, 0.88)], coat * 0.8)
    t = np.linspace(0, 2 * np.pi, 12)
    part([(0.095 * np.cos(a), 1.65 + 0.13 * np.sin(a)) for a in t], linear("#c89070"))
    part([(0.10 * np.cos(a), 1.69 + 0.12 * np.sin(a)) for a in t[:7]], linear("#2a1c18"))


def paint() -> Array:
    w, h = WIDTH * FINE, HEIGHT * FINE
    x, y = grid(w, h)
    dx, dy = (x - MIDDLE) / FOCAL, (HORIZON - y) / FOCAL
    left, right = Row(209), Row(217)
    scene = _sky(x, y)
    _church(scene)
    air = linear("#f8d8a8")
    ground = _ground(dx, dy, left, x, y)
    z = EYE / np.maximum(-dy, 1e-3)
    ground = mix(ground, air, (1 - np.exp(-z / 90))[..., None])
    over(scene, ground, ((dy < 0) & (z < 90)).astype(np.float32))
    for row, side, other in ((left, -1, right), (right, 1, left)):
        front, far, solid = _front(row, side, dx, dy, other)
        front = mix(front, air, (1 - np.exp(-far / 75))[..., None])
        inside = solid & (np.abs(dx) * EYE / np.maximum(-dy, 1e-4) >= HALF) | solid & (dy >= 0)
        over(scene, front, blur(inside.astype(np.float32), 0.6))
    _things(scene)
    shaft = np.exp(-(((x - 0.50 + 0.55 * (y - 0.35)) / 0.10) ** 2)) * smoothstep(0.75, 0.3, y)
    scene += (shaft * 0.16)[..., None] * linear("#ffd9a0")
    return develop(scene, FINE, exposure=1.0, saturation=1.1, seed=219)
