"""Looks: themes, the styles of our own widgets, glyphs for states, and their ASCII forms.

Nothing is told by colour alone: states have a glyph and a word, curves a letter and a dash
pattern. The curve colours are Okabe and Ito's (Color Universal Design, 2008), lightened or
darkened where the background needs it.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from rich.color import ColorSystem
from rich.style import Style
from textual.theme import Theme

SERIES = 9
"""Curves that can be told apart: the total and eight terms."""

CHOSEN = ("text", "dim", "accent", "ok", "warn", "bad", "mark")
"""Roles that have a form for the row under the cursor: ``chosen ok``."""

ROLES = (
    *(
        "text",
        "dim",
        "title",
        "accent",
        "ok",
        "warn",
        "bad",
        "cursor",
        "mark",
        "bar",
        "rail",
    ),
    *(f"chosen {role}" for role in CHOSEN),
    *(f"series{i}" for i in range(SERIES)),
    *(f"faint{i}" for i in range(SERIES)),
)
ROLE = {name: index for index, name in enumerate(ROLES)}

DASHES = ((1, 0), (6, 3), (2, 2), (8, 2), (4, 6), (1, 3), (10, 6), (3, 1), (5, 2))
"""On and off lengths of each curve's dash pattern, in dot columns; the total's line is solid."""

LETTERS = "Σabcdefgh"


@dataclass(frozen=True)
class State:
    glyph: str
    ascii: str
    role: str


STATES = {
    "running": State("●", "*", "ok"),
    "queued": State("◌", "o", "dim"),
    "paused": State("‖", "=", "warn"),
    "done": State("✓", "+", "ok"),
    "failed": State("✗", "x", "bad"),
    "crashed": State("!", "!", "bad"),
    "stopped": State("■", "#", "dim"),
    "waiting": State("·", ".", "dim"),
    "cached": State("◐", "c", "ok"),
    "skipped": State("-", "-", "dim"),
}
"""States of runs and nodes."""


@dataclass(frozen=True)
class Palette:
    """Hex colours of one theme."""

    name: str
    dark: bool
    background: str
    panel: str
    text: str
    dim: str
    accent: str
    ok: str
    warn: str
    bad: str
    selected: str
    series: tuple[str, ...]

    def theme(self) -> Theme:
        return Theme(
            name=self.name,
            dark=self.dark,
            primary=self.accent,
            secondary=self.series[2],
            accent=self.accent,
            foreground=self.text,
            background=self.background,
            surface=self.background,
            panel=self.panel,
            success=self.ok,
            warning=self.warn,
            error=self.bad,
            variables={
                "border": self.dim,
                "border-blurred": self.dim,
                "block-cursor-background": self.selected,
                "block-cursor-foreground": self.text,
                "block-cursor-text-style": "bold",
                "input-cursor-text-style": "reverse",
                "footer-key-foreground": self.accent,
            },
        )


DARK = Palette(
    name="nst-dark",
    dark=True,
    background="#121212",
    panel="#262626",
    text="#d7d7d7",
    dim="#8a8a8a",
    accent="#5fafff",
    ok="#00af87",
    warn="#ffaf00",
    bad="#ff5f5f",
    selected="#303030",
    series=(
        *("#eeeeee", "#ffaf00", "#5fafff", "#00af87", "#ffff5f"),
        *("#5f87ff", "#ff5f00", "#d787af", "#afd7af"),
    ),
)
LIGHT = Palette(
    name="nst-light",
    dark=False,
    background="#ffffff",
    panel="#eeeeee",
    text="#1c1c1c",
    dim="#6c6c6c",
    accent="#005faf",
    ok="#00875f",
    warn="#875f00",
    bad="#af0000",
    selected="#d7d7ff",
    series=(
        *("#1c1c1c", "#af5f00", "#0087d7", "#00875f", "#878700"),
        *("#005faf", "#d75f00", "#af5f87", "#5f875f"),
    ),
)
CONTRAST = Palette(
    name="nst-high-contrast",
    dark=True,
    background="#000000",
    panel="#000000",
    text="#ffffff",
    dim="#d0d0d0",
    accent="#00ffff",
    ok="#00ff00",
    warn="#ffff00",
    bad="#ff8787",
    selected="#005faf",
    series=(
        *("#ffffff", "#ffaf00", "#5fd7ff", "#00ff87", "#ffff00"),
        *("#87afff", "#ff8700", "#ff87d7", "#d7ffd7"),
    ),
)
PALETTES = {palette.name: palette for palette in (DARK, LIGHT, CONTRAST)}
DEFAULT = DARK.name


@lru_cache(16)
def styles(theme: str) -> tuple[Style, ...]:
    """One Rich style for each role; foreign themes borrow from ours.

    In the 256 colours of xterm: one truecolor code takes as many bytes as two of those, and
    terminals at the end of an SSH line are the rule here.
    """
    palette = PALETTES.get(theme, LIGHT if "light" in theme else DARK)
    named = {
        "text": Style(color=palette.text),
        "dim": Style(color=palette.dim),
        "title": Style(color=palette.text, bold=True),
        "accent": Style(color=palette.accent, bold=True),
        "ok": Style(color=palette.ok),
        "warn": Style(color=palette.warn),
        "bad": Style(color=palette.bad, bold=True),
        "cursor": Style(color=palette.background, bgcolor=palette.accent, bold=True, reverse=False),
        "mark": Style(color=palette.warn),
        "bar": Style(color=palette.accent),
        "rail": Style(color=palette.dim),
    }
    under = Style(bgcolor=palette.selected, bold=True)
    named |= {f"chosen {role}": named[role] + under for role in CHOSEN}
    for index, colour in enumerate(palette.series):
        named[f"series{index}"] = Style(color=colour, bold=index == 0)
        named[f"faint{index}"] = Style(color=_blend(colour, palette.background))
    ground = Style(bgcolor=palette.background)
    return tuple(_short(ground + named[role]) for role in ROLES)


def _short(style: Style) -> Style:
    """``style`` in colours of the 256-colour palette."""
    colours = (
        None if colour is None else colour.downgrade(ColorSystem.EIGHT_BIT)
        for colour in (style.color, style.bgcolor)
    )
    return style + Style.from_color(*colours)


def _blend(colour: str, background: str, share: float = 0.4) -> str:
    mixed = (
        round(share * int(colour[i : i + 2], 16) + (1 - share) * int(background[i : i + 2], 16))
        for i in (1, 3, 5)
    )
    return "#" + "".join(f"{part:02x}" for part in mixed)


_ASCII = str.maketrans(
    {
        **dict.fromkeys("─━═╌┄⎯", "-"),
        **dict.fromkeys("│┃║┆┊", "|"),
        **dict.fromkeys("┌┐└┘├┤┬┴┼╭╮╰╯╔╗╚╝╠╣╦╩╬┏┓┗┛┣┫┳┻╋", "+"),
        **dict.fromkeys("█▉▊▓▇▆", "#"),
        **dict.fromkeys("▒▋▌▅▄▀▐", "="),
        **dict.fromkeys("░▍▎▏▃▂▁", "-"),
        **{state.glyph: state.ascii for state in STATES.values()},
        **{"…": "~", "×": "x", "→": ">", "←": "<", "↑": "^", "↓": "v", "▲": "^", "▼": "v"},
        **{"⏎": "<", "⇧": "^", "⌫": "<", "·": ".", "Σ": "T", "▶": ">"},
        **{"–": "-", "—": "-", "“": '"', "”": '"', "•": "*", "°": "o"},
        **{"◆": "F", "○": "o", "▣": "M", "◉": "*", "≤": "<", "≥": ">", "µ": "u", "\xa0": " "},
    }
)


def to_ascii(text: str) -> str:
    """``text`` with one ASCII character for each cell it took; what has no likeness becomes ?."""
    text = text.translate(_ASCII)
    if text.isascii():
        return text
    from rich.cells import cell_len

    return "".join(c if c.isascii() else "?" * cell_len(c) for c in text)
