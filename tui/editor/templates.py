"""The shipped graphs as starting points."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from nst_graph.document import read, shipped_graphs
from nst_graph.errors import UserError
from nst_graph.folders import contained
from nst_graph.prepare import samples_folder

_FOLDERS = ("", "showcase", "presets")


@dataclass(frozen=True)
class Template:
    name: str
    path: Path
    gist: str
    picture: Path | None = None
    """The last picture that the graph names: its style."""


@cache
def templates() -> tuple[Template, ...]:
    """Every shipped graph: ``quickstart``, then what shows one thing each, then whole recipes."""
    shipped = shipped_graphs()

    def rank(name: str) -> tuple[int, str]:
        folder = name.rpartition("/")[0]
        return (_FOLDERS.index(folder) if folder in _FOLDERS else len(_FOLDERS), name)

    names = sorted(shipped, key=rank)
    return tuple(_template(name, shipped[name]) for name in names)


def _template(name: str, path: Path) -> Template:
    try:
        nodes = read(path, {}).nodes
    except UserError:
        return Template(name, path, "cannot be read")
    named = [data.get("inputs", {}).get("image") for data in nodes.values()]
    pictures = [contained(samples_folder(), image) for image in named if isinstance(image, str)]
    found = [picture for picture in pictures if picture is not None]
    return Template(name, path, _gist(nodes), found[-1] if found else None)


def _gist(nodes: Mapping[str, Mapping[str, Any]]) -> str:
    """What makes the graph what it is: its size, its pictures, its special nodes."""
    kinds = [str(data.get("class_type", "")) for data in nodes.values()]
    pictures = sum("image" in kind.lower() and "load" in kind.lower() for kind in kinds)
    special = sorted({kind.removeprefix("NST") for kind in kinds if kind.startswith("NST")})
    return " · ".join([f"{len(nodes)} nodes", f"{pictures} pictures", *special[:3]])
