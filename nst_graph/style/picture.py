"""Reading one picture as precisely as its file holds it: 8 or 16 bits, any colour model, alpha."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from nst_graph.style.images import decoding, frame, open_picture
from nst_graph.style.profiles import gray_curve, lab_to_srgb, to_srgb

Floats = NDArray[np.float32]


def _other_order(mode: str) -> str:
    """The byte order that is not this machine's."""
    return f"{mode};16{'B' if sys.byteorder == 'little' else 'L'}"


# What Pillow calls the two halves of a 16-bit sample. It decodes 16-bit colour to the upper
# half only; decoding again with the byte order turned round gives the lower half.
_LOWER_HALF = {
    "RGB;16B": "RGB;16L",
    "RGB;16L": "RGB;16B",
    "RGB;16N": _other_order("RGB"),
    "RGBA;16B": "RGBA;16L",
    "RGBA;16L": "RGBA;16B",
    "RGBA;16N": _other_order("RGBA"),
}


@dataclass(frozen=True)
class Picture:
    """``rgb`` float32 [H, W, 3] and ``alpha`` float32 [H, W] (1 = opaque; None: no alpha), 0..1.

    ``notes`` says what was found and ignored, in words for the user.
    """

    rgb: Tensor
    alpha: Tensor | None
    notes: tuple[str, ...] = ()


def read_picture(path: Path, name: str, index: int = 0, *, srgb: bool = True) -> Picture:
    """Frame ``index`` of the picture file, upright, in sRGB unless ``srgb`` is off.

    16-bit gray and colour keep their precision. Gray becomes three equal channels, palettes
    their colours, CMYK and L*a*b* sRGB. A broken ICC profile is noted and ignored.

    Raises:
        NodeError: see :func:`nst_graph.style.images.open_picture`, or no such frame.
    """
    with open_picture(path, name) as file:
        has_lower_half = index == 0 and _turn_to_lower_half(file)
    lower = None
    if has_lower_half:
        with open_picture(path, name) as file:
            _turn_to_lower_half(file)
            lower = frame(file, 0, name)
    with open_picture(path, name) as file:
        profile = file.info.get("icc_profile") if srgb else None
        picture = frame(file, index, name)
    notes: list[str] = []
    with decoding(name):
        rgb, alpha = _decoded(picture, lower, profile or None, notes)
    return Picture(
        torch.from_numpy(np.ascontiguousarray(rgb)),
        None if alpha is None else torch.from_numpy(alpha),
        tuple(f"{name}: {note}" for note in notes),
    )


def _decoded(
    picture: Image.Image, lower: Image.Image | None, profile: bytes | None, notes: list[str]
) -> tuple[Floats, Floats | None]:
    """RGB [H, W, 3] and alpha [H, W] of a picture in any of Pillow's modes."""
    if picture.mode == "F" or picture.mode.startswith("I"):
        gray, alpha = _deep_gray(picture, notes)
        return _gray_to_rgb(gray, profile, notes), alpha
    alpha = None
    if picture.has_transparency_data:
        gray_mode = picture.mode in ("1", "L", "LA", "La")
        picture = picture.convert("RGBA")
        alpha = _samples(picture, lower)[..., 3].copy()
        picture = picture.convert("L" if gray_mode else "RGB")
        lower = lower.convert("RGB") if lower is not None else None
    if picture.mode in ("1", "L"):
        return _gray_to_rgb(_samples(picture.convert("L")), profile, notes), alpha
    if picture.mode not in ("RGB", "CMYK", "LAB"):
        picture = picture.convert("RGB")
    converted = _managed(picture, profile, notes)
    if converted is not picture:
        if lower is not None:
            notes.append("its colours were converted to sRGB with 8 bits per channel")
        return _samples(converted), alpha
    return _samples(picture, lower)[..., :3], alpha


def _managed(picture: Image.Image, profile: bytes | None, notes: list[str]) -> Image.Image:
    """An RGB, CMYK or LAB picture in sRGB; the very same picture if nothing had to change."""
    if profile is not None:
        try:
            return to_srgb(picture, profile)
        except ValueError as error:
            notes.append(f"its colour profile was ignored ({error})")
    if picture.mode == "LAB":
        return lab_to_srgb(picture)
    return picture if picture.mode == "RGB" else picture.convert("RGB")


def _gray_to_rgb(gray: Floats, profile: bytes | None, notes: list[str]) -> Floats:
    if profile is not None:
        try:
            curve = gray_curve(profile)
        except ValueError as error:
            notes.append(f"its colour profile was ignored ({error})")
        else:
            levels = np.linspace(0, 1, 256, dtype=np.float32)
            channels = [np.interp(gray, levels, curve[:, c]) for c in range(3)]
            return np.stack(channels, axis=-1).astype(np.float32)
    return np.repeat(gray[..., None], 3, axis=-1)


def _deep_gray(picture: Image.Image, notes: list[str]) -> tuple[Floats, Floats | None]:
    """16-bit, 32-bit and float gray [H, W] in 0..1, and alpha where one value is transparent."""
    raw = np.asarray(picture)
    key = picture.info.get("transparency")
    alpha = (raw != key).astype(np.float32) if isinstance(key, int) else None
    white = 1.0 if picture.mode == "F" else 65535.0
    values = np.nan_to_num(raw.astype(np.float32), nan=0.0, posinf=white, neginf=0.0)
    if values.max() > white:
        white = float(values.max())
        notes.append(f"its brightest value, {white:g}, was taken for white")
    return np.clip(values / np.float32(white), 0, 1), alpha


def _samples(picture: Image.Image, lower: Image.Image | None = None) -> Floats:
    """Samples in 0..1; ``lower`` holds the lower 8 bits of 16."""
    values: Floats = np.asarray(picture).astype(np.float32)
    if lower is None or lower.mode != picture.mode:
        values /= np.float32(255)
        return values
    values *= np.float32(256)
    values += np.asarray(lower)
    values /= np.float32(65535)
    return values


def _turn_to_lower_half(file: Image.Image) -> bool:
    """Make an open 16-bit colour picture decode to its lower bytes; False if it is not one."""
    tiles: list[Any] = getattr(file, "tile", [])
    turned = []
    for tile in tiles:
        args = tile.args if isinstance(tile.args, tuple) else (tile.args,)
        other = _LOWER_HALF.get(str(args[0])) if args else None
        if other is None:
            return False
        turned.append(tile._replace(args=(other, *args[1:]) if len(args) > 1 else other))
    file.tile = turned  # type: ignore[attr-defined]
    return bool(turned)
