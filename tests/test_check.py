"""The graph check: every problem at once, each naming its node, its input and the way out."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nst_graph import registry
from nst_graph.constants import Unfit, fit
from nst_graph.document import Document, parse
from nst_graph.errors import GraphError, Problem
from nst_graph.graph import Checked, check, error_report, problems
from nst_graph.registry import Input, NodeType

CORPUS = Path(__file__).with_name("corpus") / "graphs"


class Source:
    FUNCTION, CATEGORY, RETURN_TYPES = "run", "test", ("IMAGE", "MASK")

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:
        return {
            "required": {
                "count": ("INT", {"default": 3, "min": 1, "max": 8}),
                "scale": ("FLOAT", {"default": 0.5, "min": 0.0, "max": 1e6}),
                "text": ("STRING", {"default": "hello"}),
                "flag": ("BOOLEAN", {"default": True}),
                "kind": (["plain", "fancy", "stained glass"],),
            },
            "optional": {"note": ("STRING", {}), "order": ("INT,STRING", {"default": 1})},
        }


class Blend:
    FUNCTION, CATEGORY, RETURN_TYPES = "run", "test", ("IMAGE",)

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:
        return {
            "required": {"a": ("IMAGE",), "b": ("IMAGE,LATENT",)},
            "optional": {"mask": ("MASK",), "weight": ("FLOAT", {"default": 1.0})},
        }


class Anything:
    FUNCTION, CATEGORY, RETURN_TYPES = "run", "test", ("*",)

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:
        return {"required": {"value": ("*",)}}


class Keep:
    FUNCTION, CATEGORY, RETURN_TYPES, OUTPUT_NODE = "run", "test", (), True

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:
        return {
            "required": {"image": ("IMAGE",)},
            "optional": {"prefix": ("STRING", {"default": "out"})},
        }


class Careful:
    """Checks ``name`` and ``size`` itself; ``other`` is left to the declaration."""

    FUNCTION, CATEGORY, RETURN_TYPES = "run", "test", ("IMAGE",)
    ANSWER: ClassVar[Any] = True
    ASKED: ClassVar[list[tuple[Any, Any]]] = []

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:
        return {
            "required": {
                "name": (["a.png"], {"image_upload": True}),
                "size": ("INT", {"default": 1, "min": 0, "max": 9}),
                "other": ("INT", {"default": 1, "min": 0, "max": 9}),
            }
        }

    @classmethod
    def VALIDATE_INPUTS(cls, name: Any, size: Any) -> Any:
        cls.ASKED.append((name, size))
        if isinstance(cls.ANSWER, Exception):
            raise cls.ANSWER
        return cls.ANSWER


class TypeAware:
    FUNCTION, CATEGORY, RETURN_TYPES = "run", "test", ("IMAGE",)

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:
        return {"required": {"a": ("IMAGE",)}}

    @classmethod
    def VALIDATE_INPUTS(cls, input_types: dict[str, str]) -> bool | str:
        return True if input_types["a"] in ("IMAGE", "MASK") else f"not {input_types['a']}"


class Lenient:
    """Looks at whatever constants there are, with a default of its own for ``tone``."""

    FUNCTION, CATEGORY, RETURN_TYPES = "run", "test", (["x", "y"],)
    ASKED: ClassVar[list[dict[str, Any]]] = []

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:
        optional = {"tone": ("STRING",), "size": ("INT", {"max": 1}), "mode": (["x", "y"],)}
        return {"required": {}, "optional": optional, "hidden": {"id": "UNIQUE_ID"}}

    @classmethod
    def VALIDATE_INPUTS(cls, tone: str | None = "own", **others: Any) -> bool:
        cls.ASKED.append({"tone": tone, **others})
        return True


TYPES: dict[str, NodeType] = {
    cls.__name__: registry._describe(cls.__name__, cls)
    for cls in (Source, Blend, Anything, Keep, Careful, TypeAware, Lenient)
}

PLAIN: dict[str, Any] = {"kind": "plain"}


def node(class_type: str, /, **inputs: Any) -> dict[str, Any]:
    return {"class_type": class_type, "inputs": inputs}


def saved(**nodes: Any) -> dict[str, Any]:
    """A graph whose node 9 keeps the image of node 1."""
    graph = {name.lstrip("n"): data for name, data in nodes.items()}
    return {"9": node("Keep", image=["1", 0]), **graph}


def told(nodes: Mapping[str, Any]) -> list[Problem]:
    return problems(Document(dict(nodes)), TYPES)


def one(nodes: Mapping[str, Any]) -> Problem:
    (problem,) = told(nodes)
    return problem


def checked(nodes: Mapping[str, Any]) -> Checked:
    return check(Document(dict(nodes)), TYPES)


def values(**inputs: Any) -> dict[str, Any]:
    """What node 1, a Source with these inputs, will receive."""
    found: dict[str, Any] = checked(saved(n1=node("Source", **inputs))).graph.nodes["1"]["values"]
    return found


# -- sound graphs


def test_a_sound_graph_becomes_nodes_with_types_values_links_and_titles() -> None:
    graph = checked(
        {
            "1": node("Source", kind="fancy") | {"_meta": {"title": "Paper"}},
            "2": node("Blend", a=["1", 0], b=["1", 0], mask=["1", 1]),
            "9": node("Keep", image=["2", 0]),
        }
    ).graph
    assert set(graph.edges) == {("1", "2"), ("2", "9")}
    assert graph.nodes["1"]["type"] is TYPES["Source"]
    assert graph.nodes["1"]["title"] == "Paper"
    assert graph.nodes["2"]["title"] == "Blend"
    assert graph.nodes["2"]["links"] == {"a": ("1", 0), "b": ("1", 0), "mask": ("1", 1)}
    assert graph.nodes["2"]["values"] == {"weight": 1.0}
    assert graph.nodes["9"]["values"] == {"prefix": "out"}


def test_defaults_are_filled_in_but_optional_inputs_without_one_stay_absent() -> None:
    assert values() == {
        "count": 3,
        "scale": 0.5,
        "text": "hello",
        "flag": True,
        "kind": "plain",
        "order": 1,
    }


@pytest.mark.parametrize(
    ("name", "given_value", "received"),
    [
        ("count", 4.0, 4),
        ("count", "4", 4),
        ("scale", 2, 2.0),
        ("scale", "1e3", 1000.0),
        ("text", 5, "5"),
        ("text", True, "True"),
        ("text", {"__value__": "x"}, "x"),
        ("order", "third", "third"),
        ("order", 7, 7),
    ],
)
def test_constants_are_converted_as_comfyui_converts_them(
    name: str, given_value: Any, received: Any
) -> None:
    found = values(**{name: given_value})[name]
    assert found == received and type(found) is type(received)


def test_any_type_takes_a_constant_and_unwraps_a_list() -> None:
    graph = checked(saved(n1=node("Anything", value={"__value__": [1, 2]}))).graph
    assert graph.nodes["1"]["values"] == {"value": [1, 2]}


def test_null_for_an_optional_socket_means_not_linked() -> None:
    nodes = saved(n1=node("Source", **PLAIN))
    nodes["2"] = node("Blend", a=["1", 0], b=["1", 0], mask=None)
    nodes["9"] = node("Keep", image=["2", 0])
    assert "mask" not in checked(nodes).graph.nodes["2"]["values"]


# -- one problem each


@pytest.mark.parametrize(
    ("inputs", "kind", "message"),
    [
        ({"count": 9}, "value_bigger_than_max", "9 is larger than 8 - allowed: 1 to 8"),
        ({"count": 0}, "value_smaller_than_min", "0 is smaller than 1 - allowed: 1 to 8"),
        ({"count": 2.5}, "invalid_input_type", "2.5 is not a whole number - write 2 or 3"),
        ({"count": "two"}, "invalid_input_type", "is not a whole number"),
        ({"count": None}, "invalid_input_type", "expected a whole number, got null"),
        ({"count": True}, "invalid_input_type", "expected a whole number, got true"),
        ({"count": math.inf}, "not_finite", "inf is not a finite number"),
        ({"count": {"a": 1}}, "invalid_input_type", "expected a whole number"),
        ({"scale": math.nan}, "not_finite", "nan is not a finite number"),
        ({"scale": "-inf"}, "not_finite", "-inf is not a finite number"),
        ({"scale": 10**400}, "not_finite", "is too large a number"),
        ({"count": 10**5000}, "value_bigger_than_max", "allowed: 1 to 8"),
        ({"count": [10**5000, 0]}, "bad_linked_input", "is not a link"),
        ({"scale": -1}, "value_smaller_than_min", "allowed: 0.0 to 1000000.0"),
        ({"scale": "wide"}, "invalid_input_type", "is not a number"),
        ({"text": {"a": 1}}, "invalid_input_type", "expected a text"),
        ({"text": None}, "invalid_input_type", "expected a text, got null"),
        ({"flag": "false"}, "invalid_input_type", 'expected true or false, got "false"'),
        ({"flag": 1}, "invalid_input_type", "expected true or false, got 1"),
        ({"kind": "fancey"}, "value_not_in_list", "did you mean 'fancy'?"),
        ({"kind": "x"}, "value_not_in_list", "one of plain, fancy, stained glass"),
        ({"kind": 0}, "value_not_in_list", "is not in the list"),
        ({"kind": {"__value__": ["plain"]}}, "value_not_in_list", "is not in the list"),
        ({"count": [512, 512]}, "bad_linked_input", "a link is"),
        ({"count": []}, "bad_linked_input", "[] is not a link"),
        ({"count": ["1", 0, 0]}, "bad_linked_input", "is not a link"),
        ({"order": {"a": 1}}, "invalid_input_type", "expected INT,STRING"),
    ],
)
def test_a_constant_that_does_not_fit_is_one_problem(
    inputs: dict[str, Any], kind: str, message: str
) -> None:
    problem = one(saved(n1=node("Source", **inputs)))
    assert (problem.type, problem.severity) == (kind, "error")
    assert (problem.node, problem.title, problem.class_type) == ("1", "Source", "Source")
    assert problem.input == next(iter(inputs))
    assert message in str(problem)


@pytest.mark.parametrize(
    ("link", "kind", "message"),
    [
        (["7", 0], "link_to_missing_node", "#7, which is not in the graph"),
        (["1", 2], "slot_out_of_range", "#1 (Source) has no output 2 - it has 0 IMAGE, 1 MASK"),
        (["1", -1], "slot_out_of_range", "-1 is not the number of an output"),
        (["1", True], "slot_out_of_range", "true is not the number of an output"),
        (["1", 0.0], "slot_out_of_range", "0.0 is not the number of an output"),
        (["1", "0"], "slot_out_of_range", '"0" is not the number of an output'),
        (["1", 10**30], "slot_out_of_range", "has no output"),
        ([1, 0], "bad_linked_input", 'write ["1", 0]'),
        ([None, 0], "bad_linked_input", "is not a link"),
        (["1", 1], "return_type_mismatch", "gives MASK at output 1, but IMAGE is needed"),
        ("1", "invalid_input_type", "is no link, and IMAGE comes only by one"),
        (5, "invalid_input_type", 'for example ["1", 0]'),
    ],
)
def test_a_link_that_leads_nowhere_is_one_problem(link: Any, kind: str, message: str) -> None:
    nodes = {"1": node("Source"), "9": node("Keep", image=link)}
    problem = one(nodes)
    assert (problem.type, problem.node, problem.input) == (kind, "9", "image")
    assert message in str(problem)


def test_the_nearest_node_is_offered_for_a_dangling_link() -> None:
    nodes = {"1212": node("Source"), "9": node("Keep", image=["1213", 0])}
    (problem, *_) = [p for p in told(nodes) if p.type == "link_to_missing_node"]
    assert problem.hint == "did you mean '1212'?"


def test_a_mismatch_names_the_output_of_the_same_node_that_fits() -> None:
    nodes = {"1": node("Source"), "9": node("Keep", image=["1", 1])}
    assert one(nodes).hint == 'use ["1", 0]'


def test_unions_and_any_types_accept_what_they_name() -> None:
    nodes = saved(n1=node("Anything", value=["2", 1]), n2=node("Source"))
    assert told(nodes) == []
    nodes["3"] = node("Blend", a=["2", 0], b=["2", 1])
    nodes["9"] = node("Keep", image=["3", 0])
    assert one(nodes).input == "b"


def test_a_missing_link_says_where_one_could_come_from() -> None:
    problem = one({"1": node("Source"), "9": node("Keep")})
    assert (problem.type, problem.input) == ("required_input_missing", "image")
    assert str(problem) == 'Keep (#9), input image: needs a link (IMAGE) - for example ["1", 0]'


def test_a_missing_picture_is_not_replaced_by_the_first_one_of_the_folder() -> None:
    problem = one(saved(n1=node("Careful")))
    assert (problem.type, problem.input) == ("required_input_missing", "name")


def test_an_unknown_class_offers_the_nearest_and_nothing_else_is_said() -> None:
    problem = one({"1": node("Source"), "9": node("Kep", image=["1", 0])})
    assert (problem.type, problem.class_type) == ("missing_node_type", "Kep")
    assert problem.hint == "did you mean 'Keep'?"


def test_an_unknown_input_is_only_a_warning_and_does_not_reach_the_node() -> None:
    result = checked(saved(n1=node("Source", cuont=3)))
    (warning,) = result.warnings
    assert (warning.type, warning.severity) == ("unknown_input", "warning")
    assert warning.hint == "did you mean 'count'?"
    assert "cuont" not in result.graph.nodes["1"]["values"]


@pytest.mark.parametrize("name", ["a", "-1", "", ".", "..", "1/2", "1 ", "٣", "../../x", "9" * 200])
def test_an_id_that_is_no_number_is_refused(name: str) -> None:
    nodes = {name: node("Source"), "9": node("Keep", image=[name, 0])}
    assert [p.type for p in told(nodes)] == ["bad_node_id"]


@pytest.mark.parametrize("name", ["0", "007", "12:3", "1.0.0.3"])
def test_ids_of_expanded_and_nested_nodes_are_accepted(name: str) -> None:
    assert told({name: node("Source"), "9": node("Keep", image=[name, 0])}) == []


@pytest.mark.parametrize(
    "data", [None, 1, "x", [], {}, {"inputs": {}}, {"class_type": 5, "inputs": {}}]
)
def test_what_is_no_node_is_refused(data: Any) -> None:
    nodes = saved(n1=node("Source"))
    problem = one({**nodes, "version": data})
    assert (problem.type, problem.node) == ("invalid_prompt", "version")
    assert "not a node" in problem.message


@pytest.mark.parametrize("inputs", [None, [], "x"])
def test_a_node_without_inputs_is_refused(inputs: Any) -> None:
    assert one(saved(n1={"class_type": "Source", "inputs": inputs})).type == "invalid_prompt"


@pytest.mark.parametrize("nodes", [{}, {"1": node("Source")}])
def test_a_graph_without_an_output_is_refused(nodes: dict[str, Any]) -> None:
    assert one(nodes).type == "prompt_no_outputs"


# -- cycles


def test_a_cycle_is_told_once_with_its_path() -> None:
    nodes = {
        "1": node("Source"),
        "2": node("Blend", a=["1", 0], b=["4", 0]),
        "3": node("Blend", a=["2", 0], b=["1", 0]),
        "4": node("Blend", a=["3", 0], b=["3", 0]),
        "9": node("Keep", image=["4", 0]),
    }
    problem = one(nodes)
    assert problem.type == "dependency_cycle"
    assert problem.message == "a cycle: #2 -> #3 -> #4 -> #2"
    assert problem.extra["cycle_nodes"] == ["2", "3", "4"]
    assert (problem.node, problem.input) == ("2", "b")


def test_a_node_linked_to_itself_is_a_cycle_of_one() -> None:
    nodes = {"2": node("Anything", value=["2", 0]), "9": node("Keep", image=["2", 0])}
    assert one(nodes).message == "a cycle: #2 -> #2"


def test_two_separate_cycles_are_two_problems_and_tangled_ones_do_not_explode() -> None:
    nodes = {str(n): node("Blend", a=[str((n + 1) % 4), 0], b=["1", 0]) for n in range(4)}
    apart = {str(n): node("Anything", value=[str(11 - n), 0]) for n in (5, 6)}
    ends = {
        "8": node("Keep", image=["0", 0]),
        "9": node("Keep", image=["5", 0]),
    }
    assert [p.type for p in told({**nodes, **apart, **ends})] == ["dependency_cycle"] * 2
    dense = {
        str(n): node("Blend", a=[str((n * 7 + 1) % 300), 0], b=[str((n * 3 + 2) % 300), 0])
        for n in range(300)
    }
    begin = time.process_time()
    found = told({**dense, "900": node("Keep", image=["0", 0])})
    assert {p.type for p in found} == {"dependency_cycle"}
    assert time.process_time() - begin < 5


# -- what does not run


def test_faults_that_no_output_needs_are_warnings_and_are_left_out() -> None:
    nodes = saved(n1=node("Source"), n2=node("Source", count=99), n3=node("Blend", a=["2", 0]))
    result = checked(nodes)
    assert {(w.node, w.severity) for w in result.warnings} == {("2", "warning"), ("3", "warning")}
    assert all("no output needs this node" in str(w) for w in result.warnings)
    assert set(result.graph.nodes) == {"1", "9"}


def test_an_unneeded_cycle_does_not_stop_the_rest() -> None:
    loop = {str(n): node("Anything", value=[str(11 - n), 0]) for n in (5, 6)}
    behind = {"7": node("Blend", a=["5", 0], b=["5", 0])}
    result = checked({**saved(n1=node("Source")), **loop, **behind})
    assert set(result.graph.nodes) == {"1", "9"}
    assert [w.type for w in result.warnings] == ["dependency_cycle"]


def test_a_sound_node_that_no_output_needs_stays_available_as_a_target() -> None:
    assert "2" in checked(saved(n1=node("Source"), n2=node("Source"))).graph


# -- the class's own check


@pytest.fixture
def careful() -> Any:
    yield Careful
    Careful.ANSWER = True
    Careful.ASKED.clear()


def test_a_class_that_checks_an_input_itself_switches_range_and_list_off(careful: Any) -> None:
    nodes = saved(n1=node("Careful", name="sub/b.png", size=100, other=1))
    assert told(nodes) == []
    assert careful.ASKED == [("sub/b.png", 100)]
    assert one(saved(n1=node("Careful", name="b", size=1, other=100))).input == "other"


def test_linked_inputs_arrive_there_as_none(careful: Any) -> None:
    nodes = saved(n1=node("Careful", name=["2", 0], size=1), n2=node("Anything", value=1))
    assert told(nodes) == []
    assert careful.ASKED == [(None, 1)]


def test_its_message_becomes_a_problem(careful: Any) -> None:
    careful.ANSWER = "no picture named 'b.png'"
    problem = one(saved(n1=node("Careful", name="b.png")))
    assert (problem.type, problem.message) == ("custom_validation_failed", careful.ANSWER)
    careful.ANSWER = False
    assert one(saved(n1=node("Careful", name="b.png"))).type == "custom_validation_failed"


def test_its_exception_becomes_a_problem(careful: Any) -> None:
    careful.ANSWER = AttributeError("'NoneType' object has no attribute 'startswith'")
    problem = one(saved(n1=node("Careful", name="b.png")))
    assert problem.type == "exception_during_validation"
    assert "AttributeError" in problem.message


def test_it_is_not_asked_about_values_that_are_wrong_already(careful: Any) -> None:
    told(saved(n1=node("Careful", name="b.png", size="x")))
    assert careful.ASKED == []


def test_absent_inputs_do_not_hide_the_defaults_of_its_arguments() -> None:
    Lenient.ASKED.clear()
    nodes = {
        "1": node("Lenient", size=5),
        "2": node("Lenient", tone=["1", 0], mode=["1", 0]),
        "9": node("Keep", image=["2", 0]),
    }
    told(nodes)
    assert {"tone": "own", "size": 5, "id": "1"} in Lenient.ASKED
    assert all(asked["tone"] == "own" for asked in Lenient.ASKED)


def test_an_output_that_is_a_list_of_choices_feeds_a_combo_only() -> None:
    nodes = {"1": node("Lenient"), "2": node("Lenient", mode=["1", 0], tone=["1", 0])}
    (problem,) = [p for p in told(nodes) if p.node == "2"]
    assert (problem.type, problem.input) == ("return_type_mismatch", "tone")


def test_a_choice_of_numbers_does_not_take_true_for_one() -> None:
    declared = Input("n", "COMBO", True, {}, (1, 2))
    assert fit(1.0, declared) == 1
    with pytest.raises(Unfit):
        fit(True, declared)


def test_a_class_may_take_over_the_check_of_link_types() -> None:
    mask = saved(n1=node("TypeAware", a=["2", 1]), n2=node("Source"))
    assert told(mask) == []
    other = saved(n1=node("TypeAware", a=["2", 0]), n2=node("Anything", value=1))
    assert one(other).message == "not *"


# -- all at once, and the report


def broken() -> dict[str, Any]:
    return {
        "1": node("Source", count=99, flag="false"),
        "2": node("Blend", a=["1", 1], b=["44", 0]),
        "3": node("Sauce"),
        "9": node("Keep", image=["2", 0], extra=1),
    }


def test_all_problems_are_told_at_once_in_the_order_of_nodes() -> None:
    with pytest.raises(GraphError) as raised:
        checked(broken())
    assert [(p.node, p.type) for p in raised.value.problems] == [
        ("1", "value_bigger_than_max"),
        ("1", "invalid_input_type"),
        ("2", "return_type_mismatch"),
        ("2", "link_to_missing_node"),
        ("3", "missing_node_type"),
        ("9", "unknown_input"),
    ]
    assert list(raised.value.problems) == told(broken())


def test_the_report_has_the_shape_of_a_comfyui_server() -> None:
    report = error_report(told(broken()))
    assert set(report["error"]) == {"type", "message", "details", "extra_info"}
    assert report["error"]["type"] == "missing_node_type"
    first = report["node_errors"]["1"]
    assert first["class_type"] == "Source"
    assert first["dependent_outputs"] == ["9"]
    assert set(first["errors"][0]) == {"type", "message", "details", "extra_info"}
    assert first["errors"][0]["extra_info"] == {
        "input_config": ["INT", {"default": 3, "min": 1, "max": 8}],
        "received_value": 99,
        "input_name": "count",
    }
    mismatch = report["node_errors"]["2"]["errors"][0]["extra_info"]
    assert (mismatch["received_type"], mismatch["linked_node"]) == ("MASK", ["1", 1])
    assert "9" not in report["node_errors"]
    assert [w["node_id"] for w in report["warnings"]] == ["9"]


def test_the_report_is_strict_json_whatever_the_values() -> None:
    nodes = saved(n1=node("Source", scale=math.nan, count=10**5000))
    json.dumps(error_report(told(nodes)), allow_nan=False)


def test_failed_values_alone_and_no_problem_at_all_are_reported_as_such() -> None:
    report = error_report(told(saved(n1=node("Source", count=99))))
    assert report["error"]["type"] == "prompt_outputs_failed_validation"
    assert error_report([]) == {"error": None, "node_errors": {}, "warnings": []}


# -- speed, and graphs of any shape


def test_three_hundred_nodes_are_checked_well_within_a_third_of_a_second() -> None:
    nodes: dict[str, Any] = {"0": node("Source")}
    for n in range(1, 299):
        nodes[str(n)] = node("Blend", a=[str(n - 1), 0], b=["0", 0], weight=0.5)
    nodes["299"] = node("Keep", image=["298", 0])
    checked(nodes)  # imports networkx
    begin = time.process_time()
    assert checked(nodes).graph.number_of_nodes() == 300
    assert time.process_time() - begin < 1


def test_ten_thousand_broken_nodes_are_answered_in_seconds() -> None:
    nodes = {str(n): node("Blend", a=[f"x{n}", 0], bb=1, c=2) for n in range(10_000)}
    begin = time.process_time()
    assert len(told(nodes)) > 30_000
    assert time.process_time() - begin < 12


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner),
    max_leaves=6,
)
IDS = st.sampled_from(["1", "2", "3", "12:3", "x", ""])
LINKS = st.tuples(IDS | st.integers(0, 3), st.integers(-1, 3) | st.booleans()).map(list)
NAMES = st.sampled_from(["a", "b", "mask", "image", "count", "kind", "value", "name", "size"])
NODES = st.fixed_dictionaries(
    {"class_type": st.sampled_from([*TYPES, "Nope"]) | JSON_VALUES},
    optional={
        "inputs": st.dictionaries(NAMES, LINKS | JSON_VALUES, max_size=5) | JSON_VALUES,
        "_meta": st.fixed_dictionaries({"title": JSON_VALUES}) | JSON_VALUES,
    },
)


@settings(max_examples=300, deadline=None)
@given(st.dictionaries(IDS, NODES | JSON_VALUES, max_size=5))
def test_the_live_check_never_raises_and_agrees_with_the_final_one(nodes: dict[str, Any]) -> None:
    found = told(nodes)
    assert all(isinstance(str(problem), str) for problem in found)
    json.dumps(error_report(found), allow_nan=False)
    try:
        result = checked(nodes)
    except GraphError as error:
        assert list(error.problems) == found
        assert any(problem.severity == "error" for problem in found)
    else:
        assert all(problem.severity == "warning" for problem in found)
        for source, target in result.graph.edges:
            assert {source, target} <= set(nodes)


@pytest.mark.parametrize("path", sorted(CORPUS.glob("*.json")), ids=lambda path: path.stem)
def test_every_broken_graph_of_the_corpus_is_told_as_recorded(path: Path) -> None:
    """A file holds a graph and, in the first node's ``_meta``, the problems it must cause."""
    document = parse(path.read_bytes(), path.name, TYPES)
    expected = next(iter(document.nodes.values()))["_meta"]["expected"]
    found = problems(document, TYPES)
    assert sorted(f"{p.severity} {p.node} {p.type}" for p in found) == sorted(expected)
