"""Problems in the shape in which a ComfyUI server answers ``POST /prompt``."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from nst_graph.errors import Problem

DEPENDENT = "dependent_outputs"
"""Where the checker keeps, in ``Problem.extra``, the outputs that a faulty node spoils."""

_WHOLE_REQUEST = ("invalid_prompt", "missing_node_type", "dependency_cycle", "prompt_no_outputs")
_SUMMARIES = {
    "invalid_prompt": "The document is not a graph that can run",
    "missing_node_type": "The graph has a node of an unknown class",
    "dependency_cycle": "The graph has a cycle",
    "prompt_no_outputs": "Prompt has no outputs",
    "prompt_outputs_failed_validation": "Prompt outputs failed validation",
}


def error_report(problems: Iterable[Problem]) -> dict[str, Any]:
    """``error`` (None if there are only warnings), ``node_errors`` by id, and ``warnings``.

    The first two are ComfyUI's; each warning has the keys of an error, and ``node_id``.
    """
    problems = list(problems)
    errors = [problem for problem in problems if problem.severity == "error"]
    node_errors: dict[str, dict[str, Any]] = {}
    for problem in errors:
        if problem.node is None:
            continue
        entry = node_errors.setdefault(
            problem.node,
            {"errors": [], DEPENDENT: [], "class_type": problem.class_type or ""},
        )
        entry["errors"].append(_entry(problem))
        for output in problem.extra.get(DEPENDENT, ()):
            if output not in entry[DEPENDENT]:
                entry[DEPENDENT].append(output)
    return {
        "error": _request_error(errors),
        "node_errors": node_errors,
        "warnings": [
            {"node_id": problem.node, **_entry(problem)}
            for problem in problems
            if problem.severity == "warning"
        ],
    }


def _request_error(errors: list[Problem]) -> dict[str, Any] | None:
    if not errors:
        return None
    for kind in _WHOLE_REQUEST:
        for problem in errors:
            if problem.type == kind:
                about = {"node_id": problem.node, "class_type": problem.class_type}
                about["node_title"] = problem.title
                return {
                    "type": kind,
                    "message": _SUMMARIES[kind],
                    "details": str(problem),
                    "extra_info": {} if problem.node is None else about,
                }
    return {
        "type": "prompt_outputs_failed_validation",
        "message": _SUMMARIES["prompt_outputs_failed_validation"],
        "details": "\n".join(map(str, errors[:20])),
        "extra_info": {},
    }


def _entry(problem: Problem) -> dict[str, Any]:
    extra = {key: value for key, value in problem.extra.items() if key != DEPENDENT}
    if problem.input is not None:
        extra["input_name"] = problem.input
    return {
        "type": problem.type,
        "message": problem.message,
        "details": ": ".join(filter(None, (problem.input, problem.hint))),
        "extra_info": _json_safe(extra),
    }


def _json_safe(value: Any) -> Any:
    """``value`` with whatever strict JSON cannot hold replaced by its description."""
    if isinstance(value, Mapping):
        return {str(key): _json_safe(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_json_safe(item) for item in value]
    try:
        json.dumps(value, allow_nan=False)
    except (TypeError, ValueError):
        return repr(value) if isinstance(value, float) else f"<{type(value).__name__}>"
    return value
