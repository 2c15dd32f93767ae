"""The weight format ``nst-encoder/1``, and reading the header of a safetensors file. No torch.

A file is a safetensors file whose ``__metadata__`` (all values are strings) says

========  =========================================================================
format    ``nst-encoder/1``
widths    output channels of the blocks, e.g. ``24,48,96,192,192``
convs     convolutions per block, e.g. ``2,2,2,2,1``
pooling   after each block: one of :data:`~nst_graph.style.architecture.POOLINGS`
padding   one of :data:`~nst_graph.style.architecture.PADDINGS`
input     one of :data:`~nst_graph.style.architecture.TRANSFORMS`
weights   the weights id (below), 64 hexadecimal digits
========  =========================================================================

and may hold any further strings (``source``, ``source_sha256``, ``licence``, ``training`` …).
Its tensors, float16, bfloat16 or float32, are exactly

* ``convB_I.weight`` [out, in, 3, 3] and ``convB_I.bias`` [out] for block B and convolution I,
  both counted from 1 (batch normalisation folded in);
* optionally, for some taps, ``calibration.reluB_I.whiten`` [C, C] and
  ``calibration.reluB_I.mean`` [C]: the calibrated feature is ``whiten @ (feature - mean)``.

The *weights id* is the sha256 of :func:`describe` and then, for each tensor in the order of
:func:`expected`, its name, shape and values as little-endian float32 in C order. Storing the same
values at another precision therefore keeps the id, and any change that changes what the network
computes changes it. Write such a file with :func:`nst_graph.style.weights_files.pack`.
"""

from __future__ import annotations

import json
import re
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from pathlib import Path

from nst_graph.errors import UserError
from nst_graph.style.architecture import Architecture

FORMAT = "nst-encoder/1"
HEADER_LIMIT = 1 << 20
_BYTES = {"F64": 8, "F32": 4, "F16": 2, "BF16": 2}
Shapes = Mapping[str, tuple[int, ...]]


@dataclass(frozen=True)
class Header:
    """``shapes`` and ``dtypes`` by tensor name, and the file's metadata."""

    shapes: dict[str, tuple[int, ...]]
    dtypes: dict[str, str]
    metadata: dict[str, str]

    @property
    def is_ours(self) -> bool:
        return self.metadata.get("format") == FORMAT


def read_header(path: Path) -> Header:
    """The header of a safetensors file; no tensor is read.

    Raises:
        UserError: not a safetensors file, truncated, or its header is larger than 1 MB.
    """
    shown = f"{path.name!r}"
    try:
        with path.open("rb") as file:
            size = path.stat().st_size
            start = file.read(8)
            length = struct.unpack("<Q", start)[0] if len(start) == 8 else 0
            if not 2 <= length <= size - 8:
                raise UserError(f"{shown} is truncated or not a safetensors file")
            if length > HEADER_LIMIT:
                raise UserError(f"{shown} has a header of {length:,} bytes; the limit is 1 MB")
            data = json.loads(file.read(length))
    except OSError as error:
        raise UserError(f"cannot read {str(path)!r}: {error.strerror}") from error
    except (ValueError, RecursionError) as error:
        raise UserError(f"{shown} is damaged or not a safetensors file") from error
    return _checked(data, size - 8 - length, shown)


def _checked(data: object, body: int, shown: str) -> Header:
    damaged = UserError(f"{shown} is damaged: its header does not describe its content")
    if not isinstance(data, dict):
        raise damaged
    metadata = data.pop("__metadata__", {})
    shapes, dtypes, end = {}, {}, 0
    try:
        for name, entry in data.items():
            shape, (first, last) = tuple(entry["shape"]), entry["data_offsets"]
            if not all(type(n) is int and 0 <= n < 1 << 40 for n in (*shape, first, last)):
                raise damaged
            kind = str(entry["dtype"])
            if kind in _BYTES and prod(shape) * _BYTES[kind] != last - first:
                raise damaged
            shapes[name], dtypes[name], end = shape, kind, max(end, last)
        metadata = {str(key): str(value) for key, value in metadata.items()}
    except (TypeError, KeyError, ValueError, AttributeError) as error:
        raise damaged from error
    if end != body:
        raise UserError(f"{shown} is truncated: {body:,} of {end:,} bytes of weights are there")
    return Header(shapes, dtypes, metadata)


def architecture_of(header: Header, shown: str) -> Architecture:
    """The architecture that the metadata of an ``nst-encoder/1`` file declares, shapes checked.

    Raises:
        UserError: the metadata is incomplete or does not fit the tensors.
    """
    meta = header.metadata
    try:
        found = Architecture(
            tuple(map(int, meta["widths"].split(","))),
            tuple(map(int, meta["convs"].split(","))),
            meta["pooling"],
            meta["padding"],
            meta["input"],
        )
    except (KeyError, ValueError) as error:
        raise UserError(f"{shown} has incomplete metadata for {FORMAT}: {error}") from error
    if not found.is_plausible:
        raise UserError(f"{shown} describes a network that this version does not know")
    calibrated = calibrated_taps(header.shapes)
    for name, shape in expected(found, calibrated).items():
        if header.shapes.get(name) != shape:
            given = list(header.shapes[name]) if name in header.shapes else "missing"
            raise UserError(f"{shown}: {name} should be {list(shape)} but is {given}")
        if header.dtypes[name] not in ("F32", "F16", "BF16"):
            raise UserError(f"{shown}: {name} is {header.dtypes[name]!r}; F32 or F16 is expected")
    surplus = sorted(set(header.shapes) - set(expected(found, calibrated)))
    if surplus:
        raise UserError(f"{shown} holds a tensor that {FORMAT} does not know: {surplus[0][:60]!r}")
    return found


def calibrated_taps(shapes: Shapes) -> tuple[str, ...]:
    """The taps that have a calibration, sorted by depth."""
    taps = [m[1] for name in shapes if (m := re.fullmatch(r"calibration\.(.+)\.whiten", name))]
    return tuple(sorted(taps))


def expected(architecture: Architecture, calibrated: tuple[str, ...]) -> dict[str, tuple[int, ...]]:
    """Names and shapes of all tensors, in canonical order."""
    shapes: dict[str, tuple[int, ...]] = {}
    for name in architecture.conv_names:
        shape = architecture.conv_shape(name)
        shapes[f"{name}.weight"], shapes[f"{name}.bias"] = shape, shape[:1]
    for tap in calibrated:
        if tap not in architecture.taps:
            raise UserError(f"the weights hold a calibration for {tap[:60]!r}, which is no layer")
        width = architecture.channels(tap)
        shapes[f"calibration.{tap}.whiten"] = (width, width)
        shapes[f"calibration.{tap}.mean"] = (width,)
    return shapes


def describe(architecture: Architecture) -> dict[str, str]:
    """The metadata that says what the network computes."""
    return {
        "format": FORMAT,
        "widths": ",".join(map(str, architecture.widths)),
        "convs": ",".join(map(str, architecture.convs)),
        "pooling": architecture.pooling,
        "padding": architecture.padding,
        "input": architecture.input,
    }
