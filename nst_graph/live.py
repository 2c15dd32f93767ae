"""Weights that change while a graph runs: which may, to what, and which have."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import networkx as nx

from nst_graph import events
from nst_graph.errors import UserError
from nst_graph.plan import Change
from nst_graph.registry import NodeType
from nst_graph.runs import RunFolder


def settable(graph: nx.DiGraph[str]) -> Callable[[str, str, Any], tuple[str, str, float]]:
    """A function that validates ``NODE.INPUT=VALUE`` for a running ``graph``.

    It takes (node id or title, input, value), returns (node id, input, value) and raises
    UserError for anything but the ``weight`` of a node that makes a loss.
    """
    nodes: Mapping[str, Mapping[str, Any]] = {n: data for n, data in graph.nodes(data=True)}
    losses = [node for node, data in nodes.items() if _makes_loss(data["type"])]
    offered = ", ".join(f"{nodes[node]['title'] or node}.weight" for node in losses) or "none"

    def resolve(name: str, input_name: str, value: Any) -> tuple[str, str, float]:
        titled = [n for n, data in nodes.items() if data["title"].lower() == name.lower()]
        found = [name] if name in nodes else titled
        if not found:
            raise UserError(f"no node {name!r}; weights that can change: {offered}")
        if len(found) > 1:
            raise UserError(f"{name!r} is the title of {len(found)} nodes; use the node's id")
        node = found[0]
        if node not in losses or input_name != "weight":
            raise UserError(
                f"{name}.{input_name} cannot change while the graph runs; "
                f"weights that can: {offered}"
            )
        if input_name in nodes[node]["links"]:
            raise UserError(f"{name}.{input_name} is linked to another node")
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise UserError(f"{name}.{input_name}: {value!r} is not a number")
        options = nodes[node]["type"].inputs[input_name].options
        low, high = options.get("min", float("-inf")), options.get("max", float("inf"))
        if not low <= value <= high:  # also refuses NaN
            raise UserError(f"{name}.{input_name}: {value:g} is outside {low:g} to {high:g}")
        return node, input_name, float(value)

    return resolve


def recorded_changes(run: RunFolder) -> list[Change]:
    """Weight changes the run began with or met so far, oldest first, each once."""
    found: dict[Change, None] = {Change(*change): None for change in run.options().live}
    reader = events.LogReader(run.log)
    while batch := reader.read():
        for event in batch:
            if isinstance(event, events.Changed):
                found[Change(event.step, event.node, event.input, event.new)] = None
    return list(found)


def _makes_loss(node: NodeType) -> bool:
    return "weight" in node.inputs and any(output.type == "NST_LOSS" for output in node.outputs)
