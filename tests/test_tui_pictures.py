"""Pictures on a terminal: half blocks in 256 and in true colours, characters, real pixels."""

from __future__ import annotations

import base64
import io
import re
from pathlib import Path

import numpy as np
import pytest
from fakes import picture
from PIL import Image
from rich.color import Color

from nst_graph.tui import pixels
from nst_graph.tui.widgets.preview import Picture, fifteen_bits, load, palette_index


def xterm(index: int) -> tuple[int, int, int]:
    """Colour ``index`` of xterm's palette, by its definition."""
    if index >= 232:
        return (8 + 10 * (index - 232),) * 3
    levels = (0, 95, 135, 175, 215, 255)
    index -= 16
    return levels[index // 36], levels[index // 6 % 6], levels[index % 6]


def test_colours_are_the_nearest_of_the_palette() -> None:
    generator = np.random.default_rng(1)
    given = generator.integers(0, 256, (400, 3), dtype=np.uint8)
    given[:100] = given[:100, :1]  # greys
    given[100:200] //= 4  # and dark colours
    palette = np.array([xterm(i) for i in range(16, 256)])
    found = np.array([xterm(int(i)) for i in palette_index(given)])
    best = ((palette[None] - given[:, None].astype(int)) ** 2).sum(-1).min(-1)
    cost = ((found - given.astype(int)) ** 2).sum(-1)
    assert np.array_equal(cost, best)


def test_a_picture_keeps_its_aspect(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    Image.new("RGB", (300, 100), (10, 200, 30)).save(path)
    found = load(path, path.stat().st_mtime_ns, 60, 80)
    assert found is not None and found.shape == (20, 60, 3)
    assert (found == (10, 200, 30)).all()


@pytest.mark.parametrize("content", [b"", b"no picture", b"\x89PNG\r\n\x1a\nbroken"])
def test_what_is_no_picture_is_not_shown(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(content)
    assert load(path, 0, 20, 20) is None
    assert load(tmp_path / "missing.png", 0, 20, 20) is None


def test_fine_colours_are_within_half_a_step_of_five_bits() -> None:
    widget = Picture()
    for red, green, blue in ((0, 0, 0), (255, 255, 255), (13, 77, 201), (128, 127, 129)):
        bits = int(fifteen_bits(np.array([[[red, green, blue]]], np.uint8))[0, 0])
        style = widget.style_of((1 << 31) + (bits << 15) + bits)
        assert isinstance(style.color, Color) and style.color.triplet is not None
        difference = np.abs(np.array(style.color.triplet) - (red, green, blue))
        assert (difference <= 5).all() and style.color == style.bgcolor


# -- real pixels -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({"TERM": "xterm-kitty"}, "kitty"),
        ({"TERM": "xterm-256color", "TERM_PROGRAM": "WezTerm"}, "kitty"),
        ({"TERM": "foot"}, "sixel"),
        ({"TERM": "foot", "TMUX": "x"}, None),
        ({"TERM": "xterm-256color"}, None),
        ({"TERM": "screen", "NST_GRAPHICS": "sixel"}, "sixel"),
        ({"TERM": "xterm-kitty", "NST_GRAPHICS": "none"}, None),
    ],
)
def test_the_protocol_is_known_by_the_terminal(
    environment: dict[str, str], expected: str | None
) -> None:
    assert pixels.protocol(environment) == expected


def test_kitty_gets_the_picture_as_png_in_chunks(tmp_path: Path) -> None:
    path = tmp_path / "a.jpg"
    path.write_bytes(picture(0.5))
    text = pixels.encode(path, "kitty", 80, 24)
    chunks = re.findall(r"\x1b_G([^;]*);([^\x1b]*)\x1b\\", text)
    assert "".join(f"\x1b_G{c};{d}\x1b\\" for c, d in chunks) == text
    assert all(len(data) <= 4096 for _, data in chunks)
    assert [c[-3:] for c, _ in chunks] == ["m=1"] * (len(chunks) - 1) + ["m=0"]
    data = base64.standard_b64decode("".join(data for _, data in chunks))
    shown = np.asarray(Image.open(io.BytesIO(data)))
    assert np.array_equal(shown, np.asarray(Image.open(path).convert("RGB")))


def decode_sixel(text: str) -> np.ndarray:
    """The picture that a terminal would draw, by the DEC definition."""
    header = re.match(r'\x1bPq"1;1;(\d+);(\d+)', text)
    assert header is not None and text.endswith("\x1b\\")
    width, height = int(header[1]), int(header[2])
    shown = np.full((height + 6, width, 3), -1.0)
    colours: dict[int, list[float]] = {}
    x = y = current = 0
    token = re.compile(r"#(\d+);2;(\d+);(\d+);(\d+)|#(\d+)|!(\d+)(.)|([$-])|([?-~])")
    for found in token.finditer(text, header.end(), len(text) - 2):
        if found[1]:
            colours[int(found[1])] = [int(found[i]) * 2.55 for i in (2, 3, 4)]
        elif found[5]:
            current = int(found[5])
        elif found[8]:
            x, y = 0, y + 6 * (found[8] == "-")
        else:
            count, sign = (int(found[6]), found[7]) if found[6] else (1, found[9])
            for row in range(6):
                if (ord(sign) - 63) >> row & 1:
                    shown[y + row, x : x + count] = colours[current]
            x += count
    return shown[:height]


def test_sixels_draw_the_picture(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    y, x = np.mgrid[0:90, 0:120]
    given = np.stack([x * 2, y * 2, 255 - x], axis=-1).astype(np.uint8)
    Image.fromarray(given).save(path)
    shown = decode_sixel(pixels.encode(path, "sixel", 15, 10))
    assert shown.shape == given.shape and (shown >= 0).all()
    blurred = np.abs(shown - given).reshape(9, 10, 12, 10, 3).mean(axis=(1, 3, 4))
    assert blurred.max() < 16
