"""The node classes known to this process, and their declarations in one typed form.

Nodes are ComfyUI V1 classes: plain Python with ``INPUT_TYPES``, ``RETURN_TYPES``, ``FUNCTION``.
One declaration serves ComfyUI, our checker, the editor's inspector and ``nst nodes``. The built-in
pack is imported by name; packs of others announce themselves with the entry point group
``nst_graph.nodes`` (the value names a module with ``NODE_CLASS_MAPPINGS``).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from importlib.metadata import entry_points
from typing import Any

from nst_graph.errors import UserError

ENTRY_POINT_GROUP = "nst_graph.nodes"
BUILTIN_PACK = "nst_graph.nodes"
WIDGETS = frozenset({"INT", "FLOAT", "STRING", "BOOLEAN", "COMBO"})


@dataclass(frozen=True)
class Input:
    """One input: ``type`` is INT, FLOAT, STRING, BOOLEAN, COMBO or a socket type such as IMAGE."""

    name: str
    type: str
    required: bool
    options: Mapping[str, Any]
    choices: tuple[Any, ...] | None = None

    @property
    def is_widget(self) -> bool:
        """Whether a constant can be written for it (else it must be linked)."""
        return self.type in WIDGETS and not self.options.get("forceInput")

    @property
    def default(self) -> Any:
        """The value used when the graph gives none; None if there is no default."""
        if "default" in self.options:
            return self.options["default"]
        if self.choices:
            return self.choices[0]
        return {"INT": 0, "FLOAT": 0.0, "STRING": "", "BOOLEAN": False}.get(self.type)


@dataclass(frozen=True)
class Output:
    name: str
    type: str
    tooltip: str = ""


@dataclass(frozen=True)
class NodeType:
    """A node class, described. ``hidden`` maps argument names to PROMPT, UNIQUE_ID …"""

    id: str
    cls: type
    inputs: Mapping[str, Input]
    hidden: Mapping[str, str]
    outputs: tuple[Output, ...]
    function: str
    category: str
    description: str
    display_name: str
    is_output: bool
    module: str

    @property
    def version(self) -> int:
        """Raised by a node whose results changed, so that stored ones are not used again."""
        return int(getattr(self.cls, "VERSION", 1))


def describe(node_id: str) -> NodeType | None:
    """The declaration of ``node_id`` as it is now (combo lists may change); None if unknown."""
    cls = node_classes().get(node_id)
    return None if cls is None else _describe(node_id, cls)


def node_types() -> dict[str, NodeType]:
    """Every known node by id, sorted."""
    return {node_id: _describe(node_id, cls) for node_id, cls in sorted(node_classes().items())}


@cache
def node_classes() -> Mapping[str, type]:
    """Node classes by id: the built-in pack, then installed packs.

    Raises:
        UserError: two packs define the same id.
    """
    builtin = import_module(BUILTIN_PACK)
    classes: dict[str, type] = {**builtin.NODE_CLASS_MAPPINGS, **builtin.STANDALONE_CLASS_MAPPINGS}
    for entry in sorted(entry_points(group=ENTRY_POINT_GROUP)):
        if entry.value == BUILTIN_PACK:
            continue
        pack = entry.load()
        for node_id, cls in pack.NODE_CLASS_MAPPINGS.items():
            taken = classes.setdefault(node_id, cls)
            if taken is not cls:
                raise UserError(
                    f"node {node_id!r} is defined by both {taken.__module__} and {cls.__module__}; "
                    f"uninstall one of the packs"
                )
    return classes


@cache
def _display_names() -> Mapping[str, str]:
    names: dict[str, str] = dict(import_module(BUILTIN_PACK).NODE_DISPLAY_NAME_MAPPINGS)
    for entry in entry_points(group=ENTRY_POINT_GROUP):
        names |= getattr(entry.load(), "NODE_DISPLAY_NAME_MAPPINGS", {})
    return names


def _describe(node_id: str, cls: Any) -> NodeType:
    declared = cls.INPUT_TYPES()
    inputs = {
        name: _input(name, spec, part == "required")
        for part in ("required", "optional")
        for name, spec in declared.get(part, {}).items()
    }
    types = tuple(getattr(cls, "RETURN_TYPES", ()))
    names = tuple(getattr(cls, "RETURN_NAMES", types))
    tips = tuple(getattr(cls, "OUTPUT_TOOLTIPS", ("",) * len(types)))
    return NodeType(
        id=node_id,
        cls=cls,
        inputs=inputs,
        hidden={name: _socket(spec) for name, spec in declared.get("hidden", {}).items()},
        outputs=tuple(Output(n, t, tip) for n, t, tip in zip(names, types, tips, strict=True)),
        function=cls.FUNCTION,
        category=getattr(cls, "CATEGORY", ""),
        description=getattr(cls, "DESCRIPTION", ""),
        display_name=_display_names().get(node_id, node_id),
        is_output=bool(getattr(cls, "OUTPUT_NODE", False)),
        module=cls.__module__,
    )


def _socket(spec: Any) -> str:
    return str(spec[0] if isinstance(spec, list | tuple) else spec)


def _input(name: str, spec: Any, required: bool) -> Input:
    kind = spec[0]
    options = spec[1] if len(spec) > 1 and isinstance(spec[1], dict) else {}
    if isinstance(kind, list | tuple):
        return Input(name, "COMBO", required, options, tuple(kind))
    if kind == "COMBO":
        return Input(name, "COMBO", required, options, tuple(options.get("options", ())))
    return Input(name, str(kind), required, options)


def object_info(node: NodeType) -> dict[str, Any]:
    """The node in the shape of ComfyUI's ``GET /object_info``."""
    declared: Any = node.cls
    raw = declared.INPUT_TYPES()
    outputs = list(node.outputs)
    return {
        "input": raw,
        "input_order": {part: list(inputs) for part, inputs in raw.items()},
        "output": [output.type for output in outputs],
        "output_is_list": list(getattr(declared, "OUTPUT_IS_LIST", [False] * len(outputs))),
        "output_name": [output.name for output in outputs],
        "output_tooltips": [output.tooltip for output in outputs],
        "name": node.id,
        "display_name": node.display_name,
        "description": node.description,
        "python_module": node.module,
        "category": node.category,
        "output_node": node.is_output,
    }
