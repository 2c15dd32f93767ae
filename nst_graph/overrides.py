"""``--set NODE.INPUT=VALUE``: which input is meant, and its value by the input's declared type."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from typing import Any

from nst_graph.errors import UserError
from nst_graph.node_ids import id_order
from nst_graph.registry import WIDGETS, Input, NodeType
from nst_graph.suggest import did_you_mean
from nst_graph.text import shorten

_TRUTH = {
    **dict.fromkeys(("true", "yes", "on", "1"), True),
    **dict.fromkeys(("false", "no", "off", "0"), False),
}

Nodes = dict[str, dict[str, Any]]


def apply_to_nodes(
    nodes: Nodes, overrides: Iterable[str], types: Mapping[str, NodeType]
) -> tuple[Nodes, list[tuple[str, str, Any, Any]]]:
    """New nodes with every override applied, and (node id, input, old, new) of each.

    Raises:
        UserError: what is wrong with an override, and what comes near.
    """
    nodes = dict(nodes)
    changes = []
    for text in overrides:
        place, equals, given = text.partition("=")
        title, dot, name = place.rpartition(".")
        if not (equals and dot and title and name):
            raise UserError(f"{shorten(text)!r} is not NODE.INPUT=VALUE")
        node = find_node(nodes, title, types)
        declared = _declaration(nodes, node, name, types)
        value = parse_value(given, declared, nodes, f"#{node}.{name}")
        inputs = dict(nodes[node]["inputs"]) if "inputs" in nodes[node] else {}
        changes.append((node, name, inputs.get(name), value))
        inputs[name] = value
        nodes[node] = {**nodes[node], "inputs": inputs}
    return nodes, changes


def find_node(nodes: Mapping[str, Any], name: str, types: Mapping[str, NodeType]) -> str:
    """The id of the node that ``name`` means: an id, else a title, else a class used once.

    Raises:
        UserError: none, or several.
    """
    if name in nodes:
        return name
    titles = {node: title_of(nodes[node]) for node in sorted(nodes, key=id_order)}
    classes = {node: _class_names(nodes[node], types) for node in titles}
    folded = name.casefold()
    for found in (
        [node for node, title in titles.items() if title == name],
        [node for node, title in titles.items() if title.casefold() == folded],
        [node for node, names in classes.items() if folded in names],
    ):
        if len(found) > 1:
            ids = ", ".join(f"#{shorten(node, 40)}" for node in found[:12])
            raise UserError(
                f"{shorten(name)!r} means {len(found)} nodes ({ids}) - use the id of one"
            )
        if found:
            return found[0]
    known = [*titles, *(title for title in titles.values() if title)]
    told = [f"{titles[node]} (#{node})" if titles[node] else f"#{node}" for node in titles]
    hint = did_you_mean(name, known, 3) or f"the graph has {_listed(told)}"
    raise UserError(f"the graph has no node {shorten(name)!r} - {hint}")


def title_of(node: Any) -> str:
    """The title a user gave the node; empty if there is none."""
    meta = node.get("_meta") if isinstance(node, Mapping) else None
    title = meta.get("title") if isinstance(meta, Mapping) else None
    return title.strip() if isinstance(title, str) else ""


def parse_value(text: str, declared: Input | None, nodes: Mapping[str, Any], where: str) -> Any:
    """The value that ``text`` means for an input; None as declaration takes JSON or plain text.

    Raises:
        UserError: another type is expected.
    """
    link = _link(text, nodes)
    if link is not None:
        return link
    if declared is None:
        return _json_or_text(text)
    where, kind = f"{shorten(where)} ({declared.type})", declared.type
    shown = repr(shorten(text))
    if kind == "STRING":
        return text
    if kind == "INT":
        number = _number(text)
        if number is None or number != int(number):
            raise UserError(f"{where} expects a whole number, not {shown}")
        return int(number) if "." in text or "e" in text.lower() else int(text)
    if kind == "FLOAT":
        number = _number(text)
        if number is None:
            raise UserError(f"{where} expects a number such as 0.5 or 1e4, not {shown}")
        return number
    if kind == "BOOLEAN":
        truth = _TRUTH.get(text.strip().lower())
        if truth is None:
            raise UserError(f"{where} expects true or false, not {shown}")
        return truth
    if kind == "COMBO":
        chosen = [choice for choice in declared.choices or () if str(choice) == text]
        return chosen[0] if chosen else text
    if kind == "*" or set(kind.split(",")) & WIDGETS:
        return _json_or_text(text)
    raise UserError(
        f"{where} takes no value but a link such as "
        f'["{next(iter(sorted(nodes, key=id_order)), "1")}", 0], not {shown}'
    )


def _declaration(nodes: Nodes, node: str, name: str, types: Mapping[str, NodeType]) -> Input:
    data = nodes[node]
    kind = data.get("class_type") if isinstance(data, Mapping) else None
    if not isinstance(kind, str) or not isinstance(data.get("inputs", {}), Mapping):
        raise UserError(f"#{shorten(node)} is not a node with a class and inputs")
    if kind not in types:
        hint = did_you_mean(kind, types) or "nst nodes lists the known ones"
        raise UserError(f"#{shorten(node)} is of an unknown class {shorten(kind)!r} - {hint}")
    declared = types[kind].inputs
    if name not in declared:
        hint = did_you_mean(name, declared, 3) or f"it has {_listed(declared)}"
        raise UserError(f"{kind} (#{node}) has no input {shorten(name)!r} - {hint}")
    return declared[name]


def _class_names(node: Any, types: Mapping[str, NodeType]) -> set[str]:
    kind = node.get("class_type") if isinstance(node, Mapping) else None
    if not isinstance(kind, str):
        return set()
    names = {kind.casefold()}
    return names | {types[kind].display_name.casefold()} if kind in types else names


def _link(text: str, nodes: Mapping[str, Any]) -> list[Any] | None:
    if not text.lstrip().startswith("["):
        return None
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return None
    if not (isinstance(value, list) and len(value) == 2 and type(value[1]) is int):
        return None
    source = str(value[0]) if type(value[0]) in (str, int) else ""
    return [source, value[1]] if source in nodes else None


def _json_or_text(text: str) -> Any:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return text
    if isinstance(value, list):
        return {"__value__": value}
    return text if isinstance(value, float) and not math.isfinite(value) else value


def _number(text: str) -> float | None:
    try:
        number = float(text)
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def _listed(names: Iterable[str]) -> str:
    shown = [shorten(name, 40) for name in names]
    return ", ".join(shown[:12]) + (" …" if len(shown) > 12 else "") or "none"
