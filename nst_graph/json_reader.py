"""JSON written by strangers: read strictly, within limits, every fault with line and column."""

from __future__ import annotations

import codecs
import json
import math
import re
from typing import Any, NoReturn

from nst_graph.errors import UserError
from nst_graph.text import shorten

DEEPEST = 64
"""Levels of nesting that are read; a graph needs five."""

_FOREIGN_MARKS = {
    codecs.BOM_UTF32_LE: "UTF-32",
    codecs.BOM_UTF32_BE: "UTF-32",
    codecs.BOM_UTF16_LE: "UTF-16",
    codecs.BOM_UTF16_BE: "UTF-16",
}
_TOKEN = re.compile(
    r'"([^"\\]*(?:\\.[^"\\]*)*)"(\s*:)?|[{}\[\]]|-?(?:Infinity|\d[\d.eE+-]*)|NaN', re.DOTALL
)
_SURROGATE_ESCAPE = re.compile(r"\\u[dD][89a-fA-F]")


class _Refused(Exception):
    """The parser met something that JSON, or our limits, do not allow; where is found later."""


def decode(data: bytes, name: str) -> str:
    """``data`` as text. A UTF-8 byte order mark is skipped.

    Raises:
        UserError: empty, or not UTF-8 (with line and column).
    """
    for mark, encoding in _FOREIGN_MARKS.items():
        if data.startswith(mark):
            raise UserError(f"{name}, line 1, column 1: the text is {encoding} - save it as UTF-8")
    if not data.strip(b"\0 \t\r\n"):
        raise UserError(f"{name}, line 1, column 1: the file is empty - save the graph again")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = data[: error.start].decode("utf-8-sig", "replace")
        _fail(name, before, len(before), "the text is not UTF-8", "save it as UTF-8")


def loads(text: str, name: str, *, tolerant: bool = False) -> Any:
    """The value of the JSON document ``text``; ``name`` begins the message of an error.

    ``tolerant`` lets NaN and infinities pass: ComfyUI writes them into pictures.

    Raises:
        UserError: not JSON, NaN or infinity, a key twice in one object, an integer of thousands of
            digits, half of a surrogate pair, or nested more than :data:`DEEPEST` levels.
    """
    try:
        value = json.loads(
            text,
            object_pairs_hook=_object,
            parse_float=float if tolerant else _finite,
            parse_constant=float if tolerant else _finite,
        )
    except json.JSONDecodeError as error:
        _fail(name, text, error.pos, *_explain(error))
    except (_Refused, RecursionError, ValueError):
        _fail(name, text, *_first_fault(text, tolerant))
    if _too_deep(value) or _SURROGATE_ESCAPE.search(text):
        fault = _first_fault(text, tolerant)
        if fault[1]:
            _fail(name, text, *fault)
    return value


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise _Refused
    return found


def _finite(number: str) -> float:
    value = float(number)
    if not math.isfinite(value):
        raise _Refused
    return value


def _too_deep(value: Any) -> bool:
    level = [value]
    for _ in range(DEEPEST + 1):
        level = [
            inner
            for outer in level
            if isinstance(outer, dict | list)
            for inner in (outer.values() if isinstance(outer, dict) else outer)
            if isinstance(inner, dict | list)
        ]
        if not level:
            return False
    return True


def _first_fault(text: str, tolerant: bool) -> tuple[int, str, str]:
    """Offset, fault and advice for the first thing refused; an empty fault if there is none."""
    open_objects: list[set[str] | None] = []
    for token in _TOKEN.finditer(text):
        found, start = token[0], token.start()
        if found in ("{", "["):
            open_objects.append(set() if found == "{" else None)
            if len(open_objects) > DEEPEST:
                return start, f"nested more than {DEEPEST} levels deep", "a graph needs about five"
        elif found in ("}", "]"):
            del open_objects[-1:]
        elif found[0] == '"':
            string = _decoded(token[1])
            if any("\ud800" <= letter <= "\udfff" for letter in string):
                return start, "half of a surrogate pair", "write the whole character"
            keys = open_objects[-1] if open_objects and token[2] is not None else None
            if keys is not None:
                if string in keys:
                    advice = "keep one of the two"
                    return start, f"the key {shorten(string)!r} is here a second time", advice
                keys.add(string)
        elif found == "NaN" or found.endswith("Infinity"):
            if not tolerant:
                return start, f"{found} is not a number in JSON", "write a finite number"
        elif re.search("[.eE]", found):
            if not tolerant and not _is_finite(found):
                return start, f"{shorten(found)} is too large a number", "write a finite number"
        elif len(found) > 4000:
            return start, f"an integer of {len(found)} digits", "write a number that fits"
    return 0, "", ""


def _decoded(raw: str) -> str:
    if "\\" not in raw:
        return raw
    try:
        return str(json.loads(f'"{raw}"', strict=False))
    except ValueError:
        return raw


def _is_finite(number: str) -> bool:
    try:
        return math.isfinite(float(number))
    except ValueError:
        return True  # not a number at all: a syntax error, which the parser reports


def _explain(error: json.JSONDecodeError) -> tuple[str, str]:
    text, at = error.doc, error.pos
    here = text[at : at + 1000].lstrip()[:1]
    before = text[max(0, at - 1000) : at].rstrip()[-1:]
    if here == "'":
        return "a single quote", 'JSON puts names and texts in double quotes "'
    if here == "/" or here == "#":
        return "a comment", "JSON has none; remove it"
    if not here:
        return "the file ends too early", "it was cut off, or a bracket is missing at its end"
    if before == "," and here in "}]":
        return f"a comma before {here}", "remove the comma"
    if here in "}]" and before == ":":
        return "a value is missing after the colon", "write one"
    if error.msg.startswith("Extra data"):
        return "the document has ended, but the file goes on", "remove what follows"
    if error.msg.startswith("Expecting ',' delimiter"):
        return "a comma or a closing bracket is missing", "add it before this place"
    if error.msg.startswith("Invalid control character"):
        return "a line break or control character inside a text", "write \\n for a line break"
    if error.msg.startswith("Expecting property name"):
        return "a name in double quotes is missing", 'write "name": value'
    if error.msg.startswith("Unterminated string"):
        return "a text that begins here does not end", 'add the closing "'
    return f"not JSON ({error.msg[:1].lower()}{error.msg[1:]})", "correct it, or export it again"


def _fail(name: str, text: str, offset: int, what: str, advice: str) -> NoReturn:
    line = text.count("\n", 0, offset) + 1
    column = offset - text.rfind("\n", 0, offset)
    raise UserError(f"{name}, line {line}, column {column}: {what} - {advice}") from None
