"""A picture in real pixels, once and on request: kitty's graphics protocol, or sixel.

Never streamed: one frame takes 20 to 50 times the bytes of half blocks.
"""

from __future__ import annotations

import base64
import io
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from PIL.Image import Image

Protocol = Literal["kitty", "sixel"]

_KITTY = ("kitty", "ghostty", "wezterm", "konsole")
_SIXEL = ("foot", "mlterm", "contour", "yaft", "xterm-sixel")
COLOURS = 128
CHUNK = 4096


def protocol(environment: Mapping[str, str]) -> Protocol | None:
    """What the terminal understands, by its name; NST_GRAPHICS says otherwise."""
    wished = environment.get("NST_GRAPHICS", "")
    if wished in ("kitty", "sixel"):
        return "kitty" if wished == "kitty" else "sixel"
    if wished or "TMUX" in environment or "STY" in environment:
        return None
    names = [environment.get(name, "").lower() for name in ("TERM", "TERM_PROGRAM")]
    if "KITTY_WINDOW_ID" in environment or any(k in name for k in _KITTY for name in names):
        return "kitty"
    return "sixel" if any(name.startswith(_SIXEL) for name in names) else None


def encode(path: Path, kind: Protocol, columns: int, rows: int) -> str:
    """The escape sequences that show the picture in ``columns`` × ``rows`` cells.

    Raises:
        OSError: it cannot be read.
    """
    from PIL import Image

    with Image.open(path, formats=("JPEG", "PNG")) as opened:
        picture = opened.convert("RGB")
    if kind == "kitty":
        return "".join(_kitty(picture, columns, rows))
    scale = min(columns * 8 / picture.width, rows * 16 / picture.height)
    size = (max(1, round(picture.width * scale)), max(1, round(picture.height * scale)))
    return "".join(_sixel(picture.resize(size, Image.Resampling.LANCZOS)))


def _kitty(picture: Image, columns: int, rows: int) -> Iterator[str]:
    """PNG data in chunks; the terminal scales it to the cells."""
    target = io.BytesIO()
    picture.save(target, "PNG")
    data = base64.standard_b64encode(target.getvalue()).decode()
    aspect = 2 * picture.height / picture.width
    width = min(columns, round(rows * 4 / aspect)) if aspect else columns
    first = f"a=T,f=100,c={max(1, min(width, columns))},"
    for start in range(0, len(data), CHUNK):
        more = int(start + CHUNK < len(data))
        yield f"\x1b_G{first if not start else ''}m={more};{data[start : start + CHUNK]}\x1b\\"


def _sixel(picture: Image) -> Iterator[str]:
    """Bands of six rows; in each band every colour's dots, run-length coded."""
    from PIL import Image

    indexed = picture.quantize(COLOURS, dither=Image.Dither.FLOYDSTEINBERG)
    palette = indexed.getpalette() or []
    pixels = np.asarray(indexed)
    yield f'\x1bPq"1;1;{pixels.shape[1]};{pixels.shape[0]}'
    for colour in np.unique(pixels).tolist():
        red, green, blue = (round(v * 100 / 255) for v in palette[3 * colour : 3 * colour + 3])
        yield f"#{colour};2;{red};{green};{blue}"
    weights = (1 << np.arange(6)).astype(np.int64)
    for top in range(0, len(pixels), 6):
        band = pixels[top : top + 6]
        for colour in np.unique(band).tolist():
            dots = weights[: len(band)] @ (band == colour)
            yield f"#{colour}{_runs(dots)}$"
        yield "-"
    yield "\x1b\\"


def _runs(dots: NDArray[np.int64]) -> str:
    edges = np.flatnonzero(np.diff(dots, prepend=-1, append=-1))
    lengths = np.diff(edges)
    return "".join(
        f"!{length}{chr(63 + dots[edge])}" if length > 3 else chr(63 + dots[edge]) * int(length)
        for edge, length in zip(edges[:-1].tolist(), lengths.tolist(), strict=True)
    )
