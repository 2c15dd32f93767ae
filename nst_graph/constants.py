"""Whether a constant fits the input it is given to, converted as ComfyUI converts it.

Stricter than ComfyUI where it would take nonsense: NaN, infinities, fractions for INT, texts for
BOOLEAN, true and false for numbers.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any

from nst_graph.registry import WIDGETS, Input
from nst_graph.suggest import nearest
from nst_graph.text import shorten

_FEW = 12
"""Lists of choices up to this length are shown whole."""


class Unfit(Exception):
    """``type`` is one of ComfyUI's validation error types, or ``not_finite``."""

    def __init__(self, type: str, message: str, hint: str | None = None) -> None:
        super().__init__(message)
        self.type, self.message, self.hint = type, message, hint


def fit(value: Any, declared: Input, *, limits: bool = True) -> Any:
    """``value`` as the node will receive it.

    ``limits=False`` leaves range and list unchecked: the class checks them itself.

    Raises:
        Unfit: another type, out of range, not in the list, or not finite.
    """
    kinds = [kind.strip() for kind in declared.type.split(",")]
    if len(kinds) > 1 or "*" in kinds:
        return _any_of(value, declared, kinds, limits)
    kind = kinds[0]
    if kind == "INT":
        return _in_range(_whole(value), declared.options, limits)
    if kind == "FLOAT":
        return _in_range(_number(value), declared.options, limits)
    if kind == "STRING":
        return _text(value)
    if kind == "BOOLEAN":
        if isinstance(value, bool):
            return value
        raise Unfit("invalid_input_type", f"expected true or false, got {show(value)}")
    if kind == "COMBO":
        return _chosen(value, declared, limits)
    raise Unfit("invalid_input_type", f"{show(value)} is no link, and {kind} comes only by one")


def show(value: Any) -> str:
    """``value`` as JSON on one short line."""
    try:
        return shorten(json.dumps(value, ensure_ascii=False, default=repr), 60)
    except (ValueError, RecursionError):
        return "a value too large to show"


def _any_of(value: Any, declared: Input, kinds: list[str], limits: bool) -> Any:
    if "*" in kinds:
        return value
    for kind in kinds:
        if kind in WIDGETS:
            try:
                return fit(value, Input(declared.name, kind, True, declared.options), limits=limits)
            except Unfit:
                continue
    raise Unfit("invalid_input_type", f"expected {declared.type}, got {show(value)}")


def _whole(value: Any) -> int:
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    if isinstance(value, str):
        try:
            return int(value)
        except ValueError:
            raise Unfit("invalid_input_type", f"{show(value)} is not a whole number") from None
    if isinstance(value, float):
        if not math.isfinite(value):
            raise Unfit("not_finite", f"{value} is not a finite number")
        if value != int(value):
            raise Unfit(
                "invalid_input_type",
                f"{value} is not a whole number",
                f"write {math.floor(value)} or {math.ceil(value)}",
            )
        return int(value)
    raise Unfit("invalid_input_type", f"expected a whole number, got {show(value)}")


def _number(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise Unfit("invalid_input_type", f"expected a number, got {show(value)}")
    try:
        number = float(value)
    except ValueError:
        raise Unfit("invalid_input_type", f"{show(value)} is not a number") from None
    except OverflowError:
        raise Unfit("not_finite", f"{show(value)} is too large a number") from None
    if not math.isfinite(number):
        raise Unfit("not_finite", f"{number} is not a finite number")
    return number


def _text(value: Any) -> str:
    if isinstance(value, str | int | float):
        return str(value)
    raise Unfit("invalid_input_type", f"expected a text, got {show(value)}")


def _in_range(value: Any, options: Mapping[str, Any], limits: bool) -> Any:
    low, high = options.get("min"), options.get("max")
    if limits and low is not None and value < low:
        _out_of_range("value_smaller_than_min", value, "smaller", low, high)
    if limits and high is not None and value > high:
        _out_of_range("value_bigger_than_max", value, "larger", low, high)
    return value


def _out_of_range(kind: str, value: Any, how: str, low: Any, high: Any) -> None:
    nearest_limit = low if how == "smaller" else high
    if low is None or high is None:
        allowed = f"at least {low}" if high is None else f"at most {high}"
    else:
        allowed = f"{low} to {high}"
    raise Unfit(
        kind, f"{show(value)} is {how} than {nearest_limit}", f"allowed: {allowed}"
    ) from None


def _chosen(value: Any, declared: Input, limits: bool) -> Any:
    choices = declared.choices or ()
    for choice in choices:
        if choice == value and isinstance(choice, bool) == isinstance(value, bool):
            return choice
    if not limits or declared.options.get("remote"):
        named = all(isinstance(choice, str) for choice in choices)
        if value is None or (named and isinstance(value, int | float)):
            raise Unfit("invalid_input_type", f"expected a name, got {show(value)}")
        return value
    near = nearest(value, choices) if isinstance(value, str) else []
    if not choices:
        hint = "there is nothing to choose from"
    elif near:
        hint = f"did you mean {near[0]!r}?"
    elif len(choices) <= _FEW:
        hint = f"one of {', '.join(map(str, choices))}"
    else:
        hint = f"one of {', '.join(map(str, choices[:_FEW]))} …"
    raise Unfit("value_not_in_list", f"{show(value)} is not in the list", shorten(hint, 400))
