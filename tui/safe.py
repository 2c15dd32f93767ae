"""The last gate before the terminal: no widget can send a control character, whoever wrote it.

Textual and Rich pass escape sequences in text through, so a hostile file name could write to the
clipboard. This filter sees every line of every widget.
"""

from __future__ import annotations

from rich.segment import Segment
from rich.style import Style
from textual.color import Color
from textual.filter import LineFilter

from nst_graph.text import clean

from .theme import to_ascii


class Sanitise(LineFilter):
    """Replaces control, zero-width and bidi characters; in ASCII mode everything beyond ASCII."""

    def __init__(self, *, ascii_only: bool = False) -> None:
        super().__init__()
        self._ascii_only = ascii_only

    def apply(self, segments: list[Segment], background: Color) -> list[Segment]:
        return [
            segment if segment.control else Segment(self._clean(segment.text), segment.style)
            for segment in segments
        ]

    def _clean(self, text: str) -> str:
        if text.isascii() and text.isprintable():
            return text
        text = clean(text, one_line=True)
        return to_ascii(text) if self._ascii_only else text


class Colourless(LineFilter):
    """``NO_COLOR``: every colour goes; bold, underlined and reversed text stay."""

    def apply(self, segments: list[Segment], background: Color) -> list[Segment]:
        return [
            Segment(text, None if style is None else _plain(style), control)
            for text, style, control in segments
        ]


def _plain(style: Style) -> Style:
    return Style(
        bold=style.bold, italic=style.italic, underline=style.underline, reverse=style.reverse
    )
