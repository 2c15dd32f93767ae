"""Solid shapes by distance functions: sphere tracing, soft shadows and ambient occlusion.

A distance function takes points (N × 3) and gives the signed distance to the nearest surface,
or a little less. World units are free; y is up.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from .noise import Array

Solid = Callable[[Array], Array]


def sphere(p: Array, centre: Sequence[float], radius: float) -> Array:
    return length(p - np.float32(centre)) - np.float32(radius)


def length(p: Array) -> Array:
    return np.sqrt(np.einsum("...i,...i->...", p, p))


def ellipsoid(p: Array, centre: Sequence[float], radii: Sequence[float]) -> Array:
    q, r = p - np.float32(centre), np.float32(radii)
    k0, k1 = length(q / r), length(q / (r * r))
    return k0 * (k0 - 1) / np.maximum(k1, 1e-6)


def capsule(p: Array, a: Sequence[float], b: Sequence[float], ra: float, rb: float) -> Array:
    """A line from a to b whose thickness goes from ra to rb."""
    a32, axis = np.float32(a), np.float32(b) - np.float32(a)
    t = np.clip((p - a32) @ axis / np.float32(axis @ axis), 0, 1)
    return length(p - a32 - t[:, None] * axis) - (np.float32(ra) + np.float32(rb - ra) * t)


def box(p: Array, centre: Sequence[float], half: Sequence[float], round_: float) -> Array:
    q = np.abs(p - np.float32(centre)) - np.float32(half)
    return length(np.maximum(q, 0)) + np.minimum(q.max(-1), 0) - np.float32(round_)


def blend(a: Array, b: Array, k: float) -> Array:
    """Union with a fillet of size k."""
    h = np.clip(k - np.abs(a - b), 0, None) / np.float32(k)
    return np.minimum(a, b) - h * h * np.float32(k / 4)


def carve(a: Array, b: Array, k: float) -> Array:
    """``a`` without ``b``, the edge rounded by k."""
    return -blend(-a, b, k)


def turned(p: Array, profile: Sequence[tuple[float, float]], thick: float) -> Array:
    """A shell turned on a wheel round the y axis, along the (radius, y) points of a profile."""
    r = np.hypot(p[:, 0], p[:, 2])
    best = np.full(r.shape, 1e9, np.float32)
    for (r0, y0), (r1, y1) in pairwise(profile):
        dr, dy = np.float32(r1 - r0), np.float32(y1 - y0)
        t = np.clip(((r - r0) * dr + (p[:, 1] - y0) * dy) / (dr * dr + dy * dy), 0, 1)
        best = np.minimum(best, np.hypot(r - r0 - t * dr, p[:, 1] - y0 - t * dy))
    return best - np.float32(thick)


@dataclass(frozen=True)
class View:
    """A pinhole camera at ``eye`` that looks at ``target``; ``focal`` in heights of the sheet."""

    eye: tuple[float, float, float]
    target: tuple[float, float, float]
    focal: float

    def rays(self, x: Array, y: Array) -> Array:
        ahead = np.float32(self.target) - np.float32(self.eye)
        ahead /= np.linalg.norm(ahead)
        right = np.cross(ahead, np.float32((0, 1, 0)))
        right /= np.linalg.norm(right)
        up = np.cross(right, ahead)
        aspect = x.shape[1] / x.shape[0]
        d = (
            (x.ravel() - np.float32(aspect / 2))[:, None] * right
            + (np.float32(0.5) - y.ravel())[:, None] * up
            + np.float32(self.focal) * ahead
        )
        return (d / length(d)[:, None]).astype(np.float32)


def trace(solid: Solid, eye: Array, rays: Array, far: float, steps: int = 110) -> Array:
    """Distance along each ray to the surface; infinity where it meets none."""
    t = np.full(len(rays), 0.01, np.float32)
    found = np.zeros(len(rays), bool)
    going = np.arange(len(rays))
    for _ in range(steps):
        d = solid(eye + rays[going] * t[going, None])
        close = d < 0.0006 * t[going]
        found[going[close]] = True
        t[going] += np.where(close, 0, d * np.float32(0.9))
        going = going[~close & (t[going] < far)]
        if going.size == 0:
            break
    return np.where(found, t, np.inf).astype(np.float32)


def normal(solid: Solid, p: Array, step: float = 0.002) -> Array:
    total = np.zeros_like(p)
    for corner in ((1, -1, -1), (-1, -1, 1), (-1, 1, -1), (1, 1, 1)):
        e = np.float32(corner) * np.float32(step)
        total += np.float32(corner) * solid(p + e)[:, None]
    return total / np.maximum(length(total), 1e-9)[:, None]


def sunlight(solid: Solid, p: Array, light: Array, hardness: float, reach: float) -> Array:
    """Share of the lamp in direction ``light`` that is seen from p: soft shadows (Quilez)."""
    t = np.full(len(p), 0.02, np.float32)
    seen = np.ones(len(p), np.float32)
    for _ in range(34):
        d = solid(p + light * t[:, None])
        seen = np.minimum(seen, 0.5 + 0.5 * hardness * d / t)
        t += np.clip(d, 0.012, 0.22)
        if (t > reach).all() or (seen < 0).all():
            break
    seen = np.clip(seen, 0, 1)
    return seen * seen * (3 - 2 * seen)


def openness(solid: Solid, p: Array, n: Array, size: float) -> Array:
    """Ambient occlusion: 1 in the open, towards 0 in corners smaller than ``size``."""
    closed = np.zeros(len(p), np.float32)
    for k in range(1, 6):
        h = np.float32(size * k / 5)
        closed += np.clip(h - solid(p + n * h), 0, None) / h * np.float32(0.5**k)
    return np.clip(1 - 1.1 * closed, 0, 1)
