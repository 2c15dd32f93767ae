"""What is written into a picture beside its pixels: the graph that ran, and how it was run."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

from nst_graph import files
from nst_graph.document import Document, to_workflow
from nst_graph.errors import UserError
from nst_graph.folders import Folders, store_folder
from nst_graph.plan import Change, Plan
from nst_graph.registry import NodeType
from nst_graph.runs import versions

KEPT_INPUT = 64 << 20
"""Pictures up to this many bytes are kept with the store, so that a PNG can be run again."""


# -- what goes into the picture --------------------------------------------------------------


def hidden_inputs(
    document: Document,
    types: Mapping[str, NodeType],
    plan: Plan,
    partial: Mapping[str, int],
    inputs: Mapping[str, str],
    changes: Sequence[Change],
) -> dict[str, Any]:
    """PROMPT and EXTRA_PNGINFO: the graph that ran, with live changes, and how it was run.

    Nothing in it depends on where or when: equal runs give equal bytes.
    """
    prompt = {
        node: {**data, "inputs": dict(data["inputs"])} for node, data in document.nodes.items()
    }
    original: dict[str, Any] = {}
    for change in changes:
        inputs_of = prompt[change.node]["inputs"]
        original.setdefault(f"{change.node}.{change.input}", inputs_of.get(change.input))
        inputs_of[change.input] = change.value
    machine = plan.environment
    recipe: dict[str, Any] = {
        "version": 1,
        "keys": {task.node: task.key for task in plan if task.numeric},
        "inputs": dict(sorted(inputs.items())),
        "environment": {
            "device": machine.device,
            "precision": machine.precision,
            "threads": machine.threads,
        },
        "versions": versions(),
    }
    if changes:
        recipe["changes"] = [[c.step, c.node, c.input, c.value] for c in changes]
        recipe["original"] = {
            place: value for place, value in original.items() if value is not None
        }
    if partial:
        recipe["partial"] = dict(partial)
    return {
        "PROMPT": prompt,
        "EXTRA_PNGINFO": {"workflow": to_workflow(prompt, types), "nst": recipe},
    }


def input_digests(plan: Plan, folders: Folders) -> dict[str, str]:
    """sha256 by name of the pictures the graph loads; small ones are kept with the store."""
    found: dict[str, str] = {}
    for task in plan:
        for name, declared in task.type.inputs.items():
            value = task.values.get(name)
            if not declared.options.get("image_upload") or not isinstance(value, str):
                continue
            with suppress(UserError, OSError):
                path = folders.find(value)
                data = path.read_bytes()
                found[value] = hashlib.sha256(data).hexdigest()
                kept = store_folder() / "inputs" / found[value] / value
                if len(data) <= KEPT_INPUT and not kept.exists():
                    files.write(kept, data)
    return found
