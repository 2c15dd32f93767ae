"""The user's own settings: ``config.toml`` in the home folder, over it the environment.

::

    [tui]
    theme = "nst-light"      # nst-dark, nst-light, nst-high-contrast, or one of Textual's
    interval = 1.0           # seconds between two drawings
    budget = 10              # KB/s that the UI may send
    mouse = false
    glyphs = "blocks"        # braille, blocks, ascii: what curves are drawn with
    ascii = true             # nothing but ASCII anywhere
    picture = "off"          # colour (256), fine (truecolor), grey, off

    [tui.keys]
    "monitor.pause" = "p,f5" # ids as the key table names them
"""

from __future__ import annotations

import difflib
import os
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, get_args

from nst_graph.errors import UserError
from nst_graph.files import read_limited
from nst_graph.folders import home

from . import keys, theme
from .widgets.preview import Mode
from .widgets.raster import Glyphs

PLAIN_TERMINALS = ("linux", "dumb", "vt100", "vt220", "ansi")
"""Terminals whose fonts have no braille."""


@dataclass(frozen=True)
class Settings:
    """``warnings``: what was wrong with the file; never a reason not to start."""

    theme: str = theme.DEFAULT
    interval: float = 0.5
    budget: float = 20.0
    mouse: bool = True
    glyphs: Glyphs = "braille"
    ascii: bool = False
    picture: Mode = "colour"
    keys: Mapping[str, str] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()


def load(environment: Mapping[str, str] = os.environ) -> Settings:
    """Settings from the file and the environment (NST_THEME, NST_GLYPHS, NST_ASCII, NST_MOUSE)."""
    settings = _from_file()
    plain = environment.get("TERM", "") in PLAIN_TERMINALS
    wishes = {
        "theme": environment.get("NST_THEME"),
        "glyphs": environment.get("NST_GLYPHS"),
        "ascii": True if environment.get("NST_ASCII") == "1" or plain else None,
        "mouse": False if environment.get("NST_MOUSE") == "0" else None,
    }
    return _with(settings, {name: wish for name, wish in wishes.items() if wish is not None})


def _from_file() -> Settings:
    path = home() / "config.toml"
    if not path.exists():
        return Settings()
    try:
        given = tomllib.loads(read_limited(path, 1 << 20).decode()).get("tui", {})
    except (UserError, ValueError) as error:
        return Settings(warnings=(f"config.toml is not read: {error}",))
    if not isinstance(given, Mapping):
        return Settings(warnings=("config.toml: [tui] is not a table",))
    rest = {name: value for name, value in given.items() if name != "keys"}
    settings = _with(Settings(), rest)
    return _with_keys(settings, given.get("keys", {}))


_RULES: Mapping[str, tuple[Callable[[Any], bool], str]] = {
    "theme": (lambda value: isinstance(value, str), "the name of a theme"),
    "interval": (lambda value: _number(value, 0.1, 60), "0.1 to 60 seconds"),
    "budget": (lambda value: _number(value, 1, 100_000), "1 or more KB/s"),
    "mouse": (lambda value: isinstance(value, bool), "true or false"),
    "glyphs": (lambda value: value in get_args(Glyphs), f"one of {', '.join(get_args(Glyphs))}"),
    "ascii": (lambda value: isinstance(value, bool), "true or false"),
    "picture": (lambda value: value in get_args(Mode), f"one of {', '.join(get_args(Mode))}"),
}


def _number(value: Any, low: float, high: float) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and low <= value <= high


def _with(settings: Settings, given: Mapping[str, Any]) -> Settings:
    known: dict[str, Any] = {}
    warnings = list(settings.warnings)
    for name, value in given.items():
        if name not in _RULES:
            warnings.append(f"config.toml: no setting {name!r}{_nearest(name, _RULES)}")
        elif not _RULES[name][0](value):
            warnings.append(f"config.toml: {name} = {value!r} is not {_RULES[name][1]}")
        else:
            known[name] = value
    return replace(settings, **known, warnings=tuple(warnings))


def _with_keys(settings: Settings, given: Any) -> Settings:
    if not isinstance(given, Mapping):
        return replace(settings, warnings=(*settings.warnings, "config.toml: keys is no table"))
    ids = {key.id: key for key in keys.KEYS}
    bound: dict[str, str] = {}
    warnings = list(settings.warnings)
    for name, value in given.items():
        if name not in ids:
            warnings.append(f"config.toml: no key id {name!r}{_nearest(name, ids)}")
        elif not isinstance(value, str) or not value.strip():
            warnings.append(f"config.toml: keys of {name} are text such as 'p' or 'ctrl+e,f5'")
        else:
            bound[name] = value.replace(" ", "")
    return replace(settings, keys=bound, warnings=tuple(warnings))


def _nearest(name: str, known: Mapping[str, Any]) -> str:
    near = difflib.get_close_matches(name, known, 1)
    return f"; do you mean {near[0]!r}?" if near else ""
