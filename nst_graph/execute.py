"""Call one node the way ComfyUI would: hidden inputs, list inputs, ``ui`` results, no gradients."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from nst_graph.errors import NodeError
from nst_graph.plan import Task
from nst_graph.values import Items


@dataclass(frozen=True)
class Outcome:
    """What a node gave: one value per output, and what it has to show (``ui``)."""

    outputs: tuple[Any, ...]
    ui: Mapping[str, Any] = field(default_factory=dict)


def call_node(task: Task, linked: Mapping[str, Any], hidden: Mapping[str, Any]) -> Outcome:
    """Run ``task`` on the values in ``linked`` (by input name) and its own constants.

    ``hidden`` offers PROMPT, EXTRA_PNGINFO, UNIQUE_ID and DYNPROMPT by kind. Runs under
    ``torch.inference_mode()`` as a ComfyUI server does, so that what fails there fails here.

    Raises:
        NodeError: the node returned something that does not fit its declaration.
    """
    import torch

    node = task.type
    fixed = {name: task.values[name] for name in task.values if name not in task.links}
    fixed |= {name: hidden.get(kind) for name, kind in node.hidden.items()}
    function = getattr(node.cls(), node.function)
    with torch.inference_mode():
        if getattr(node.cls, "INPUT_IS_LIST", False):
            everything = {**{k: [v] for k, v in fixed.items()}, **_as_lists(linked)}
            return _outcome(task, [function(**everything)])
        lists = {k: v.items for k, v in linked.items() if isinstance(v, Items)}
        single = {k: v for k, v in linked.items() if not isinstance(v, Items)}
        if not lists:
            return _outcome(task, [function(**fixed, **single)])
        calls = []
        for index in range(max(map(len, lists.values()))):
            mine = {name: items[min(index, len(items) - 1)] for name, items in lists.items()}
            calls.append(function(**fixed, **single, **mine))
        return _outcome(task, calls, mapped=True)


def _as_lists(linked: Mapping[str, Any]) -> dict[str, list[Any]]:
    return {k: list(v.items) if isinstance(v, Items) else [v] for k, v in linked.items()}


def _outcome(task: Task, calls: Sequence[Any], mapped: bool = False) -> Outcome:
    ui: dict[str, list[Any]] = {}
    results = []
    for returned in calls:
        if isinstance(returned, dict):
            for name, shown in returned.get("ui", {}).items():
                ui.setdefault(name, []).extend(shown)
            if "expand" in returned:
                raise NodeError(f"{task.type.id} expands into other nodes, which is not supported")
            returned = returned.get("result", ())
        if not isinstance(returned, tuple | list) or len(returned) < len(task.type.outputs):
            raise NodeError(
                f"{task.type.id} returned {type(returned).__name__} instead of a tuple of "
                f"{len(task.type.outputs)} outputs; this is a fault of the node"
            )
        results.append(returned)
    declared = getattr(task.type.cls, "OUTPUT_IS_LIST", (False,) * len(task.type.outputs))
    outputs = []
    for slot, is_list in enumerate(declared[: len(task.type.outputs)]):
        if is_list:
            outputs.append(Items(tuple(item for result in results for item in result[slot])))
        elif mapped:
            outputs.append(Items(tuple(result[slot] for result in results)))
        else:
            outputs.append(results[0][slot])
    return Outcome(tuple(outputs), ui)
