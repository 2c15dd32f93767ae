"""The texts inside a PNG (tEXt, zTXt and iTXt chunks), read without decoding the picture."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Collection
from typing import BinaryIO

from nst_graph.errors import UserError
from nst_graph.files import TEXT_LIMIT

SIGNATURE = b"\x89PNG\r\n\x1a\n"
MOST_CHUNKS = 1_000_000
_KEYWORD_BYTES = 80


def texts(file: BinaryIO, name: str, wanted: Collection[str]) -> dict[str, str]:
    """The ``wanted`` texts of the PNG ``file``, by keyword; the first of each keyword counts.

    A file that ends too early gives what it has.

    Raises:
        UserError: damaged, or a wanted text is larger than :data:`nst_graph.files.TEXT_LIMIT`.
    """
    if file.read(len(SIGNATURE)) != SIGNATURE:
        raise UserError(f"{name} is not a PNG picture")
    found: dict[str, str] = {}
    for _ in range(MOST_CHUNKS):
        header = file.read(8)
        if len(header) < 8:
            return found
        length, kind = struct.unpack(">I4s", header)
        if length > 0x7FFFFFFF or not (kind.isalpha() and kind.isascii()):
            raise UserError(f"{name} is damaged: no PNG chunk at byte {file.tell() - 8}")
        if kind == b"IEND" or found.keys() == set(wanted):
            return found
        begin = file.tell()
        if kind in (b"tEXt", b"zTXt", b"iTXt"):
            keyword = file.read(min(length, _KEYWORD_BYTES)).partition(b"\0")[0].decode("latin-1")
            if keyword in wanted and keyword not in found:
                if length > TEXT_LIMIT:
                    _too_large(name, keyword)
                file.seek(begin)
                body, checksum = file.read(length), file.read(4)
                if len(body) < length or len(checksum) < 4:
                    return found
                if zlib.crc32(kind + body) != int.from_bytes(checksum, "big"):
                    raise UserError(f"{name} is damaged: the text {keyword!r} in it was altered")
                found[keyword] = _text(kind, body, name, keyword)
        file.seek(begin + length + 4)
    raise UserError(f"{name} has more than {MOST_CHUNKS} chunks")


def _text(kind: bytes, body: bytes, name: str, keyword: str) -> str:
    _, _, rest = body.partition(b"\0")
    compressed = kind == b"zTXt"
    if kind == b"iTXt":
        compressed = rest[:1] == b"\1"
        rest = rest[2:].partition(b"\0")[2].partition(b"\0")[2]
    elif compressed:
        rest = rest[1:]
    if compressed:
        stream = zlib.decompressobj()
        try:
            rest = stream.decompress(rest, TEXT_LIMIT + 1)
        except zlib.error:
            raise UserError(f"{name} is damaged: cannot unpack the text {keyword!r}") from None
        if len(rest) > TEXT_LIMIT:
            _too_large(name, keyword)
    try:
        return rest.decode("utf-8")  # beyond the standard, but some programs write it in tEXt
    except UnicodeDecodeError:
        return rest.decode("latin-1")


def _too_large(name: str, keyword: str) -> None:
    raise UserError(f"{name}: the text {keyword!r} in it is larger than {TEXT_LIMIT >> 20} MB")
