"""ICC colour profiles: from what a file says its numbers mean to sRGB, and sRGB's own profile."""

from __future__ import annotations

import io
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageCms

Floats = NDArray[np.float32]

_SPACES = {"RGB": "RGB ", "L": "GRAY", "CMYK": "CMYK", "LAB": "Lab "}
_DATE = slice(24, 36)


@cache
def srgb_profile() -> bytes:
    """An sRGB profile (588 bytes or so), the same bytes every time."""
    profile = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    profile[_DATE] = b"\x07\xd0\x00\x01\x00\x01" + bytes(6)  # made "now" otherwise: 2000-01-01
    return bytes(profile)


def to_srgb(picture: Image.Image, profile: bytes) -> Image.Image:
    """An 8-bit RGB, CMYK or LAB ``picture`` as sRGB (mode RGB).

    A profile that moves no colour by more than one level is sRGB under another name; the pixels
    then stay as they are.

    Raises:
        ValueError: the profile is broken or is not for this kind of picture.
    """
    source = _parsed(profile, picture.mode)
    if picture.mode == "RGB":
        probe = _colour_cube()
        moved = np.asarray(_transformed(probe, source)).astype(int) - np.asarray(probe)
        if np.abs(moved).max() <= 1:
            return picture
    return _transformed(picture, source)


def gray_curve(profile: bytes) -> Floats:
    """The sRGB colours [256, 3] in 0..1 of the 256 evenly spaced values of a gray profile.

    Raises:
        ValueError: the profile is broken or is not for gray pictures.
    """
    ramp = Image.fromarray(np.arange(256, dtype=np.uint8)[None])
    converted = np.asarray(_transformed(ramp, _parsed(profile, "L"))).astype(np.float32)[0]
    if np.abs(converted - np.arange(256, dtype=np.float32)[:, None]).max() <= 1:
        converted = np.repeat(np.arange(256, dtype=np.float32)[:, None], 3, axis=1)
    curve: Floats = converted / np.float32(255)
    return curve


def lab_to_srgb(picture: Image.Image) -> Image.Image:
    """A picture in CIE L*a*b* (D50) that carries no profile, as sRGB."""
    return _transformed(picture, ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")))


def _parsed(profile: bytes, mode: str) -> ImageCms.ImageCmsProfile:
    try:
        parsed = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        space = str(parsed.profile.xcolor_space)
    except Exception as error:  # lcms reports broken profiles in several ways
        raise ValueError("it cannot be read") from error
    if space != _SPACES.get(mode):
        raise ValueError(f"it is made for {space.strip()} pictures")
    return parsed


def _transformed(picture: Image.Image, source: ImageCms.ImageCmsProfile) -> Image.Image:
    try:
        converted: Any = ImageCms.profileToProfile(
            picture,
            source,
            ImageCms.createProfile("sRGB"),
            renderingIntent=ImageCms.Intent.RELATIVE_COLORIMETRIC,
            outputMode="RGB",
            flags=ImageCms.Flags.BLACKPOINTCOMPENSATION,
        )
    except Exception as error:
        raise ValueError("it cannot be applied") from error
    result: Image.Image = converted
    return result


@cache
def _colour_cube() -> Image.Image:
    """All 9 * 9 * 9 combinations of evenly spaced red, green and blue."""
    levels = np.linspace(0, 255, 9).round().astype(np.uint8)
    cube = np.stack(np.meshgrid(levels, levels, levels, indexing="ij"), axis=-1)
    return Image.fromarray(cube.reshape(27, 27, 3))
