"""Checks the graph as ``nst check`` would, while it is being edited. Imports no torch."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from pathlib import Path

from nst_graph import host
from nst_graph.document import Document
from nst_graph.errors import Problem
from nst_graph.folders import Folders
from nst_graph.graph import problems
from nst_graph.prepare import input_roots, make_folders
from nst_graph.registry import node_types
from nst_graph.runs import Options

from .edits import as_plain, resolve_modes
from .model import Nodes, Types


def folders_for(path: Path | None, roots: Sequence[Path]) -> Folders:
    """Where pictures are looked for while this graph is edited, as a run of it would."""
    options = Options(inputs=tuple(str(root) for root in roots if root.is_dir()))
    return make_folders(input_roots(path or Path.cwd() / "graph.json", options), options)


def _inside(path: Path | None, roots: Sequence[Path]) -> AbstractContextManager[object]:
    return host.use(host.PlainHost(folders_for(path, roots)))


def types_for(path: Path | None, roots: Sequence[Path]) -> Types:
    """Every node class, with the pictures of this graph's folders as choices."""
    with _inside(path, roots):
        return node_types()


def check_nodes(
    nodes: Nodes, types: Types, path: Path | None, roots: Sequence[Path]
) -> list[Problem]:
    """Every problem of the graph that would run: without muted and bypassed nodes."""
    if not nodes:
        return []
    with _inside(path, roots):
        return list(problems(Document(nodes=as_plain(resolve_modes(nodes, types))), types))
