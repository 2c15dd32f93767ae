"""The nearest valid name, for messages that say how to put a mistake right."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

from nst_graph.text import shorten

LONGEST, MOST = 80, 2000
"""Longer words and longer lists are not compared: a hint is not worth seconds."""


def nearest(word: object, words: Iterable[object], count: int = 1) -> list[str]:
    """At most ``count`` of ``words`` that look like ``word``, ignoring case; the best first."""
    known: dict[str, str] = {}
    for other in words:
        if len(known) >= MOST:
            break
        known.setdefault(str(other).lower(), str(other))
    text = str(word).lower()
    if len(text) > LONGEST:
        return []
    found = difflib.get_close_matches(text, known, n=count, cutoff=0.55)
    if len(found) < count and len(text) > 2:
        found += [name for name in known if text in name and name not in found]
    return [known[name] for name in found[:count]]


def did_you_mean(word: object, words: Iterable[object], count: int = 1) -> str | None:
    """``did you mean 'x'?``, or None when nothing is near."""
    found = [repr(shorten(name)) for name in nearest(word, words, count)]
    return f"did you mean {' or '.join(found)}?" if found else None
