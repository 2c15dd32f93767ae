"""Edits: functions from one graph to the next. They share what they do not touch.

Fields that the editor does not know stay as they are, in nodes, in ``_meta`` and in inputs.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from typing import Any

from nst_graph.errors import UserError
from nst_graph.text import shorten

from .model import (
    Nodes,
    Types,
    ancestors,
    as_link,
    class_of,
    compatible,
    consumers,
    data_of,
    free_id,
    inputs_of,
    links,
    meta_of,
    output_type,
    outputs_of,
    sockets_of,
    title_of,
)

PASTE_LIMIT = 2000
"""The most nodes that one paste may add."""


def add(nodes: Nodes, kind: str, types: Types) -> tuple[Nodes, str]:
    """A new node of class ``kind`` with its defaults; the graph and the new id."""
    declared = types[kind].inputs
    values = {name: spec.default for name, spec in declared.items() if spec.is_widget}
    node = free_id(nodes)
    return {**nodes, node: {"class_type": kind, "inputs": values}}, node


def set_value(nodes: Nodes, node: str, name: str, value: Any) -> Nodes:
    return _with_inputs(nodes, node, {**inputs_of(nodes, node), name: value})


def link(nodes: Nodes, source: str, slot: int, target: str, name: str) -> Nodes:
    return set_value(nodes, target, name, [source, slot])


def why_not(
    nodes: Nodes, source: str, slot: int, target: str, name: str, types: Types
) -> str | None:
    """The reason why this link is refused; None if it may be made."""
    kind = types.get(class_of(nodes, target))
    has = output_type(nodes, source, slot, types)
    wants = kind.inputs[name].type if kind is not None and name in kind.inputs else "*"
    if not compatible(has, wants):
        return f"{name} of #{target} takes {wants}, this output is {has}"
    if source == target:
        return "a node cannot feed itself"
    if target in ancestors(nodes, source):
        return (
            f"this would close a cycle: {title_of(nodes, source, types)} #{source} "
            f"already depends on {title_of(nodes, target, types)} #{target}"
        )
    return None


def unlink(nodes: Nodes, target: str, name: str, types: Types) -> Nodes:
    """Remove the link into an input; a constant goes back to its default."""
    kept = {key: value for key, value in inputs_of(nodes, target).items() if key != name}
    kind = types.get(class_of(nodes, target))
    if kind is not None and name in kind.inputs and kind.inputs[name].is_widget:
        kept[name] = kind.inputs[name].default
    return _with_inputs(nodes, target, kept)


def delete(nodes: Nodes, chosen: Collection[str], types: Types) -> Nodes:
    """Remove nodes and the links that leave them."""
    gone = set(chosen)
    left: Nodes = {node: data for node, data in nodes.items() if node not in gone}
    for cut in links(nodes):
        if cut.source in gone and cut.target not in gone:
            left = unlink(left, cut.target, cut.input, types)
    return left


def delete_and_heal(nodes: Nodes, chosen: Collection[str], types: Types) -> Nodes:
    """Remove nodes and join what fed them to what they fed, where the types allow it."""
    for node in chosen:
        if node not in nodes:
            continue
        joined = nodes
        for out in consumers(nodes, node):
            feed = passes_through(nodes, node, out.slot, types)
            if feed is not None:
                joined = link(joined, *feed, out.target, out.input)
        nodes = delete(joined, [node], types)
    return nodes


def passes_through(nodes: Nodes, node: str, slot: int, types: Types) -> tuple[str, int] | None:
    """What reaches output ``slot`` when the node is left out: ComfyUI's rule for bypassing.

    The input at the same position if its type fits, else the first linked input of that type.
    """
    wanted = output_type(nodes, node, slot, types)
    given = inputs_of(nodes, node)
    sockets = [(name, as_link(given.get(name)), kind) for name, kind in _inputs(nodes, node, types)]
    same = sockets[slot : slot + 1]
    for name, feed, kind in [*same, *sockets]:
        if feed is not None and name and compatible(kind, wanted) and feed[0] in nodes:
            has = output_type(nodes, *feed, types)
            if compatible(has, wanted):
                return feed
    return None


def _inputs(nodes: Nodes, node: str, types: Types) -> list[tuple[str, str]]:
    kind = types.get(class_of(nodes, node))
    if kind is None:
        return sockets_of(nodes, node, types)
    return [(name, spec.type) for name, spec in kind.inputs.items()]


def set_meta(nodes: Nodes, node: str, key: str, value: Any) -> Nodes:
    """Set one entry of ``_meta``; None removes it (and an empty ``_meta`` with it)."""
    meta = dict(meta_of(nodes, node))
    if value is None:
        meta.pop(key, None)
    else:
        meta[key] = value
    data = {name: item for name, item in data_of(nodes, node).items() if name != "_meta"}
    if meta:
        data["_meta"] = meta
    return {**nodes, node: data}


def rename(nodes: Nodes, node: str, title: str) -> Nodes:
    return set_meta(nodes, node, "title", title.strip() or None)


def set_mode(nodes: Nodes, chosen: Collection[str], mode: str) -> Nodes:
    """Set ``muted`` or ``bypassed`` on nodes; nothing makes them normal again."""
    for node in chosen:
        nodes = set_meta(nodes, node, "mode", mode or None)
    return nodes


def place(nodes: Nodes, places: Mapping[str, tuple[int, int] | None]) -> Nodes:
    """Pin nodes to places in cells; None gives a node back to the layout."""
    for node, at in places.items():
        nodes = set_meta(nodes, node, "pos", None if at is None else [at[0], at[1]])
    return nodes


def copy(nodes: Nodes, chosen: Collection[str]) -> str:
    """The chosen nodes as an API graph in JSON, outside links included."""
    picked = {node: data for node, data in nodes.items() if node in set(chosen)}
    return json.dumps(picked, indent=2, ensure_ascii=False)


def parse_pasted(text: str) -> Nodes:
    """Nodes from pasted JSON: an API graph, or a queue request that holds one.

    Raises:
        UserError: it is no such thing.
    """
    try:
        data = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise UserError(f"the clipboard holds no graph: {shorten(str(error))}") from None
    if isinstance(data, dict) and isinstance(data.get("prompt"), dict):
        data = data["prompt"]
    if not isinstance(data, dict) or not data:
        raise UserError("the clipboard holds no graph: expected nodes in API format")
    for node, entry in data.items():
        if not isinstance(entry, dict) or not isinstance(entry.get("class_type"), str):
            raise UserError(f"the clipboard holds no graph: {shorten(node)!r} has no class_type")
        if not isinstance(entry.get("inputs", {}), dict):
            raise UserError(f"the clipboard holds no graph: {shorten(node)!r} has no inputs")
    if len(data) > PASTE_LIMIT:
        raise UserError(f"the clipboard holds {len(data)} nodes; at most {PASTE_LIMIT} are pasted")
    return data


def paste(nodes: Nodes, pasted: Nodes, *, outside: bool) -> tuple[Nodes, list[str]]:
    """Add ``pasted`` under new ids; the graph and the new ids.

    Links among them are kept, links from outside only if ``outside`` is set and their source
    exists here. Places are left to the layout.
    """
    new: dict[str, str] = {}
    for node in pasted:
        new[node] = free_id(nodes, set(new.values()))
    added: dict[str, Mapping[str, Any]] = {}
    for node, data in pasted.items():
        values: dict[str, Any] = {}
        for name, value in inputs_of(pasted, node).items():
            feed = as_link(value)
            if feed is None:
                values[name] = value
            elif feed[0] in new:
                values[name] = [new[feed[0]], feed[1]]
            elif outside and feed[0] in nodes:
                values[name] = value
        added[new[node]] = {**data, "inputs": values}
    joined: Nodes = {**nodes, **added}
    for node in added:
        joined = set_meta(joined, node, "pos", None)
    return joined, list(new.values())


def resolve_modes(nodes: Nodes, types: Types) -> Nodes:
    """The plain graph: muted nodes and their links are gone, bypassed nodes are passed through."""
    muted = [node for node in nodes if meta_of(nodes, node).get("mode") == "muted"]
    bypassed = [node for node in nodes if meta_of(nodes, node).get("mode") == "bypassed"]
    plain = delete_and_heal(delete(nodes, muted, types), bypassed, types)
    return plain if muted or bypassed else nodes


def _with_inputs(nodes: Nodes, node: str, values: Mapping[str, Any]) -> Nodes:
    return {**nodes, node: {**data_of(nodes, node), "inputs": dict(values)}}


def as_plain(nodes: Nodes) -> dict[str, dict[str, Any]]:
    """The same nodes in the type that documents hold."""
    return {node: data if isinstance(data, dict) else dict(data) for node, data in nodes.items()}


def linkable(nodes: Nodes, source: str, types: Types, target: str) -> list[tuple[int, str]]:
    """Every ``(slot, input)`` by which ``source`` may feed ``target``, free inputs first."""
    given = inputs_of(nodes, target)
    kind = types.get(class_of(nodes, target))
    names = [] if kind is None else [n for n, spec in kind.inputs.items() if not spec.is_widget]
    pairs = [
        (slot, name)
        for slot in range(len(outputs_of(nodes, source, types)))
        for name in names
        if why_not(nodes, source, slot, target, name, types) is None
    ]
    return sorted(pairs, key=lambda pair: as_link(given.get(pair[1])) is not None)
