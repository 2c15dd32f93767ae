"""A class's own check of its constants: ComfyUI's optional ``VALIDATE_INPUTS``."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from nst_graph.registry import NodeType
from nst_graph.text import shorten


@dataclass(frozen=True)
class Refusal:
    """Why a class does not take its inputs; ``input`` if only one can be meant."""

    type: str
    message: str
    input: str | None = None


@dataclass(frozen=True)
class Asked:
    """Which arguments ``VALIDATE_INPUTS`` takes; for these, range and list are its business."""

    names: tuple[str, ...] = ()
    needed: tuple[str, ...] = ()
    """Those of ``names`` that have no default."""
    everything: bool = False

    @classmethod
    def of(cls, known: NodeType) -> Asked:
        own = getattr(known.cls, "VALIDATE_INPUTS", None)
        if own is None:
            return cls()
        try:
            parameters = inspect.signature(own).parameters.values()
        except (TypeError, ValueError):
            return cls()
        kinds = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
        named = [p for p in parameters if p.kind in kinds]
        return cls(
            tuple(p.name for p in named),
            tuple(p.name for p in named if p.default is inspect.Parameter.empty),
            any(p.kind is inspect.Parameter.VAR_KEYWORD for p in parameters),
        )

    @property
    def anything(self) -> bool:
        return bool(self.names) or self.everything

    @property
    def takes_types(self) -> bool:
        """Whether it also checks what is linked to the node."""
        return "input_types" in self.names

    def takes(self, name: str) -> bool:
        return self.everything or name in self.names

    def ask(
        self,
        known: NodeType,
        node: str,
        values: Mapping[str, Any],
        linked: Mapping[str, str],
        graph: Mapping[str, Any],
    ) -> Refusal | None:
        """Let the class check ``values``; linked inputs arrive as None.

        ``linked`` has the type that arrives at each linked input.
        """
        hidden = {"UNIQUE_ID": node, "PROMPT": graph}
        offered: dict[str, Any] = {
            **dict.fromkeys(self.needed),
            **{name: hidden.get(kind) for name, kind in known.hidden.items()},
            **dict.fromkeys(linked),
            **values,
        }
        arguments = {name: value for name, value in offered.items() if self.takes(name)}
        if self.takes_types:
            arguments["input_types"] = dict(linked)
        checked: Any = known.cls
        try:
            answer = checked.VALIDATE_INPUTS(**arguments)
        except Exception as error:  # code of others: what it raises is a problem of the graph
            told = shorten(f"{type(error).__name__}: {error}", 300)
            return Refusal("exception_during_validation", f"its own check failed ({told})")
        if answer is True:
            return None
        inputs = [name for name in known.inputs if name in self.names]
        return Refusal(
            "custom_validation_failed",
            "refused by its own check" if answer is False else shorten(str(answer), 600),
            inputs[0] if len(inputs) == 1 else None,
        )
