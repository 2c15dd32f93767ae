"""The shipped graphs as starting points."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path

from nst_graph.document import read
from nst_graph.errors import UserError
from nst_graph.prepare import samples_folder


@dataclass(frozen=True)
class Template:
    name: str
    path: Path
    gist: str


@cache
def templates() -> tuple[Template, ...]:
    """Every shipped graph, ``quickstart`` first, with a line on what it shows."""
    folder = samples_folder().parent
    found = [Template(path.stem, path, _gist(path)) for path in sorted(folder.glob("*.json"))]
    return tuple(sorted(found, key=lambda t: (t.name != "quickstart", t.name)))


def _gist(path: Path) -> str:
    """The classes that make the graph what it is, counted."""
    try:
        nodes = read(path, {}).nodes
    except UserError:
        return "cannot be read"
    kinds = [str(data.get("class_type", "")) for data in nodes.values()]
    styles = sum(kind == "StyleLoss" for kind in kinds)
    parts = [f"{len(nodes)} nodes"]
    if styles > 1:
        parts.append(f"{styles} styles")
    for kind, word in (("NSTTotalVariation", "smoothed"), ("MASK", "masks")):
        if any(kind in other for other in kinds):
            parts.append(word)
    return " · ".join(parts)
