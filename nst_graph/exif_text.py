"""The texts inside a JPEG, WebP or TIFF picture, read without decoding the picture.

These files have no named texts. As ComfyUI does, each is an EXIF tag whose value starts with its
name: ``prompt:{…}`` in Model, ``workflow:{…}`` in Make. TIFF has the same tags itself.
"""

from __future__ import annotations

import io
import struct
from collections.abc import Collection
from typing import BinaryIO

from nst_graph.files import TEXT_LIMIT

_TAGS = (0x010E, 0x010F, 0x0110)  # ImageDescription, Make, Model
_ASCII = 2
_MOST_SECTIONS = 10_000


def texts(file: BinaryIO, wanted: Collection[str]) -> dict[str, str]:
    """The ``wanted`` texts of the picture ``file``, by name.

    Damaged files, and files of any other kind, hold none.
    """
    try:
        block = _exif_block(file)
        found = {} if block is None else _tag_texts(block)
    except (struct.error, OSError, OverflowError, ValueError):
        return {}
    return {name: value for name, value in found.items() if name in wanted}


def _exif_block(file: BinaryIO) -> BinaryIO | None:
    """What starts with a TIFF header: the EXIF data of a JPEG or WebP, or a TIFF file itself."""
    head = file.read(12)
    if head.startswith((b"II*\0", b"MM\0*")):
        return file
    if head.startswith(b"\xff\xd8\xff"):
        return _in_jpeg(file)
    if head.startswith(b"RIFF") and head.endswith(b"WEBP"):
        return _in_webp(file)
    return None


def _in_jpeg(file: BinaryIO) -> BinaryIO | None:
    file.seek(2)
    for _ in range(_MOST_SECTIONS):
        marker, kind, length = struct.unpack(">BBH", file.read(4))
        if marker != 0xFF or kind == 0xDA or length < 2:
            return None
        begin = file.tell()
        if kind == 0xE1:
            body = file.read(length - 2)
            if body.startswith(b"Exif\0\0"):
                return io.BytesIO(body[6:])
        file.seek(begin + length - 2)
    return None


def _in_webp(file: BinaryIO) -> BinaryIO | None:
    for _ in range(_MOST_SECTIONS):
        kind, length = struct.unpack("<4sI", file.read(8))
        if kind == b"EXIF":
            if length > TEXT_LIMIT:
                return None
            body = file.read(length)
            return io.BytesIO(body.removeprefix(b"Exif\0\0"))
        file.seek(length + length % 2, io.SEEK_CUR)
    return None


def _tag_texts(block: BinaryIO) -> dict[str, str]:
    """``name:value`` of the text tags in the first directory."""
    block.seek(0)
    order = "<" if block.read(4) == b"II*\0" else ">"
    (start,) = struct.unpack(f"{order}I", block.read(4))
    block.seek(start)
    (count,) = struct.unpack(f"{order}H", block.read(2))
    directory = block.read(12 * count)
    found: dict[str, str] = {}
    for tag, kind, length, value in struct.iter_unpack(f"{order}HHI4s", directory):
        if tag not in _TAGS or kind != _ASCII or length > TEXT_LIMIT:
            continue
        if length > 4:
            block.seek(struct.unpack(f"{order}I", value)[0])
            value = block.read(length)
        name, colon, text = value.rstrip(b"\0").decode("latin-1").partition(":")
        if colon:
            found.setdefault(name, text)
    return found
