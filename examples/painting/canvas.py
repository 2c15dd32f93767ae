"""The sheet that everything is painted on: shapes, blending, blurring, light, saving.

A picture is a float32 array of height × width × 3. Scenes keep linear light (1 = white, more
is allowed) until :func:`develop`; paintings keep display values (sRGB, 0 to 1).
Coordinates of shapes are in units of the picture's height, x to the right and y down.
"""

from __future__ import annotations

from collections.abc import Sequence
from io import BytesIO
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from .noise import Array

Point = tuple[float, float]
LARGEST = 340_000


def srgb(code: str) -> Array:
    """Display values of ``#rrggbb``."""
    return np.array([int(code[i : i + 2], 16) / 255 for i in (1, 3, 5)], np.float32)


def linear(code: str) -> Array:
    """Linear light of ``#rrggbb``."""
    return (srgb(code) ** 2.2).astype(np.float32)


def grid(width: int, height: int) -> tuple[Array, Array]:
    """x and y of every pixel's centre, in units of the height."""
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    return (x + 0.5) / height, (y + 0.5) / height


def smoothstep(low: float, high: float, x: Array) -> Array:
    t = np.clip((x - low) / (high - low), 0, 1)
    return (t * t * (3 - 2 * t)).astype(np.float32)


def mix(a: Array, b: Array, t: Array | float) -> Array:
    return (a + (b - a) * t).astype(np.float32)


def ramp(t: Array, stops: Sequence[tuple[float, Array]]) -> Array:
    """A colour for every value of ``t``: smooth between the (position, colour) stops."""
    at = [s for s, _ in stops]
    channels = [np.interp(t, at, [float(c[i]) for _, c in stops]) for i in range(3)]
    return np.stack(channels, -1).astype(np.float32)


def polygon(shape: tuple[int, int], points: Sequence[Point]) -> tuple[tuple[slice, slice], Array]:
    """Coverage of a polygon: the window of the sheet that it touches, and 0…1 inside it."""
    height, width = shape
    p = np.asarray(points, np.float64) * height
    low = np.floor(p.min(0)).astype(int) - 1
    high = np.ceil(p.max(0)).astype(int) + 2
    x0, y0 = np.clip(low, 0, (width, height))
    x1, y1 = np.clip(high, 0, (width, height))
    window = (slice(y0, y1), slice(x0, x1))
    if x1 <= x0 or y1 <= y0:
        return window, np.zeros((max(y1 - y0, 0), max(x1 - x0, 0)), np.float32)
    fine = 3
    sheet = Image.new("L", ((x1 - x0) * fine, (y1 - y0) * fine))
    inside = [tuple((q - (x0, y0)) * fine - 0.5) for q in p]
    ImageDraw.Draw(sheet).polygon(inside, fill=255)
    small = sheet.reduce(fine)
    return window, np.asarray(small, np.float32) / 255


def fill(
    image: Array, points: Sequence[Point], colour: Array, opacity: float | Array = 1.0
) -> None:
    """Paint a polygon; ``colour`` may be one colour or a picture as large as the sheet."""
    window, cover = polygon(image.shape[:2], points)
    paint = colour[window] if colour.ndim == 3 else colour
    strength = opacity[window] if isinstance(opacity, np.ndarray) else opacity
    image[window] += (paint - image[window]) * (cover * strength)[..., None]


def line(image: Array, a: Point, b: Point, width: float, colour: Array, opacity: float = 1) -> None:
    """Paint a straight line of the given width."""
    dx, dy = b[0] - a[0], b[1] - a[1]
    length = max(float(np.hypot(dx, dy)), 1e-9)
    nx, ny = -dy / length * width / 2, dx / length * width / 2
    corners = [(a[0] + nx, a[1] + ny), (b[0] + nx, b[1] + ny), (b[0] - nx, b[1] - ny)]
    fill(image, [*corners, (a[0] - nx, a[1] - ny)], colour, opacity)


def over(image: Array, colour: Array, mask: Array) -> None:
    """Lay a colour (or a picture) over the sheet where ``mask`` is 1."""
    image += (colour - image) * mask[..., None]


def _box(image: Array, radius: int, axis: int) -> Array:
    pad = [(0, 0)] * image.ndim
    pad[axis] = (radius + 1, radius)
    total = np.cumsum(np.pad(image, pad, mode="edge"), axis=axis, dtype=np.float64)
    size = image.shape[axis]
    ahead = np.take(total, range(2 * radius + 1, 2 * radius + 1 + size), axis)
    behind = np.take(total, range(size), axis)
    return ((ahead - behind) / (2 * radius + 1)).astype(np.float32)


def blur(image: Array, sigma: float, sigma_y: float | None = None) -> Array:
    """Close to a Gaussian blur (three box filters); sigma in pixels, edges repeated."""
    for axis, s in ((1, sigma), (0, sigma if sigma_y is None else sigma_y)):
        radius = round((np.sqrt(4 * s * s + 1) - 1) / 2)
        for _ in range(3):
            image = _box(image, radius, axis) if radius > 0 else image
    return image


def sample(image: Array, x: Array, y: Array) -> Array:
    """Bilinear look-up at coordinates in units of the height; the edges are repeated."""
    height, width = image.shape[:2]
    px = np.clip(x * height - 0.5, 0, width - 1.001)
    py = np.clip(y * height - 0.5, 0, height - 1.001)
    ix, iy = px.astype(np.int64), py.astype(np.int64)
    fx, fy = (px - ix).astype(np.float32), (py - iy).astype(np.float32)
    if image.ndim == 3:
        fx, fy = fx[..., None], fy[..., None]
    top = image[iy, ix] * (1 - fx) + image[iy, ix + 1] * fx
    bottom = image[iy + 1, ix] * (1 - fx) + image[iy + 1, ix + 1] * fx
    return top * (1 - fy) + bottom * fy


def shrink(image: Array, factor: int) -> Array:
    """Mean of blocks of ``factor`` × ``factor`` pixels."""
    h, w = image.shape[0] // factor, image.shape[1] // factor
    blocks = image[: h * factor, : w * factor].reshape(h, factor, w, factor, -1)
    return blocks.mean((1, 3)).astype(np.float32)


def luminance(image: Array) -> Array:
    return image @ np.array([0.2126, 0.7152, 0.0722], np.float32)


def saturate(image: Array, amount: float) -> Array:
    return mix(luminance(image)[..., None], image, amount)


def develop(
    image: Array,
    factor: int,
    exposure: float = 1.0,
    saturation: float = 1.1,
    bloom: float = 0.06,
    vignette: float = 0.25,
    grain: float = 0.005,
    seed: int = 1,
) -> Array:
    """Turn linear light into a display picture, as a camera and a print would: bloom round
    lights, filmic shoulder, a slight split tone, darker corners, fine grain."""
    light = image * exposure
    bright = np.clip(light - 0.8, 0, 4)
    spread = image.shape[0] / 160
    glow = blur(bright, spread) * 0.6 + blur(bright, spread * 4) * 0.4
    light = shrink(light + glow * bloom * 10, factor)
    h, w = light.shape[:2]
    x, y = grid(w, h)
    far = np.hypot(x - w / h / 2, y - 0.5)
    light *= (1 - vignette * smoothstep(0.35, 0.95, far))[..., None]
    # Narkowicz's fit of the ACES curve: toe, straight part and shoulder.
    light = np.clip(light * 0.8, 0, None)
    film = light * (2.51 * light + 0.03) / (light * (2.43 * light + 0.59) + 0.14)
    shown = np.clip(film, 0, 1) ** (1 / 2.2)
    shown = saturate(shown.astype(np.float32), saturation)
    tone = luminance(shown)[..., None]
    shown += (1 - tone) * np.array([-0.008, 0.0, 0.014], np.float32)
    shown += tone * np.array([0.012, 0.004, -0.012], np.float32)
    rng = np.random.default_rng(seed)
    shown += blur(rng.normal(0, grain, (h, w, 1)).astype(np.float32), 0.5) * 1.6
    return np.clip(shown, 0, 1)


def save(picture: Array, path: Path) -> None:
    """Write a display picture: PNG of 64 colours (for prints of few inks), or JPEG of quality
    92, with full colour resolution where that stays within ``LARGEST`` bytes."""
    sheet = Image.fromarray((np.clip(picture, 0, 1) * 255 + 0.5).astype(np.uint8))
    if path.suffix == ".png":
        sheet.quantize(64, dither=Image.Dither.NONE).save(path, optimize=True)
        return
    for quality, subsampling in ((92, 0), (92, 2), (88, 2)):
        packed = BytesIO()
        sheet.save(packed, "JPEG", quality=quality, subsampling=subsampling)
        if packed.tell() <= LARGEST:
            break
    path.write_bytes(packed.getvalue())
