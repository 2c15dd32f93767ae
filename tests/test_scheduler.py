"""The schedule is a pure function of plan and completions: tested without threads."""

from __future__ import annotations

from typing import Any

import networkx as nx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nst_graph.plan import Environment, Plan, Task
from nst_graph.registry import NodeType
from nst_graph.scheduler import Schedule, split

TYPE = NodeType("T", object, {}, {}, (), "run", "", "", "T", False, "test")


def plan_of(edges: dict[str, list[str]]) -> Plan:
    graph: nx.DiGraph[str] = nx.DiGraph()
    graph.add_nodes_from(edges)
    graph.add_edges_from((source, node) for node, sources in edges.items() for source in sources)
    tasks = {
        node: Task(
            f"key-{node}", node, TYPE, "", {}, {f"in_{s}": (s, 0) for s in graph.predecessors(node)}
        )
        for node in nx.lexicographical_topological_sort(graph)
    }
    return Plan(tasks, graph, Environment())


DIAMOND = {"load": [], "left": ["load"], "right": ["load"], "join": ["left", "right"]}


def test_a_node_starts_when_all_its_inputs_have_finished() -> None:
    schedule = Schedule(plan_of(DIAMOND), set(DIAMOND))
    assert schedule.ready() == ["load"]
    schedule.start("load")
    assert schedule.ready() == []
    schedule.finish("load")
    assert schedule.ready() == ["left", "right"]
    schedule.start("right")
    schedule.finish("right")
    assert schedule.ready() == ["left"]


def test_a_result_is_released_after_its_last_consumer() -> None:
    schedule = Schedule(plan_of(DIAMOND), set(DIAMOND))
    schedule.start("load")
    assert schedule.finish("load") == []
    for node in ("left", "right"):
        schedule.start(node)
    assert schedule.finish("left") == []
    assert schedule.finish("right") == ["load"]
    schedule.start("join")
    assert sorted(schedule.finish("join")) == ["join", "left", "right"]
    assert schedule.finished


def test_a_failed_node_skips_only_what_depends_on_it() -> None:
    edges = {**DIAMOND, "other": ["right"]}
    schedule = Schedule(plan_of(edges), set(edges))
    schedule.start("load")
    schedule.finish("load")
    schedule.start("left")
    schedule.start("right")
    skipped, _ = schedule.fail("left")
    assert skipped == ["join"]
    schedule.finish("right")
    assert schedule.ready() == ["other"]


def test_starting_too_early_is_a_fault() -> None:
    schedule = Schedule(plan_of(DIAMOND), set(DIAMOND))
    with pytest.raises(ValueError, match="before"):
        schedule.start("join")


def test_stored_results_cut_the_work_short() -> None:
    plan = plan_of({**DIAMOND, "save": ["join"]})
    run, read = split(plan, ["save"], lambda task: task.node in {"join", "load"})
    assert (run, read) == ({"save"}, {"join"})
    run, read = split(plan, ["save"], lambda task: task.node == "left")
    assert (run, read) == ({"save", "join", "right", "load"}, {"left"})
    assert split(plan, ["save"], lambda task: True) == (set(), set())


@st.composite
def graphs(draw: st.DrawFn) -> dict[str, list[str]]:
    names = [f"n{i}" for i in range(draw(st.integers(1, 12)))]
    return {
        name: draw(st.lists(st.sampled_from(names[:i]), unique=True, max_size=3)) if i else []
        for i, name in enumerate(names)
    }


@given(graphs(), st.data())
def test_every_order_of_completions_and_failures_ends_with_each_node_settled_once(
    edges: dict[str, list[str]], data: Any
) -> None:
    plan = plan_of(edges)
    schedule = Schedule(plan, set(edges))
    finished: set[str] = set()
    lost: set[str] = set()
    running: set[str] = set()
    released: list[str] = []
    while not schedule.finished:
        for node in schedule.ready():
            assert set(edges[node]) <= finished, "started before its inputs"
            schedule.start(node)
            running.add(node)
        node = data.draw(st.sampled_from(sorted(running)))
        running.remove(node)
        if data.draw(st.integers(0, 4)) == 0:
            skipped, free = schedule.fail(node)
            assert set(skipped) <= nx.descendants(plan.graph, node)
            lost |= {node, *skipped}
        else:
            free = schedule.finish(node)
            finished.add(node)
        for name in free:
            waiting = {n for n in edges if name in edges[n]} - finished - lost
            assert not waiting, "released while somebody still needs it"
        released += free
    assert finished | lost == set(edges) and not finished & lost
    assert len(released) == len(set(released)), "released twice"
    assert finished <= set(released), "kept for nobody"
