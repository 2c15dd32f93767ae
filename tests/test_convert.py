"""Between ComfyUI's UI workflow and the plain graph: every rule of the browser, and back."""

from __future__ import annotations

import json
import random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nst_graph import registry
from nst_graph.document import Document, parse, to_workflow, write
from nst_graph.errors import UserError
from nst_graph.registry import NodeType


class Load:
    FUNCTION, CATEGORY, RETURN_TYPES = "run", "test", ("IMAGE", "MASK")

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:
        return {
            "required": {
                "image": (["a.png", "b.png"], {"image_upload": True}),
                "frame": ("INT", {"default": 0}),
            }
        }


class Paint:
    FUNCTION, CATEGORY, RETURN_TYPES = "run", "test", ("IMAGE", "LOSS")

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:
        return {
            "required": {
                "image": ("IMAGE",),
                "seed": ("INT", {"default": 7}),
                "weight": ("FLOAT", {"default": 0.5}),
                "forced": ("INT", {"forceInput": True}),
            },
            "optional": {
                "mask": ("MASK",),
                "prompt": ("STRING", {"default": ""}),
                "clamp": ("BOOLEAN", {"default": True}),
                "kind": ("COMBO", {"options": ["x", "y"]}),
            },
        }


class Number:
    FUNCTION, CATEGORY, RETURN_TYPES = "run", "test", ("INT",)

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:
        control = {"default": 1, "control_after_generate": True}
        return {"required": {"value": ("INT", control), "scale": ("FLOAT", {"default": 2.0})}}


class Save:
    FUNCTION, CATEGORY, RETURN_TYPES, OUTPUT_NODE = "run", "test", (), True

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:
        return {"required": {"images": ("IMAGE",), "prefix": ("STRING", {"default": "out"})}}


TYPES: dict[str, NodeType] = {
    cls.__name__: registry._describe(cls.__name__, cls) for cls in (Load, Paint, Number, Save)
}


class Canvas:
    """A UI workflow under construction."""

    def __init__(self) -> None:
        self.nodes: list[dict[str, Any]] = []
        self.links: list[list[Any]] = []

    def add(
        self,
        kind: str,
        values: Any = (),
        inputs: tuple[tuple[str, str] | tuple[str, str, str], ...] = (),
        outputs: tuple[str, ...] = (),
        **more: Any,
    ) -> int:
        """A node; an input is (name, type) or (name, type, widget)."""
        sockets = [
            {"name": i[0], "type": i[1], "link": None}
            | ({"widget": {"name": i[2]}} if len(i) == 3 else {})
            for i in inputs
        ]
        self.nodes.append(
            {
                "id": len(self.nodes) + 1,
                "type": kind,
                "mode": 0,
                "inputs": sockets,
                "outputs": [{"name": kind, "type": kind, "links": None} for kind in outputs],
                "widgets_values": values if isinstance(values, dict) else list(values),
                **more,
            }
        )
        return len(self.nodes)

    def load(self, name: str = "a.png", **more: Any) -> int:
        return self.add("Load", [name, "image", 0], (), ("IMAGE", "MASK"), **more)

    def save(self, prefix: str = "out", **more: Any) -> int:
        return self.add("Save", [prefix], (("images", "IMAGE"),), (), **more)

    def paint(self, **more: Any) -> int:
        inputs = (("image", "IMAGE"), ("forced", "INT"), ("mask", "MASK"))
        values = [3, "randomize", 1.5, "p", False, "y"]
        return self.add("Paint", values, inputs, ("IMAGE", "LOSS"), **more)

    def link(self, source: int, slot: int, target: int, index: int, kind: str = "IMAGE") -> None:
        """Link an output to the ``index``-th input; the target slot saved is wrong on purpose."""
        number = 100 + len(self.links)
        self.links.append([number, source, slot, target, 9, kind])
        self.nodes[target - 1]["inputs"][index]["link"] = number

    def enter(self, slot: int, target: int, index: int) -> None:
        """Link a subgraph's own input to a node in it."""
        self.link(-10, slot, target, index)

    def leave(self, source: int, slot: int, output: int) -> None:
        """Link a node in a subgraph to the subgraph's own output."""
        self.links.append([100 + len(self.links), source, slot, -20, output, "IMAGE"])

    def workflow(self, **more: Any) -> dict[str, Any]:
        return {"nodes": self.nodes, "links": self.links, "version": 0.4, **more}

    def subgraph(self, name: str, inputs: tuple[str, ...]) -> dict[str, Any]:
        keys = ("id", "origin_id", "origin_slot", "target_id", "target_slot", "type")
        return {
            "id": name,
            "nodes": self.nodes,
            "links": [dict(zip(keys, link, strict=True)) for link in self.links],
            "inputs": [{"name": i, "type": "*"} for i in inputs],
        }


def read(workflow: dict[str, Any], *, keep_modes: bool = False) -> Document:
    return parse(json.dumps(workflow).encode(), "w.json", TYPES, keep_modes=keep_modes)


def inputs(canvas: Canvas, node: int | str, **more: Any) -> dict[str, Any]:
    found: dict[str, Any] = read(canvas.workflow(**more)).nodes[str(node)]["inputs"]
    return found


# -- plain nodes


def test_values_get_their_names_and_links_are_followed_by_name() -> None:
    canvas = Canvas()
    load, paint, save = canvas.load("b.png"), canvas.paint(title="The painter"), canvas.save()
    canvas.link(load, 0, paint, 0)
    canvas.link(load, 1, paint, 2, "MASK")
    canvas.link(paint, 0, save, 0)
    document = read(canvas.workflow())
    assert document.origin == "workflow" and document.workflow is not None
    assert document.notes == ()
    assert document.nodes == {
        "1": {
            "class_type": "Load",
            "inputs": {"image": "b.png", "frame": 0},
            "_meta": {"title": "Load"},
        },
        "2": {
            "class_type": "Paint",
            "inputs": {
                "image": ["1", 0],
                "seed": 3,
                "weight": 1.5,
                "mask": ["1", 1],
                "prompt": "p",
                "clamp": False,
                "kind": "y",
            },
            "_meta": {"title": "The painter"},
        },
        "3": {
            "class_type": "Save",
            "inputs": {"images": ["2", 0], "prefix": "out"},
            "_meta": {"title": "Save"},
        },
    }


@pytest.mark.parametrize(
    ("values", "seed", "weight", "kind"),
    [
        ([3, "fixed", 1.5, "p", False, "y"], 3, 1.5, "y"),
        ([3, 1.5, "p", False, "y"], 3, 1.5, "y"),
        ([3, 1.5, "p", False, "y", "button"], 3, 1.5, "y"),
        ([3, "increment", 1.5], 3, 1.5, "x"),
        ([3, True, 1.5, "p", False, "y"], 3, 1.5, "y"),
        ([3, 1.5], 3, 1.5, "x"),
        ([3], 3, 0.5, "x"),
        ([], 7, 0.5, "x"),
        ([3, "fixed", None, "p", False, "y"], 3, 0.5, "y"),
        ({"seed": 3, "weight": 1.5, "kind": "y", "button": 1}, 3, 1.5, "y"),
        (None, 7, 0.5, "x"),
    ],
)
def test_values_saved_by_other_versions_find_their_place(
    values: Any, seed: int, weight: float, kind: str
) -> None:
    canvas = Canvas()
    canvas.paint()
    canvas.nodes[0]["widgets_values"] = values
    found = inputs(canvas, 1)
    assert (found["seed"], found["weight"], found["kind"]) == (seed, weight, kind)


@pytest.mark.parametrize("values", [["b.png", "image", 4], ["b.png", 4]])
def test_the_upload_button_may_have_left_a_value(values: list[Any]) -> None:
    canvas = Canvas()
    canvas.add("Load", values)
    assert inputs(canvas, 1) == {"image": "b.png", "frame": 4}


def test_any_number_may_have_a_control_after_it() -> None:
    canvas = Canvas()
    canvas.add("Number", [5, "increment", 0.25])
    assert inputs(canvas, 1) == {"value": 5, "scale": 0.25}


def test_surplus_values_are_noted_and_a_list_is_wrapped() -> None:
    canvas = Canvas()
    canvas.add("Save", [[1, 2], "button"])
    document = read(canvas.workflow())
    assert document.nodes["1"]["inputs"] == {"prefix": {"__value__": [1, 2]}}
    assert document.notes == ("Save (#1) has more saved values than inputs: 1",)


def test_a_widget_turned_into_a_socket_keeps_its_place_and_the_link_wins() -> None:
    canvas = Canvas()
    canvas.add("Number", [5, "fixed"], (), ("INT",))
    canvas.add("Paint", [3, "fixed", 1.5, "p"], (("seed", "INT", "seed"),))
    canvas.link(1, 0, 2, 0, "INT")
    found = inputs(canvas, 2)
    assert (found["seed"], found["weight"], found["prompt"]) == (["1", 0], 1.5, "p")


def test_links_may_be_objects_and_ids_texts() -> None:
    canvas = Canvas()
    canvas.load()
    canvas.save()
    canvas.link(1, 0, 2, 0)
    plain = read(canvas.workflow()).nodes
    keys = ("id", "origin_id", "origin_slot", "target_id", "target_slot", "type")
    canvas.links = [dict(zip(keys, link, strict=True)) for link in canvas.links]  # type: ignore[misc]
    assert read({**canvas.workflow(), "version": 1, "state": {"lastNodeId": 2}}).nodes == plain


# -- nodes of the browser


def test_reroutes_disappear_even_in_long_chains() -> None:
    canvas = Canvas()
    canvas.load()
    canvas.save()
    before = 1
    for _ in range(3000):
        reroute = canvas.add("Reroute", [], (("", "*"),), ("IMAGE",))
        canvas.link(before, 0, reroute, 0)
        before = reroute
    canvas.link(before, 0, 2, 0)
    document = read(canvas.workflow())
    assert set(document.nodes) == {"1", "2"}
    assert document.nodes["2"]["inputs"]["images"] == ["1", 0]


def test_a_ring_of_reroutes_feeds_nothing() -> None:
    canvas = Canvas()
    canvas.save()
    for _ in range(2):
        canvas.add("Reroute", [], (("", "*"),), ("IMAGE",))
    canvas.link(2, 0, 3, 0)
    canvas.link(3, 0, 2, 0)
    canvas.link(3, 0, 1, 0)
    assert inputs(canvas, 1) == {"prefix": "out"}


def test_a_primitive_becomes_the_constant_it_holds() -> None:
    canvas = Canvas()
    canvas.add("PrimitiveNode", [42, "fixed"], (), ("INT",))
    canvas.add("Paint", [3, "fixed"], (("seed", "INT", "seed"), ("forced", "INT")))
    canvas.link(1, 0, 2, 0, "INT")
    canvas.link(1, 0, 2, 1, "INT")
    document = read(canvas.workflow())
    assert set(document.nodes) == {"2"}
    assert document.nodes["2"]["inputs"]["seed"] == 42
    assert document.nodes["2"]["inputs"]["forced"] == 42


def test_notes_and_groups_are_left_behind() -> None:
    canvas = Canvas()
    canvas.load()
    canvas.add("Note", ["remember"])
    canvas.add("MarkdownNote", ["# remember"])
    document = read(canvas.workflow(groups=[{"title": "x", "bounding": [0, 0, 9, 9]}]))
    assert set(document.nodes) == {"1"} and document.notes == ()


def test_a_muted_node_goes_and_its_links_with_it() -> None:
    canvas = Canvas()
    canvas.load(mode=2, title="Muted one")
    canvas.save()
    canvas.link(1, 0, 2, 0)
    document = read(canvas.workflow())
    assert document.nodes["2"]["inputs"] == {"prefix": "out"}
    assert document.notes == ("left out because muted: Muted one (#1)",)


@pytest.mark.parametrize(
    ("sockets", "slot", "wanted"),
    [
        ((("image", "IMAGE"),), 0, ["1", 0]),
        ((("n", "INT"), ("image", "image")), 0, ["1", 0]),
        ((("n", "INT"), ("any", "*")), 0, ["1", 0]),
        ((("image", "IMAGE"), ("mask", "MASK")), 1, ["1", 1]),
        ((("n", "INT"),), 0, None),
        ((), 0, None),
    ],
)
def test_a_bypassed_node_passes_on_the_input_that_fits(
    sockets: tuple[tuple[str, str], ...], slot: int, wanted: list[Any] | None
) -> None:
    canvas = Canvas()
    canvas.load()
    canvas.add("Filter", [], sockets, ("IMAGE", "MASK"), mode=4)
    kind = ("IMAGE", "MASK")[slot]
    canvas.add("Paint", [], (("it", kind),))
    for index, (_, type_) in enumerate(sockets):
        canvas.link(1, 1 if type_ == "MASK" else 0, 2, index, type_)
    canvas.link(2, slot, 3, 0, kind)
    document = read(canvas.workflow())
    assert document.nodes["3"]["inputs"].get("it") == wanted
    assert document.notes == ("left out because bypassed: Filter (#2)",)


@pytest.mark.parametrize(
    ("sockets", "slot", "passed"),
    [
        (("IMAGE", "IMAGE"), 1, "2"),  # the one with the same number
        (("INT", "*", "IMAGE"), 0, "3"),  # the one of the same type, before one of any type
        (("INT", "*", "*"), 0, "2"),  # the first that could be
    ],
)
def test_of_several_inputs_that_fit_a_bypassed_node_passes_on_the_nearest(
    sockets: tuple[str, ...], slot: int, passed: str
) -> None:
    canvas = Canvas()
    for _ in sockets:
        canvas.load()
    many = tuple((f"in_{index}", kind) for index, kind in enumerate(sockets))
    bypassed = canvas.add("Filter", [], many, ("IMAGE", "IMAGE"), mode=4)
    for index in range(len(sockets)):
        canvas.link(index + 1, 0, bypassed, index)
    canvas.link(bypassed, slot, canvas.save(), 0)
    assert inputs(canvas, bypassed + 1)["images"] == [passed, 0]


def test_the_type_that_is_wanted_is_remembered_across_a_reroute() -> None:
    canvas = Canvas()
    canvas.add("Number", [5, "fixed"], (), ("INT",))
    canvas.load()
    canvas.add("Filter", [], (("n", "INT"), ("image", "IMAGE")), ("*",), mode=4)
    canvas.add("Reroute", [], (("", "*"),), ("*",))
    canvas.save()
    canvas.link(1, 0, 3, 0, "INT")
    canvas.link(2, 0, 3, 1)
    canvas.link(3, 0, 4, 0)
    canvas.link(4, 0, 5, 0)
    assert inputs(canvas, 5)["images"] == ["2", 0]


def test_two_bypassed_nodes_and_a_reroute_in_a_row_pass_on() -> None:
    canvas = Canvas()
    canvas.load()
    canvas.add("Filter", [], (("n", "INT"), ("image", "IMAGE")), ("IMAGE",), mode=4)
    canvas.add("Reroute", [], (("", "*"),), ("*",))
    canvas.add("Filter", [], (("mask", "MASK"), ("image", "IMAGE")), ("IMAGE",), mode=4)
    canvas.save()
    canvas.link(1, 0, 2, 1)
    canvas.link(2, 0, 3, 0)
    canvas.link(3, 0, 4, 1)
    canvas.link(4, 0, 5, 0)
    assert inputs(canvas, 5)["images"] == ["1", 0]


def test_an_unknown_node_stays_with_its_links_and_one_linked_to_nothing_goes() -> None:
    canvas = Canvas()
    canvas.load()
    canvas.add("Gone", {"a": 1, "b": [2]}, (("image", "IMAGE"),), ("IMAGE",))
    canvas.add("Label (someone)", ["text"])
    canvas.save()
    canvas.link(1, 0, 2, 0)
    canvas.link(2, 0, 4, 0)
    document = read(canvas.workflow())
    assert document.nodes["2"]["inputs"] == {"a": 1, "b": {"__value__": [2]}, "image": ["1", 0]}
    assert document.nodes["4"]["inputs"]["images"] == ["2", 0]
    assert document.notes == ("left out, unknown and linked to nothing: Label (someone) (#3)",)


def test_links_to_nodes_that_are_not_there_are_dropped() -> None:
    canvas = Canvas()
    canvas.save()
    canvas.link(77, 0, 1, 0)
    assert inputs(canvas, 1) == {"prefix": "out"}
    canvas.links.clear()
    assert inputs(canvas, 1) == {"prefix": "out"}


# -- subgraphs


def painting_subgraph() -> Canvas:
    """In: image, seed. Out: the painting, the image itself."""
    inner = Canvas()
    paint = inner.add(
        "Paint",
        [3, "fixed", 1.5, "inner"],
        (("image", "IMAGE"), ("seed", "INT", "seed")),
        ("IMAGE", "LOSS"),
    )
    inner.enter(0, paint, 0)
    inner.enter(1, paint, 1)
    inner.leave(paint, 0, 0)
    inner.links.append([900, -10, 0, -20, 1, "IMAGE"])
    return inner


def with_subgraph(**instance: Any) -> tuple[Canvas, dict[str, Any]]:
    outer = Canvas()
    outer.load()
    sockets = (("image", "IMAGE"), ("seed", "INT", "seed"))
    outer.add("sub", instance.pop("values", []), sockets, ("IMAGE", "IMAGE"), **instance)
    outer.save("first")
    outer.save("second")
    outer.link(1, 0, 2, 0)
    outer.link(2, 0, 3, 0)
    outer.link(2, 1, 4, 0)
    subgraph = painting_subgraph().subgraph("sub", ("image", "seed"))
    return outer, {"definitions": {"subgraphs": [subgraph]}}


def test_a_subgraph_is_expanded_and_links_cross_its_border_both_ways() -> None:
    outer, definitions = with_subgraph(values=[99])
    document = read(outer.workflow(**definitions))
    assert set(document.nodes) == {"1", "2:1", "3", "4"}
    assert document.nodes["2:1"]["inputs"]["image"] == ["1", 0]
    assert document.nodes["2:1"]["inputs"]["seed"] == 99
    assert document.nodes["2:1"]["inputs"]["prompt"] == "inner"
    assert document.nodes["3"]["inputs"]["images"] == ["2:1", 0]
    assert document.nodes["4"]["inputs"]["images"] == ["1", 0]


def test_an_instance_without_values_keeps_those_inside() -> None:
    outer, definitions = with_subgraph()
    assert read(outer.workflow(**definitions)).nodes["2:1"]["inputs"]["seed"] == 3


def test_widgets_promoted_by_name_override_those_inside() -> None:
    promoted = {"proxyWidgets": [["-1", "seed"], ["1", "prompt"]]}
    outer, definitions = with_subgraph(values=[5, "outer"], properties=promoted)
    found = read(outer.workflow(**definitions)).nodes["2:1"]["inputs"]
    assert (found["seed"], found["prompt"]) == (5, "outer")


def test_a_link_into_a_promoted_widget_wins() -> None:
    outer, definitions = with_subgraph(values=[99])
    outer.add("Number", [8, "fixed"], (), ("INT",))
    outer.link(5, 0, 2, 1, "INT")
    assert read(outer.workflow(**definitions)).nodes["2:1"]["inputs"]["seed"] == ["5", 0]


def test_a_bypassed_subgraph_passes_on_and_a_muted_one_ends() -> None:
    outer, definitions = with_subgraph(mode=4)
    document = read(outer.workflow(**definitions))
    assert set(document.nodes) == {"1", "3", "4"}
    assert document.nodes["3"]["inputs"]["images"] == ["1", 0]
    outer, definitions = with_subgraph(mode=2)
    assert read(outer.workflow(**definitions)).nodes["3"]["inputs"] == {"prefix": "first"}


def test_subgraphs_nest() -> None:
    middle = Canvas()
    middle.add("sub", [11], (("image", "IMAGE"), ("seed", "INT", "seed")), ("IMAGE", "IMAGE"))
    middle.enter(0, 1, 0)
    middle.leave(1, 0, 0)
    outer = Canvas()
    outer.load()
    outer.add("middle", [], (("picture", "IMAGE"),), ("IMAGE",))
    outer.save()
    outer.link(1, 0, 2, 0)
    outer.link(2, 0, 3, 0)
    definitions = [
        middle.subgraph("middle", ("picture",)),
        painting_subgraph().subgraph("sub", ("image", "seed")),
    ]
    document = read(outer.workflow(definitions={"subgraphs": definitions}))
    assert set(document.nodes) == {"1", "2:1:1", "3"}
    assert document.nodes["2:1:1"]["inputs"]["image"] == ["1", 0]
    assert document.nodes["2:1:1"]["inputs"]["seed"] == 11
    assert document.nodes["3"]["inputs"]["images"] == ["2:1:1", 0]


def test_two_instances_are_two_sets_of_nodes() -> None:
    outer, definitions = with_subgraph(values=[1])
    outer.add("sub", [2], (("image", "IMAGE"), ("seed", "INT", "seed")), ("IMAGE", "IMAGE"))
    outer.link(1, 0, 5, 0)
    nodes = read(outer.workflow(**definitions)).nodes
    assert (nodes["2:1"]["inputs"]["seed"], nodes["5:1"]["inputs"]["seed"]) == (1, 2)


def test_a_subgraph_in_itself_is_named() -> None:
    canvas = Canvas()
    canvas.add("ring")
    inner = canvas.subgraph("ring", ())
    with pytest.raises(UserError, match=r"the subgraph at #1:1:.* contains itself"):
        read(canvas.workflow(definitions={"subgraphs": [inner]}))


# -- for the editor


def test_muted_and_bypassed_nodes_can_be_kept_with_their_marks_and_places() -> None:
    canvas = Canvas()
    canvas.load(mode=2, pos=[100, 200])
    canvas.paint(mode=4, pos={"0": 300, "1": 400})
    canvas.save(pos=[-50, "x"])
    canvas.link(1, 0, 2, 0)
    canvas.link(2, 0, 3, 0)
    document = read(canvas.workflow(), keep_modes=True)
    metas = {node: data["_meta"] for node, data in document.nodes.items()}
    assert metas == {
        "1": {"title": "Load", "mode": "muted", "pos": [10, 10]},
        "2": {"title": "Paint", "mode": "bypassed", "pos": [30, 20]},
        "3": {"title": "Save"},
    }
    assert document.nodes["3"]["inputs"]["images"] == ["2", 0]
    assert document.notes == ()
    again = read(to_workflow(document.nodes, TYPES), keep_modes=True)
    marks = {n: {k: d["_meta"].get(k) for k in ("mode",)} for n, d in again.nodes.items()}
    assert marks == {"1": {"mode": "muted"}, "2": {"mode": "bypassed"}, "3": {"mode": None}}
    assert again.nodes["1"]["_meta"]["pos"] == [10, 10]


# -- and back

WORDS = st.text(st.characters(exclude_categories=["Cs"]), max_size=6)
NUMBERS = st.integers(-(2**53), 2**53)
TITLES = WORDS.filter(str.strip)


@st.composite
def api_graphs(draw: st.DrawFn) -> dict[str, Any]:
    """Complete, sound, acyclic graphs: every widget has a constant or a link."""
    ids = draw(
        st.lists(
            st.from_regex(r"(0|[1-9][0-9]{0,3}|[1-9]:[0-9]|[1-9]\.0\.1|007)", fullmatch=True),
            min_size=1,
            max_size=7,
            unique=True,
        )
    )
    nodes: dict[str, Any] = {}
    for index, node in enumerate(ids):
        before = ids[:index]

        def link(kind: str, before: list[str] = before) -> list[Any] | None:
            offers = [
                [other, slot]
                for other in before
                for slot, output in enumerate(TYPES[nodes[other]["class_type"]].outputs)
                if output.type == kind
            ]
            return draw(st.sampled_from(offers)) if offers and draw(st.booleans()) else None

        kind = draw(st.sampled_from(["Load", "Paint", "Number", "Save"]))
        given_inputs: dict[str, Any] = {}
        for name, declared in TYPES[kind].inputs.items():
            constants = {
                "INT": NUMBERS,
                "FLOAT": st.floats(allow_nan=False, allow_infinity=False),
                "STRING": WORDS | st.lists(NUMBERS, max_size=3).map(lambda v: {"__value__": v}),
                "BOOLEAN": st.booleans(),
                "COMBO": st.sampled_from(declared.choices or ("",)),
            }
            value = link(declared.type)
            if value is None and declared.is_widget:
                value = draw(constants[declared.type])
            if value is not None:
                given_inputs[name] = value
        title = {"_meta": {"title": draw(TITLES)}}
        nodes[node] = {"class_type": kind, "inputs": given_inputs, **title}
    return nodes


@settings(max_examples=200, deadline=None)
@given(api_graphs())
def test_to_a_workflow_and_back_is_the_identity(nodes: dict[str, Any]) -> None:
    workflow = json.loads(json.dumps(to_workflow(nodes, TYPES), allow_nan=False))
    document = read(workflow)
    assert document.nodes == nodes
    assert document.notes == ()
    assert to_workflow(document.nodes, TYPES) == workflow
    assert parse(write(document).encode()).nodes == nodes


@settings(max_examples=60, deadline=None)
@given(api_graphs())
def test_a_workflow_is_consistent_in_itself(nodes: dict[str, Any]) -> None:
    workflow = to_workflow(nodes, TYPES)
    by_id = {node["id"]: node for node in workflow["nodes"]}
    assert len(by_id) == len(nodes) and workflow["last_node_id"] == max(by_id)
    assert [link[0] for link in workflow["links"]] == list(range(1, len(workflow["links"]) + 1))
    assert workflow["last_link_id"] == len(workflow["links"])
    listed = [i for n in by_id.values() for o in n["outputs"] for i in o["links"] or ()]
    assert sorted(listed) == [link[0] for link in workflow["links"]]
    for number, source, slot, target, index, kind in workflow["links"]:
        assert number in by_id[source]["outputs"][slot]["links"]
        assert by_id[source]["outputs"][slot]["type"] == kind
        assert by_id[target]["inputs"][index]["link"] == number
        assert by_id[source]["pos"][0] < by_id[target]["pos"][0], "the flow is left to right"
        assert by_id[source]["order"] < by_id[target]["order"]
    boxes = [(*node["pos"], *node["size"]) for node in by_id.values()]
    for i, (x, y, w, h) in enumerate(boxes):
        for u, v, p, q in boxes[:i]:
            assert x + w <= u or u + p <= x or y + h <= v or v + q <= y, "two nodes overlap"


def test_a_workflow_has_what_the_browser_expects() -> None:
    nodes = {
        "1": {"class_type": "Load", "inputs": {"image": "b.png", "frame": 2}},
        "2": {"class_type": "Paint", "inputs": {"image": ["1", 0], "seed": 5}},
        "3": {"class_type": "Save", "inputs": {"images": ["2", 0], "prefix": ["9", 0]}},
    }
    workflow = to_workflow(nodes, TYPES)
    assert workflow["version"] == 0.4
    assert {"last_node_id", "last_link_id", "nodes", "links", "groups", "config", "extra"} < set(
        workflow
    )
    load, paint, save = workflow["nodes"]
    assert load["widgets_values"] == ["b.png", "image", 2]
    assert paint["widgets_values"] == [5, "fixed", 0.5, "", True, "x"]
    assert [(i["name"], i["link"], i.get("shape")) for i in paint["inputs"]] == [
        ("image", 1, None),
        ("forced", None, None),
        ("mask", None, 7),
    ]
    assert load["properties"] == {"Node name for S&R": "Load"}
    assert (save["mode"], save["flags"], save["outputs"]) == (0, {}, [])
    assert workflow["links"] == [[1, 1, 0, 2, 0, "IMAGE"], [2, 2, 0, 3, 0, "IMAGE"]]


def test_a_node_copied_in_the_browser_does_not_take_the_id_of_the_original() -> None:
    workflow = to_workflow({"12:3": {"class_type": "Load", "inputs": {}}}, TYPES)
    (original,) = workflow["nodes"]
    workflow["nodes"].append({**original, "id": 77})
    assert set(read(workflow).nodes) == {"12:3", "77"}


def test_an_unknown_class_and_a_cycle_are_drawn_all_the_same() -> None:
    nodes = {
        "1": {"class_type": "Gone", "inputs": {"a": 1, "b": ["2", 1]}, "_meta": {"title": "g"}},
        "2": {"class_type": "Gone", "inputs": {"c": ["1", 0]}, "_meta": {"title": "h"}},
    }
    assert read(to_workflow(nodes, TYPES)).nodes == nodes


@pytest.mark.parametrize("data", [None, [], "x", {}, {"class_type": "Load", "inputs": 5}])
def test_what_is_no_node_cannot_be_drawn(data: Any) -> None:
    with pytest.raises(UserError, match="#7"):
        to_workflow({"7": data}, TYPES)


# -- workflows of any shape

KINDS = ["Load", "Paint", "Save", "Number", "Reroute", "PrimitiveNode", "Note", "sub", "other"]
SCRAPS = [None, True, -1, 7, 1e9, "x", "IMAGE", [], [1, "seed"], {}, {"name": "seed"}]


def tangled(chance: random.Random, damage: float) -> dict[str, Any]:
    """Nodes and links at random, subgraphs that may hold each other, and some wrong parts."""

    def part(value: Any) -> Any:
        return chance.choice(SCRAPS) if chance.random() < damage else value

    def socket() -> dict[str, Any]:
        name = chance.choice(["image", "seed", "images", "mask"])
        found: dict[str, Any] = {"name": part(name), "type": part(chance.choice(["IMAGE", "*"]))}
        found["link"] = part(chance.randint(1, 12))
        if name == "seed":
            found["widget"] = part({"name": "seed"})
        return found

    def level(kinds: list[str]) -> dict[str, Any]:
        nodes = [
            {
                "id": part(number),
                "type": part(chance.choice(kinds)),
                "mode": part(chance.choice([0, 0, 0, 0, 2, 4])),
                "inputs": part([part(socket()) for _ in range(chance.randint(0, 3))]),
                "outputs": part([part({"type": "IMAGE"}), {"type": "MASK"}]),
                "widgets_values": part([3, "fixed", 0.5]),
                "properties": part({"proxyWidgets": part([part(["1", "seed"])] * 3)}),
                "pos": part([1, 2]),
            }
            for number in range(1, chance.randint(2, 8))
        ]
        ends = [1, 2, 3, 4, 5, -10, -20]
        links = [
            part([n, chance.choice(ends), part(0), chance.choice(ends), chance.randint(0, 1), "*"])
            for n in range(1, 13)
        ]
        sockets = part([part({"name": "image"}), {"name": "seed"}])
        return {"nodes": part(nodes), "links": part(links), "inputs": sockets}

    subgraphs = [{"id": "sub", **level(KINDS[:-2])}, {"id": "other", **level(KINDS[:-1])}]
    if chance.random() < damage:
        subgraphs[0] = {"id": "sub", **level(KINDS)}
    return {**level(KINDS), "definitions": part({"subgraphs": subgraphs})}


@settings(max_examples=150, deadline=None)
@given(st.integers(0, 2**32), st.sampled_from([0.0, 0.002, 0.05]), st.booleans())
def test_no_workflow_causes_anything_but_a_user_error(
    seed: int, damage: float, keep_modes: bool
) -> None:
    workflow = tangled(random.Random(seed), damage)
    try:
        document = read(workflow, keep_modes=keep_modes)
    except UserError as error:
        assert damage and "w.json" in str(error)
        return
    for data in document.nodes.values():
        assert isinstance(data["class_type"], str)
        for value in data["inputs"].values():
            if isinstance(value, list):
                assert value[0] in document.nodes and isinstance(value[1], int)
    write(document)
    to_workflow(document.nodes, TYPES)


def test_random_workflows_reach_every_part_of_the_conversion() -> None:
    read_ones = [read(tangled(random.Random(seed), 0.0)).nodes for seed in range(40)]
    nodes = [(name, data) for found in read_ones for name, data in found.items()]
    assert any(name.count(":") == 2 for name, _ in nodes)
    linked = [v[0] for _, data in nodes for v in data["inputs"].values() if isinstance(v, list)]
    assert len(linked) > 20 and any(":" in source for source in linked)
