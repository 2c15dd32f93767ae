"""Picture files as bytes: from float pixels to PNG, JPEG, WebP and TIFF."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from nst_graph.errors import NodeError
from nst_graph.style.deep import png16, tiff16
from nst_graph.style.profiles import srgb_profile

if TYPE_CHECKING:
    from torch import Tensor

SUFFIXES = {"png": ".png", "jpeg": ".jpg", "webp": ".webp", "tiff": ".tif"}
DEEP_FORMATS = ("png", "tiff")
ALPHA_FORMATS = ("png", "webp", "tiff")
SIDE_LIMIT = {"jpeg": 65_535, "webp": 16_383}

# Where ComfyUI keeps graphs in files without text chunks: EXIF Model holds "prompt:{json}", and
# counting down from Make follow "workflow:{json}" and anything else. TIFF has the same tags.
_PROMPT_TAG = 0x0110
_OTHER_TAGS = (0x010F, 0x010E)
_EXIF_LIMIT = 65_000

Pixels = NDArray[np.float32]


@dataclass(frozen=True)
class Saving:
    """How to write a picture. ``text`` holds what to embed: chunk name to ASCII JSON."""

    format: str = "png"
    bits: int = 8
    quality: int = 95
    icc: bool = True
    text: Mapping[str, str] = field(default_factory=dict)


def comfy_png(frame: Tensor, text: Mapping[str, str], compress_level: int = 4) -> bytes:
    """``frame`` [H, W, C] as ComfyUI's SaveImage writes it: 255 x, clipped, cut off to 8 bits."""
    samples = np.clip(np.float32(255) * _finite(frame), 0, 255).astype(np.uint8)
    return _saved(samples, "PNG", pnginfo=png_chunks(text), compress_level=compress_level)


def encoded(
    frame: Tensor, alpha: Tensor | None, saving: Saving, note: Callable[[str], None]
) -> bytes:
    """``frame`` [H, W, 1, 3 or 4] in 0..1 (sRGB) as a picture file, rounded to the nearest level.

    ``alpha`` [H, W] (1 = opaque) replaces a fourth channel. What the format cannot hold is left
    out, and ``note`` is told.

    Raises:
        NodeError: the format has no such depth, or no pictures this large.
    """
    check_depth(saving.format, saving.bits)
    pixels = _finite(frame)
    side = SIDE_LIMIT.get(saving.format)
    if side and max(pixels.shape[:2]) > side:
        raise NodeError(
            f"{saving.format} ends at {side} pixels a side, the picture is "
            f"{pixels.shape[1]}x{pixels.shape[0]}; use png or tiff"
        )
    if alpha is not None:
        pixels = np.concatenate([pixels[..., :3], _finite(alpha)[..., None]], axis=-1)
    if pixels.shape[-1] in (2, 4) and saving.format not in ALPHA_FORMATS:
        note(f"{saving.format} has no transparency; the picture was saved without it")
        pixels = pixels[..., :-1]
    icc = srgb_profile() if saving.icc and pixels.shape[-1] >= 3 else None
    if saving.bits == 16:
        deep = _rounded(pixels, 65535).astype(np.uint16)
        if saving.format == "png":
            return png16(deep, _latin(saving.text), icc)
        return tiff16(deep, _tags(saving.text), icc)
    return _eight_bit_file(_rounded(pixels, 255).astype(np.uint8), saving, icc, note)


def check_depth(format: str, bits: int) -> None:
    """Raise NodeError for a depth that the format does not have."""
    if format not in SUFFIXES:
        raise NodeError(f"unknown format {format!r}; choose one of {', '.join(SUFFIXES)}")
    if bits not in (8, 16):
        raise NodeError(f"bits is {bits!r}; choose 8 or 16")
    if bits == 16 and format not in DEEP_FORMATS:
        raise NodeError(f"{format} has 8 bits per channel; use png or tiff for 16")


def _eight_bit_file(
    samples: NDArray[np.uint8], saving: Saving, icc: bytes | None, note: Callable[[str], None]
) -> bytes:
    profile: dict[str, Any] = {"icc_profile": icc} if icc else {}
    if saving.format == "png":
        return _saved(samples, "PNG", pnginfo=png_chunks(saving.text), compress_level=6, **profile)
    if saving.format == "tiff":
        return _saved(
            samples,
            "TIFF",
            compression="tiff_adobe_deflate",
            tiffinfo=dict(_tags(saving.text)),
            **profile,
        )
    exif = exif_of(saving.text, note)
    if saving.format == "jpeg":
        return _saved(samples, "JPEG", quality=saving.quality, subsampling=0, exif=exif, **profile)
    return _saved(
        samples,
        "WEBP",
        quality=saving.quality,
        lossless=saving.quality == 100,
        exact=True,
        exif=exif,
        **profile,
    )


def _saved(samples: NDArray[np.uint8], format: str, **options: Any) -> bytes:
    """The file that Pillow writes for ``samples`` [H, W, C] with these options."""
    if samples.shape[-1] == 1:
        samples = samples[..., 0]
    buffer = io.BytesIO()
    Image.fromarray(samples).save(buffer, format, **options)
    return buffer.getvalue()


def _finite(values: Tensor) -> Pixels:
    """As float32 on the CPU; what is not a number counts as 0."""
    array: Pixels = values.detach().cpu().float().numpy()
    finite: Pixels = np.nan_to_num(array, nan=0.0, posinf=1.0, neginf=0.0)
    return finite


def _rounded(pixels: Pixels, white: int) -> Pixels:
    rounded: Pixels = np.floor(np.clip(pixels, 0, 1) * np.float32(white) + np.float32(0.5))
    return rounded


def _latin(text: Mapping[str, str]) -> dict[str, str]:
    """What may stand in a PNG tEXt chunk: a keyword of 1 to 79 Latin-1 characters, no NUL."""
    kept = {}
    for key, value in text.items():
        try:
            raw = key.encode("latin-1"), value.encode("latin-1")
        except UnicodeEncodeError:
            continue
        if 0 < len(raw[0]) < 80 and b"\0" not in raw[0] + raw[1]:
            kept[key] = value
    return kept


def png_chunks(text: Mapping[str, str]) -> PngInfo:
    chunks = PngInfo()
    for key, value in _latin(text).items():
        chunks.add_text(key, value)
    return chunks


def _tags(text: Mapping[str, str]) -> dict[int, str]:
    """Embedded JSON by EXIF or TIFF tag: the prompt in Model, the others before it."""
    tags = {_PROMPT_TAG: f"prompt:{text['prompt']}"} if "prompt" in text else {}
    others = [key for key in text if key != "prompt"]
    for tag, key in zip(_OTHER_TAGS, others, strict=False):
        tags[tag] = f"{key}:{text[key]}"
    return tags


def exif_of(text: Mapping[str, str], note: Callable[[str], None]) -> Image.Exif:
    """As much of the embedded JSON as an EXIF segment (64 KB) holds, the prompt first."""
    exif = Image.Exif()
    room = _EXIF_LIMIT
    for tag, value in _tags(text).items():
        if len(value) > room:
            what = value.split(":", 1)[0]
            note(f"the {what} is too large to be embedded in this format; use png to keep it")
            continue
        exif[tag] = value
        room -= len(value) + 16
    return exif
