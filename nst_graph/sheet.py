"""Contact sheets: labelled pictures in a grid, to be looked at side by side."""

from __future__ import annotations

import io
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from nst_graph.text import shorten

if TYPE_CHECKING:
    from PIL.Image import Image

GAP = 8
LABEL, WIDEST_LABEL = 22, 240
BACKGROUND = (24, 24, 27)
INK = (228, 228, 231)


def contact_sheet(
    pictures: Sequence[tuple[Image, str]], *, columns: int = 0, side: int = 320
) -> Image:
    """Pictures with a label under each, in ``columns`` columns (0: about as wide as high).

    Every picture is scaled down to fit ``side`` × ``side`` pixels; none is enlarged.
    """
    from PIL import Image, ImageDraw, ImageFont

    columns = columns or math.ceil(math.sqrt(len(pictures)))
    thumbnails = []
    for picture, label in pictures:
        small = picture.convert("RGB")
        small.thumbnail((side, side), Image.Resampling.LANCZOS)
        thumbnails.append((small, label))
    font = ImageFont.load_default(13)
    texts = [
        min(math.ceil(font.getlength(shorten(text, 200))), WIDEST_LABEL) for _, text in pictures
    ]
    width = max([small.width for small, _ in thumbnails] + texts, default=side)
    height = max((small.height for small, _ in thumbnails), default=side)
    rows = max(1, math.ceil(len(thumbnails) / columns))
    size = (
        GAP + columns * (width + GAP),
        GAP + rows * (height + LABEL + GAP),
    )
    sheet = Image.new("RGB", size, BACKGROUND)
    draw = ImageDraw.Draw(sheet)
    for index, (small, label) in enumerate(thumbnails):
        row, column = divmod(index, columns)
        left = GAP + column * (width + GAP)
        top = GAP + row * (height + LABEL + GAP)
        sheet.paste(small, (left + (width - small.width) // 2, top + (height - small.height) // 2))
        text = _fitting(draw, label, font, width)
        draw.text((left, top + height + 4), text, fill=INK, font=font)
    return sheet


def encode_png(picture: Image) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, "PNG")
    return buffer.getvalue()


def _fitting(draw: object, label: str, font: object, width: int) -> str:
    """``label`` cut so that it is not wider than ``width`` pixels."""
    from PIL import ImageDraw

    assert isinstance(draw, ImageDraw.ImageDraw)
    length = 200
    text = shorten(label, length)
    while length > 4 and draw.textlength(text, font=font) > width:  # type: ignore[arg-type]
        length = min(length, len(text)) - 1
        text = shorten(label, length)
    return text
