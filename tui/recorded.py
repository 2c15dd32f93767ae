"""What a run's folder says about its graph, read leniently: for display, never for running."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from nst_graph.errors import UserError
from nst_graph.files import read_limited
from nst_graph.folders import contained

MISSING = "–"


@dataclass(frozen=True)
class RecordedNode:
    id: str
    kind: str
    title: str
    values: Mapping[str, Any]
    """Inputs given as constants."""

    @property
    def name(self) -> str:
        return f"{self.title or self.kind} #{self.id}"


def nodes(graph: Path) -> dict[str, RecordedNode]:
    """The nodes of an API-format graph by id; empty if the file is not one."""
    try:
        data = json.loads(read_limited(graph))
    except (UserError, ValueError, RecursionError):
        return {}
    found = {}
    for node, given in data.items() if isinstance(data, dict) else ():
        if not isinstance(given, dict) or not isinstance(given.get("inputs"), dict):
            continue
        meta = given.get("_meta")
        title = meta.get("title", "") if isinstance(meta, dict) else ""
        values = {k: v for k, v in given["inputs"].items() if not isinstance(v, list | dict)}
        kind = given.get("class_type", "")
        found[str(node)] = RecordedNode(str(node), str(kind), str(title), values)
    return found


def differences(
    graphs: Sequence[Mapping[str, RecordedNode]], *, everything: bool = False
) -> list[tuple[str, tuple[str, ...]]]:
    """(``node.input``, value in each graph) for inputs that are not the same in all of them."""
    seen: dict[tuple[str, str], str] = {}
    for graph in graphs:
        for node in graph.values():
            for name in node.values:
                seen.setdefault((node.id, name), f"{node.name}.{name}")
    rows = []
    for (node_id, name), label in seen.items():
        values = tuple(_shown(graph.get(node_id), name) for graph in graphs)
        if everything or len(set(values)) > 1:
            rows.append((label, values))
    return rows


def changed(
    graph: Mapping[str, RecordedNode], values: Mapping[tuple[str, str], float]
) -> dict[str, RecordedNode]:
    """``graph`` with the values, by node and input, that it was given while it ran."""
    found = dict(graph)
    for (node, name), value in values.items():
        known = found.get(node)
        if known is not None:
            before = _shown(known, name)
            text = f"{before} → {value:g}"
            found[node] = replace(known, values={**known.values, name: text})
    return found


def _shown(node: RecordedNode | None, name: str) -> str:
    if node is None or name not in node.values:
        return MISSING
    value = node.values[name]
    return f"{value:g}" if isinstance(value, float) else str(value)


def picture(folder: Path, name: str) -> Path | None:
    """The preview ``name`` that a log mentions, if it is a file inside ``folder``."""
    try:
        return contained(folder, name)
    except UserError:
        return None
