"""What may be written into a constant, from its declaration in ``INPUT_TYPES``. Pure.

Values out of range are refused with the limits; nothing is clamped behind the user's back.
"""

from __future__ import annotations

import math
import random
from typing import Any

from nst_graph.registry import Input
from nst_graph.text import shorten

WIDE = 1e3
"""Floats whose range is larger than this also go in factors of ten."""


class Refused(ValueError):
    """The text is no value for this input; the message says what would be."""


def parse(spec: Input, text: str) -> Any:
    """The value that ``text`` means.

    Raises:
        Refused: it is none, or lies outside the limits.
    """
    if spec.type == "INT":
        return check(spec, _integer(spec, text))
    if spec.type == "FLOAT":
        return check(spec, _number(spec, text))
    if spec.type == "BOOLEAN":
        return _boolean(spec, text)
    if spec.type == "COMBO":
        for choice in spec.choices or ():
            if str(choice) == text:
                return choice
        if _is_open(spec):
            return text
        raise Refused(f"{spec.name} is one of {shorten(', '.join(map(str, spec.choices or ())))}")
    return text


def check(spec: Input, value: Any) -> Any:
    """``value`` itself if it lies inside the limits.

    Raises:
        Refused: it does not.
    """
    if spec.type in ("INT", "FLOAT"):
        low, high = spec.options.get("min"), spec.options.get("max")
        if (low is not None and value < low) or (high is not None and value > high):
            raise Refused(f"{spec.name} takes {limits(spec)}; {plain(value)} is outside")
    return value


def limits(spec: Input) -> str:
    """``0 … 100``, with what is known."""
    low, high = spec.options.get("min"), spec.options.get("max")
    if low is None and high is None:
        return "any number"
    return f"{'' if low is None else plain(low)} … {'' if high is None else plain(high)}".strip()


def describe(spec: Input) -> str:
    """Type, limits and default in a few words."""
    if spec.type in ("INT", "FLOAT"):
        return f"{spec.type} {limits(spec)}  default {plain(spec.default)}"
    if spec.type == "COMBO":
        return f"one of {len(spec.choices or ())}  default {plain(spec.default)}"
    if spec.type == "BOOLEAN":
        return f"yes or no  default {plain(spec.default)}"
    return "text" if not spec.options.get("multiline") else "text, several lines (^e)"


def plain(value: Any) -> str:
    """A value as it is shown and as it can be typed again."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.10g}".replace("e+", "e")
    return str(value)


def step(spec: Input, value: Any, by: int) -> Any:
    """The value ``by`` steps further: the next number, choice or truth value.

    Raises:
        Refused: there is none, or it lies outside the limits.
    """
    if spec.type == "BOOLEAN":
        return not value
    if spec.type == "COMBO":
        choices = list(spec.choices or ())
        if not choices:
            raise Refused(f"there is nothing to choose for {spec.name}")
        here = choices.index(value) if value in choices else -1 if by > 0 else 0
        return choices[(here + by) % len(choices)]
    if spec.type in ("INT", "FLOAT") and _is_number(value):
        width = spec.options.get("step", 1 if spec.type == "INT" else 0.01)
        raw = value + by * width
        return check(spec, int(raw) if spec.type == "INT" else _tidy(raw, width))
    raise Refused(f"{spec.name} is changed by typing (Enter)")


def scale(spec: Input, value: Any, factor: float) -> Any:
    """The number times ``factor``, for floats with a wide range.

    Raises:
        Refused: the input is no such number, or the result lies outside its limits.
    """
    if spec.type != "FLOAT" or not _is_number(value) or not is_wide(spec):
        raise Refused(f"{spec.name} does not go in factors of ten; type the value (Enter)")
    return check(spec, float(f"{value * factor:.12g}"))


def is_wide(spec: Input) -> bool:
    low, high = spec.options.get("min", -math.inf), spec.options.get("max", math.inf)
    return bool(high - low > WIDE)


def is_seed(spec: Input) -> bool:
    named = spec.name in ("seed", "noise_seed")
    return spec.type == "INT" and (named or bool(spec.options.get("control_after_generate")))


def roll(spec: Input) -> int:
    """A random seed inside the limits."""
    low, high = int(spec.options.get("min", 0)), int(spec.options.get("max", 2**32 - 1))
    return random.SystemRandom().randint(low, high)


def is_picture(spec: Input) -> bool:
    """Whether the input names a picture of the input folder."""
    return bool(spec.options.get("image_upload"))


def is_missing(spec: Input, value: Any) -> bool:
    """Whether a choice is not available here (a picture or encoder of another machine)."""
    return spec.type == "COMBO" and value not in (spec.choices or ())


def _is_open(spec: Input) -> bool:
    return is_picture(spec)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _integer(spec: Input, text: str) -> int:
    text = text.strip().replace("_", "")
    try:
        return int(text)
    except ValueError:
        number = _number(spec, text)
    if not number.is_integer():
        raise Refused(f"{spec.name} takes a whole number, {limits(spec)}")
    return int(number)


def _number(spec: Input, text: str) -> float:
    try:
        number = float(text.strip().replace(",", ".").replace("_", ""))
    except ValueError:
        raise Refused(f"{spec.name} takes a number, {limits(spec)}") from None
    if not math.isfinite(number):
        raise Refused(f"{spec.name} takes a finite number, {limits(spec)}")
    return number


def _boolean(spec: Input, text: str) -> bool:
    word = text.strip().lower()
    if word in ("yes", "y", "true", "on", "1"):
        return True
    if word in ("no", "n", "false", "off", "0"):
        return False
    raise Refused(f"{spec.name} is yes or no")


def _tidy(value: float, width: float) -> float:
    """Without the dust of binary fractions: 0.1 + 0.2 is 0.3."""
    digits = max(0, 2 - math.floor(math.log10(abs(width)))) if width else 12
    return round(value, min(digits, 15))
