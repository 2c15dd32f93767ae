"""Saving a ComfyUI workflow without losing what only ComfyUI's front end knows. Pure.

Colours, sizes, groups, comments and settings of others are taken over from the file as it was;
nodes and links are those of the editor.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from nst_graph.workflow import CELL

_OURS = frozenset({"id", "type", "inputs", "outputs", "widgets_values", "mode", "order", "title"})
_COMMENTS = ("Note", "MarkdownNote")
_CONTROLS = ("increment", "decrement", "randomize")


def merged(new: Mapping[str, Any], old: Mapping[str, Any]) -> dict[str, Any]:
    """``new`` (made from the plain graph) with everything of ``old`` that it says nothing about."""
    before = {
        str(node["id"]): node
        for node in _list(old, "nodes")
        if isinstance(node, Mapping) and "id" in node
    }
    nodes = [_merged_node(node, before.get(str(node["id"]))) for node in new["nodes"]]
    taken = {str(node["id"]) for node in nodes}
    nodes += [
        dict(node)
        for name, node in before.items()
        if node.get("type") in _COMMENTS and name not in taken
    ]
    kept = {key: value for key, value in old.items() if key not in ("nodes", "links")}
    kept.pop("definitions", None)  # subgraphs are written out in full
    kept.pop("floatingLinks", None)
    kept["extra"] = {  # these name links by their old numbers
        key: value
        for key, value in _mapping(old, "extra").items()
        if key not in ("reroutes", "linkExtensions")
    }
    result = {**kept, "nodes": nodes, "links": new["links"], "version": new["version"]}
    for counter in ("last_node_id", "last_link_id"):
        counts = [value for value in (old.get(counter), new[counter]) if isinstance(value, int)]
        result[counter] = max(counts)
    return result


def _merged_node(node: Mapping[str, Any], before: Mapping[str, Any] | None) -> dict[str, Any]:
    if before is None or before.get("type") != node["type"]:
        return dict(node)
    kept = {key: value for key, value in before.items() if key not in _OURS}
    if not _same_cell(node.get("pos"), kept.get("pos")):
        kept.pop("pos", None)
    properties = {**_mapping(before, "properties"), **_mapping(node, "properties")}
    values = _with_controls(node.get("widgets_values"), before.get("widgets_values"))
    return {**node, **kept, "properties": properties, "widgets_values": values}


def _same_cell(new: Any, old: Any) -> bool:
    """Whether the node still lies in the character cell in which it was opened."""
    try:
        return all(
            round(float(o) / size) * size == round(n)
            for n, o, size in zip(new, old, CELL, strict=True)
        )
    except (TypeError, ValueError, OverflowError):
        return False


def _with_controls(new: Any, old: Any) -> Any:
    """What a seed does after a run (``randomize`` …) is a setting of the front end: kept."""
    if not (isinstance(new, list) and isinstance(old, list) and len(new) == len(old)):
        return new
    return [
        before if value == "fixed" and before in _CONTROLS else value
        for value, before in zip(new, old, strict=True)
    ]


def _list(data: Mapping[str, Any], key: str) -> list[Any]:
    found = data.get(key)
    return found if isinstance(found, list) else []


def _mapping(data: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    found = data.get(key)
    return found if isinstance(found, Mapping) else {}
