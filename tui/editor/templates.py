"""The shipped graphs as starting points."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from nst_graph.document import read
from nst_graph.errors import UserError
from nst_graph.folders import contained
from nst_graph.prepare import samples_folder


@dataclass(frozen=True)
class Template:
    name: str
    path: Path
    gist: str
    picture: Path | None = None
    """The last picture that the graph names: its style."""


@cache
def templates() -> tuple[Template, ...]:
    """Every shipped graph, ``quickstart`` first, with a line on what it shows."""
    folder = samples_folder().parent
    found = [_template(path) for path in sorted(folder.glob("*.json"))]
    return tuple(sorted(found, key=lambda t: (t.name != "quickstart", t.name)))


def _template(path: Path) -> Template:
    try:
        nodes = read(path, {}).nodes
    except UserError:
        return Template(path.stem, path, "cannot be read")
    names = [data.get("inputs", {}).get("image") for data in nodes.values()]
    pictures = [contained(samples_folder(), name) for name in names if isinstance(name, str)]
    found = [picture for picture in pictures if picture is not None]
    return Template(path.stem, path, _gist(nodes), found[-1] if found else None)


def _gist(nodes: Mapping[str, Mapping[str, Any]]) -> str:
    """What makes the graph what it is, counted."""
    kinds = [str(data.get("class_type", "")) for data in nodes.values()]
    styles = sum(kind == "StyleLoss" for kind in kinds)
    parts = [f"{len(nodes)} nodes", f"{styles} style" + ("s" if styles != 1 else "")]
    own = sorted({kind for kind in kinds if kind.startswith("NST")})
    return " · ".join([*parts, *own[:3]])
