"""The rows of the inspector: everything about one node, generated from its declaration. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from nst_graph.errors import Problem
from nst_graph.registry import Input
from nst_graph.text import shorten

from .cards import glyph_of
from .fields import describe, is_missing, is_picture, is_seed, plain
from .model import (
    Nodes,
    Types,
    as_link,
    class_of,
    consumers,
    inputs_of,
    mode_of,
    outputs_of,
    sockets_of,
    title_of,
    widgets_of,
)

Kind = Literal["title", "text", "socket", "widget", "output", "problem", "head"]


@dataclass(frozen=True)
class Row:
    """One line. ``name`` is the input (or the output's slot), ``spec`` its declaration."""

    kind: Kind
    label: str
    value: str = ""
    detail: str = ""
    name: str = ""
    spec: Input | None = None
    raw: Any = None
    glyph: str = ""
    role: str = "text"
    tip: str = ""

    @property
    def can_be_chosen(self) -> bool:
        return self.kind in ("title", "socket", "widget", "output")


def rows(nodes: Nodes, node: str | None, types: Types, problems: Sequence[Problem]) -> list[Row]:
    """What the inspector shows of ``node``."""
    if node is None or node not in nodes:
        return [Row("text", "no node selected", role="dim")]
    kind = types.get(class_of(nodes, node))
    found = list(_head(nodes, node, types))
    found += _widgets(nodes, node, types)
    found += _sockets(nodes, node, types)
    found += _outputs(nodes, node, types)
    mine = [problem for problem in problems if problem.node == node]
    if mine:
        found.append(Row("head", "PROBLEMS"))
    for problem in mine:
        error = problem.severity == "error"
        where = f"{problem.input}: " if problem.input else ""
        found.append(
            Row(
                "problem",
                ("✗ " if error else "! ") + where + shorten(problem.message, 300),
                role="bad" if error else "warn",
                tip=problem.hint or "",
                name=problem.input or "",
            )
        )
    if kind is None:
        found.append(Row("text", "this class is not installed; its values are kept", role="warn"))
    return found


def _head(nodes: Nodes, node: str, types: Types) -> Iterator[Row]:
    kind = types.get(class_of(nodes, node))
    mode = mode_of(nodes, node)
    yield Row(
        "title",
        "title",
        shorten(title_of(nodes, node, types), 60),
        f"{mode}  " if mode else "",
        role="title",
        tip=(kind.description if kind else "") or "Enter gives the node another title",
    )


def _widgets(nodes: Nodes, node: str, types: Types) -> Iterator[Row]:
    for name, spec, value in widgets_of(nodes, node, types):
        if spec is None:
            yield Row(
                "widget",
                name,
                _shown(value),
                "not an input of this class",
                name,
                None,
                value,
                role="warn",
            )
            continue
        detail, role = describe(spec), "text"
        if is_missing(spec, value):
            detail, role = "not available here", "bad"
        elif is_picture(spec):
            detail = "picture"
        elif is_seed(spec):
            detail = f"{describe(spec)}  x: roll"
        tip = str(spec.options.get("tooltip", ""))
        yield Row("widget", name, _shown(value), detail, name, spec, value, role=role, tip=tip)


def _shown(value: Any) -> str:
    return shorten(plain(value), 200)


def _sockets(nodes: Nodes, node: str, types: Types) -> Iterator[Row]:
    given = inputs_of(nodes, node)
    kind = types.get(class_of(nodes, node))
    for name, socket in sockets_of(nodes, node, types):
        glyph, role = glyph_of(socket)
        spec = kind.inputs.get(name) if kind is not None else None
        feed = as_link(given.get(name))
        needed = spec is not None and spec.required
        if feed is None:
            value = "needs a link" if needed else "free"
        elif feed[0] not in nodes:
            value = f"← #{shorten(feed[0], 20)}, which does not exist"
        else:
            value = f"← {shorten(title_of(nodes, feed[0], types), 24)} #{feed[0]}"
        tip = str(spec.options.get("tooltip", "")) if spec else ""
        yield Row("socket", name, value, socket, name, spec, feed, glyph, role, tip)


def _outputs(nodes: Nodes, node: str, types: Types) -> Iterator[Row]:
    for slot, (name, socket) in enumerate(outputs_of(nodes, node, types)):
        glyph, role = glyph_of(socket)
        targets = consumers(nodes, node, slot)
        value = "not linked"
        if targets:
            first = targets[0].target
            value = f"→ {shorten(title_of(nodes, first, types), 20)} #{first}"
            value += f" and {len(targets) - 1} more" if len(targets) > 1 else ""
        label = name.lower() if name == socket else name
        yield Row("output", label, value, socket, str(slot), None, slot, glyph, role)
