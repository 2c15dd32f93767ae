"""Which variants of a graph a sweep runs: lists, ranges and globs of values, combined."""

from __future__ import annotations

import fnmatch
import itertools
import json
import math
import random
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from nst_graph.errors import UserError
from nst_graph.text import shorten

LARGEST = 10_000
"""More cells than this are refused: a slip of the keyboard, or a job for a cluster."""

_RANGE = re.compile(
    r"(?P<a>[^.,:]+(?:\.\d+)?(?:e[+-]?\d+)?)\.\.(?P<b>[^:]+):(?P<n>\d+)(?P<log>:log)?"
)


@dataclass(frozen=True)
class Axis:
    """One input of one node and the values it takes, as they would be typed."""

    node: str
    input: str
    values: tuple[str, ...]

    @property
    def label(self) -> str:
        return f"{self.node}.{self.input}"


@dataclass(frozen=True)
class Cell:
    """One variant: the value of each axis, in the order of the axes."""

    overrides: tuple[tuple[str, str], ...]
    """(NODE.INPUT, value) pairs."""
    label: str = ""
    """What tells it from the others."""

    @property
    def assignments(self) -> list[str]:
        return [f"{label}={value}" for label, value in self.overrides]


def parse_axes(
    assignments: Sequence[str],
    type_of: Callable[[str, str], str],
    pictures: Sequence[str] = (),
) -> list[Axis]:
    """The axes of a sweep from ``NODE.INPUT=VALUES`` texts; repeated ones are joined.

    VALUES are separated by commas (a STRING is taken whole: repeat it, or write a JSON list), are
    a range ``START..STOP:COUNT`` (``:log`` for equal factors), or for a picture a glob, which
    stands for the ``pictures`` it matches. ``type_of(node, input)`` is the input's type, or
    ``PICTURE`` for one that names a picture.

    Raises:
        UserError: not of this form, an empty glob, or a range that is none.
    """
    axes: dict[tuple[str, str], list[str]] = {}
    for text in assignments:
        place, equals, given = text.partition("=")
        node, dot, name = place.rpartition(".")
        if not (equals and dot and node and name):
            raise UserError(f"{shorten(text)!r} is not NODE.INPUT=VALUES")
        kind = type_of(node, name)
        values = axes.setdefault((node, name), [])
        values += _values(text, given, kind, pictures)
    return [Axis(node, name, tuple(dict.fromkeys(values))) for (node, name), values in axes.items()]


def cells(
    axes: Sequence[Axis], *, zipped: bool = False, sample: int = 0, seed: int = 0
) -> list[Cell]:
    """The product of all axes, or the axes side by side, or a random sample of the product.

    An axis of one value holds it in every cell, side by side as well.

    Raises:
        UserError: axes of different length side by side, or far too many cells.
    """
    if zipped:
        lengths = {axis.label: len(axis.values) for axis in axes if len(axis.values) > 1}
        if len(set(lengths.values())) > 1:
            told = ", ".join(f"{label} has {count}" for label, count in lengths.items())
            raise UserError(f"--zip needs as many values everywhere, but {told}")
        count = max(lengths.values(), default=1)
        columns = [a.values if len(a.values) > 1 else a.values * count for a in axes]
        rows = list(zip(*columns, strict=True))
    else:
        count = math.prod(len(axis.values) for axis in axes)
        if count > LARGEST and not sample:
            raise UserError(f"{count} variants; at most {LARGEST} at once (--sample N takes some)")
        if sample and sample < count:
            chosen = sorted(random.Random(seed).sample(range(count), sample))
            rows = [_row(axes, index) for index in chosen]
        else:
            rows = list(itertools.product(*(axis.values for axis in axes)))
    return [
        Cell(
            tuple((axis.label, value) for axis, value in zip(axes, row, strict=True)),
            _label(axes, row),
        )
        for row in rows
    ]


def _label(axes: Sequence[Axis], row: Sequence[str]) -> str:
    """The values that differ between cells, named by the input, and its node where that is due."""
    varied = [pair for pair in zip(axes, row, strict=True) if len(pair[0].values) > 1]
    varied = varied or list(zip(axes, row, strict=True))
    inputs = [axis.input for axis, _ in varied]
    return "  ".join(
        f"{axis.input if inputs.count(axis.input) == 1 else axis.label}={value}"
        for axis, value in varied
    )


def _row(axes: Sequence[Axis], index: int) -> tuple[str, ...]:
    row = []
    for axis in reversed(axes):
        index, place = divmod(index, len(axis.values))
        row.append(axis.values[place])
    return tuple(reversed(row))


def _values(text: str, given: str, kind: str, pictures: Sequence[str]) -> list[str]:
    if given.startswith("["):
        try:
            listed = json.loads(given)
        except ValueError as error:
            raise UserError(f"{shorten(text)!r}: not a JSON list ({error})") from None
        return [item if isinstance(item, str) else json.dumps(item) for item in listed]
    if kind == "STRING":
        return [given]
    values: list[str] = []
    for part in given.split(","):
        part = part.strip()
        found = _RANGE.fullmatch(part)
        if kind in ("INT", "FLOAT") and found:
            values += _range(text, found, kind)
        elif kind == "PICTURE" and set(part) & set("*?["):
            matched = fnmatch.filter(pictures, part)
            if not matched:
                raise UserError(f"{shorten(text)!r}: no picture matches {shorten(part)!r}")
            values += matched
        elif part:
            values.append(part)
    if not values:
        raise UserError(f"{shorten(text)!r} has no values")
    return values


def _range(text: str, found: Mapping[str, Any] | re.Match[str], kind: str) -> list[str]:
    try:
        first, last, count = float(found["a"]), float(found["b"]), int(found["n"])
    except ValueError:
        raise UserError(f"{shorten(text)!r}: a range is START..STOP:COUNT") from None
    if count < 2 or count > LARGEST:
        raise UserError(f"{shorten(text)!r}: a range has 2 to {LARGEST} values")
    if found["log"] and min(first, last) <= 0:
        raise UserError(f"{shorten(text)!r}: a range of equal factors needs positive ends")
    shares = [index / (count - 1) for index in range(count)]
    if found["log"]:
        numbers = [first * (last / first) ** share for share in shares]
    else:
        numbers = [first + (last - first) * share for share in shares]
    if kind == "INT":
        return list(dict.fromkeys(str(round(number)) for number in numbers))
    return [f"{number:.6g}" for number in numbers]
