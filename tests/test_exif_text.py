"""Graphs in JPEG, WebP and TIFF pictures."""

from __future__ import annotations

import io
import json
import random
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from nst_graph.document import read
from nst_graph.errors import UserError
from nst_graph.exif_text import texts
from nst_graph.style.encode import Saving, encoded

GRAPH = {"1": {"class_type": "LoadImage", "inputs": {"image": "a.png"}}}
TEXT = {"prompt": json.dumps(GRAPH), "workflow": '{"nodes": []}', "nst": '{"key": "k:v"}'}
KINDS = [("jpeg", 8), ("webp", 8), ("tiff", 8), ("tiff", 16)]


def picture(format: str, bits: int = 8, text: dict[str, str] = TEXT) -> bytes:
    notes: list[str] = []
    return encoded(torch.rand(8, 8, 3), None, Saving(format, bits, text=text), notes.append)


@pytest.mark.parametrize(("format", "bits"), KINDS)
def test_what_was_embedded_is_found_again(format: str, bits: int) -> None:
    assert texts(io.BytesIO(picture(format, bits)), set(TEXT)) == TEXT
    assert texts(io.BytesIO(picture(format, bits)), {"nst"}) == {"nst": TEXT["nst"]}


@pytest.mark.parametrize(("format", "bits"), KINDS)
def test_a_picture_of_any_format_opens_as_its_graph(format: str, bits: int, tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_bytes(picture(format, bits))
    document = read(path)
    assert document.nodes == GRAPH and document.nst == {"key": "k:v"}


@pytest.mark.parametrize("format", ["jpeg", "webp", "tiff"])
def test_a_picture_without_a_graph_is_refused(format: str, tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_bytes(picture(format, text={}))
    with pytest.raises(UserError, match=r"picture - a graph is a JSON file"):
        read(path)


@pytest.mark.parametrize("order", ["little", "big"])
def test_both_byte_orders_are_read(order: str) -> None:
    exif = Image.Exif()
    exif[0x0110] = "prompt:{}"
    exif.endian = "<" if order == "little" else ">"
    buffer = io.BytesIO()
    Image.new("RGB", (4, 4)).save(buffer, "JPEG", exif=exif)
    buffer.seek(0)
    assert texts(buffer, {"prompt"}) == {"prompt": "{}"}


@given(st.binary(max_size=300), st.sampled_from([b"II*\0", b"MM\0*", b"\xff\xd8\xff", b"RIFF"]))
def test_any_bytes_hold_some_texts_or_none(data: bytes, start: bytes) -> None:
    assert isinstance(texts(io.BytesIO(start + data), set(TEXT)), dict)


def test_damaged_pictures_hold_some_texts_or_none() -> None:
    draw = random.Random(0)
    for format, bits in KINDS:
        whole = picture(format, bits)
        for _ in range(300):
            data = bytearray(whole)
            for _ in range(draw.choice((1, 3, 10))):
                data[draw.randrange(len(data))] = draw.randrange(256)
            del data[draw.randrange(1, 3 * len(data)) :]
            assert set(texts(io.BytesIO(data), set(TEXT))) <= set(TEXT)
