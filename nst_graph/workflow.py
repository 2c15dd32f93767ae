"""From ComfyUI's UI workflow to the plain graph that runs: what the browser does when it queues.

Subgraphs are expanded (their nodes get ids such as ``12:3``), muted and bypassed nodes, reroutes,
primitives and notes disappear, and positional widget values get their names.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from nst_graph.errors import UserError
from nst_graph.node_ids import is_node_id
from nst_graph.registry import NodeType
from nst_graph.text import shorten
from nst_graph.widgets import named_values, wrapped
from nst_graph.workflow_model import (
    BOUNDARY_INPUT,
    BYPASSED,
    MUTED,
    Socket,
    UiGraph,
    UiNode,
    UiWorkflow,
    parse_workflow,
)

MOST_NODES = 10_000
DEEPEST_SUBGRAPH = 32
CELL = (10, 20)
"""Pixels of the browser's canvas per character cell of the terminal editor."""
KEPT_ID = "nst_id"
"""The property in which :func:`to_workflow` keeps an id that the browser could not take."""

_DRAWING = frozenset({"Note", "MarkdownNote"})
_PASSING = frozenset({"Reroute", "PrimitiveNode"})
_MODES = {MUTED: "muted", BYPASSED: "bypassed"}


@dataclass(frozen=True)
class Constant:
    """A link that ends at a value instead of a node."""

    value: Any


@dataclass(frozen=True)
class Origin:
    """A link that ends at an output of a node that stays in the graph."""

    scope: Scope
    node: str
    slot: int


Traced = Constant | Origin | None


@dataclass(eq=False)
class Scope:
    """One level of nesting: the graph of the workflow, or of one instance of a subgraph."""

    graph: UiGraph
    prefix: str = ""
    parent: Scope | None = None
    instance: UiNode | None = None
    children: dict[str, Scope] = field(default_factory=dict)
    promoted: dict[tuple[str, str], Any] = field(default_factory=dict)
    """Values set on the instance, by (inner node id, or "-1" for its own, and widget)."""


def to_api(
    raw: Mapping[str, Any], types: Mapping[str, NodeType], *, keep_modes: bool = False
) -> tuple[dict[str, dict[str, Any]], list[str]]:
    """The API graph of the UI workflow ``raw``, and what a user should know of the conversion.

    ``keep_modes`` leaves muted and bypassed nodes in, for an editor: ``_meta.mode`` says ``muted``
    or ``bypassed``, ``_meta.pos`` is the place in character cells.

    Raises:
        UserError: not a workflow, or larger than :data:`MOST_NODES` nodes once expanded.
    """
    return _Conversion(parse_workflow(raw), types, keep_modes).run()


class _Conversion:
    def __init__(
        self, workflow: UiWorkflow, types: Mapping[str, NodeType], keep_modes: bool
    ) -> None:
        self.workflow, self.types, self.keep_modes = workflow, types, keep_modes
        self.notes: list[str] = []
        self.dropped: dict[int, list[str]] = {MUTED: [], BYPASSED: []}
        self.known: dict[tuple[str, str | None, str], Traced] = {}
        self.main = Scope(workflow.main)

    def run(self) -> tuple[dict[str, dict[str, Any]], list[str]]:
        found = [(scope, node) for scope, node in self._walk() if self._stays(scope, node)]
        ids = _final_ids(found)
        nodes: dict[str, dict[str, Any]] = {}
        for scope, node in found:
            inputs = self._inputs(scope, node, ids)
            nodes[ids[scope.prefix, node.id]] = {
                "class_type": node.type,
                "inputs": inputs,
                "_meta": self._meta(node),
            }
        for mode, names in self.dropped.items():
            if names:
                self.notes.append(f"left out because {_MODES[mode]}: {_listed(names)}")
        return nodes, self.notes

    def _walk(self) -> Iterator[tuple[Scope, UiNode]]:
        """Every node with the instance it belongs to; builds the scopes on the way."""
        todo, count = [self.main], 0
        for scope in todo:  # grows while it is read
            for node in scope.graph.nodes.values():
                count += 1
                if count > MOST_NODES:
                    raise UserError(f"more than {MOST_NODES} nodes once subgraphs are expanded")
                yield scope, node
                if node.type in self.workflow.subgraphs and node.mode not in _MODES:
                    inner = Scope(
                        self.workflow.subgraphs[node.type],
                        f"{scope.prefix}{node.id}:",
                        scope,
                        node,
                        promoted=_promoted(node),
                    )
                    if inner.prefix.count(":") > DEEPEST_SUBGRAPH:
                        raise UserError(
                            f"the subgraph at #{shorten(scope.prefix + node.id)} contains itself, "
                            f"or is nested more than {DEEPEST_SUBGRAPH} deep"
                        )
                    scope.children[node.id] = inner
                    todo.append(inner)

    def _stays(self, scope: Scope, node: UiNode) -> bool:
        is_subgraph = node.type in self.workflow.subgraphs
        if node.mode in _MODES and (is_subgraph or not self.keep_modes):
            if node.type not in _DRAWING | _PASSING:
                self.dropped[node.mode].append(_named(scope, node))
            return False
        if is_subgraph or node.type in _DRAWING | _PASSING:
            return False
        if node.type not in self.types:
            linked = any(socket.link for socket in node.inputs)
            if not linked and node.id not in scope.graph.sources:
                self.notes.append(f"left out, unknown and linked to nothing: {_named(scope, node)}")
                return False
            if node.type.startswith(("workflow>", "workflow/")):
                self.notes.append(
                    f"{_named(scope, node)} is a group node of old ComfyUI versions; "
                    "convert it to a subgraph there and save again"
                )
        return True

    def _meta(self, node: UiNode) -> dict[str, Any]:
        known = self.types.get(node.type)
        meta: dict[str, Any] = {"title": node.title or (known.display_name if known else node.type)}
        if self.keep_modes:
            if node.mode in _MODES:
                meta["mode"] = _MODES[node.mode]
            if node.position is not None:
                meta["pos"] = [round(p / cell) for p, cell in zip(node.position, CELL, strict=True)]
        return meta

    def _inputs(
        self, scope: Scope, node: UiNode, ids: Mapping[tuple[str, str], str]
    ) -> dict[str, Any]:
        known = self.types.get(node.type)
        inputs, surplus = named_values(node, known)
        if surplus:
            self.notes.append(f"{_named(scope, node)} has more saved values than inputs: {surplus}")
        for (inner, name), value in scope.promoted.items():
            if inner == node.id and name in inputs:
                inputs[name] = wrapped(value)
        for socket in node.inputs:
            traced = self._trace(scope, socket)
            if isinstance(traced, Constant):
                inputs[socket.name] = wrapped(traced.value)
            elif traced is not None and (traced.scope.prefix, traced.node) in ids:
                inputs[socket.name] = [ids[traced.scope.prefix, traced.node], traced.slot]
        declared = list(known.inputs) if known else []
        return dict(
            sorted(
                inputs.items(),
                key=lambda item: declared.index(item[0]) if item[0] in declared else len(declared),
            )
        )

    def _trace(self, scope: Scope, socket: Socket) -> Traced:
        """What feeds ``socket``, behind reroutes, primitives, bypasses and subgraph borders."""
        passed: list[tuple[str, str | None, str]] = []
        at: tuple[Scope, Socket] | Traced = (scope, socket)
        while isinstance(at, tuple):
            scope, socket = at
            key = (scope.prefix, socket.link, socket.type)
            if key in self.known:
                at = self.known[key]
                break
            self.known[key] = None  # met again only on a cycle of links, which ends nowhere
            passed.append(key)
            at = self._step(scope, socket)
        for key in passed:
            self.known[key] = at
        return at

    def _step(self, scope: Scope, socket: Socket) -> tuple[Scope, Socket] | Traced:
        link = scope.graph.links.get(socket.link) if socket.link is not None else None
        if link is None:
            return None
        if link.source == BOUNDARY_INPUT and scope.parent is not None:
            return _through_border(scope, link.slot, socket.type)
        node = scope.graph.nodes.get(link.source)
        if node is None or node.type in _DRAWING:
            return None
        is_node = node.type not in _PASSING and node.type not in self.workflow.subgraphs
        if node.mode in _MODES and not (self.keep_modes and is_node):
            if node.mode == MUTED:
                return None
            chosen = _bypass(node, link.slot, socket.type)
            return None if chosen is None else (scope, _wanting(chosen, socket.type))
        if node.id in scope.children:
            inner = scope.children[node.id]
            feeding = inner.graph.outputs.get(link.slot)
            return None if feeding is None else (inner, replace(socket, link=feeding.id))
        if node.type == "PrimitiveNode":
            values = list(node.values.values()) if isinstance(node.values, dict) else node.values
            return Constant(values[0]) if values else None
        if node.type == "Reroute":
            return (scope, _wanting(node.inputs[0], socket.type)) if node.inputs else None
        return Origin(scope, node.id, link.slot)


def _wanting(socket: Socket, wanted: str) -> Socket:
    """``socket`` on the way to an input of type ``wanted``, if it does not say its own."""
    return replace(socket, type=wanted) if socket.type in ("", "*") else socket


def _through_border(scope: Scope, slot: int, wanted: str) -> tuple[Scope, Socket] | Traced:
    """From inside a subgraph to what the instance has at that input: a link or its own value."""
    assert scope.parent is not None and scope.instance is not None
    if not 0 <= slot < len(scope.graph.inputs):
        return None
    name = scope.graph.inputs[slot]
    outer = next((socket for socket in scope.instance.inputs if socket.name == name), None)
    if outer is not None and outer.link is not None:
        return scope.parent, _wanting(outer, wanted)
    own = ("-1", name)
    return Constant(scope.promoted[own]) if own in scope.promoted else None


def _promoted(node: UiNode) -> dict[tuple[str, str], Any]:
    """The widget values set on ``node``, an instance of a subgraph."""
    if not isinstance(node.values, list):
        return {}
    own = [("-1", socket.name) for socket in node.inputs if socket.widget is not None]
    listed = node.properties.get("proxyWidgets")
    if isinstance(listed, list) and listed:
        pairs = [(str(p[0]), str(p[1])) for p in listed if isinstance(p, list) and len(p) >= 2]
        if len(pairs) == len(node.values):
            own = pairs
    return {
        place: value for place, value in zip(own, node.values, strict=False) if value is not None
    }


def _bypass(node: UiNode, slot: int, wanted: str) -> Socket | None:
    """The input of a bypassed node that takes the place of its output ``slot``."""
    offered = node.outputs[slot] if 0 <= slot < len(node.outputs) else wanted

    def fits(socket: Socket) -> bool:
        return _compatible(socket.type, offered) and _compatible(socket.type, wanted)

    if 0 <= slot < len(node.inputs) and fits(node.inputs[slot]):
        return node.inputs[slot]
    same = [socket for socket in node.inputs if socket.type.lower() == wanted.lower()]
    return next(iter([*same, *filter(fits, node.inputs)]), None)


def _compatible(one: str, other: str) -> bool:
    a, b = one.lower(), other.lower()
    return "*" in (a, b) or "" in (a, b) or bool({*a.split(",")} & {*b.split(",")})


def _final_ids(found: list[tuple[Scope, UiNode]]) -> dict[tuple[str, str], str]:
    """The id of each node in the plain graph: its path, or the one kept when it was exported."""
    ids = {(scope.prefix, node.id): f"{scope.prefix}{node.id}" for scope, node in found}
    taken = set(ids.values())
    for scope, node in found:
        kept = node.properties.get(KEPT_ID)
        if scope.parent is None and is_node_id(kept) and kept not in taken:
            ids[scope.prefix, node.id] = str(kept)
            taken.add(str(kept))
    return ids


def _named(scope: Scope, node: UiNode) -> str:
    return f"{shorten(node.title or node.type, 60)} (#{shorten(scope.prefix + node.id, 60)})"


def _listed(names: list[str]) -> str:
    return ", ".join(names[:8]) + (f" and {len(names) - 8} more" if len(names) > 8 else "")
