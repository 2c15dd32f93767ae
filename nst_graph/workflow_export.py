"""From the plain graph to ComfyUI's UI workflow 0.4, laid out in columns by depth."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from nst_graph.errors import UserError
from nst_graph.node_ids import id_order
from nst_graph.registry import NodeType
from nst_graph.text import shorten
from nst_graph.widgets import CONTROL, UPLOAD, places, unwrapped
from nst_graph.workflow import CELL, KEPT_ID
from nst_graph.workflow_model import BYPASSED, MUTED

COLUMN, WIDTH, GAP = 360, 300, 60
_TITLE, _ROW, _PICTURE = 30, 26, 220
_MODES = {"muted": MUTED, "bypassed": BYPASSED}


@dataclass(frozen=True)
class _Link:
    id: int
    source: str
    slot: int
    target: str
    input: str
    type: str


def to_workflow(
    nodes: Mapping[str, Mapping[str, Any]], types: Mapping[str, NodeType]
) -> dict[str, Any]:
    """The UI workflow (version 0.4) that the browser turns back into the API graph ``nodes``.

    ``_meta.mode`` (``muted``, ``bypassed``) and ``_meta.pos`` (character cells) are honoured.
    Inputs that a class does not declare have no place in a workflow and are left out.

    Raises:
        UserError: a node is no object with a class and inputs.
    """
    order = sorted(nodes, key=id_order)
    for node in order:
        data = nodes[node]
        if not isinstance(data, Mapping) or not isinstance(data.get("class_type"), str):
            raise UserError(f"#{shorten(node)} is not a node: it has no class_type")
        if not isinstance(data.get("inputs", {}), Mapping):
            raise UserError(f"#{shorten(node)}: inputs is not an object")
    links = _links(nodes, types, order)
    ui_ids = _ui_ids(order)
    depths = _depths(order, links)
    arriving: dict[str, list[_Link]] = defaultdict(list)
    leaving: dict[tuple[str, int], list[int]] = defaultdict(list)
    slots: dict[str, int] = defaultdict(int)
    for link in links:
        arriving[link.target].append(link)
        leaving[link.source, link.slot].append(link.id)
        slots[link.source] = max(slots[link.source], link.slot + 1)
    heights: dict[int, int] = defaultdict(int)
    drawn, rows = [], []
    run_order = sorted(order, key=lambda node: (depths[node], id_order(node)))
    for position, node in enumerate(run_order):
        known = types.get(nodes[node]["class_type"])
        ui = _node(nodes[node], known, arriving[node], slots[node])
        ui |= {"id": ui_ids[node], "order": position}
        if str(ui_ids[node]) != node:
            ui["properties"][KEPT_ID] = node
        column = depths[node]
        ui["pos"] = _place(nodes[node]) or [column * COLUMN, heights[column]]
        heights[column] += ui["size"][1] + GAP
        for slot, output in enumerate(ui["outputs"]):
            output["links"] = leaving.get((node, slot)) or None
        targets = {item["name"]: index for index, item in enumerate(ui["inputs"])}
        rows += [
            [k.id, ui_ids[k.source], k.slot, ui_ids[node], targets[k.input], k.type]
            for k in arriving[node]
        ]
        drawn.append(ui)
    return {
        "revision": 0,
        "last_node_id": max(ui_ids.values(), default=0),
        "last_link_id": len(links),
        "nodes": drawn,
        "links": sorted(rows),
        "groups": [],
        "config": {},
        "extra": {},
        "version": 0.4,
    }


def _links(
    nodes: Mapping[str, Mapping[str, Any]], types: Mapping[str, NodeType], order: list[str]
) -> list[_Link]:
    found: list[_Link] = []
    for node in order:
        declared = types.get(nodes[node]["class_type"])
        for name, value in nodes[node].get("inputs", {}).items():
            if declared is not None and name not in declared.inputs:
                continue
            if not (isinstance(value, list) and len(value) == 2 and isinstance(value[0], str)):
                continue
            source, slot = value
            if source not in nodes or not isinstance(slot, int) or not 0 <= slot < 1000:
                continue
            giver = types.get(nodes[source]["class_type"])
            if giver is None:
                kind = declared.inputs[name].type if declared else "*"
            elif slot < len(giver.outputs):
                kind = giver.outputs[slot].type
            else:
                continue
            found.append(_Link(len(found) + 1, source, int(slot), node, name, kind))
    return found


def _ui_ids(order: list[str]) -> dict[str, int]:
    """Whole numbers: the browser takes ids such as ``12:3`` for nodes inside subgraphs."""
    plain = {
        node: int(node)
        for node in order
        if node.isascii() and node.isdigit() and len(node) < 15 and str(int(node)) == node
    }
    free = max(plain.values(), default=0)
    ids = dict(plain)
    for node in order:
        if node not in ids:
            free += 1
            ids[node] = free
    return ids


def _depths(order: list[str], links: list[_Link]) -> dict[str, int]:
    """The longest way from a node without inputs; nodes on a cycle come last."""
    waiting = dict.fromkeys(order, 0)
    after: dict[str, list[str]] = defaultdict(list)
    for link in links:
        waiting[link.target] += 1
        after[link.source].append(link.target)
    depths = {node: 0 for node, count in waiting.items() if not count}
    ready = list(depths)
    for node in ready:  # grows while it is read
        for target in after[node]:
            depths[target] = max(depths.get(target, 0), depths[node] + 1)
            waiting[target] -= 1
            if not waiting[target]:
                ready.append(target)
    last = max((depths[node] for node in ready), default=-1) + 1
    done = set(ready)
    return {node: depths[node] if node in done else last for node in order}


def _node(
    data: Mapping[str, Any], known: NodeType | None, arriving: list[_Link], slots: int
) -> dict[str, Any]:
    kind, meta = data["class_type"], data.get("_meta")
    meta = meta if isinstance(meta, Mapping) else {}
    given = {name: unwrapped(value) for name, value in data.get("inputs", {}).items()}
    linked = {link.input: link for link in arriving}
    ui: dict[str, Any] = {
        "type": kind,
        "flags": {},
        "mode": _MODES.get(str(meta.get("mode")), 0),
        "inputs": _sockets(known, linked),
        "outputs": _outputs(known, slots),
        "properties": {"Node name for S&R": kind},
        "widgets_values": _values(known, given, linked),
    }
    title = meta.get("title")
    if isinstance(title, str):
        ui["title"] = title
    rows = max(len(ui["inputs"]), len(ui["outputs"])) + len(ui["widgets_values"])
    picture = known is not None and UPLOAD in places(known)
    ui["size"] = [WIDTH, _TITLE + _ROW * max(rows, 1) + (_PICTURE if picture else 0)]
    return ui


def _sockets(known: NodeType | None, linked: Mapping[str, _Link]) -> list[dict[str, Any]]:
    if known is None:
        return [{"name": n, "type": link.type, "link": link.id} for n, link in linked.items()]
    found = []
    for item in known.inputs.values():
        if item.is_widget and item.name not in linked:
            continue
        socket: dict[str, Any] = {
            "name": item.name,
            "type": item.type,
            "link": linked[item.name].id if item.name in linked else None,
        }
        if item.is_widget:
            socket["widget"] = {"name": item.name}
        elif not item.required:
            socket["shape"] = 7
        found.append(socket)
    return found


def _outputs(known: NodeType | None, slots: int) -> list[dict[str, Any]]:
    if known is None:
        return [{"name": str(slot), "type": "*", "slot_index": slot} for slot in range(slots)]
    return [
        {"name": output.name, "type": output.type, "slot_index": slot}
        for slot, output in enumerate(known.outputs)
    ]


def _values(
    known: NodeType | None, given: Mapping[str, Any], linked: Mapping[str, _Link]
) -> list[Any] | dict[str, Any]:
    if known is None:
        return {name: value for name, value in given.items() if name not in linked}
    values: list[Any] = []
    for place in places(known):
        if place is CONTROL:
            values.append("fixed")
        elif place is UPLOAD:
            values.append("image")
        elif place in given and place not in linked:
            values.append(given[place])
        else:
            values.append(known.inputs[place].default)
    return values


def _place(data: Mapping[str, Any]) -> list[int] | None:
    meta = data.get("_meta")
    place = meta.get("pos") if isinstance(meta, Mapping) else None
    if isinstance(place, list | tuple) and len(place) == 2:
        x, y = place
        if all(isinstance(v, int | float) and abs(v) < 1e6 for v in (x, y)):
            return [round(x * CELL[0]), round(y * CELL[1])]
    return None
