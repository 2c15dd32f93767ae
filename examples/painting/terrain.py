"""Landscape seen in perspective: a height field, scanned column by column from near to far.

World units are free; y is up in the world and down on the sheet. The camera stands at
(0, height, 0) and looks along +z.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from .canvas import sample
from .noise import Array

Heights = Callable[[Array, Array], Array]


@dataclass(frozen=True)
class Camera:
    height: float
    horizon: float  # row of the horizon, in heights of the sheet
    focal: float  # focal length, in heights of the sheet
    near: float
    far: float
    depths: int = 900


def scan(heights: Heights, camera: Camera, x: Array, y: Array, shift: float = 0.0) -> Array:
    """Depth z of the ground seen at every pixel; infinity where there is sky.

    ``x`` and ``y`` are the sheet's pixel coordinates (:func:`canvas.grid`). A camera below the
    ground's zero sees the mirror image that lies in water.
    """
    aspect = x.shape[1] / x.shape[0]
    zs = np.geomspace(camera.near, camera.far, camera.depths).astype(np.float32)
    across = (x[0] - aspect / 2 + shift) / camera.focal
    ground = heights(across[None, :] * zs[:, None], zs[:, None] + 0 * across[None, :])
    ground = np.where((camera.height < 0) & (ground <= 0), -1e6, ground)
    rows = camera.horizon - camera.focal * (ground - camera.height) / zs[:, None]
    crest = -np.minimum.accumulate(rows, axis=0)
    depth = np.full(x.shape, np.inf, np.float32)
    wanted = -y[:, 0]
    for column in range(x.shape[1]):
        c = crest[:, column]
        first = np.searchsorted(c, wanted)
        seen = first < len(zs)
        i = first[seen]
        before = np.maximum(i - 1, 0)
        t = (wanted[seen] - c[before]) / np.maximum(c[i] - c[before], 1e-9)
        depth[seen, column] = zs[before] + (zs[i] - zs[before]) * np.clip(t, 0, 1)
    return depth


def world_x(camera: Camera, x: Array, depth: Array, shift: float = 0.0) -> Array:
    aspect = x.shape[1] / x.shape[0]
    return (x - aspect / 2 + shift) / camera.focal * depth


def normals(heights: Heights, x: Array, z: Array, step: Array) -> tuple[Array, Array]:
    """Unit normals (… × 3) and heights of the ground at (x, z)."""
    here = heights(x, z)
    dx = (heights(x + step, z) - here) / step
    dz = (heights(x, z + step) - here) / step
    normal = np.stack([-dx, np.ones_like(dx), -dz], -1)
    return (normal / np.linalg.norm(normal, axis=-1, keepdims=True)).astype(np.float32), here


def shadow(
    heights: Heights, x: Array, z: Array, here: Array, sun: Array, reach: float, far: float
) -> Array:
    """How much of the sun reaches the ground (0 to 1, soft), looked up on a coarse map."""
    size = 768
    span = far * 1.6
    mz, mx = np.mgrid[0:size, 0:size].astype(np.float32) / size
    plan = heights(mx * span - span / 2, mz * far)
    light = np.ones_like(here)
    flat = float(np.hypot(sun[0], sun[2]))
    for k in range(1, 33):
        d = reach * (k / 32) ** 1.5
        px, pz = x + sun[0] / flat * d, z + sun[2] / flat * d
        u = (px + span / 2) / span
        above = here + sun[1] / flat * d - sample(plan, u, pz / far)
        light = np.minimum(light, np.clip(0.5 + above / (0.06 * d + 0.02 * reach), 0, 1))
    return light
