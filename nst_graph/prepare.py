"""From what the user typed to a graph that can run: read, override, find pictures, check."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from nst_graph import host
from nst_graph.document import Document, apply_overrides, find_graph, read, write
from nst_graph.errors import UserError
from nst_graph.folders import Folders, contained, home, models_folder, store_folder
from nst_graph.graph import Checked, check
from nst_graph.registry import NodeType, node_types
from nst_graph.runs import Options
from nst_graph.text import shorten


@dataclass(frozen=True)
class Prepared:
    """A checked graph with the folders it will run in. ``text`` is the graph that will run."""

    document: Document
    checked: Checked
    folders: Folders
    options: Options
    name: str
    text: str


def prepare(
    graph: Path | str,
    overrides: Sequence[str] = (),
    options: Options | None = None,
    declared: Mapping[str, NodeType] | None = None,
) -> Prepared:
    """Read ``graph`` (a path, or the name of a shipped example), apply overrides and check it.

    ``declared``: the node classes of whoever will run it, if not this process's.

    Raises:
        UserError: it cannot be read, or (GraphError) cannot run; carries every problem.
    """
    options = options or Options()
    path = find_graph(str(graph))
    roots = input_roots(path, options)
    folders = make_folders(roots, options)
    with host.use(host.PlainHost(folders)):
        types = declared or node_types()
        document = read(path, types)
        folders = replace(folders, inputs=(*folders.inputs, *_stored_inputs(document)))
        document, changes = apply_overrides(document, overrides, types)
        document, first, last = _typed_paths(document, changes, types, folders)
        folders = replace(folders, inputs=(*first, *folders.inputs, *last))
    with host.use(host.PlainHost(folders)):
        checked = check(document, declared or node_types())
    options = replace(
        options,
        inputs=tuple(str(root) for root in folders.inputs),
        output=str(folders.output),
        name=options.name or path.stem,
        changes=options.changes + tuple(changes),
    )
    return Prepared(document, checked, folders, options, options.name, write(document))


def make_folders(inputs: Sequence[Path], options: Options) -> Folders:
    output = Path(options.output) if options.output else Path.cwd() / "output"
    return Folders(tuple(inputs), output.absolute(), home() / "temp", models_folder())


def input_roots(graph: Path, options: Options) -> list[Path]:
    """Where the pictures that a graph names are looked for, in order."""
    roots = [Path(folder).absolute() for folder in options.inputs]
    for folder in options.inputs:
        if not Path(folder).is_dir():
            raise UserError(f"--input-dir {shorten(folder, 200)} is not a folder")
    shipped = _shipped_graphs()
    if graph.resolve().is_relative_to(shipped):
        return [*roots, Path.cwd(), samples_folder()]
    return [*roots, graph.absolute().parent, samples_folder()]


def samples_folder() -> Path:
    """The sample pictures that ship with the project."""
    return _shipped_graphs() / "samples"


def _shipped_graphs() -> Path:
    import nst_graph.graphs

    return Path(next(iter(nst_graph.graphs.__path__))).resolve()


def _stored_inputs(document: Document) -> list[Path]:
    """Folders of the store that hold the pictures a PNG's ``nst`` chunk names by digest."""
    listed = (document.nst or {}).get("inputs", {})
    if not isinstance(listed, Mapping):
        return []
    root = store_folder() / "inputs"
    return [
        root / digest
        for name, digest in listed.items()
        if isinstance(name, str)
        and isinstance(digest, str)
        and digest.isalnum()
        and contained(root, f"{digest}/{name}") is not None
    ]


def _typed_paths(
    document: Document,
    changes: Sequence[tuple[str, str, Any, Any]],
    types: Mapping[str, NodeType],
    folders: Folders,
) -> tuple[Document, list[Path], list[Path]]:
    """Turn picture paths typed on the command line into names plus their folders as roots.

    Returns the document, the roots to search first and those to search last. A folder goes first
    only where the name would otherwise mean another picture.
    """
    nodes = dict(document.nodes)
    first: list[Path] = []
    last: list[Path] = []
    taken: dict[str, Path] = {}
    for node, name, _, value in changes:
        declared = types[nodes[node]["class_type"]].inputs.get(name)
        if declared is None or not declared.options.get("image_upload"):
            continue
        if not isinstance(value, str):
            continue
        path = Path(value).expanduser()
        if not path.is_file():
            continue
        path = path.resolve()
        root, short = path.parent, path.name
        while taken.get(short, path) != path:  # same file name from two folders: say more of it
            short = f"{root.name}/{short}"
            root = root.parent
        taken[short] = path
        hidden = any(contained(other, short) not in (None, path) for other in folders.inputs)
        (first if hidden else last).append(root)
        nodes[node] = {**nodes[node], "inputs": {**nodes[node]["inputs"], name: short}}
    return replace(document, nodes=nodes), first, last
