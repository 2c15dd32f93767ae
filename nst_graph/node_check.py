"""Everything that can be wrong with one node of a graph."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from nst_graph.constants import Unfit, fit, show
from nst_graph.errors import Problem
from nst_graph.node_ids import is_node_id
from nst_graph.overrides import title_of
from nst_graph.own_check import Asked
from nst_graph.registry import Input, NodeType
from nst_graph.suggest import did_you_mean
from nst_graph.text import shorten
from nst_graph.widgets import unwrapped

MOST_HINTS = 200
"""Nearest names are looked up for so many problems of a graph: a hint is not worth seconds."""


@dataclass
class Sources:
    """What links may lead to: the type of each sound node, all ids, and how many hints are left."""

    nodes: Mapping[str, Any]
    types: Mapping[str, NodeType]
    hints: int = MOST_HINTS

    def near(self, word: object, words: Any) -> str | None:
        self.hints -= 1
        return did_you_mean(word, words) if self.hints >= 0 else None

    def kind(self, node: str) -> NodeType | None:
        data = self.nodes.get(node)
        name = data.get("class_type") if isinstance(data, Mapping) else None
        return self.types.get(name) if isinstance(name, str) else None


@dataclass
class NodeCheck:
    """One node, checked: what will run, and what is wrong."""

    node: str
    type: NodeType | None = None
    title: str = ""
    class_type: str | None = None
    values: dict[str, Any] = field(default_factory=dict)
    links: dict[str, tuple[str, int]] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)

    def problem(
        self,
        kind: str,
        message: str,
        hint: str | None = None,
        input: str | None = None,
        *,
        warning: bool = False,
        **extra: Any,
    ) -> None:
        self.problems.append(
            Problem(
                type=kind,
                message=message,
                node=self.node,
                title=self.title or None,
                class_type=self.class_type,
                input=input,
                hint=hint,
                severity="warning" if warning else "error",
                extra=extra,
            )
        )

    @property
    def faulty(self) -> bool:
        return any(problem.severity == "error" for problem in self.problems)


def check_node(node: str, data: Any, sources: Sources) -> NodeCheck:
    """Check one node of the API map; problems are collected, nothing is raised."""
    found = NodeCheck(node)
    if not isinstance(data, Mapping) or not isinstance(data.get("class_type"), str):
        what = "it has no class_type" if isinstance(data, Mapping) else f"it is {show(data)}"
        found.problem(
            "invalid_prompt",
            f"not a node: {what}",
            'a node is {"class_type": …, "inputs": {…}}, and a graph holds nothing but nodes',
        )
        return found
    if not is_node_id(node):
        found.problem(
            "bad_node_id",
            f"{shorten(repr(node), 60)} is not the id of a node",
            'ids are numbers such as "7"; "." and ":" may follow the first digit',
        )
    name = data["class_type"]
    found.class_type, found.title = name, title_of(data) or shorten(name)
    known = sources.types.get(name)
    if known is None:
        hint = sources.near(name, sources.types)
        found.problem(
            "missing_node_type",
            f"no node class {shorten(repr(name), 80)}",
            hint or "is its pack installed? nst nodes lists the known classes",
        )
        found.links = _links_of(data, sources)
        return found
    found.type, found.title = known, title_of(data) or known.display_name
    inputs = data.get("inputs")
    if not isinstance(inputs, Mapping):
        what = "missing" if inputs is None else "not an object"
        found.problem("invalid_prompt", f"inputs is {what}", 'write "inputs": {}')
        return found
    _check_inputs(found, known, inputs, sources)
    return found


def _links_of(data: Mapping[str, Any], sources: Sources) -> dict[str, tuple[str, int]]:
    """What a node of an unknown class is linked to."""
    inputs = data.get("inputs")
    return {
        str(name): (value[0], value[1])
        for name, value in (inputs.items() if isinstance(inputs, Mapping) else ())
        if isinstance(value, list)
        and len(value) == 2
        and isinstance(value[0], str)
        and isinstance(value[1], int)
        and value[0] in sources.nodes
    }


def _check_inputs(
    found: NodeCheck, known: NodeType, inputs: Mapping[str, Any], sources: Sources
) -> None:
    asked = Asked.of(known)
    received: dict[str, str] = {}
    for name, declared in known.inputs.items():
        value = inputs.get(name)
        if value is None and (name not in inputs or not declared.is_widget):
            _fill_in(found, declared, sources)
        elif isinstance(value, list):
            kind = _check_link(found, declared, value, sources, asked.takes_types)
            if kind:
                received[name] = kind
        else:
            try:
                found.values[name] = fit(unwrapped(value), declared, limits=not asked.takes(name))
            except Unfit as fault:
                hint = fault.hint
                if not declared.is_widget and hint is None:
                    hint = _givers(declared.type, found.node, sources)
                found.problem(
                    fault.type, fault.message, hint, name, **_about(declared, unwrapped(value))
                )
    for name in inputs:
        if name not in known.inputs:
            found.problem(
                "unknown_input",
                "the node has no such input; it is ignored",
                sources.near(name, known.inputs) or "remove it",
                shorten(str(name)),
                warning=True,
            )
    if asked.anything and not found.faulty:
        answer = asked.ask(known, found.node, found.values, received, sources.nodes)
        if answer is not None:
            found.problem(answer.type, answer.message, input=answer.input)


def _fill_in(found: NodeCheck, declared: Input, sources: Sources) -> None:
    """Use the default of an input that is not given, or say that it is missing."""
    given = "default" in declared.options
    could = given or (declared.required and declared.is_widget)
    # The first picture of a folder is nobody's default.
    if could and declared.default is not None and not declared.options.get("image_upload"):
        found.values[declared.name] = declared.default
    elif declared.required:
        what = "a value is missing" if declared.is_widget else f"needs a link ({declared.type})"
        hint = None if declared.is_widget else _givers(declared.type, found.node, sources)
        found.problem("required_input_missing", what, hint, declared.name, **_about(declared, None))


def _givers(kind: str, node: str, sources: Sources) -> str | None:
    """Where a value of type ``kind`` could come from."""
    sources.hints -= 1
    if sources.hints < 0:
        return None
    for other in sources.nodes:
        giver = sources.kind(other) if other != node else None
        for slot, output in enumerate(giver.outputs if giver else ()):
            if types_fit(output.type, kind):
                return f'for example ["{shorten(other, 40)}", {slot}]'
    classes = [
        name
        for name, known in sources.types.items()
        if any(types_fit(output.type, kind) for output in known.outputs)
    ]
    return f"add a {' or '.join(classes[:3])}" if classes else "no installed node gives it"


def _check_link(
    found: NodeCheck, declared: Input, value: list[Any], sources: Sources, any_type: bool
) -> str | None:
    """Enter a sound link into ``found``; the type that arrives, or None."""
    name = declared.name
    numbered = (
        len(value) == 2
        and type(value[0]) is int
        and 0 <= value[0] < 1 << 53
        and str(value[0]) in sources.nodes
    )
    if not numbered and (len(value) != 2 or not isinstance(value[0], str)):
        found.problem(
            "bad_linked_input",
            f"{show(value)} is not a link",
            'a link is ["node id", slot]; write a list as {"__value__": [...]}',
            name,
            **_about(declared, value),
        )
        return None
    source, slot = value
    if numbered:
        found.problem(
            "bad_linked_input",
            f"{show(value)} names its node by a number",
            f'write ["{source}", {show(slot)}]',
            name,
            **_about(declared, value),
        )
        return None
    if source not in sources.nodes:
        found.problem(
            "link_to_missing_node",
            f"linked to #{shorten(source, 40)}, which is not in the graph",
            sources.near(source, sources.nodes) or "link it to another node",
            name,
            **_about(declared, value),
            linked_node=value,
        )
        return None
    giver = sources.kind(source)
    if not isinstance(slot, int) or isinstance(slot, bool) or slot < 0:
        found.problem(
            "slot_out_of_range",
            f"{show(slot)} is not the number of an output",
            "outputs are counted 0, 1, 2 …",
            name,
            **_about(declared, value),
            linked_node=value,
        )
        return None
    found.links[name] = (source, slot)
    if giver is None:  # of an unknown class, which is a problem of its own
        return None
    if slot >= len(giver.outputs):
        offered = ", ".join(f"{i} {o.name}" for i, o in enumerate(giver.outputs)) or "no outputs"
        found.problem(
            "slot_out_of_range",
            f"#{source} ({giver.id}) has no output {show(slot)}",
            f"it has {offered}",
            name,
            **_about(declared, value),
            linked_node=value,
        )
        return None
    kind = giver.outputs[slot].type
    if not any_type and not types_fit(kind, declared.type):
        right = [i for i, o in enumerate(giver.outputs) if types_fit(o.type, declared.type)]
        found.problem(
            "return_type_mismatch",
            f"#{source} ({giver.id}) gives {kind} at output {slot}, but {declared.type} is needed",
            f'use ["{source}", {right[0]}]'
            if right
            else _givers(declared.type, found.node, sources),
            name,
            **_about(declared, value),
            received_type=kind,
            linked_node=value,
        )
        return None
    return kind


def types_fit(received: Any, wanted: str) -> bool:
    """Whether an output of type ``received`` may feed an input of type ``wanted``.

    A type is a name, several with commas between, ``*`` for any, or a list of choices.
    """
    received = received if isinstance(received, str) else "COMBO"
    if received == wanted:
        return True
    a = {kind.strip() for kind in received.split(",")}
    b = {kind.strip() for kind in wanted.split(",")}
    return "*" in a | b or bool(a & b)


def _about(declared: Input, value: Any) -> dict[str, Any]:
    """``extra_info`` as ComfyUI gives it; long lists of choices are left out."""
    config = {k: v for k, v in declared.options.items() if k in ("default", "min", "max", "step")}
    kind: Any = declared.type
    if declared.choices is not None and len(declared.choices) <= 20:
        kind = list(declared.choices)
    about: dict[str, Any] = {"input_config": [kind, config]}
    if value is not None:
        about["received_value"] = value
    return about
