"""Filters for the list of runs: words and conditions, all of which must hold.

``wave state:failed loss<1e5 time>10m`` - a bare word fits fuzzily (its letters in order) in the
name, id, state or message.
"""

from __future__ import annotations

import operator
import re
import time
from collections.abc import Callable

from nst_graph.errors import UserError

from .listing import Entry

_NUMBERS: dict[str, Callable[[Entry, float], float | None]] = {
    "loss": lambda entry, now: entry.total,
    "step": lambda entry, now: float(entry.step),
    "steps": lambda entry, now: float(entry.steps),
    "time": lambda entry, now: entry.seconds,
    "eta": lambda entry, now: entry.eta,
    "speed": lambda entry, now: entry.rate,
    "terms": lambda entry, now: float(entry.terms),
    "age": lambda entry, now: now - entry.created,
}
_TEXTS: dict[str, Callable[[Entry], str]] = {
    "state": lambda entry: entry.state,
    "name": lambda entry: entry.name,
    "id": lambda entry: entry.run.id,
    "message": lambda entry: entry.message,
}
_COMPARE: dict[str, Callable[[float, float], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "=": operator.eq,
}
_UNITS = {"": 1.0, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_CONDITION = re.compile(r"([a-z]+)(<=|>=|<|>|=|:)(.*)")

Test = Callable[[Entry], bool]


def parse(text: str, now: float | None = None) -> Test:
    """The test that ``text`` describes; an empty text fits every run.

    Raises:
        UserError: an unknown field, or a value that is no number where one is needed.
    """
    moment = time.time() if now is None else now
    tests = [_test(word, moment) for word in text.lower().split()]
    return lambda entry: all(test(entry) for test in tests)


def _test(word: str, now: float) -> Test:
    match = _CONDITION.fullmatch(word)
    if match is None:
        return lambda entry: (
            fuzzy(word, f"{entry.name} {entry.state} {entry.message}") or (word in entry.run.id)
        )
    name, sign, value = match.groups()
    if name in _TEXTS and sign in (":", "="):
        read_text = _TEXTS[name]
        return lambda entry: value in read_text(entry).lower()
    if name in _NUMBERS and sign in _COMPARE:
        read, compare, limit = _NUMBERS[name], _COMPARE[sign], _number(word, value)
        return lambda entry: _holds(read(entry, now), compare, limit)
    if name in _TEXTS:
        raise UserError(f"{word}: {name} is text, write {name}:{value or 'WORD'}")
    if name in _NUMBERS:
        raise UserError(f"{word}: {name} is a number, write {name}<1e5 or {name}>=10")
    known = ", ".join([*_TEXTS, *_NUMBERS])
    raise UserError(f"no field {name!r}; there are {known}")


def _number(word: str, value: str) -> float:
    match = re.fullmatch(r"(.*?)([smhd]?)", value)
    assert match is not None
    try:
        return float(match[1]) * _UNITS[match[2]]
    except ValueError:
        raise UserError(f"{word}: {value!r} is not a number (1e5, 30s, 10m, 2h, 1d)") from None


def _holds(value: float | None, compare: Callable[[float, float], bool], limit: float) -> bool:
    return value is not None and compare(value, limit)


def fuzzy(word: str, text: str) -> bool:
    """Whether the letters of ``word`` occur in ``text`` in this order."""
    rest = iter(text.lower())
    return all(letter in rest for letter in word)
