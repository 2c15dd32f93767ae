"""A graph as the editor sees it: a mapping of node id to node in ComfyUI's API format.

Everything here is a pure question about that mapping. Mappings are treated as immutable: edits
(:mod:`nst_graph.tui.editor.edits`) return new ones that share what did not change, so that undo
is exact and cheap. Nodes may be of unknown classes, links may lead nowhere, values may be of any
type: a file under repair must open.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from nst_graph.registry import Input, NodeType

Nodes = Mapping[str, Mapping[str, Any]]
Types = Mapping[str, NodeType]

MUTED, BYPASSED = "muted", "bypassed"
_NUMBERED = re.compile(r"(.*?)(\d+)")


@dataclass(frozen=True)
class Link:
    """An edge: output ``slot`` of ``source`` feeds ``input`` of ``target``."""

    source: str
    slot: int
    target: str
    input: str


def as_link(value: Any) -> tuple[str, int] | None:
    """``(node id, slot)`` if an input's value is a link in ComfyUI's sense, else None."""
    if (
        isinstance(value, list | tuple)
        and len(value) == 2
        and isinstance(value[0], str)
        and isinstance(value[1], int | float)
        and not isinstance(value[1], bool)
        and value[1] == value[1]
        and abs(value[1]) < 1e6
    ):
        return value[0], int(value[1])
    return None


def data_of(nodes: Nodes, node: str) -> Mapping[str, Any]:
    """The node's entry; an empty one if the file had something else in its place."""
    found: Any = nodes.get(node)
    return found if isinstance(found, Mapping) else {}


def inputs_of(nodes: Nodes, node: str) -> Mapping[str, Any]:
    found = data_of(nodes, node).get("inputs")
    return found if isinstance(found, Mapping) else {}


def class_of(nodes: Nodes, node: str) -> str:
    return str(data_of(nodes, node).get("class_type", ""))


def meta_of(nodes: Nodes, node: str) -> Mapping[str, Any]:
    found = data_of(nodes, node).get("_meta")
    return found if isinstance(found, Mapping) else {}


def title_of(nodes: Nodes, node: str, types: Types) -> str:
    """The user's title, else the class's display name, else the class."""
    given = meta_of(nodes, node).get("title")
    if isinstance(given, str) and given.strip():
        return given
    kind = class_of(nodes, node)
    return types[kind].display_name if kind in types else kind or "?"


def mode_of(nodes: Nodes, node: str) -> str:
    """``muted``, ``bypassed`` or nothing."""
    mode = meta_of(nodes, node).get("mode")
    return mode if mode in (MUTED, BYPASSED) else ""


def place_of(nodes: Nodes, node: str) -> tuple[int, int] | None:
    """Where the user put the node, in cells; None if the layout decides."""
    place = meta_of(nodes, node).get("pos")
    if isinstance(place, list | tuple) and len(place) == 2:
        x, y = place
        if all(isinstance(v, int | float) and abs(v) < 1e6 for v in (x, y)):
            return int(x), int(y)
    return None


_last: tuple[Nodes, tuple[Link, ...]] = ({}, ())


def links(nodes: Nodes) -> tuple[Link, ...]:
    """Every link between two nodes that exist, in the order of the file.

    The answer for the last graph is kept: graphs are never modified, and one graph is asked for
    its links many times while it is on the screen.
    """
    global _last
    if _last[0] is not nodes:
        found = []
        for target in nodes:
            for name, value in inputs_of(nodes, target).items():
                link = as_link(value)
                if link is not None and link[0] in nodes:
                    found.append(Link(link[0], link[1], target, name))
        _last = (nodes, tuple(found))
    return _last[1]


def consumers(nodes: Nodes, source: str, slot: int | None = None) -> list[Link]:
    """The links that leave ``source`` (only those of ``slot`` if given)."""
    return [
        link
        for link in links(nodes)
        if link.source == source and (slot is None or link.slot == slot)
    ]


def ancestors(nodes: Nodes, node: str) -> set[str]:
    """Every node that ``node`` depends on, without itself (unless it lies on a cycle)."""
    found: set[str] = set()
    todo = [node]
    while todo:
        for value in inputs_of(nodes, todo.pop()).values():
            link = as_link(value)
            if link is not None and link[0] in nodes and link[0] not in found:
                found.add(link[0])
                todo.append(link[0])
    return found


def order(nodes: Nodes) -> list[str]:
    """Nodes in execution order, stable in the order of the file; nodes on cycles come last."""
    waiting: dict[str, int] = dict.fromkeys(nodes, 0)
    after: dict[str, list[str]] = defaultdict(list)
    for link in links(nodes):
        waiting[link.target] += 1
        after[link.source].append(link.target)
    ready = [node for node, count in waiting.items() if not count]
    for node in ready:  # grows while it is read
        for target in after[node]:
            waiting[target] -= 1
            if not waiting[target]:
                ready.append(target)
    done = set(ready)
    return ready + [node for node in nodes if node not in done]


def compatible(output: str, accepted: str) -> bool:
    """Whether an output of type ``output`` may feed an input that accepts ``accepted``."""
    if "*" in (output, accepted):
        return True
    return bool(set(output.split(",")) & set(accepted.split(",")))


def outputs_of(nodes: Nodes, node: str, types: Types) -> tuple[tuple[str, str], ...]:
    """``(name, type)`` of each output; of an unknown class, those that are in use."""
    kind = types.get(class_of(nodes, node))
    if kind is not None:
        return tuple((output.name, output.type) for output in kind.outputs)
    used = max((link.slot for link in consumers(nodes, node)), default=-1)
    return tuple((str(slot), "*") for slot in range(min(used + 1, 64)))


def output_type(nodes: Nodes, node: str, slot: int, types: Types) -> str:
    found = outputs_of(nodes, node, types)
    return found[slot][1] if 0 <= slot < len(found) else "*"


def sockets_of(nodes: Nodes, node: str, types: Types) -> list[tuple[str, str]]:
    """``(name, type)`` of the inputs shown as sockets: needed, linked, and one free of each row.

    Of a numbered row of optional inputs (``loss_2`` … ``loss_8``) only the linked ones and the
    first free one are shown; constants are shown only where something is linked to them.
    """
    given = inputs_of(nodes, node)
    kind = types.get(class_of(nodes, node))
    if kind is None:
        return [(name, "*") for name, value in given.items() if as_link(value)]
    shown: list[tuple[str, str]] = []
    rows_with_free: set[str] = set()
    for name, declared in kind.inputs.items():
        linked = as_link(given.get(name)) is not None
        if not linked:
            if declared.is_widget:
                continue
            numbered = _NUMBERED.fullmatch(name)
            if numbered:
                if numbered[1] in rows_with_free and not declared.required:
                    continue
                rows_with_free.add(numbered[1])
        shown.append((name, declared.type))
    return shown + [(n, "*") for n, v in given.items() if n not in kind.inputs and as_link(v)]


def widgets_of(nodes: Nodes, node: str, types: Types) -> list[tuple[str, Input | None, Any]]:
    """``(name, declaration, value)`` of every constant of the node, defaults filled in.

    Constants that the class does not know come last, with no declaration.
    """
    given = inputs_of(nodes, node)
    kind = types.get(class_of(nodes, node))
    declared = {} if kind is None else kind.inputs
    found: list[tuple[str, Input | None, Any]] = [
        (name, spec, given.get(name, spec.default))
        for name, spec in declared.items()
        if spec.is_widget and as_link(given.get(name)) is None
    ]
    found += [
        (name, None, value)
        for name, value in given.items()
        if name not in declared and as_link(value) is None
    ]
    return found


def free_id(nodes: Nodes, taken: set[str] | None = None) -> str:
    """The smallest number greater than every numeric id in use."""
    used = [int(node) for node in (*nodes, *(taken or ())) if node.isdecimal() and len(node) < 12]
    return str(max(used, default=0) + 1)
