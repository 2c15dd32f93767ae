"""Errors a user can act on. Anything else that escapes is a bug and keeps its traceback."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal


class UserError(Exception):
    """Base class: the message is complete and is shown without a traceback (exit code 2)."""


class NodeError(UserError):
    """A node cannot do its work with these inputs; raised by node code while running (exit 1)."""


class Cancelled(Exception):
    """The run was asked to stop at once. Not an error."""


@dataclass(frozen=True)
class Problem:
    """One thing wrong with a graph: where it is, what it is and how to put it right.

    ``type`` is one of ComfyUI's validation error types (``value_bigger_than_max`` …) or one of
    ours where ComfyUI has none (``link_to_missing_node``, ``slot_out_of_range``, ``not_finite``,
    ``unknown_input`` …). ``extra`` follows ComfyUI's ``extra_info``.
    """

    type: str
    message: str
    node: str | None = None
    title: str | None = None
    class_type: str | None = None
    input: str | None = None
    hint: str | None = None
    severity: Literal["error", "warning"] = "error"
    extra: dict[str, Any] = field(default_factory=dict, hash=False)

    def __str__(self) -> str:
        where = ""
        if self.node is not None:
            title = " ".join((self.title or "").split())
            where = f"{title} (#{self.node})" if title else f"#{self.node}"
            if self.input:
                where += f", input {self.input}"
            where += ": "
        text = f"{where}{self.message}"
        return f"{text} - {self.hint}" if self.hint else text


class GraphError(UserError):
    """A graph cannot run; carries every problem found, not only the first."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(map(str, self.problems)))
