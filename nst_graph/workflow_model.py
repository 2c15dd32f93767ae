"""ComfyUI's UI workflow (versions 0.4 and 1) in typed form, checked for its shape.

Ids become strings. Drawing (groups, colours, native reroute points) is left out: a link already
leads from output to input.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from nst_graph.errors import UserError
from nst_graph.text import shorten

NORMAL, MUTED, BYPASSED = 0, 2, 4
BOUNDARY_INPUT, BOUNDARY_OUTPUT = "-10", "-20"
"""The ids that links inside a subgraph use for its own inputs and outputs."""


@dataclass(frozen=True)
class Socket:
    """An input of a node: what it is linked to, and the widget that it replaces, if any."""

    name: str
    type: str
    link: str | None = None
    widget: str | None = None


@dataclass(frozen=True)
class UiNode:
    """``type`` is a class id or the id of a subgraph; ``outputs`` are their types."""

    id: str
    type: str
    mode: int
    title: str | None
    inputs: tuple[Socket, ...]
    outputs: tuple[str, ...]
    values: list[Any] | dict[str, Any]
    properties: Mapping[str, Any]
    position: tuple[float, float] | None


@dataclass(frozen=True)
class UiLink:
    id: str
    source: str
    slot: int
    target: str
    target_slot: int


@dataclass(frozen=True)
class UiGraph:
    """Nodes and links of one level.

    ``inputs`` are the names of a subgraph's own inputs, ``outputs`` the links that feed its own
    outputs, ``sources`` the nodes that any link leaves.
    """

    nodes: Mapping[str, UiNode]
    links: Mapping[str, UiLink]
    inputs: tuple[str, ...]
    outputs: Mapping[int, UiLink]
    sources: frozenset[str]


@dataclass(frozen=True)
class UiWorkflow:
    main: UiGraph
    subgraphs: Mapping[str, UiGraph]


def parse_workflow(raw: Mapping[str, Any]) -> UiWorkflow:
    """The workflow in typed form.

    Raises:
        UserError: a part that matters is missing or of another shape, and which.
    """
    definitions = _mapping(raw.get("definitions") or {}, "definitions")
    subgraphs = {}
    for index, part in enumerate(_list(definitions.get("subgraphs"), "subgraphs")):
        where = f"subgraph {index + 1}"
        definition = _mapping(part, where)
        subgraphs[_id(definition.get("id"), where)] = _graph(definition, f"{where}: ")
    return UiWorkflow(_graph(raw, ""), subgraphs)


def _graph(raw: Mapping[str, Any], where: str) -> UiGraph:
    nodes: dict[str, UiNode] = {}
    for index, part in enumerate(_list(raw.get("nodes"), f"{where}nodes")):
        node = _node(_mapping(part, f"{where}node {index + 1}"), f"{where}node {index + 1}")
        if node.id in nodes:
            raise UserError(f"{where}two nodes have the id {shorten(node.id)!r}")
        nodes[node.id] = node
    links: dict[str, UiLink] = {}
    for index, part in enumerate(_list(raw.get("links"), f"{where}links")):
        if part is not None:
            link = _link(part, f"{where}link {index + 1}")
            links[link.id] = link
    inputs = tuple(
        str(_mapping(part, f"{where}input {index + 1}").get("name", ""))
        for index, part in enumerate(_list(raw.get("inputs"), f"{where}inputs"))
    )
    outputs = {link.target_slot: link for link in links.values() if link.target == BOUNDARY_OUTPUT}
    sources = frozenset(link.source for link in links.values())
    return UiGraph(nodes, links, inputs, outputs, sources)


def _node(raw: Mapping[str, Any], where: str) -> UiNode:
    node_id, kind = _id(raw.get("id"), where), raw.get("type")
    if not isinstance(kind, str) or not kind:
        raise UserError(f"{where} has no type")
    where = f"{where} (#{shorten(node_id)}, {shorten(kind)})"
    inputs = tuple(
        _socket(_mapping(part, f"{where}, input {index + 1}"))
        for index, part in enumerate(_list(raw.get("inputs"), f"inputs of {where}"))
    )
    outputs = tuple(
        _type(_mapping(part, f"{where}, output {index + 1}").get("type"))
        for index, part in enumerate(_list(raw.get("outputs"), f"outputs of {where}"))
    )
    values = raw.get("widgets_values")
    title, mode, properties = raw.get("title"), raw.get("mode", NORMAL), raw.get("properties")
    return UiNode(
        id=node_id,
        type=kind,
        mode=mode if isinstance(mode, int) else NORMAL,
        title=title if isinstance(title, str) and title.strip() else None,
        inputs=inputs,
        outputs=outputs,
        values=values if isinstance(values, list | dict) else [],
        properties=properties if isinstance(properties, Mapping) else {},
        position=_position(raw.get("pos")),
    )


def _socket(raw: Mapping[str, Any]) -> Socket:
    link, widget = raw.get("link"), raw.get("widget")
    name = widget.get("name") if isinstance(widget, Mapping) else None
    return Socket(
        name=str(raw.get("name", "")),
        type=_type(raw.get("type")),
        link=None if link is None else str(link),
        widget=name if isinstance(name, str) else None,
    )


def _link(raw: Any, where: str) -> UiLink:
    if isinstance(raw, Mapping):
        keys = ("id", "origin_id", "origin_slot", "target_id", "target_slot")
        parts = [raw.get(key) for key in keys]
    elif isinstance(raw, list) and len(raw) >= 5:
        parts = raw[:5]
    else:
        raise UserError(f"{where} is not a link: [id, node, slot, node, slot, type]")
    return UiLink(
        id=_id(parts[0], where),
        source=_id(parts[1], where),
        slot=_slot(parts[2], where),
        target=_id(parts[3], where),
        target_slot=_slot(parts[4], where),
    )


def _id(raw: Any, where: str) -> str:
    if isinstance(raw, str) and raw:
        return raw
    if isinstance(raw, int) and not isinstance(raw, bool) and abs(raw) < 1 << 53:
        return str(raw)
    raise UserError(f"{where} has no valid id ({shorten(repr(raw))})")


def _slot(raw: Any, where: str) -> int:
    try:
        return min(int(raw), 1 << 31)
    except (TypeError, ValueError, OverflowError):
        raise UserError(f"{where}: {shorten(repr(raw))} is not the number of a slot") from None


def _type(raw: Any) -> str:
    if isinstance(raw, list):
        return "COMBO"
    return raw if isinstance(raw, str) else "*"


def _position(raw: Any) -> tuple[float, float] | None:
    if isinstance(raw, Mapping):  # early versions saved a typed array as an object
        raw = [raw.get("0"), raw.get("1")]
    if isinstance(raw, list) and len(raw) == 2:
        x, y = raw
        if all(isinstance(v, int | float) and abs(v) < 1e9 for v in (x, y)):
            return float(x), float(y)
    return None


def _mapping(raw: Any, where: str) -> Mapping[str, Any]:
    if not isinstance(raw, Mapping):
        raise UserError(f"{where} is not an object")
    return raw


def _list(raw: Any, where: str) -> list[Any]:
    if raw is None:
        return []
    if not isinstance(raw, list):
        raise UserError(f"{where} is not a list")
    return raw
