"""Keys name results: equal keys for equal work, another key for anything that matters."""

from __future__ import annotations

from types import ModuleType
from typing import Any

import networkx as nx
import pytest

from nst_graph.plan import Change, Environment, Plan, fork_key, make_plan, term_origins
from nst_graph.registry import describe

CPU = Environment("cpu", "fp32", 2, "2.15")


def build(nodes: dict[str, tuple[str, dict[str, Any]]], title: str = "") -> nx.DiGraph[str]:
    """A checked graph: tuples among the inputs are links."""
    graph: nx.DiGraph[str] = nx.DiGraph()
    for node, (class_type, inputs) in nodes.items():
        kind = describe(class_type)
        assert kind is not None
        links = {k: v for k, v in inputs.items() if isinstance(v, tuple)}
        defaults = {k: d.default for k, d in kind.inputs.items() if d.is_widget}
        values = {**defaults, **{k: v for k, v in inputs.items() if k not in links}}
        graph.add_node(node, type=kind, values=values, links=links, title=title)
    for node, (_, inputs) in nodes.items():
        graph.add_edges_from((v[0], node) for v in inputs.values() if isinstance(v, tuple))
    return graph


def blend(weight: float = 1.0, steps: int = 5) -> dict[str, tuple[str, dict[str, Any]]]:
    return {
        "1": ("Weight", {"weight": weight}),
        "2": ("Weight", {"weight": 2.0}),
        "3": ("Climb", {"loss_1": ("1", 0), "loss_2": ("2", 0), "steps": steps}),
        "4": ("Write", {"a": ("3", 0)}),
    }


def keys(plan: Plan) -> dict[str, str]:
    return {task.node: task.key for task in plan}


@pytest.fixture(autouse=True)
def _pack(engine_pack: ModuleType) -> None:
    pass


def test_ids_and_titles_do_not_enter_the_key() -> None:
    renamed = {
        f"9{name}": (
            kind,
            {k: (f"9{v[0]}", v[1]) if isinstance(v, tuple) else v for k, v in inputs.items()},
        )
        for name, (kind, inputs) in blend().items()
    }
    one = keys(make_plan(build(blend()), CPU))
    other = keys(make_plan(build(renamed, title="another title"), CPU))
    assert {f"9{node}": key for node, key in one.items()} == other


def test_a_written_default_equals_a_left_out_one() -> None:
    nodes = {"1": ("Number", {}), "2": ("Write", {"a": ("1", 0)})}
    written = {"1": ("Number", {"value": 1}), "2": ("Write", {"a": ("1", 0), "prefix": "n"})}
    assert keys(make_plan(build(nodes), CPU)) == keys(make_plan(build(written), CPU))


def test_a_changed_value_changes_only_what_is_downstream() -> None:
    before = keys(make_plan(build(blend()), CPU))
    after = keys(make_plan(build(blend(weight=1.5)), CPU))
    assert {node for node in before if before[node] != after[node]} == {"1", "3", "4"}


@pytest.mark.parametrize(
    "machine",
    [
        Environment("cuda", "fp32", 2, "2.15"),
        Environment("cpu", "bf16", 2, "2.15"),
        Environment("cpu", "fp32", 1, "2.15"),
        Environment("cpu", "fp32", 2, "2.16"),
    ],
)
def test_the_machine_enters_the_key_of_numeric_nodes_only(machine: Environment) -> None:
    here, there = (keys(make_plan(build(blend()), m)) for m in (CPU, machine))
    assert {node for node in here if here[node] != there[node]} == {"3", "4"}


def test_only_what_the_outputs_need_is_planned() -> None:
    nodes = {**blend(), "7": ("Number", {}), "8": ("Add", {"a": ("7", 0), "b": ("3", 0)})}
    assert list(keys(make_plan(build(nodes), CPU))) == ["1", "2", "3", "4"]
    assert "8" in keys(make_plan(build(nodes), CPU, targets=["8"]))


def test_the_order_is_topological_and_numeric() -> None:
    nodes = {str(n): ("Number", {}) for n in (10, 9, 2)}
    nodes["1"] = ("Add", {"a": ("10", 0), "b": ("9", 0)})
    nodes["3"] = ("Write", {"a": ("1", 0)})
    nodes["4"] = ("Write", {"a": ("2", 0)})
    assert list(keys(make_plan(build(nodes), CPU))) == ["2", "4", "9", "10", "1", "3"]


def test_a_live_change_forks_the_key_and_those_downstream() -> None:
    plan = make_plan(build(blend()), CPU)
    base = keys(plan)
    change = Change(3, "1", "weight", 2.0)
    fork = fork_key(base["3"], [change])
    assert fork != base["3"] and fork_key(base["3"], []) == base["3"]
    assert fork_key(base["3"], [Change(4, "1", "weight", 2.0)]) != fork
    after = keys(plan.rekey("3", fork))
    assert after["3"] == fork and after["4"] != base["4"]
    assert after["1"] == base["1"] and after["2"] == base["2"]


def test_each_term_knows_the_node_it_comes_from() -> None:
    graph = build(blend())
    assert term_origins(graph, "3") == ["1", "2"]
    assert term_origins(graph, "1") is None
