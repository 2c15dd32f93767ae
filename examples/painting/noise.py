"""Smooth random fields: gradient noise, its fractal sums, and random cells.

Every function takes coordinate arrays, so a field can be bent, put in perspective or sampled
at the points of a stroke; the same seed always gives the same field.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]


def _tables(seed: int) -> tuple[NDArray[np.int64], Array]:
    rng = np.random.default_rng(seed)
    order = rng.permutation(256)
    angle = rng.uniform(0, 2 * np.pi, 256)
    return (
        np.concatenate([order, order]),
        np.stack([np.cos(angle), np.sin(angle)]).astype(np.float32),
    )


def gradient_noise(x: Array, y: Array, seed: int) -> Array:
    """Perlin's noise (2002 fade curve) of unit frequency, about [-0.7, 0.7], mean 0."""
    order, gradients = _tables(seed)
    x0, y0 = np.floor(x), np.floor(y)
    fx, fy = (x - x0).astype(np.float32), (y - y0).astype(np.float32)
    ix, iy = x0.astype(np.int64) & 255, y0.astype(np.int64) & 255
    u = fx * fx * fx * (fx * (fx * 6 - 15) + 10)
    v = fy * fy * fy * (fy * (fy * 6 - 15) + 10)

    def corner(dx: int, dy: int) -> Array:
        which = order[order[(ix + dx) & 255] + ((iy + dy) & 255)]
        return gradients[0][which] * (fx - dx) + gradients[1][which] * (fy - dy)

    top = corner(0, 0) * (1 - u) + corner(1, 0) * u
    bottom = corner(0, 1) * (1 - u) + corner(1, 1) * u
    return top * (1 - v) + bottom * v


def fbm(x: Array, y: Array, seed: int, octaves: int = 5, gain: float = 0.5) -> Array:
    """Sum of ``octaves`` noises, each twice as fine and ``gain`` as strong; about [-1, 1]."""
    total = np.zeros(np.broadcast(x, y).shape, np.float32)
    strength, norm = 1.0, 0.0
    for octave in range(octaves):
        # Each octave is turned, so that the lattice directions do not show.
        c, s = np.cos(0.6 * octave), np.sin(0.6 * octave)
        f = 2.0**octave
        turned = ((x * c - y * s) * f + 17.3 * octave, (x * s + y * c) * f + 5.1 * octave)
        total += strength * gradient_noise(*turned, seed + octave)
        norm += strength
        strength *= gain
    return total * (1.6 / norm)


def ridged(x: Array, y: Array, seed: int, octaves: int = 6, gain: float = 0.5) -> Array:
    """Ridged multifractal in [0, 1]: sharp crests, as mountains have them."""
    total = np.zeros(np.broadcast(x, y).shape, np.float32)
    strength, norm, previous = 1.0, 0.0, np.float32(1)
    for octave in range(octaves):
        c, s = np.cos(0.7 * octave), np.sin(0.7 * octave)
        f = 2.0**octave
        n = gradient_noise((x * c - y * s) * f, (x * s + y * c) * f + 9.7 * octave, seed + octave)
        crest = (1 - np.abs(n) * 1.5).clip(0, 1) ** 2
        total += strength * crest * previous
        norm += strength
        previous = crest.clip(0.2, 1)
        strength *= gain
    return total / norm


def cells(x: Array, y: Array, seed: int) -> tuple[Array, Array, Array]:
    """Worley's cells of unit size: distance to the nearest point, to the second, and a random
    number in [0, 1) that is constant in each cell."""
    order, _ = _tables(seed)
    jitter = np.random.default_rng(seed + 1).random((2, 256)).astype(np.float32)
    x0, y0 = np.floor(x).astype(np.int64), np.floor(y).astype(np.int64)
    near = np.full(np.broadcast(x, y).shape, 9.0, np.float32)
    second, label = near.copy(), near.copy()
    for dy in (-1, 0, 1):
        for dx in (-1, 0, 1):
            which = order[order[(x0 + dx) & 255] + ((y0 + dy) & 255)]
            d = np.hypot(x0 + dx + jitter[0][which] - x, y0 + dy + jitter[1][which] - y)
            d = d.astype(np.float32)
            closer = d < near
            second = np.where(closer, near, np.minimum(second, d))
            label = np.where(closer, which / np.float32(256), label)
            near = np.where(closer, d, near)
    return near, second, label.astype(np.float32)
