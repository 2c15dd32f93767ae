"""The editor's pure model: edits, undo, values. Nothing here touches a screen."""

from __future__ import annotations

import copy
import json
from typing import Any

import editor_pack
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nst_graph.errors import UserError
from nst_graph.registry import Input
from nst_graph.tui.editor import edits, fields, model
from nst_graph.tui.editor.history import DEPTH, History, State
from nst_graph.tui.editor.inspector import fitting
from nst_graph.tui.editor.palette import link_new

TOO_LONG = "INT 1 … 100000  default 5"
TYPES = editor_pack.types()


def edited(nodes: model.Nodes, choice: tuple[str, int, int, int]) -> model.Nodes:
    """One edit, chosen by numbers so that hypothesis can pick and shrink it."""
    what, a, b, c = choice
    names = list(nodes)
    kinds = list(TYPES)
    if what == "add" or not names:
        return edits.add(nodes, kinds[a % len(kinds)], TYPES)[0]
    one, other = names[a % len(names)], names[b % len(names)]
    if what == "link":
        pairs = edits.linkable(nodes, one, TYPES, other)
        if not pairs:
            return nodes
        slot, name = pairs[c % len(pairs)]
        return edits.link(nodes, one, slot, other, name)
    if what == "cut":
        given_inputs = list(model.inputs_of(nodes, one))
        return (
            edits.unlink(nodes, one, given_inputs[b % len(given_inputs)], TYPES)
            if (given_inputs)
            else nodes
        )
    if what == "delete":
        return edits.delete(nodes, {one, other}, TYPES)
    if what == "heal":
        return edits.delete_and_heal(nodes, [one], TYPES)
    if what == "move":
        return edits.place(nodes, {one: (b, c)})
    if what == "mode":
        return edits.set_mode(nodes, [one], ("muted", "bypassed", "")[b % 3])
    if what == "rename":
        return edits.rename(nodes, one, ("", "content", "a b")[b % 3])
    if what == "paste":
        text = edits.copy(nodes, {one, other})
        return edits.paste(nodes, edits.parse_pasted(text), outside=bool(c % 2))[0]
    return edits.set_value(nodes, one, "weight", b / 7)


WHAT = ("add", "link", "cut", "delete", "heal", "move", "mode", "rename", "paste", "value")
CHOICES = st.lists(
    st.tuples(st.sampled_from(WHAT), *(st.integers(0, 40) for _ in range(3))), max_size=25
)


@given(CHOICES)
@settings(max_examples=120, deadline=None)
def test_undoing_everything_and_redoing_it_changes_nothing(
    choices: list[tuple[str, int, int, int]],
) -> None:
    history = History(State(editor_pack.quickstart()))
    snapshots = [copy.deepcopy(history.now.nodes)]
    for choice in choices:
        after = edited(history.now.nodes, choice)
        if after is not history.now.nodes:
            history.do(choice[0], State(after))
            snapshots.append(copy.deepcopy(after))
    for expected in reversed(snapshots[:-1]):
        assert history.undo() is not None
        assert history.now.nodes == expected
    assert history.undo() is None
    for expected in snapshots[1:]:
        assert history.redo() is not None
        assert history.now.nodes == expected
    assert history.redo() is None


@given(CHOICES)
@settings(max_examples=120, deadline=None)
def test_edits_leave_no_link_to_a_node_that_is_gone_and_no_cycle(
    choices: list[tuple[str, int, int, int]],
) -> None:
    nodes: model.Nodes = editor_pack.quickstart()
    for choice in choices:
        nodes = edited(nodes, choice)
    for node in nodes:
        assert node not in model.ancestors(nodes, node)
        for name, value in model.inputs_of(nodes, node).items():
            feed = model.as_link(value)
            if feed is not None:
                assert feed[0] in nodes
                assert edits.why_not(nodes, *feed, node, name, TYPES) is None


def test_a_thousand_steps_can_be_undone() -> None:
    history = History(State(editor_pack.quickstart()))
    for step in range(DEPTH):
        history.do("weight", State(edits.set_value(history.now.nodes, "5", "weight", step)))
    assert DEPTH >= 500
    for _ in range(DEPTH):
        assert history.undo()
    assert history.now.nodes == editor_pack.quickstart()


def test_steps_of_one_kind_in_a_row_are_undone_as_one() -> None:
    history = History(State(editor_pack.quickstart()))
    for weight in (1.1, 1.2, 1.3):
        after = edits.set_value(history.now.nodes, "5", "weight", weight)
        history.do("weight", State(after), merge="5 weight")
    assert history.depth == 1
    history.undo()
    assert history.now.nodes == editor_pack.quickstart()


def test_undo_brings_the_selection_back_that_was_there() -> None:
    history = History(State(editor_pack.quickstart(), selected="5", marked=frozenset({"6"})))
    history.do("delete", State(edits.delete(history.now.nodes, {"5"}, TYPES), selected="3"))
    history.look("8")
    history.undo()
    assert (history.now.selected, history.now.marked) == ("5", frozenset({"6"}))


def test_a_graph_is_unsaved_until_saved_and_again_after_undo() -> None:
    history = History(State(editor_pack.quickstart()))
    assert not history.dirty
    history.do("weight", State(edits.set_value(history.now.nodes, "5", "weight", 2.0)))
    assert history.dirty
    history.saved()
    assert not history.dirty
    history.undo()
    assert history.dirty


def test_unknown_fields_survive_every_edit_of_their_node() -> None:
    nodes: Any = editor_pack.quickstart()
    nodes["5"] |= {"is_input": [1, 2], "_meta": {"title": "c", "group": 3}}
    nodes["5"]["inputs"]["future"] = {"deep": [1]}
    after = edits.set_value(nodes, "5", "weight", 3.0)
    after = edits.rename(after, "5", "other")
    after = edits.place(after, {"5": (3, 4)})
    after = edits.unlink(after, "5", "features", TYPES)
    after = edits.set_mode(edits.set_mode(after, ["5"], "muted"), ["5"], "")
    assert after["5"]["is_input"] == [1, 2]
    assert after["5"]["_meta"] == {"title": "other", "group": 3, "pos": [3, 4]}
    assert after["5"]["inputs"] == {"weight": 3.0, "future": {"deep": [1]}}


def test_a_link_of_another_type_and_a_cycle_are_refused_with_the_reason() -> None:
    nodes = editor_pack.quickstart()
    wrong = edits.why_not(nodes, "6", 0, "8", "loss_1", TYPES)
    assert wrong is not None and "NST_LOSS" in wrong and "GRAM" in wrong
    cycle = edits.why_not(nodes, "8", 0, "3", "image", TYPES)
    assert cycle is not None and "cycle" in cycle
    assert edits.why_not(nodes, "1", 0, "3", "image", TYPES) is None


def test_deleting_and_healing_joins_the_neighbours() -> None:
    nodes: Any = editor_pack.quickstart()
    nodes["10"] = {"class_type": "Optimize", "inputs": {"image": ["1", 0], "loss_1": ["5", 0]}}
    nodes["9"]["inputs"]["images"] = ["10", 0]
    after = edits.delete_and_heal(nodes, ["10"], TYPES)
    assert after["9"]["inputs"]["images"] == ["1", 0]
    cut = edits.delete(nodes, ["10"], TYPES)
    assert "images" not in cut["9"]["inputs"]


def test_muted_and_bypassed_nodes_are_resolved_into_the_plain_graph() -> None:
    nodes: Any = editor_pack.quickstart()
    assert edits.resolve_modes(nodes, TYPES) is nodes
    nodes = edits.set_mode(nodes, ["7"], "muted")
    nodes = edits.set_mode(nodes, ["8"], "bypassed")
    plain = edits.resolve_modes(nodes, TYPES)
    assert "7" not in plain and "8" not in plain
    assert plain["9"]["inputs"]["images"] == ["1", 0]


def test_copied_nodes_are_pasted_under_new_ids_with_their_inner_links() -> None:
    nodes = editor_pack.quickstart()
    text = edits.copy(nodes, {"6", "7"})
    assert set(json.loads(text)) == {"6", "7"}
    after, new = edits.paste(nodes, edits.parse_pasted(text), outside=False)
    gram, loss = new
    assert after[loss]["inputs"]["gram"] == [gram, 0]
    assert "features" not in after[gram]["inputs"]
    after, new = edits.paste(nodes, edits.parse_pasted(text), outside=True)
    assert after[new[0]]["inputs"]["features"] == ["4", 0]


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"1": {}}', '{"1": {"class_type": 3}}', "[" * 9])
def test_pasting_something_else_is_refused_in_words(text: str) -> None:
    with pytest.raises(UserError, match="no graph"):
        edits.parse_pasted(text)


def test_only_linked_and_one_free_socket_of_a_numbered_row_are_shown() -> None:
    names = [name for name, _ in model.sockets_of(editor_pack.quickstart(), "8", TYPES)]
    assert names == ["image", "loss_1", "loss_2", "loss_3"]


def test_add_and_link_takes_the_free_socket_that_fits() -> None:
    nodes = editor_pack.quickstart()
    after, new = edits.add(nodes, "NSTTotalVariation", TYPES)
    after = link_new(after, TYPES, "8", new)
    assert after["8"]["inputs"]["loss_3"] == [new, 0]
    after, new = edits.add(nodes, "GramMatrix", TYPES)
    after = link_new(after, TYPES, "3", new)
    assert after[new]["inputs"]["features"] == ["3", 0]


@given(st.recursive(st.none() | st.integers() | st.text(max_size=5), st.lists, max_leaves=5))
def test_nodes_of_any_shape_can_be_looked_at(junk: Any) -> None:
    nodes: Any = {"1": junk, "2": {"class_type": junk, "inputs": {"a": junk}, "_meta": junk}}
    for node in nodes:
        model.sockets_of(nodes, node, TYPES)
        model.widgets_of(nodes, node, TYPES)
        model.outputs_of(nodes, node, TYPES)
        model.title_of(nodes, node, TYPES)
        model.place_of(nodes, node)
    assert sorted(model.order(nodes)) == ["1", "2"]


WEIGHT = Input("weight", "FLOAT", True, {"default": 1.0, "min": 0.0, "max": 1e12, "step": 0.1})
STEPS = Input("steps", "INT", True, {"default": 200, "min": 1, "max": 1000})


@pytest.mark.parametrize(
    ("spec", "text", "value"),
    [
        (WEIGHT, "1e6", 1e6),
        (WEIGHT, "0,5", 0.5),
        (WEIGHT, " 3 ", 3.0),
        (STEPS, "1e3", 1000),
        (STEPS, "500", 500),
        (Input("clamp", "BOOLEAN", True, {}), "off", False),
        (Input("kind", "COMBO", True, {}, ("gram", "sliced")), "sliced", "sliced"),
        (Input("layers", "STRING", True, {}), "relu1_1", "relu1_1"),
    ],
)
def test_values_are_read_as_the_declaration_says(spec: Input, text: str, value: Any) -> None:
    assert fields.parse(spec, text) == value
    assert type(fields.parse(spec, text)) is type(value)


@pytest.mark.parametrize(
    ("spec", "text", "said"),
    [
        (WEIGHT, "-1", "0 … 1e"),
        (WEIGHT, "nan", "finite"),
        (WEIGHT, "much", "a number"),
        (STEPS, "1001", "1 … 1000"),
        (STEPS, "2.5", "whole"),
        (Input("kind", "COMBO", True, {}, ("gram",)), "grm", "gram"),
        (Input("clamp", "BOOLEAN", True, {}), "maybe", "yes or no"),
    ],
)
def test_what_does_not_fit_is_refused_with_the_limits(spec: Input, text: str, said: str) -> None:
    with pytest.raises(fields.Refused, match=said):
        fields.parse(spec, text)


@given(st.floats(0, 1e12), st.integers(-5, 5))
def test_steps_stay_inside_the_limits_or_are_refused(value: float, by: int) -> None:
    try:
        after = fields.step(WEIGHT, value, by)
    except fields.Refused:
        assert value + by * 0.1 < 0 or value + by * 0.1 > 1e12
    else:
        assert 0 <= after <= 1e12


@given(st.floats(allow_nan=False, allow_infinity=False, min_value=0, max_value=1e12))
def test_a_number_that_is_shown_can_be_typed_again(value: float) -> None:
    assert fields.parse(WEIGHT, fields.plain(value)) == pytest.approx(value, rel=1e-9)


@pytest.mark.parametrize(
    ("room", "shown"),
    [(40, "INT 1 … 100000  default 5"), (14, "INT 1 … 100000"), (8, "INT"), (2, TOO_LONG)],
)
def test_limits_that_do_not_fit_beside_a_value_leave_the_type(room: int, shown: str) -> None:
    assert fitting(TOO_LONG, room) == shown
    assert fitting("one of 4  default lbfgs", 8) == "one of 4"
