"""The pictures that a graph can name, for the file picker."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from nst_graph.errors import UserError
from nst_graph.registry import Input

from .checking import folders_for
from .chooser import Choice


def picture_choices(spec: Input, path: Path | None, roots: Sequence[Path]) -> list[Choice]:
    """Every picture of the folders that are searched, with the size of its file."""
    folders = folders_for(path, roots)
    names = dict.fromkeys([*map(str, spec.choices or ()), *folders.pictures()])
    return [Choice(name, name, _about(find(name, path, roots))) for name in names]


def find(name: str, path: Path | None, roots: Sequence[Path]) -> Path | None:
    """The file that ``name`` means for this graph; None if there is none."""
    try:
        return folders_for(path, roots).find(name)
    except UserError:
        return None


def _about(path: Path | None) -> str:
    if path is None:
        return "not found"
    try:
        size = path.stat().st_size
    except OSError:
        return "not found"
    shown = f"{size / 1e6:.1f} MB" if size >= 1e6 else f"{max(1, size // 1000)} KB"
    return f"{shown}  {path.parent.name}/"
