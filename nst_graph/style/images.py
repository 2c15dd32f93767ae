"""Reading picture files: refuse what is dangerous, decode what is left, as exactly as it is stored.

Only the formats named in ``FORMATS`` are ever tried, and a picture's size is read from its header
before any pixel is decoded: a small file can unpack to gigabytes.
"""

from __future__ import annotations

import os
import stat
import struct
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError
from torch import Tensor

from nst_graph.errors import NodeError

FORMATS = ("PNG", "JPEG", "WEBP", "TIFF", "BMP", "GIF")
PIXEL_LIMIT = 64_000_000
"""Pixels of one picture (all frames that are kept) unless ``NST_MAX_MEGAPIXELS`` says more."""
FRAME_LIMIT = 10_000
FILE_LIMIT = 1 << 30

# Pillow warns on standard error about odd metadata, with text out of the file; what matters of
# it ends in an error or a note of ours.
warnings.filterwarnings("ignore", category=UserWarning, module=r"PIL\.")
_pillow_limit = threading.Lock()


def pixel_limit() -> int:
    """The number of pixels above which a picture is refused.

    Raises:
        NodeError: ``NST_MAX_MEGAPIXELS`` is not a positive number.
    """
    given = os.environ.get("NST_MAX_MEGAPIXELS")
    if given is None:
        return PIXEL_LIMIT
    try:
        limit = float(given) * 1_000_000
    except ValueError:
        limit = 0
    if not 0 < limit < 1e12:
        raise NodeError(f"NST_MAX_MEGAPIXELS is {given!r}; give a number of megapixels such as 100")
    return int(limit)


def refuse_huge(width: int, height: int, name: str, frames: int = 1) -> None:
    """Raise NodeError when ``frames`` pictures of this size exceed :func:`pixel_limit`."""
    limit = pixel_limit()
    if width * height * frames > limit:
        what = f"{width}x{height}" + (f" in {frames} frames" if frames > 1 else "")
        raise NodeError(
            f"{name} has {what} = {width * height * frames / 1e6:.1f} megapixels, more than the "
            f"limit of {limit / 1e6:g}; shrink it, or set NST_MAX_MEGAPIXELS to allow more"
        )


@contextmanager
def decoding(name: str) -> Iterator[None]:
    """Turn whatever Pillow raises over a damaged or hostile file into one clear NodeError.

    Pillow's decoders raise nearly every built-in exception on damaged files, hence the breadth;
    only calls into Pillow belong inside.
    """
    try:
        yield
    except NodeError:
        raise
    except UnidentifiedImageError:
        raise NodeError(
            f"{name} is not a picture that can be read (PNG, JPEG, WebP, TIFF, BMP or GIF)"
        ) from None
    except MemoryError:
        raise NodeError(f"{name}: not enough memory to decode it") from None
    except Exception as error:
        reason = " ".join(str(error).split())[:120] or type(error).__name__
        raise NodeError(f"{name} is damaged and cannot be read: {reason}") from error


@contextmanager
def open_picture(path: Path, name: str | None = None) -> Iterator[Image.Image]:
    """The picture file at ``path``, header read, pixels not decoded yet; errors call it ``name``.

    Raises:
        NodeError: not a regular file, unreadable, empty, not a picture, or too many pixels.
    """
    name = name or path.name
    with _regular_file(path, name) as file:
        head = file.read(32)
        size = _declared_size(head)
        if size is not None:
            refuse_huge(*size, name)
        # The size is checked here, by our own limit: Pillow's is a global that others may change.
        with _pillow_limit:
            before, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, None
            try:
                with decoding(name):
                    image = Image.open(file, formats=FORMATS)
            finally:
                Image.MAX_IMAGE_PIXELS = before
        with image:
            refuse_huge(*image.size, name)
            yield image


def frames(image: Image.Image, name: str) -> Iterator[Image.Image]:
    """Every frame of an open picture, decoded and upright; of a multi-picture JPEG the first.

    Raises:
        NodeError: a frame is damaged, or all of them together have too many pixels.
    """
    pixels = 0
    for index in range(FRAME_LIMIT + 1):
        if index:
            with decoding(name):
                try:
                    image.seek(index)
                except EOFError:
                    return
        if index == FRAME_LIMIT:
            raise NodeError(f"{name} has more than {FRAME_LIMIT} frames")
        pixels += image.width * image.height
        if pixels > pixel_limit():
            refuse_huge(image.width, image.height, name, index + 1)
            refuse_huge(pixels, 1, name)
        yield upright(image, name)
        if image.format == "MPO":
            return


def frame(image: Image.Image, index: int, name: str) -> Image.Image:
    """Frame ``index`` (from 0) of an open picture, decoded and upright.

    Raises:
        NodeError: it is damaged, or there is no such frame.
    """
    if index:
        with decoding(name):
            count = int(getattr(image, "n_frames", 1))
            if index >= count:
                raise NodeError(
                    f"{name} has no frame {index}; its frames are 0 to {count - 1}"
                    if count > 1
                    else f"{name} has no frame {index}; it is a still picture (frame 0)"
                )
            image.seek(index)
        refuse_huge(*image.size, name)
    return upright(image, name)


def upright(image: Image.Image, name: str) -> Image.Image:
    """A decoded copy, turned as its EXIF orientation says; meaningless orientations are ignored."""
    with decoding(name):
        image.load()
    try:
        turned: Image.Image | None = ImageOps.exif_transpose(image)
    except Exception:  # unreadable EXIF says nothing about the orientation
        turned = None
    return image.copy() if turned is None else turned


def comfy_batch(path: Path, name: str) -> tuple[Tensor, Tensor]:
    """The picture as ComfyUI's LoadImage gives it.

    Returns IMAGE float32 [N, H, W, 3] = RGB / 255 of all frames as large as the first, and MASK
    float32 [N, H, W] = 1 - alpha, or zeros [1, 64, 64] when nothing is transparent.

    Raises:
        NodeError: see :func:`open_picture` and :func:`frames`.
    """
    images: list[Tensor] = []
    masks: list[Tensor | None] = []
    with open_picture(path, name) as file:
        for picture in frames(file, name):
            with decoding(name):
                scaled = _eight_bits(picture)
                rgb = scaled.convert("RGB")
                if images and rgb.size != (images[0].shape[1], images[0].shape[0]):
                    continue
                images.append(_unit(rgb))
                masks.append(_transparency(scaled))
    batch = images[0][None] if len(images) == 1 else torch.stack(images)
    if all(mask is None for mask in masks):
        return batch, torch.zeros(len(images), 64, 64)
    opaque = torch.zeros(images[0].shape[:2])
    return batch, torch.stack([opaque if mask is None else mask for mask in masks])


def comfy_channel(path: Path, name: str, channel: str) -> Tensor:
    """One channel of the first frame as ComfyUI's LoadImageMask gives it: float32 [1, H, W].

    ``alpha`` is inverted (1 = transparent; zeros without alpha); ``red``, ``green`` and ``blue``
    are as they are.
    """
    band = channel[0].upper()
    with open_picture(path, name) as file:
        picture = upright(file, name)
        with decoding(name):
            if picture.getbands() != ("R", "G", "B", "A"):
                picture = _eight_bits(picture).convert("RGBA")
            values = _unit(picture.getchannel(band))
    return (1.0 - values if band == "A" else values)[None]


def _eight_bits(picture: Image.Image) -> Image.Image:
    """32-bit integer pictures divided by 255, as ComfyUI does; others as they are."""
    if picture.mode != "I":
        return picture
    scaled: Image.Image = picture.point(lambda value: value * (1 / 255))
    return scaled


def _transparency(picture: Image.Image) -> Tensor | None:
    if "A" in picture.getbands():
        return 1.0 - _unit(picture.getchannel("A"))
    if picture.mode == "P" and "transparency" in picture.info:
        return 1.0 - _unit(picture.convert("RGBA").getchannel("A"))
    return None


def _unit(picture: Image.Image) -> Tensor:
    """8-bit samples as float32 in 0..1, divided in float32 as ComfyUI does."""
    samples: NDArray[np.float32] = np.asarray(picture).astype(np.float32)
    samples /= np.float32(255)
    return torch.from_numpy(samples)


@contextmanager
def _regular_file(path: Path, name: str) -> Iterator[IO[bytes]]:
    """``path`` open for reading, checked again on the descriptor; a FIFO is not waited for."""
    flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
    try:
        descriptor = os.open(path, flags)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise NodeError(f"cannot read {name}: {reason}") from error
    with os.fdopen(descriptor, "rb") as file:
        facts = os.fstat(descriptor)
        if not stat.S_ISREG(facts.st_mode):
            raise NodeError(f"{name} is not a regular file")
        if facts.st_size == 0:
            raise NodeError(f"{name} is empty (0 bytes)")
        if facts.st_size > FILE_LIMIT:
            raise NodeError(f"{name} is larger than {FILE_LIMIT >> 20} MB; save it compressed")
        yield file


def _declared_size(head: bytes) -> tuple[int, int] | None:
    """Width and height out of a file's first 32 bytes, for formats that have them there.

    Opening a WebP already reserves memory for the whole canvas, so Pillow must not see it first.
    """
    size: tuple[Any, ...] | None = None
    if len(head) < 32:
        return None
    if head.startswith(b"\x89PNG\r\n\x1a\n"):
        size = struct.unpack(">II", head[16:24])
    elif head.startswith((b"GIF87a", b"GIF89a")):
        size = struct.unpack("<HH", head[6:10])
    elif head.startswith(b"RIFF") and head[8:15] == b"WEBPVP8":
        if head[15:16] == b"X":
            size = tuple(int.from_bytes(head[i : i + 3], "little") + 1 for i in (24, 27))
        elif head[15:16] == b"L":
            bits = int.from_bytes(head[21:25], "little")
            size = (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
        else:
            size = tuple(side & 0x3FFF for side in struct.unpack("<HH", head[26:30]))
    return None if size is None else (int(size[0]), int(size[1]))
