"""Opening and saving graphs without losing anything: whole writes, recovery, foreign changes.

A graph is saved in the format it was opened in. Work that was not saved is kept below
``NST_HOME/autosave`` until it is.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Collection
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from nst_graph import files
from nst_graph.document import Document, find_graph, read, to_workflow, write
from nst_graph.errors import UserError
from nst_graph.folders import home
from nst_graph.text import shorten

from .edits import as_plain, resolve_modes
from .model import Nodes, Types, ancestors, mode_of
from .workflow_merge import merged

RECENT = 12


@dataclass(frozen=True)
class Opened:
    """A graph file as it was when it was read or last written; ``digest`` of its bytes."""

    path: Path
    document: Document
    digest: str

    @property
    def can_be_saved(self) -> bool:
        """Whether saving may go to the same file: not into a picture."""
        return self.document.origin != "png"


@dataclass(frozen=True)
class Recovery:
    """Unsaved work found again: the graph, the file it belongs to and when it was kept."""

    nodes: Nodes
    path: Path | None
    kept_at: float
    file: Path


def open_graph(name: str, types: Types) -> Opened:
    """Read a graph: a path, or the name of a shipped example.

    Raises:
        UserError: there is none, or it cannot be read.
    """
    path = find_graph(name)
    digest = _digest(path)
    return Opened(path, read(path, types, keep_modes=True), digest)


def changed_outside(opened: Opened) -> bool:
    """Whether somebody else wrote (or removed) the file since we read or wrote it."""
    return _digest(opened.path) != opened.digest


def save(path: Path, nodes: Nodes, types: Types, opened: Opened | None) -> tuple[Opened, str]:
    """Write ``nodes`` to ``path``, whole or not at all; what to tell the user besides.

    A workflow stays a workflow, a queue request stays one, everything else becomes API JSON.

    Raises:
        UserError: the file cannot be written.
    """
    base = opened.document if opened is not None else Document(nodes={})
    document = replace(base, nodes=as_plain(nodes))
    note = ""
    if base.origin == "workflow" and base.workflow is not None:
        workflow = merged(to_workflow(document.nodes, types), base.workflow)
        document = replace(document, workflow=workflow)
        text = json.dumps(workflow, indent=2, ensure_ascii=False) + "\n"
    else:
        plain = resolve_modes(nodes, types)
        if plain is not nodes:
            off = sum(bool(mode_of(nodes, node)) for node in nodes)
            note = f"; {off} muted or bypassed node(s) are left out of an API file"
        document = replace(document, nodes=as_plain(plain))
        text = write(document)
        if base.origin == "post" and opened is not None:
            text = _with_prompt(opened.path, text)
    try:
        files.write(path, text.encode())
    except OSError as error:
        raise UserError(
            f"cannot save {shorten(str(path), 200)}: {error.strerror or error}; S saves elsewhere"
        ) from error
    return Opened(path, document, _digest(path)), note


def _with_prompt(path: Path, text: str) -> str:
    """The queue request at ``path`` with another graph in it."""
    try:
        request = json.loads(files.read_limited(path))
        return json.dumps({**request, "prompt": json.loads(text)}, indent=2) + "\n"
    except (UserError, ValueError, TypeError):
        return text


def save_for_run(nodes: Nodes, types: Types, name: str, targets: Collection[str]) -> Path:
    """Write the graph as it would run, or the part that ``targets`` need, for a worker to read.

    Raises:
        UserError: it cannot be written.
    """
    plain = resolve_modes(nodes, types)
    if targets:
        needed = {*targets, *(n for t in targets for n in ancestors(plain, t))}
        plain = {node: data for node, data in plain.items() if node in needed}
    path = home() / "editor" / f"{name}.json"
    try:
        files.write(path, write(Document(nodes=as_plain(plain))).encode())
    except OSError as error:
        raise UserError(f"cannot write {shorten(str(path), 200)}: {error.strerror}") from error
    return path


def _digest(path: Path) -> str:
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError:
        return ""


def _folder() -> Path:
    return home() / "autosave"


def _kept_as(path: Path | None) -> Path:
    name = hashlib.sha256(str(path.absolute() if path else "").encode()).hexdigest()[:20]
    return _folder() / f"{name}.json"


def keep(nodes: Nodes, path: Path | None) -> None:
    """Keep unsaved work so that a crash does not lose it. A full disk is no reason to stop."""
    data = {"path": str(path.absolute()) if path else None, "time": time.time(), "nodes": nodes}
    try:
        files.write(_kept_as(path), json.dumps(data).encode())
    except (OSError, ValueError):
        return


def forget(path: Path | None) -> None:
    files.remove(_kept_as(path))


def kept(path: Path | None) -> Recovery | None:
    """Unsaved work on this file (None: on a new graph); None if there is none."""
    file = _kept_as(path)
    try:
        data = json.loads(files.read_limited(file))
        nodes = data["nodes"]
        if not isinstance(nodes, dict) or not all(isinstance(n, dict) for n in nodes.values()):
            return None
        return Recovery(nodes, path, float(data["time"]), file)
    except (UserError, ValueError, KeyError, TypeError, RecursionError):
        return None


def recent() -> list[Path]:
    """Graph files opened or saved lately, newest first, that still exist."""
    try:
        listed: Any = json.loads(files.read_limited(home() / "recent.json"))
        return [Path(name) for name in listed if isinstance(name, str) and Path(name).is_file()]
    except (UserError, ValueError, TypeError, OSError):
        return []


def remember(path: Path) -> None:
    newest = str(path.absolute())
    names = [newest, *(str(p) for p in recent() if str(p) != newest)][:RECENT]
    try:
        files.write(home() / "recent.json", json.dumps(names).encode())
    except OSError:
        return
