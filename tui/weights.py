"""Changing the weight of a loss term while it is optimised."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from nst_graph.registry import describe

from .series import TOTAL
from .widgets.terms import Terms

if TYPE_CHECKING:
    from .screens.attached import Attached


def limits(class_id: str) -> tuple[float, float]:
    """The range that the node declares for its weight; any number from 0 where it is unknown."""
    known = describe(class_id)
    declared = known.inputs.get("weight") if known is not None else None
    options = declared.options if declared is not None else {}
    return float(options.get("min", 0.0)), float(options.get("max", math.inf))


def read_weight(text: str, low: float, high: float) -> float | str:
    """The number in ``text``, or what is wrong with it."""
    try:
        value = float(text)
    except ValueError:
        return f"{text!r} is not a number"
    if not math.isfinite(value):
        return "a weight must be finite"
    if not low <= value <= high:
        return f"{value:g} is outside {low:g} to {high:g}"
    return value


def ask_weight(screen: Attached) -> None:
    """Ask for a new weight of the selected term and send it."""
    row = screen.query_one(Terms).current
    if row is None or row.name == TOTAL:
        screen.say("select a term first (up and down); the total has no weight", "warn")
        return
    term, node = row.name, screen.state.term_node(row.name)
    if node is None:
        screen.say(f"{term} has no node of its own, so its weight cannot change", "warn")
        return
    if not screen.alive:
        screen.say(f"the run is {screen.shown_state}; its weights cannot change any more", "warn")
        return
    low, high = limits(screen.state.nodes[node].kind)

    def answer(text: str) -> str | None:
        value = read_weight(text.strip(), low, high)
        if isinstance(value, str):
            return f"{value}:"
        what = f"weight of {term}"
        screen.command("set", what, node=node, input="weight", value=value)
        return None

    shown = f"{row.weight:g}" if row.weight is not None else ""
    screen.prompt.ask(f"weight of {term}, from the next step on:", shown, answer)
