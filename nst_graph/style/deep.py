"""Writing 16 bits per channel: PNG and TIFF, which Pillow writes for gray only.

Both formats are a few headers around zlib-compressed samples, so they are written here rather
than with another dependency. PNG: ISO/IEC 15948:2004. TIFF: revision 6.0 with Deflate (Adobe
technote 2) and horizontal differencing.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Samples = NDArray[np.uint16]

_PNG_COLOURS = {1: 0, 2: 4, 3: 2, 4: 6}
_ASCII, _SHORT, _LONG, _UNDEFINED = 2, 3, 4, 7
_STRUCT = {_SHORT: "H", _LONG: "I"}


def png16(
    samples: Samples, text: Mapping[str, str] | None = None, icc: bytes | None = None
) -> bytes:
    """``samples`` uint16 [H, W, C] (C: gray, gray + alpha, RGB, RGB + alpha) as a PNG file.

    ``text`` becomes tEXt chunks; keys and values must be Latin-1.
    """
    height, width, channels = samples.shape
    header = struct.pack(">IIBBBBB", width, height, 16, _PNG_COLOURS[channels], 0, 0, 0)
    chunks = [_chunk(b"IHDR", header)]
    if icc:
        chunks.append(_chunk(b"iCCP", b"ICC Profile\0\0" + zlib.compress(icc)))
    for key, value in (text or {}).items():
        chunks.append(_chunk(b"tEXt", key.encode("latin-1") + b"\0" + value.encode("latin-1")))
    packed = zlib.compress(_filtered(samples), 6)
    for start in range(0, len(packed), 1 << 20):
        chunks.append(_chunk(b"IDAT", packed[start : start + (1 << 20)]))
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks) + _chunk(b"IEND", b"")


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def _filtered(samples: Samples) -> bytes:
    """Every row with its filter type byte; Paeth predicts each byte from three others."""
    height, _, channels = samples.shape
    rows = samples.astype(">u2").reshape(height, -1).view(np.uint8)
    step = 2 * channels
    result = np.empty((height, 1 + rows.shape[1]), np.uint8)
    result[:, 0] = 4
    above = np.zeros(rows.shape[1] + step, np.int16)
    for row, target in zip(rows, result[:, 1:], strict=True):
        current = np.concatenate([np.zeros(step, np.int16), row.astype(np.int16)])
        left, up, corner = current[:-step], above[step:], above[:-step]
        estimate = left + up - corner
        to_left, to_up = np.abs(estimate - left), np.abs(estimate - up)
        to_corner = np.abs(estimate - corner)
        nearest = np.where(
            (to_left <= to_up) & (to_left <= to_corner),
            left,
            np.where(to_up <= to_corner, up, corner),
        )
        target[:] = (current[step:] - nearest).astype(np.uint8)
        above = current
    return result.tobytes()


def tiff16(
    samples: Samples, text: Mapping[int, str] | None = None, icc: bytes | None = None
) -> bytes:
    """``samples`` uint16 [H, W, C] as a little-endian TIFF file; ``text`` maps tags to ASCII."""
    height, width, channels = samples.shape
    rows_per_strip = max(1, (1 << 20) // (width * channels * 2))
    strips = [
        zlib.compress(_differences(samples[top : top + rows_per_strip]), 6)
        for top in range(0, height, rows_per_strip)
    ]
    offsets, position = [], 8
    for strip in strips:
        offsets.append(position)
        position += len(strip) + len(strip) % 2
    tags: dict[int, tuple[int, Any]] = {
        256: (_LONG, [width]),
        257: (_LONG, [height]),
        258: (_SHORT, [16] * channels),
        259: (_SHORT, [8]),  # Deflate
        262: (_SHORT, [1 if channels < 3 else 2]),  # black is zero; RGB
        273: (_LONG, offsets),
        277: (_SHORT, [channels]),
        278: (_LONG, [rows_per_strip]),
        279: (_LONG, [len(strip) for strip in strips]),
        284: (_SHORT, [1]),  # channels interleaved
        317: (_SHORT, [2]),  # horizontal differencing
    }
    if channels in (2, 4):
        tags[338] = (_SHORT, [2])  # unassociated alpha
    for tag, value in (text or {}).items():
        tags[tag] = (_ASCII, value.encode("ascii") + b"\0")
    if icc:
        tags[34675] = (_UNDEFINED, icc)
    body = b"".join(strip + bytes(len(strip) % 2) for strip in strips)
    return struct.pack("<2sHI", b"II", 42, position) + body + _directory(tags, position)


def _differences(samples: Samples) -> bytes:
    """Each sample minus the one to its left, modulo 2^16."""
    result = samples.astype("<u2")
    result[:, 1:] -= samples[:, :-1]
    return result.tobytes()


def _directory(tags: Mapping[int, tuple[int, Sequence[int] | bytes]], position: int) -> bytes:
    """An image file directory at ``position``, followed by the values that do not fit into it."""
    entries, values = [], b""
    position += 2 + 12 * len(tags) + 4
    for tag, (kind, content) in sorted(tags.items()):
        data = (
            content
            if isinstance(content, bytes)
            else struct.pack(f"<{len(content)}{_STRUCT[kind]}", *content)
        )
        field = data.ljust(4, b"\0")
        if len(data) > 4:
            field = struct.pack("<I", position + len(values))
            values += data + bytes(len(data) % 2)
        entries.append(struct.pack("<HHI4s", tag, kind, len(content), field))
    return struct.pack("<H", len(tags)) + b"".join(entries) + bytes(4) + values
