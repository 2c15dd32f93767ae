"""The node classes of a ComfyUI server, as declarations our checker understands."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from nst_graph.errors import UserError
from nst_graph.registry import Input, NodeType, Output


def declared_types(object_info: Mapping[str, Any]) -> dict[str, NodeType]:
    """What ``GET /object_info`` says, by class id. Classes that cannot be read are left out.

    A picture to upload may have any name; ``choices`` are the names the server already has.

    Raises:
        UserError: there is no class that can be read.
    """
    found = {}
    for node_id, info in object_info.items():
        try:
            found[node_id] = _node_type(node_id, info)
        except (AttributeError, KeyError, TypeError, ValueError, IndexError):
            continue
    if not found:
        raise UserError("the server has no node classes; is it a ComfyUI server?")
    return found


def _node_type(node_id: str, info: Mapping[str, Any]) -> NodeType:
    inputs = {
        name: _input(name, spec, part == "required")
        for part in ("required", "optional")
        for name, spec in info["input"].get(part, {}).items()
    }
    kinds = [_kind(kind) for kind in info["output"]]
    tips = info.get("output_tooltips") or [""] * len(kinds)
    outputs = zip(map(str, info["output_name"]), kinds, map(str, tips), strict=True)
    return NodeType(
        id=node_id,
        cls=type(node_id, (), {}),
        inputs=inputs,
        hidden={},
        outputs=tuple(Output(*output) for output in outputs),
        function="",
        category=str(info.get("category", "")),
        description=str(info.get("description", "")),
        display_name=str(info.get("display_name") or node_id),
        is_output=bool(info["output_node"]),
        module=str(info.get("python_module", "")),
    )


def _input(name: str, spec: Any, required: bool) -> Input:
    options = spec[1] if len(spec) > 1 and isinstance(spec[1], Mapping) else {}
    choices = spec[0] if isinstance(spec[0], list) else options.get("options")
    if choices is None:
        return Input(name, str(spec[0]), required, options)
    kind = "STRING" if options.get("image_upload") else "COMBO"
    return Input(name, kind, required, options, tuple(choices))


def _kind(declared: Any) -> str:
    return "COMBO" if isinstance(declared, list) else str(declared)
