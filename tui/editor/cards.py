"""How one node looks: its lines, its sockets, its size. Pure, painted into a grid of cells."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from rich.cells import cell_len

from nst_graph.text import clean, shorten

from ..theme import STATES
from ..widgets.cells import Grid
from .layout import Box
from .model import (
    BYPASSED,
    MUTED,
    Nodes,
    Types,
    class_of,
    mode_of,
    outputs_of,
    sockets_of,
    title_of,
    widgets_of,
)

LEVELS = 3
"""Levels of detail: 0 one line per node, 1 sockets and the first constant, 2 more constants."""
_CONSTANTS = {0: 0, 1: 1, 2: 6}
_TITLE, _NAME, _VALUE = 26, 16, 20
"""The most characters shown of a title, a name and a value."""

GLYPHS = {
    "IMAGE": ("■", "series2"),
    "MASK": ("▣", "series5"),
    "VGG_FEATURES": ("◆", "series1"),
    "GRAM": ("▲", "series7"),
    "NST_LOSS": ("●", "series3"),
    "NST_HISTORY": ("○", "series4"),
}
_OTHER = ("◇", "series8")


def glyph_of(socket: str) -> tuple[str, str]:
    """The glyph and the role (colour) of a socket type."""
    return GLYPHS.get(socket, _OTHER)


@dataclass(frozen=True)
class Socket:
    name: str
    type: str
    bad: bool = False


@dataclass(frozen=True)
class Card:
    """What is drawn of a node. ``fault`` is ``error``, ``warning`` or nothing."""

    title: str
    id: str
    ins: tuple[Socket, ...]
    outs: tuple[Socket, ...]
    constants: tuple[tuple[str, str], ...]
    mode: str = ""
    fault: str = ""


@dataclass(frozen=True)
class Look:
    """What changes about a drawn node without changing its size."""

    selected: bool = False
    marked: bool = False
    found: bool = False
    dim: bool = False
    state: str = ""
    progress: str = ""
    letters: tuple[tuple[str, str], ...] = ()
    """Jump letters by input name; the name "" stands for the node itself."""


@dataclass(frozen=True)
class Faults:
    """Which nodes and inputs have a problem: ``error`` or ``warning`` by node and (node, input)."""

    nodes: Mapping[str, str] = field(default_factory=dict)
    inputs: frozenset[tuple[str, str]] = frozenset()


def card(nodes: Nodes, node: str, types: Types, faults: Faults) -> Card:
    found = []
    for name, spec, value in widgets_of(nodes, node, types):
        if spec is not None and spec.options.get("advanced"):
            continue
        if value != "" and value is not None:
            found.append((shorten(name, _NAME), brief(value)))
    return Card(
        title=shorten(title_of(nodes, node, types), _TITLE),
        id=shorten(node, 12),
        ins=tuple(
            Socket(name, kind, (node, name) in faults.inputs)
            for name, kind in sockets_of(nodes, node, types)
        ),
        outs=tuple(
            Socket(name.lower() if name == kind else name, kind)
            for name, kind in outputs_of(nodes, node, types)
        ),
        constants=tuple(found),
        mode=mode_of(nodes, node),
        fault=faults.nodes.get(node) or ("" if class_of(nodes, node) in types else "error"),
    )


def brief(value: Any, limit: int = _VALUE) -> str:
    """A constant as it is shown on a card."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.6g}".replace("e+", "e")
    return shorten(str(value), limit)


def box(card: Card, level: int) -> Box:
    """The size of the card at a level of detail, and the rows of its sockets."""
    head = cell_len(card.title) + cell_len(card.id) + 2
    if level == 0:
        rows = {socket.name: 0 for socket in card.ins}
        return Box(head + 6, 1, rows, (0,) * len(card.outs))
    lines = max(len(card.ins), len(card.outs))
    constants = card.constants[: _CONSTANTS[level]]
    width = head + 8
    for index in range(lines):
        left = _name_width(card.ins[index]) if index < len(card.ins) else 0
        right = _name_width(card.outs[index]) if index < len(card.outs) else 0
        width = max(width, left + right + 6)
    for name, value in constants:
        width = max(width, cell_len(name) + cell_len(value) + 5)
    return Box(
        width,
        2 + lines + len(constants),
        {socket.name: 1 + row for row, socket in enumerate(card.ins)},
        tuple(range(1, 1 + len(card.outs))),
    )


def _name_width(socket: Socket) -> int:
    return cell_len(shorten(socket.name, _NAME))


def paint(grid: Grid, card: Card, look: Look, box: Box, x: int, y: int, level: int) -> None:
    """Draw the card with its top left corner at (x, y) of ``grid``, clipped to it."""
    border = _border_role(card, look)
    letters = dict(look.letters)
    head = _head(card, look)
    if level == 0:
        _line(grid, x, y, box, card, look, head, border)
    else:
        _frame(grid, x, y, box, card, look, head, border)
        _sockets(grid, x, y, box, card, look, letters)
        if look.state and level:
            foot = f" {STATES[look.state].glyph} {look.progress or look.state} "
            grid.write(x + 2, y + box.height - 1, foot, STATES[look.state].role, box.width - 3)
        constants = card.constants[: _CONSTANTS[level]]
        for row, (name, value) in enumerate(constants, y + 1 + max(len(card.ins), len(card.outs))):
            at = grid.write(x + 2, row, name + " ", "dim")
            grid.write(at, row, value, "dim" if look.dim or card.mode else "text")
    if "" in letters:
        grid.write(x + 1, y, f" {letters['']} ", "cursor")


def _border_role(card: Card, look: Look) -> str:
    if look.selected:
        return "accent"
    if look.state == "failed" or card.fault == "error":
        return "bad"
    return {"warning": "warn"}.get(card.fault, "mark" if look.marked else "dim")


def _head(card: Card, look: Look) -> str:
    before = "+" if look.marked else ""
    before += {MUTED: "", BYPASSED: "»"}.get(card.mode, "")
    before += {"error": "✗", "warning": "!"}.get(card.fault, "")
    return f"{before}{' ' if before else ''}{card.title} #{card.id}"


def _line(
    grid: Grid, x: int, y: int, box: Box, card: Card, look: Look, head: str, border: str
) -> None:
    left = glyph_of(card.ins[0].type) if card.ins else (" ", "dim")
    right = glyph_of(card.outs[0].type) if card.outs else (" ", "dim")
    state = STATES[look.state].glyph if look.state else " "
    grid.write(x, y, left[0], left[1])
    role = "cursor" if look.selected else border if border != "dim" else "title"
    if look.dim or (card.mode and not look.selected):
        role = "dim"
    text = f"{state}{head}"
    grid.write(x + 1, y, text + " " * max(0, box.width - 2 - cell_len(text)), role, box.width - 2)
    grid.write(x + box.width - 1, y, right[0], right[1])


def _frame(
    grid: Grid, x: int, y: int, box: Box, card: Card, look: Look, head: str, border: str
) -> None:
    marks = "╔╗╚╝═║" if look.selected else "╭╮╰╯┄┆" if card.mode else "╭╮╰╯─│"
    width = box.width
    grid.write(x, y, marks[0] + marks[4] * (width - 2) + marks[1], border)
    role = "dim" if look.dim or card.mode else "cursor" if look.found else "title"
    if border in ("accent", "bad"):
        role = border
    grid.write(x + 2, y, f" {head} ", role, width - 3)
    for row in range(y + 1, y + box.height - 1):
        grid.write(x, row, marks[5] + " " * (width - 2) + marks[5], border)
    grid.write(x, y + box.height - 1, marks[2] + marks[4] * (width - 2) + marks[3], border)


def _sockets(
    grid: Grid, x: int, y: int, box: Box, card: Card, look: Look, letters: dict[str, str]
) -> None:
    plain = "dim" if look.dim or card.mode else "text"
    for row, socket in enumerate(card.ins, y + 1):
        glyph, role = glyph_of(socket.type)
        grid.write(x, row, glyph, "dim" if look.dim else role)
        name = shorten(socket.name, _NAME)
        grid.write(x + 2, row, name, "bad" if socket.bad else plain)
        if socket.bad:
            grid.write(x + 1, row, "✗", "bad")
        if socket.name in letters:
            grid.write(x, row, f" {letters[socket.name]} ", "cursor")
    for row, socket in enumerate(card.outs, y + 1):
        glyph, role = glyph_of(socket.type)
        grid.write(x + box.width - 1, row, glyph, "dim" if look.dim else role)
        name = shorten(socket.name, _NAME)
        grid.write(x + box.width - 2 - cell_len(name), row, name, plain)


def searchable(nodes: Nodes, node: str, types: Types) -> str:
    """Everything of a node that search looks at: id, title, class, types and constants."""
    return clean(" ".join(_words(nodes, node, types)), one_line=True).lower()


def _words(nodes: Nodes, node: str, types: Types) -> Iterator[str]:
    yield f"#{node}"
    yield title_of(nodes, node, types)
    yield class_of(nodes, node)
    for _, kind in (*sockets_of(nodes, node, types), *outputs_of(nodes, node, types)):
        yield kind
    for name, _, value in widgets_of(nodes, node, types):
        yield f"{name}={value}"
