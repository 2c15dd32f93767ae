"""Which layers a loss looks at, and how much each counts. Needs no torch."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Mapping, Sequence

from nst_graph.errors import NodeError

MOST_LAYERS = 64

_BY_BLOCK = (0.35, 0.25, 0.20, 0.12, 0.08)
"""Shares of the blocks of an encoder, from fine to coarse: with each layer's loss relative to its
target, these gave clean contours and colours on every encoder tried; equal shares turned muddy."""


def split_layers(text: str) -> tuple[str, ...]:
    """The names in ``relu1_1, relu2_1``: separated by commas, semicolons or blanks, each once.

    Raises:
        NodeError: far too many names.
    """
    names = tuple(dict.fromkeys(name for name in re.split(r"[\s,;]+", text) if name))
    if len(names) > MOST_LAYERS:
        raise NodeError(f"{len(names)} layers are listed; an encoder has at most {MOST_LAYERS}")
    return names


def _auto(layers: Sequence[str], channels: Sequence[int]) -> list[float]:
    blocks = [int(re.sub(r"\D*(\d).*", r"\1", layer)) for layer in layers]
    shares = [_BY_BLOCK[min(block, len(_BY_BLOCK)) - 1] / blocks.count(block) for block in blocks]
    return [share / sum(shares) for share in shares]


def _equal(layers: Sequence[str], channels: Sequence[int]) -> list[float]:
    return [1 / len(layers)] * len(layers)


def _ones(layers: Sequence[str], channels: Sequence[int]) -> list[float]:
    return [1.0] * len(layers)


def _crowsonkb(layers: Sequence[str], channels: Sequence[int]) -> list[float]:
    shares = [4.0**-i for i in range(len(layers))]
    return [share / sum(shares) for share in shares]


def _halving(layers: Sequence[str], channels: Sequence[int]) -> list[float]:
    shares = [2.0**-i for i in range(len(layers))]
    return [share / sum(shares) for share in shares]


def _gatys_notebook(layers: Sequence[str], channels: Sequence[int]) -> list[float]:
    return [1e3 / count**2 for count in channels]


SCHEMES: Mapping[str, Callable[[Sequence[str], Sequence[int]], list[float]]] = {
    "auto": _auto,
    "equal": _equal,
    "ones": _ones,
    "crowsonkb": _crowsonkb,
    "halving": _halving,
    "gatys_notebook": _gatys_notebook,
}
"""``auto``: decreasing with depth, sum 1; ``equal``: 1/n each; ``ones``: 1 each; ``crowsonkb``:
256:64:16:4:1, sum 1; ``halving``: 16:8:4:2:1, sum 1 (Novak & Nikulin 1605.04603); and
``gatys_notebook``: 1000/C² for a layer of C channels."""


def layer_weights(
    text: str, layers: Sequence[str], channels: Sequence[int], automatic: str = "auto"
) -> tuple[float, ...]:
    """One weight per layer, from a scheme's name, a list, or ``layer=weight`` pairs.

    ``relu1_1=0.9, relu2_1=0.72`` leaves out (0) what it does not name; ``0.9, 0.72`` has one
    number for every layer. ``automatic`` is the scheme that ``auto`` stands for.

    Raises:
        NodeError: unknown scheme or layer, a wrong number of weights, or no finite number >= 0.
    """
    text = text.strip()
    scheme = SCHEMES.get(automatic if text in ("", "auto") else text)
    if scheme is not None:
        return tuple(scheme(layers, channels))
    parts = [part for part in re.split(r"[\s,;]+", re.sub(r"\s*[=:]\s*", "=", text)) if part]
    if all("=" in part for part in parts):
        return _named(parts, layers)
    if not any(character.isdigit() for character in text):
        near = difflib.get_close_matches(text, SCHEMES, 1, 0.4)
        meant = f"did you mean {near[0]!r}? " if near else ""
        raise NodeError(
            f"layer_weights {text[:60]!r} is no scheme; {meant}Schemes: {', '.join(SCHEMES)}; "
            "or write 'relu1_1=0.9, relu2_1=0.72' or one number per layer"
        )
    numbers = [_number(part) for part in parts]
    if len(numbers) != len(layers):
        raise NodeError(
            f"layer_weights has {len(numbers)} numbers for {len(layers)} layers "
            f"({', '.join(layers)}); write one number for each, or 'layer=weight' pairs"
        )
    return tuple(numbers)


def _named(parts: Sequence[str], layers: Sequence[str]) -> tuple[float, ...]:
    found: dict[str, float] = {}
    for part in parts:
        name, _, value = part.partition("=")
        layer = _spelled_out(name)
        if layer not in layers:
            near = difflib.get_close_matches(layer, layers, 1, 0.4)
            meant = f"did you mean {near[0]}? " if near else ""
            raise NodeError(
                f"layer_weights names {name[:40]!r}, which this style does not use; {meant}"
                f"its layers: {', '.join(layers)}"
            )
        if layer in found:
            raise NodeError(f"layer_weights names {layer} twice")
        found[layer] = _number(value)
    return tuple(found.get(layer, 0.0) for layer in layers)


def _spelled_out(name: str) -> str:
    match = re.fullmatch(r"(conv|relu|c|r)(\d)_?(\d{1,2})", name.lower())
    if not match:
        return name.lower()
    kind = {"c": "conv", "r": "relu"}.get(match[1], match[1])
    return f"{kind}{match[2]}_{match[3]}"


def _number(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value < float("inf"):
        raise NodeError(f"layer_weights: {text[:40]!r} is not a number of 0 or more")
    return value
