"""Watercolour: irises and poppies, wash over wash, with bleeding edges on rough paper."""

from __future__ import annotations

import numpy as np

from .canvas import blur, grid, mix, polygon, shrink, smoothstep, srgb
from .noise import Array, fbm

WIDTH, HEIGHT, FINE = 640, 512, 2


def _blob(points: Array, rounds: int, rng: np.random.Generator, spread: float) -> Array:
    """Roughen an outline by moving the middle of every side, again and again."""
    for _ in range(rounds):
        following = np.roll(points, -1, axis=0)
        side = following - points
        length = np.hypot(side[:, 0], side[:, 1])[:, None]
        middle = (points + following) / 2 + rng.normal(0, spread, points.shape) * length
        points = np.stack([points, middle], 1).reshape(-1, 2)
    return points


def _petal(cx: float, cy: float, turn: float, long: float, wide: float, n: int = 14) -> Array:
    """Outline of a petal that starts at (cx, cy) and points to ``turn``."""
    t = np.linspace(0, 2 * np.pi, n, endpoint=False)
    along = (0.5 - 0.5 * np.cos(t)) * long
    across = np.sin(t) * wide * (0.45 + 0.55 * (0.5 - 0.5 * np.cos(t))) * 0.8
    c, s = np.cos(turn), np.sin(turn)
    return np.stack([cx + along * c - across * s, cy + along * s + across * c], 1)


class Paper:
    """Rough paper and the pigment on it, kept as optical density of each light."""

    def __init__(self, width: int, height: int, seed: int) -> None:
        self.rng = np.random.default_rng(seed)
        self.x, self.y = grid(width, height)
        self.size = height
        x, y = self.x, self.y
        self.tooth = fbm(x * 75, y * 75, seed, 4) + 0.5 * fbm(x * 180, y * 180, seed + 1, 2)
        self.flow = fbm(x * 7, y * 7, seed + 2, 5)
        self.fine = fbm(x * 24, y * 24, seed + 3, 4)
        self.density = np.zeros((height, width, 3), np.float32)

    def wash(
        self, outline: Array, code: str, strength: float = 1.0, bleed: float = 0.004,
        second: str | None = None, turn: float = 0.0, reserve: float = 0.86,
    ) -> None:  # fmt: skip
        """One wash inside an outline: darker at its rim, blotted where water ran back, its
        pigment settled in the hollows of the paper; ``second`` runs in from one side. The
        painter has left out (``reserve``) that share of what lies underneath."""
        h = self.size
        rough = _blob(outline, 3, self.rng, 0.10)
        window, cover = polygon(self.density.shape[:2], [tuple(p) for p in rough])
        if cover.size == 0:
            return
        pad = int(h * 0.022)
        rows, columns = window
        y0, x0 = max(rows.start - pad, 0), max(columns.start - pad, 0)
        y1, x1 = min(rows.stop + pad, h), min(columns.stop + pad, self.density.shape[1])
        full = np.zeros((y1 - y0, x1 - x0), np.float32)
        full[rows.start - y0 : rows.stop - y0, columns.start - x0 : columns.stop - x0] = cover
        window = (slice(y0, y1), slice(x0, x1))
        flow, fine, tooth = self.flow[window], self.fine[window], self.tooth[window]
        wet = blur(full, h * bleed) + 0.10 * fine + 0.07 * flow
        body = smoothstep(0.42, 0.58, wet)
        inner = blur(full, h * 0.011)
        rim = (
            np.exp(-(((wet - 0.52) / 0.10) ** 2)) * 0.45
            + np.exp(-(((inner - 0.58) / 0.22) ** 2)) * 0.35
        )
        pool = 0.62 + 0.75 * smoothstep(-0.5, 0.6, flow + 0.4 * fine) + rim
        bloom = smoothstep(0.30, 0.36, np.abs(self.flow[window] - 0.06) * 3.0)
        grain = 1 + 0.38 * tooth
        amount = body * pool * grain * (0.75 + 0.25 * bloom) * strength
        paint = srgb(code)
        if second is not None:
            u = self.x[window] * np.cos(turn) + self.y[window] * np.sin(turn)
            low, high = np.percentile(u[body > 0.5], [5, 95]) if (body > 0.5).any() else (0, 1)
            t = np.clip((u - low) / max(high - low, 1e-6) + 0.35 * flow, 0, 1)
            paint = mix(srgb(code), srgb(second), t[..., None])
        absorbs = -np.log(np.clip(paint, 0.03, 0.97))
        self.density[window] *= 1 - reserve * body[..., None]
        self.density[window] += absorbs * np.clip(amount, 0, None)[..., None]

    def picture(self) -> Array:
        sheet = srgb("#f7f0e2") * (1 + 0.022 * self.tooth)[..., None]
        gy, gx = np.gradient(blur(self.tooth, 1.0))
        light = 1 - (gx + gy)[..., None] * 0.28
        return np.clip(sheet * np.exp(-self.density) * light, 0, 1)


def _ground(paper: Paper) -> None:
    """Wet washes over the whole sheet, running into one another."""
    rng = paper.rng
    codes = ("#5fb4f0", "#9fd86a", "#ffd05a", "#d89af0", "#ff9a8a", "#4fd0c0", "#7a9cf8")
    for k in range(80):
        cx, cy = rng.uniform(-0.05, 1.3), rng.uniform(-0.05, 1.05)
        r = rng.uniform(0.10, 0.24)
        t = np.linspace(0, 2 * np.pi, 10, endpoint=False)
        outline = np.stack([cx + r * np.cos(t) * 1.2, cy + r * np.sin(t)], 1)
        tint = codes[(k * 3 + int(cy * 4)) % len(codes)]
        paper.wash(
            outline, tint, rng.uniform(0.7, 1.1), bleed=0.012, second=codes[k % 7], reserve=0.8
        )


def _leaves(paper: Paper, count: int) -> None:
    rng = paper.rng
    for _ in range(count):
        x, y = rng.uniform(-0.05, 1.3), rng.uniform(0.35, 1.15)
        turn = -np.pi / 2 + rng.normal(0, 0.55)
        green = ("#3f8f5a", "#6aa83c", "#2a6f6a", "#a8b83a")[int(rng.integers(4))]
        outline = _petal(x, y, turn, rng.uniform(0.22, 0.5), rng.uniform(0.02, 0.045))
        paper.wash(
            outline, green, rng.uniform(0.5, 0.95), second="#2a4f8a", turn=turn + np.pi, reserve=0.7
        )


def _poppy(paper: Paper, x: float, y: float, s: float) -> None:
    rng = paper.rng
    start = rng.uniform(0, 6.28)
    for k in range(5):
        turn = start + k * 2 * np.pi / 5 + rng.normal(0, 0.15)
        code, second = (("#f0503a", "#e01f4a"), ("#f8803a", "#e8303a"), ("#f46a6a", "#c81f5a"))[
            k % 3
        ]
        outline = _petal(x, y, turn, s * rng.uniform(0.9, 1.15), s * rng.uniform(0.42, 0.56))
        paper.wash(outline, code, rng.uniform(0.65, 0.95), second=second, turn=turn)
    for k in range(4):
        turn = start + 0.6 + k * 1.6
        paper.wash(_petal(x, y, turn, s * 0.42, s * 0.13), "#5a1f4a", 0.6, 0.003)
    t = np.linspace(0, 2 * np.pi, 9, endpoint=False)
    heart = np.stack([x + 0.14 * s * np.cos(t), y + 0.14 * s * np.sin(t)], 1)
    paper.wash(heart, "#2a2440", 1.1, 0.002, second="#4a7a3a")
    for _ in range(16):
        turn = rng.uniform(0, 6.28)
        r = s * rng.uniform(0.18, 0.30)
        dot = np.stack(
            [
                x + r * np.cos(turn) + 0.018 * s * np.cos(t),
                y + r * np.sin(turn) + 0.018 * s * np.sin(t),
            ],
            1,
        )
        paper.wash(dot, "#1f1a34", 1.2, 0.0008)


def _iris(paper: Paper, x: float, y: float, s: float) -> None:
    rng = paper.rng
    stem = np.array([(x - 0.012, y), (x + 0.012, y), (x + 0.03, y + 0.6), (x + 0.004, y + 0.6)])
    paper.wash(stem, "#4f9a4a", 0.9, 0.002, second="#2a6f5a", turn=1.57)
    for turn, long, wide in ((-1.57, 1.15, 0.42), (-2.15, 1.0, 0.36), (-0.98, 1.0, 0.36)):
        code, second = ("#a88af0", "#6a4ad0") if turn == -1.57 else ("#8a9af8", "#4a4ad0")
        paper.wash(_petal(x, y, turn, s * long, s * wide), code, 0.8, second=second, turn=turn)
    for turn, long, wide in ((0.35, 1.05, 0.40), (2.8, 1.05, 0.40), (1.57, 1.15, 0.44)):
        turn += rng.normal(0, 0.1)
        paper.wash(
            _petal(x, y, turn, s * long, s * wide), "#7a5ae8", 0.85, second="#3a2aa8", turn=turn
        )
        paper.wash(_petal(x, y, turn, s * 0.5, s * 0.12), "#f8c83a", 0.9, 0.003)


def paint() -> Array:
    paper = Paper(WIDTH * FINE, HEIGHT * FINE, 171)
    _ground(paper)
    _leaves(paper, 42)
    flowers = [
        ("iris", 0.20, 0.34, 0.15), ("poppy", 0.50, 0.25, 0.16), ("iris", 0.83, 0.24, 0.155),
        ("poppy", 1.10, 0.38, 0.17), ("poppy", 0.28, 0.70, 0.18), ("iris", 0.62, 0.62, 0.165),
        ("poppy", 0.92, 0.76, 0.17), ("iris", 1.20, 0.78, 0.15), ("poppy", 0.05, 0.10, 0.12),
        ("iris", 0.03, 0.80, 0.13), ("poppy", 1.18, 0.06, 0.12), ("poppy", 0.60, 0.95, 0.12),
    ]  # fmt: skip
    for kind, x, y, s in flowers:
        (_iris if kind == "iris" else _poppy)(paper, x, y, s)
    rng = paper.rng
    t = np.linspace(0, 2 * np.pi, 8, endpoint=False)
    for _ in range(150):
        x, y, r = rng.uniform(0, 1.25), rng.uniform(0, 1), rng.uniform(0.002, 0.008) * rng.random()
        drop = np.stack([x + r * np.cos(t), y + r * np.sin(t)], 1)
        paper.wash(
            drop, ("#e0304a", "#5a4ad0", "#3f8f5a", "#f0a03a")[int(rng.integers(4))], 0.8, 0.001
        )
    return shrink(paper.picture(), FINE)
