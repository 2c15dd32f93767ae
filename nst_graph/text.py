"""One sanitiser for all text that others wrote: node titles, file names, PNG chunks, messages.

Terminals obey escape sequences wherever they appear, and neither Rich nor Textual removes them,
so a hostile file name could fill the clipboard or rewrite the screen. Whatever is not ours passes
through :func:`clean` before it is printed.
"""

from __future__ import annotations

import re

# C0 except newline and tab, DEL and C1; zero-width and bidirectional controls (they reorder or
# hide what a reader sees); line and paragraph separators; the interlinear and tag characters.
_UNSAFE = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u00ad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f"
    "\ufeff\ufff9-\ufffb\ud800-\udfff\U000e0000-\U000e007f]"
)


def clean(text: str, *, one_line: bool = False) -> str:
    """``text`` with every control, zero-width and bidi character replaced by U+FFFD.

    Newlines and tabs stay unless ``one_line`` is set, in which case they become spaces.
    """
    text = _UNSAFE.sub("\ufffd", text)
    return re.sub(r"[\n\t]+", " ", text) if one_line else text


def shorten(text: str, limit: int = 80) -> str:
    """``text`` on one clean line of at most ``limit`` characters, cut with an ellipsis."""
    text = clean(text, one_line=True)
    return text if len(text) <= limit else text[: limit - 1] + "…"
