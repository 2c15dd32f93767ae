"""A document, checked: every problem at once, or a directed graph that can run."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from nst_graph.document import Document
from nst_graph.errors import GraphError, Problem
from nst_graph.node_check import NodeCheck, Sources, check_node
from nst_graph.node_ids import id_order
from nst_graph.registry import NodeType
from nst_graph.report import DEPENDENT, error_report
from nst_graph.text import shorten

if TYPE_CHECKING:
    import networkx as nx

__all__ = ["Checked", "check", "error_report", "problems"]

_ALWAYS_REFUSED = ("prompt_no_outputs", "missing_node_type", "invalid_prompt", "bad_node_id")
_OUTPUTS_TRACED = 50
"""For so many outputs it is said which of them a problem spoils."""


@dataclass(frozen=True)
class Checked:
    """A graph that can run.

    Nodes of ``graph`` have the attributes ``type`` (NodeType), ``values`` (constants by input,
    defaults filled in, converted to the declared types), ``links`` (input -> (node id, output
    slot)) and ``title``. Edges lead from a node to those that use it.
    """

    graph: nx.DiGraph[str]
    warnings: tuple[Problem, ...]


def check(document: Document, types: Mapping[str, NodeType]) -> Checked:
    """The graph of ``document``.

    Nodes that no output needs do not run. If all that is wrong is wrong with them, they are left
    out of the graph with a warning.

    Raises:
        GraphError: with every problem, warnings included.
    """
    import networkx as nx

    found, told = _examine(document.nodes, types)
    if any(problem.severity == "error" for problem in told):
        raise GraphError(told)
    graph: nx.DiGraph[str] = nx.DiGraph()
    left_out = _reached(
        [node for node, item in found.items() if item.faulty or item.type is None],
        _consumers(found),
    ).union(_on_cycles(found))
    for node, item in found.items():
        if node not in left_out:
            graph.add_node(
                node, type=item.type, values=item.values, links=item.links, title=item.title
            )
    for node in graph.nodes:
        graph.add_edges_from((source, node) for source, _ in found[node].links.values())
    return Checked(graph, tuple(told))


def problems(document: Document, types: Mapping[str, NodeType]) -> list[Problem]:
    """Everything wrong with ``document``, in the order of node ids. Never raises."""
    return _examine(document.nodes, types)[1]


def _examine(
    nodes: Mapping[str, Any], types: Mapping[str, NodeType]
) -> tuple[dict[str, NodeCheck], list[Problem]]:
    sources = Sources(nodes, types)
    found = {node: check_node(node, nodes[node], sources) for node in sorted(nodes, key=id_order)}
    told = [problem for item in found.values() for problem in item.problems]
    told += _cycles(found)
    outputs = [node for node, item in found.items() if item.type and item.type.is_output]
    used = {source for item in found.values() for source, _ in item.links.values()}
    # A node of an unknown class that nothing uses may be the output: a misspelt SaveImage is one
    # problem, not one for each node before it.
    unknown = [node for node, item in found.items() if item.type is None and node not in used]
    if not outputs and not unknown:
        told.append(_no_output(found))
    return found, _weighed(told, found, outputs + unknown)


def _weighed(
    told: list[Problem], found: Mapping[str, NodeCheck], outputs: list[str]
) -> list[Problem]:
    """Errors, told which outputs they spoil; only warnings where the graph runs in spite of them.

    It does when all of them belong to nodes that no output needs.
    """
    suppliers = {node: {s for s, _ in item.links.values()} for node, item in found.items()}
    needed_by: dict[str, list[str]] = {}
    if len(outputs) <= _OUTPUTS_TRACED:
        for output in outputs:
            for node in _reached([output], suppliers):
                needed_by.setdefault(node, []).append(output)
    needed = _reached(outputs, suppliers)
    runs = bool(outputs) and all(
        problem.severity == "warning"
        or (problem.node not in needed and problem.type not in _ALWAYS_REFUSED)
        for problem in told
    )
    weighed = []
    for problem in told:
        if problem.severity == "warning":
            weighed.append(problem)
        elif runs:
            hint = ". ".join(filter(None, (problem.hint, "no output needs this node")))
            weighed.append(replace(problem, severity="warning", hint=hint))
        else:
            spoiled = {DEPENDENT: needed_by.get(problem.node or "", [])}
            weighed.append(replace(problem, extra={**problem.extra, **spoiled}))
    return weighed


def _no_output(found: Mapping[str, NodeCheck]) -> Problem:
    if not found:
        return Problem("prompt_no_outputs", "the graph has no nodes", hint="add some")
    return Problem(
        "prompt_no_outputs",
        "the graph has no output: nothing in it saves or shows a result",
        hint="add a SaveImage or PreviewImage",
    )


# -- cycles


def _on_cycles(found: Mapping[str, NodeCheck]) -> set[str]:
    """Nodes that lie on a cycle or behind one: those left when the others are taken in order."""
    waiting = {
        node: {s for s, _ in item.links.values()} & found.keys() for node, item in found.items()
    }
    consumers = _consumers(found)
    ready = deque(node for node, suppliers in waiting.items() if not suppliers)
    while ready:
        node = ready.popleft()
        for consumer in consumers.get(node, ()):
            if node in waiting[consumer]:
                waiting[consumer].discard(node)
                if not waiting[consumer]:
                    ready.append(consumer)
    return {node for node, suppliers in waiting.items() if suppliers}


def _cycles(found: Mapping[str, NodeCheck]) -> list[Problem]:
    """One problem, with its path, for each strongly connected component that is a cycle."""
    suspects = _on_cycles(found)
    if not suspects:
        return []
    import networkx as nx

    graph: nx.DiGraph[str] = nx.DiGraph()
    graph.add_edges_from(
        (source, node)
        for node in suspects
        for source, _ in found[node].links.values()
        if source in suspects
    )
    told = []
    for component in nx.strongly_connected_components(graph):
        first = min(component, key=id_order)
        if len(component) == 1 and not graph.has_edge(first, first):
            continue
        path = _shortest_cycle(graph, first, component)
        item = found[path[0]]
        into = {source: name for name, (source, _) in item.links.items()}
        shown = [f"#{shorten(node, 40)}" for node in (path if len(path) <= 12 else path[:10])]
        if len(path) > 12:
            shown.append(f"… {len(path) - 10} more …")
        told.append(
            Problem(
                "dependency_cycle",
                f"a cycle: {' -> '.join([*shown, shown[0]])}",
                node=path[0],
                title=item.title,
                class_type=item.class_type,
                input=into.get(path[-1]),
                hint="remove one of these links",
                extra={"cycle_nodes": path},
            )
        )
    return sorted(told, key=lambda problem: id_order(problem.node or ""))


def _shortest_cycle(graph: nx.DiGraph[str], first: str, component: set[str]) -> list[str]:
    """A shortest way from ``first`` along the links back to it, inside its component."""
    before: dict[str, str] = {}
    queue = deque([first])
    while queue:
        node = queue.popleft()
        for after in sorted(graph.successors(node), key=id_order):
            if after == first:
                path = [node]
                while path[-1] != first:
                    path.append(before[path[-1]])
                return path[::-1]
            if after in component and after not in before:
                before[after] = node
                queue.append(after)
    raise AssertionError("a strongly connected component has a cycle through each of its nodes")


def _consumers(found: Mapping[str, NodeCheck]) -> dict[str, set[str]]:
    users: dict[str, set[str]] = {}
    for node, item in found.items():
        for source, _ in item.links.values():
            users.setdefault(source, set()).add(node)
    return users


def _reached(start: Iterable[str], edges: Mapping[str, Iterable[str]]) -> set[str]:
    """``start`` and everything that can be reached from it."""
    found = set(start)
    todo = list(found)
    while todo:
        for node in edges.get(todo.pop(), ()):
            if node not in found:
                found.add(node)
                todo.append(node)
    return found
