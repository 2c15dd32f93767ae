"""Which values a UI workflow saves for a node, and in which order.

One value for each widget in the order of INPUT_TYPES, plus two that never reach the server: what
happens to a seed after a run, and the upload button of a picture.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from nst_graph.registry import WIDGETS, Input, NodeType
from nst_graph.workflow_model import UiNode

CONTROL_VALUES = ("fixed", "increment", "decrement", "randomize")
CONTROL, UPLOAD = object(), object()
"""The places of the values that are no inputs."""

_UPLOADS = ("image_upload", "animated_image_upload", "video_upload", "audio_upload")


def places(node: NodeType, *, control: bool = True, upload: bool = True) -> list[Any]:
    """What each saved value stands for: the name of an input, CONTROL or UPLOAD."""
    found: list[Any] = []
    for item in node.inputs.values():
        if not _has_widget(item):
            continue
        found.append(item.name)
        if control and has_control(item):
            found.append(CONTROL)
        if upload and any(item.options.get(key) for key in _UPLOADS):
            found.append(UPLOAD)
    return found


def has_control(item: Input) -> bool:
    """Whether the browser adds "control after generate" to this input."""
    is_seed = item.type == "INT" and item.name in ("seed", "noise_seed")
    return bool(item.options.get("control_after_generate")) or is_seed


def named_values(node: UiNode, known: NodeType | None) -> tuple[dict[str, Any], int]:
    """The values of a node's widgets by name, missing ones filled in, and how many had no place."""
    if known is None:
        if isinstance(node.values, dict):
            return {name: wrapped(value) for name, value in node.values.items()}, 0
        names = [socket.widget for socket in node.inputs if socket.widget]
        return dict(zip(names, map(wrapped, node.values), strict=False)), 0
    surplus = 0
    if isinstance(node.values, dict):
        given = {name: node.values[name] for name in places(known) if name in node.values}
    else:
        order = _order(known, node.values)
        surplus = max(0, len(node.values) - len(order))
        pairs = zip(order, node.values, strict=False)
        given = {name: value for name, value in pairs if isinstance(name, str)}
    found = {}
    for name, item in known.inputs.items():
        value = given.get(name)
        if value is None and _has_widget(item):
            value = item.default
        if value is not None:
            found[name] = wrapped(value)
    return found, surplus


def _order(known: NodeType, values: list[Any]) -> list[Any]:
    """The order these values were saved in: browsers differ in which extras they save."""
    full = places(known)
    for order in (
        full,
        places(known, upload=False),
        places(known, control=False),
        places(known, control=False, upload=False),
    ):
        if len(order) == len(values) and _plausible(order, values):
            return order
    order = []
    for place in full:  # saved by another version of the node: let the values decide
        if place is CONTROL and values[len(order) : len(order) + 1] != []:
            if _is_control(values[len(order)]):
                order.append(place)
        elif place is UPLOAD and values[len(order) : len(order) + 1] != []:
            if values[len(order)] in ("image", "upload", None):
                order.append(place)
        else:
            order.append(place)
    return order


def _plausible(order: list[Any], values: list[Any]) -> bool:
    return all(
        _is_control(value) for place, value in zip(order, values, strict=True) if place is CONTROL
    )


def _is_control(value: Any) -> bool:
    """What happens to a seed after a run; browsers of 2023 saved yes or no."""
    return isinstance(value, bool) or value in CONTROL_VALUES


def _has_widget(item: Input) -> bool:
    return item.is_widget or (
        item.options.get("widgetType") in WIDGETS and not item.options.get("forceInput")
    )


def wrapped(value: Any) -> Any:
    """``value`` as a constant of the API format, where a bare list would be a link."""
    return {"__value__": value} if isinstance(value, list) else value


def unwrapped(value: Any) -> Any:
    if isinstance(value, Mapping) and "__value__" in value:
        return value["__value__"]
    return value
