"""Layout and routes: boxes never overlap, edges end at their sockets, nothing is left to chance."""

from __future__ import annotations

import random
from itertools import combinations, pairwise

import editor_pack
import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from nst_graph.tui.editor import route
from nst_graph.tui.editor.cards import Faults
from nst_graph.tui.editor.ink import LIGHT, Ink, stroke
from nst_graph.tui.editor.layout import Box, Edge
from nst_graph.tui.editor.picture import Picture
from nst_graph.tui.editor.route import Drawing
from nst_graph.tui.widgets.cells import Grid

Graph = tuple[dict[str, Box], list[Edge]]


def graphs(*, cyclic: bool = False) -> st.SearchStrategy[Graph]:
    """Boxes with up to four inputs and two outputs; each input has at most one edge."""

    def build(seed: int, count: int, density: float) -> Graph:
        rng = random.Random(seed)
        boxes, edges = {}, []
        for index in range(count):
            ins, outs = rng.randint(0, 4), rng.randint(1, 2)
            height = 2 + max(ins, outs) + rng.randint(0, 2)
            rows = {f"i{k}": 1 + k for k in range(ins)}
            slots = tuple(range(1, 1 + outs))
            boxes[str(index)] = Box(rng.randint(8, 24), height, rows, slots)
        for target, box in boxes.items():
            for name in box.ins:
                others = [n for n in boxes if n != target and (cyclic or int(n) < int(target))]
                if others and rng.random() < density:
                    source = rng.choice(others)
                    slot = rng.randrange(len(boxes[source].outs))
                    edges.append(Edge(source, slot, target, name))
        return boxes, edges

    return st.builds(
        build, st.integers(0, 10**6), st.integers(0, 24), st.sampled_from([0.3, 0.7, 1.0])
    )


def cells(points: route.Route) -> list[tuple[int, int]]:
    found = [points[0]]
    for (ax, ay), (bx, by) in pairwise(points):
        steps = max(abs(bx - ax), abs(by - ay))
        found += [
            (ax + (bx - ax) * i // steps, ay + (by - ay) * i // steps) for i in range(1, steps + 1)
        ]
    return found


def no_boxes_overlap(boxes: dict[str, Box], drawing: Drawing) -> None:
    for one, other in combinations(boxes, 2):
        (ax, ay), (bx, by) = drawing.places[one], drawing.places[other]
        a, b = boxes[one], boxes[other]
        apart = (
            ax + a.width <= bx or bx + b.width <= ax or ay + a.height <= by or by + b.height <= ay
        )
        assert apart, (one, other)


def every_edge_ends_at_its_sockets(
    boxes: dict[str, Box], edges: list[Edge], drawing: Drawing
) -> None:
    assert set(drawing.routes) == set(edges)
    for edge, points in drawing.routes.items():
        x, y = drawing.places[edge.source]
        source = boxes[edge.source]
        assert points[0] == (x + source.width, y + source.outs[edge.slot])
        x, y = drawing.places[edge.target]
        assert points[-1] == (x - 1, y + boxes[edge.target].ins[edge.input])
        for (ax, ay), (bx, by) in pairwise(points):
            assert (ax == bx) != (ay == by)


@given(graphs())
@settings(max_examples=150, deadline=None)
def test_boxes_never_overlap_and_edges_end_at_their_sockets(graph: Graph) -> None:
    boxes, edges = graph
    drawing = route.draw(route.plan(boxes, edges), {})
    no_boxes_overlap(boxes, drawing)
    every_edge_ends_at_its_sockets(boxes, edges, drawing)
    for x, y in drawing.places.values():
        assert x >= 0 and y >= 0


@given(graphs())
@settings(max_examples=150, deadline=None)
def test_edges_of_different_outputs_share_cells_only_where_they_cross(graph: Graph) -> None:
    boxes, edges = graph
    drawing = route.draw(route.plan(boxes, edges), {})
    shape = (drawing.height, drawing.width)
    nets: dict[tuple[str, int], np.ndarray] = {}
    for edge, points in drawing.routes.items():
        net = nets.setdefault((edge.source, edge.slot), np.zeros(shape, np.uint8))
        stroke(net, points)
    straight = {ord("│"), ord("─")}
    for one, other in combinations(nets.values(), 2):
        for y, x in zip(*np.nonzero((one > 0) & (other > 0)), strict=True):
            pair = {ord(LIGHT[one[y, x]]), ord(LIGHT[other[y, x]])}
            assert pair == straight, (x, y)


@given(graphs())
@settings(max_examples=100, deadline=None)
def test_automatic_routes_never_run_through_boxes(graph: Graph) -> None:
    boxes, edges = graph
    drawing = route.draw(route.plan(boxes, edges), {})
    covered = {
        (x + dx, y + dy)
        for node, (x, y) in drawing.places.items()
        for dx in range(boxes[node].width)
        for dy in range(boxes[node].height)
    }
    for points in drawing.routes.values():
        assert not covered & set(cells(points))


@given(graphs(), st.integers(0, 10**6))
@settings(max_examples=100, deadline=None)
def test_moved_boxes_stay_put_and_nothing_overlaps(graph: Graph, seed: int) -> None:
    boxes, edges = graph
    rng = random.Random(seed)
    plan = route.plan(boxes, edges)
    chosen = rng.sample(list(boxes), min(len(boxes), 1))
    pinned = {node: (rng.randint(0, 90), rng.randint(0, 40)) for node in chosen}
    drawing = route.draw(plan, pinned)
    for node, at in pinned.items():
        assert drawing.places[node] == at
    no_boxes_overlap(boxes, drawing)
    every_edge_ends_at_its_sockets(boxes, edges, drawing)
    many = {node: (rng.randint(0, 60), rng.randint(0, 30)) for node in boxes}
    drawing = route.draw(plan, many)
    no_boxes_overlap(boxes, drawing)
    every_edge_ends_at_its_sockets(boxes, edges, drawing)


@given(graphs(cyclic=True))
@settings(max_examples=60, deadline=None)
def test_a_graph_with_cycles_is_drawn_all_the_same(graph: Graph) -> None:
    boxes, edges = graph
    drawing = route.draw(route.plan(boxes, edges), {})
    no_boxes_overlap(boxes, drawing)
    every_edge_ends_at_its_sockets(boxes, edges, drawing)


@given(graphs())
@settings(max_examples=40, deadline=None)
def test_the_same_graph_is_always_drawn_the_same(graph: Graph) -> None:
    boxes, edges = graph
    once, again = (route.draw(route.plan(boxes, edges), {}) for _ in range(2))
    assert once == again


def test_sources_stand_next_to_what_they_feed() -> None:
    picture = Picture(editor_pack.types())
    picture.update(editor_pack.quickstart(), Faults(), 1)
    places = picture.drawing.places
    assert places["1"][0] < places["3"][0] < places["5"][0] < places["8"][0] < places["9"][0]


def test_the_ink_of_a_fork_is_a_proper_junction() -> None:
    boxes = {
        "a": Box(4, 3, {}, (1,)),
        "b": Box(4, 3, {"i": 1}, ()),
        "c": Box(4, 3, {"i": 1}, ()),
    }
    edges = [Edge("a", 0, "b", "i"), Edge("a", 0, "c", "i")]
    drawing = route.draw(route.plan(boxes, edges), {})
    grid = Grid(drawing.width, drawing.height)
    Ink(drawing, dict.fromkeys(edges, "IMAGE")).paint(grid, 0, 0)
    drawn = {chr(code) for code in grid.codes.ravel()}
    assert drawn & set("┤├┬┴") and drawn & set("╭╮╰╯") and "┼" not in drawn


def test_a_large_graph_is_laid_out_quickly_and_moves_without_a_new_layout() -> None:
    import time

    picture = Picture(editor_pack.types())
    nodes = editor_pack.large(300)
    start = time.process_time()
    picture.update(nodes, Faults(), 1)
    assert time.process_time() - start < 1.0
    plan = picture.plan
    moved = {**nodes, "5": {**nodes["5"], "_meta": {"pos": [60, 9]}}}
    picture.update(moved, Faults(), 1)
    assert picture.plan is plan
    assert picture.drawing.places["5"] == (60, 9)
