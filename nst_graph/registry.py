"""The node classes known to this process, and their declarations in one typed form.

Nodes are ComfyUI V1 classes: plain Python with ``INPUT_TYPES``, ``RETURN_TYPES``, ``FUNCTION``.
One declaration serves ComfyUI, our checker, the editor's inspector and ``nst nodes``. The built-in
pack is imported by name; packs of others announce themselves with the entry point group
``nst_graph.nodes`` (the value names a module with ``NODE_CLASS_MAPPINGS``). A pack that is broken
is left out and told of by :func:`pack_faults`; it never keeps the rest from working.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from contextlib import redirect_stdout
from dataclasses import dataclass, field
from functools import cache
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from nst_graph.text import shorten

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
    return None if cls is None else _described(node_id, cls)


def node_types() -> dict[str, NodeType]:
    """Every known node by id, sorted."""
    found = {node_id: _described(node_id, cls) for node_id, cls in sorted(node_classes().items())}
    return {node_id: node for node_id, node in found.items() if node is not None}


def node_classes() -> Mapping[str, type]:
    """Node classes by id: the built-in pack, then installed packs."""
    return _packs().classes


def pack_faults() -> tuple[str, ...]:
    """What is wrong with packs of others, as far as they were looked at; a sentence each."""
    return tuple(_packs().faults.values()) if _packs.cache_info().currsize else ()


@dataclass(frozen=True)
class _Packs:
    classes: dict[str, type] = field(default_factory=dict)
    names: dict[str, str] = field(default_factory=dict)
    origin: dict[str, str] = field(default_factory=dict)
    """The pack of each node that is not built in."""
    faults: dict[str, str] = field(default_factory=dict)
    """By pack, and node where only that is at fault."""


@cache
def _packs() -> _Packs:
    builtin = import_module(BUILTIN_PACK)
    packs = _Packs()
    packs.classes.update({**builtin.NODE_CLASS_MAPPINGS, **builtin.STANDALONE_CLASS_MAPPINGS})
    packs.names.update(builtin.NODE_DISPLAY_NAME_MAPPINGS)
    for entry in sorted(entry_points(group=ENTRY_POINT_GROUP)):
        if entry.value != BUILTIN_PACK:
            _add_pack(packs, entry)
    return packs


def _add_pack(packs: _Packs, entry: EntryPoint) -> None:
    try:
        with redirect_stdout(sys.stderr):  # our standard output is for paths and JSON
            pack = entry.load()
        classes = dict(pack.NODE_CLASS_MAPPINGS)
        names = dict(getattr(pack, "NODE_DISPLAY_NAME_MAPPINGS", {}))
    except (Exception, SystemExit) as error:  # whatever others' code raises
        packs.faults[entry.name] = f"node pack {entry.name!r} is left out: {_reason(error)}"
        return
    for node_id, cls in classes.items():
        taken = packs.classes.setdefault(str(node_id), cls)
        if taken is cls:
            packs.origin[str(node_id)] = entry.name
            continue
        packs.faults[f"{entry.name} {node_id}"] = (
            f"node {node_id!r} of pack {entry.name!r} is left out: {taken.__module__} has a node "
            "of that name"
        )
    packs.names.update({str(k): str(v) for k, v in names.items() if k in packs.origin})


def _described(node_id: str, cls: type) -> NodeType | None:
    """The declaration of a node; None, and a fault, if that of a pack of others is broken."""
    pack = _packs().origin.get(node_id)
    if pack is None:
        return _describe(node_id, cls)
    try:
        return _describe(node_id, cls)
    except Exception as error:  # whatever others' code raises
        told = f"node {node_id!r} of pack {pack!r} is left out: {_reason(error)}"
        _packs().faults[f"{pack} {node_id}"] = told
        return None


def _reason(error: BaseException) -> str:
    return shorten(f"{type(error).__name__}: {error}", 300)


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
        display_name=_packs().names.get(node_id, node_id),
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
