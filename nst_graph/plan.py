"""From a checked graph to tasks, each named by the hash of everything that decides its result.

Equal keys mean equal results, so the key is the address of the result in the store, of its
checkpoints and of its lock. Ids, titles and positions never enter; values enter as the node will
receive them. A node whose numbers depend on the machine (``NUMERIC = True``) also carries device,
precision, thread count and torch version in its key.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import networkx as nx

from nst_graph.errors import GraphError, Problem, UserError
from nst_graph.registry import NodeType

SCHEMA = 1
"""Raise to leave every stored result behind."""


@dataclass(frozen=True)
class Environment:
    """What the machine contributes to a numeric result."""

    device: str = "cpu"
    precision: str = "fp32"
    threads: int = 1
    torch: str = ""


@dataclass(frozen=True)
class Change:
    """A weight changed while the node ran: ``node.input`` became ``value`` after ``step``."""

    step: int
    node: str
    input: str
    value: float


@dataclass(frozen=True)
class Task:
    """One node to compute: ``links`` maps inputs to (node id, output slot).

    ``key`` names the result; ``base`` names it without weight changes made while it ran.
    """

    key: str
    node: str
    type: NodeType
    title: str
    values: Mapping[str, Any]
    links: Mapping[str, tuple[str, int]]
    fingerprint: Any = None
    base: str = ""

    @property
    def numeric(self) -> bool:
        return bool(getattr(self.type.cls, "NUMERIC", False))


@dataclass(frozen=True)
class Plan:
    """The tasks that the outputs need, in a stable order, and who waits for whom."""

    tasks: Mapping[str, Task]
    graph: nx.DiGraph[str]
    environment: Environment
    output_folder: str = ""

    def __iter__(self) -> Iterator[Task]:
        return iter(self.tasks.values())

    def rekey(self, node: str, key: str) -> Plan:
        """The plan after ``node``'s result got another key: its descendants' keys follow."""
        tasks = dict(self.tasks)
        tasks[node] = replace(tasks[node], key=key)
        below = nx.descendants(self.graph, node)
        for other in tasks:
            if other in below:
                base = _key(tasks[other], tasks, self)
                tasks[other] = replace(tasks[other], key=base, base=base)
        return replace(self, tasks=tasks)


def make_plan(
    graph: nx.DiGraph[str],
    environment: Environment,
    *,
    output_folder: str = "",
    targets: Collection[str] | None = None,
    fingerprint: Callable[[NodeType, Mapping[str, Any]], Any] | None = None,
) -> Plan:
    """Plan the ancestors of ``targets`` (default: every output node).

    ``graph`` is what :func:`nst_graph.graph.check` returns: node attributes ``type``, ``values``,
    ``links`` and ``title``.

    Raises:
        GraphError: a node's content could not be fingerprinted (a file vanished meanwhile).
    """
    wanted = set(targets if targets is not None else output_nodes(graph))
    needed = wanted.union(*(nx.ancestors(graph, node) for node in wanted))
    part: nx.DiGraph[str] = nx.DiGraph()
    part.add_nodes_from(sorted(needed))
    part.add_edges_from((a, b) for a, b in graph.edges if a in needed and b in needed)
    tasks: dict[str, Task] = {}
    plan = Plan(tasks, part, environment, output_folder)
    problems: list[Problem] = []
    for node in nx.lexicographical_topological_sort(part, key=_numeric_order):
        data = graph.nodes[node]
        task = Task("", node, data["type"], data["title"], data["values"], data["links"])
        try:
            task = replace(task, fingerprint=(fingerprint or is_changed)(task.type, task.values))
        except UserError as error:
            problems.append(
                Problem(
                    "custom_validation_failed",
                    str(error),
                    node=node,
                    title=task.title,
                    class_type=task.type.id,
                )
            )
            continue
        if not problems:
            key = _key(task, tasks, plan)
            tasks[node] = replace(task, key=key, base=key)
    if problems:
        raise GraphError(problems)
    return plan


def output_nodes(graph: nx.DiGraph[str]) -> list[str]:
    return [node for node, data in graph.nodes(data=True) if data["type"].is_output]


def is_changed(node: NodeType, values: Mapping[str, Any]) -> Any:
    """What the node's ``IS_CHANGED`` says of its constants; linked inputs arrive as None."""
    ask = getattr(node.cls, "IS_CHANGED", None)
    if ask is None:
        return None
    return ask(**{name: values.get(name) for name in node.inputs})


def fork_key(key: str, changes: Sequence[Change]) -> str:
    """The key of a result whose node was changed while it ran; ``key`` itself without changes."""
    if not changes:
        return key
    listed = [[c.step, c.input, c.node, c.value] for c in changes]
    return _digest(["fork", key, listed])


def term_origins(graph: nx.DiGraph[str], node: str) -> list[str] | None:
    """The node that each loss term arriving at ``node`` comes from, in the order of terms.

    A node with NST_LOSS inputs passes the terms of all of them on, sorted by the number in the
    input's name; any other loss node makes one term.
    """
    origins: list[str] = []
    links: Mapping[str, tuple[str, int]] = graph.nodes[node]["links"]
    for name in sorted(links, key=_numeric_order):
        if graph.nodes[node]["type"].inputs[name].type != "NST_LOSS":
            continue
        source = links[name][0]
        inner = term_origins(graph, source)
        origins += inner if inner else [source]
    return origins or None


def term_labels(graph: nx.DiGraph[str], node: str) -> list[tuple[str, str]] | None:
    """(name, node id) of each loss term arriving at ``node``: its title, made unique by the id."""
    origins = term_origins(graph, node)
    if origins is None:
        return None
    titles = [graph.nodes[origin]["title"] or origin for origin in origins]
    names = [
        title if titles.count(title) == 1 else f"{title} #{origin}"
        for title, origin in zip(titles, origins, strict=True)
    ]
    return list(zip(names, origins, strict=True))


def _key(task: Task, tasks: Mapping[str, Task], plan: Plan) -> str:
    machine = plan.environment
    numeric = [machine.device, machine.precision, machine.threads, machine.torch]
    return _digest(
        [
            SCHEMA,
            task.type.id,
            task.type.version,
            {name: task.values[name] for name in task.values if name not in task.links},
            {name: [tasks[node].key, slot] for name, (node, slot) in task.links.items()},
            task.fingerprint,
            numeric if task.numeric else None,
            plan.output_folder if task.type.is_output else None,
        ]
    )


def _digest(content: Any) -> str:
    text = json.dumps(_canonical(content), sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def _canonical(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return repr(value)
    if isinstance(value, Mapping):
        return {str(key): _canonical(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_canonical(item) for item in value]
    if value is None or isinstance(value, str | int | float | bool):
        return value
    return repr(value)


def _numeric_order(name: str) -> tuple[int, str]:
    digits = "".join(filter(str.isdigit, name))
    return (int(digits[:18]) if digits else 0, name)
