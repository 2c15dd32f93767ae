"""Graph documents: API JSON, POST bodies, pictures with a graph inside, and UI workflows.

Whatever the format, :class:`Document` holds the plain API graph. Reading checks the form of the
file; whether the graph can run is asked of :mod:`nst_graph.graph`.
"""

from __future__ import annotations

import io
import json
import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, BinaryIO, Literal

from nst_graph import exif_text, files, json_reader, png_text
from nst_graph.errors import UserError
from nst_graph.node_ids import id_order
from nst_graph.overrides import apply_to_nodes
from nst_graph.registry import NodeType, node_types
from nst_graph.suggest import did_you_mean
from nst_graph.text import shorten
from nst_graph.workflow import MOST_NODES, to_api
from nst_graph.workflow_export import to_workflow

__all__ = ["Document", "apply_overrides", "find_graph", "parse", "read", "to_workflow", "write"]

Origin = Literal["api", "post", "png", "workflow"]
Change = tuple[str, str, Any, Any]
"""(node id, input, old value, new value)."""

_TEXTS = ("prompt", "workflow", "nst")
_FIRST_KEYS = ("class_type", "inputs", "_meta")
_FOREIGN = {
    b"\xff\xd8\xff": "a JPEG picture",
    b"RIFF": "a WebP picture",
    b"GIF8": "a GIF picture",
    b"II*\0": "a TIFF picture",
    b"MM\0*": "a TIFF picture",
    b"BM": "a BMP picture",
    b"PK\3\4": "a ZIP archive",
    b"\x1f\x8b": "a gzip archive",
    b"%PDF": "a PDF",
}


@dataclass(frozen=True)
class Document:
    """A graph and where it came from.

    ``nodes`` is the API map (class_type, inputs, _meta and any key of others); what is in it is as
    the file had it and may be of any shape. ``workflow`` is the UI workflow the file held, ``nst``
    what SaveImage recorded of the run, ``notes`` what a reader should know of the conversion.
    """

    nodes: dict[str, dict[str, Any]]
    workflow: dict[str, Any] | None = None
    origin: Origin = "api"
    notes: tuple[str, ...] = ()
    source: Path | None = None
    nst: dict[str, Any] | None = None


def read(
    path: Path, types: Mapping[str, NodeType] | None = None, *, keep_modes: bool = False
) -> Document:
    """The graph in ``path``.

    ``types`` are needed for UI workflows alone (default: all installed). ``keep_modes`` leaves
    muted and bypassed nodes of a workflow in, marked by ``_meta.mode``.

    Raises:
        UserError: it cannot be read or holds no graph: the file, and where possible line, column
            and what to do about it.
    """
    name = shorten(str(path), 300)
    if path.is_file():
        try:
            with path.open("rb") as file:
                if file.read(len(png_text.SIGNATURE)) == png_text.SIGNATURE:
                    file.seek(0)
                    return replace(_from_png(file, name, types, keep_modes), source=path)
                file.seek(0)
                if texts := exif_text.texts(file, _TEXTS):
                    return replace(_from_texts(texts, name, types, keep_modes), source=path)
        except OSError as error:
            raise UserError(f"cannot read {name}: {error.strerror or error}") from error
    return replace(parse(files.read_limited(path), name, types, keep_modes=keep_modes), source=path)


def parse(
    data: bytes,
    name: str = "the graph",
    types: Mapping[str, NodeType] | None = None,
    *,
    keep_modes: bool = False,
) -> Document:
    """The graph in the content ``data`` of a file; ``name`` stands for the file in errors.

    Raises:
        UserError: as for :func:`read`.
    """
    if data.startswith(png_text.SIGNATURE):
        return _from_png(io.BytesIO(data), name, types, keep_modes)
    if len(data) > files.TEXT_LIMIT:
        raise UserError(f"{name} is larger than {files.TEXT_LIMIT >> 20} MB")
    for start, kind in _FOREIGN.items():
        if data.startswith(start):
            raise UserError(
                f"{name} is {kind} - a graph is a JSON file, or a PNG written by SaveImage"
            )
    text = json_reader.decode(data, name)
    return _from_json(json_reader.loads(text, name), name, types, keep_modes)


def apply_overrides(
    document: Document, overrides: Iterable[str], types: Mapping[str, NodeType]
) -> tuple[Document, list[Change]]:
    """``document`` with every ``NODE.INPUT=VALUE`` applied, and what each of them changed.

    NODE is an id, else a title, else the class of a node; the split is at the last dot before the
    first ``=``. VALUE is read by the input's declared type; ``["4", 0]`` is a link.

    Raises:
        UserError: no such node or input, a title that several nodes have, a value of another type.
    """
    nodes, changes = apply_to_nodes(document.nodes, overrides, types)
    return replace(document, nodes=nodes), changes


def write(document: Document) -> str:
    """The API JSON of ``document``: nodes in the order of their ids, nothing else at the top.

    Raises:
        UserError: a value is not a finite number and cannot be written as JSON.
    """
    nodes = {}
    for node in sorted(document.nodes, key=id_order):
        data = document.nodes[node]
        if isinstance(data, Mapping):
            keys = [key for key in _FIRST_KEYS if key in data]
            keys += [key for key in data if key not in (*_FIRST_KEYS, "is_changed")]
            data = {key: data[key] for key in keys}
        nodes[node] = data
    try:
        return "\n".join(_lines(nodes, "")) + "\n"
    except ValueError:
        raise UserError(f"cannot be written as JSON: {_first_not_finite(nodes)}") from None


def find_graph(name: str) -> Path:
    """The file that ``name`` means: a path, else an example that ships with the project.

    Raises:
        UserError: neither; says what comes near.
    """
    path, beside = Path(name), []
    try:
        if path.is_file():
            return path
        is_folder = path.is_dir()
        if path.parent.is_dir():
            beside = sorted(other.name for other in path.parent.iterdir())
    except (OSError, ValueError):  # too long for a name, or with a NUL
        is_folder = False
    shipped = shipped_graphs()
    meant = [shipped[name]] if name in shipped else _by_last_name(name, shipped)
    if len(meant) == 1:
        return meant[0]
    if is_folder:
        raise UserError(f"{shorten(name, 300)} is a folder - name the graph file in it")
    if path.suffix or len(path.parts) > 1:
        hint = did_you_mean(path.name, beside) or did_you_mean(name, shipped)
        hint = hint or "there is no such file"
    else:
        hint = did_you_mean(name, [*shipped, *beside], 3)
    hint = hint or f"give the path of a graph, or a shipped one: {', '.join(shipped) or 'none'}"
    raise UserError(f"no graph {shorten(name, 300)!r} - {hint}")


def _by_last_name(name: str, shipped: Mapping[str, Path]) -> list[Path]:
    """The examples in folders that are called ``name`` there."""
    return [path for full, path in shipped.items() if full.rpartition("/")[2] == name]


def shipped_graphs() -> dict[str, Path]:
    """The example graphs by name; those in a folder are named ``presets/NAME``."""
    import nst_graph.graphs

    root = Path(next(iter(nst_graph.graphs.__path__)))
    found = {path.stem: path for path in sorted(root.glob("*.json"))}
    return found | {f"{p.parent.name}/{p.stem}": p for p in sorted(root.glob("*/*.json"))}


# -- reading


def _from_json(
    value: Any, name: str, types: Mapping[str, NodeType] | None, keep_modes: bool
) -> Document:
    where = f"{name}, line 1, column 1"
    if not isinstance(value, dict):
        kind = {list: "a list", str: "a text", type(None): "null"}.get(type(value), "a value")
        raise UserError(
            f"{where}: {kind}, not an object of nodes - a graph is "
            '{"1": {"class_type": …, "inputs": {…}}, …}'
        )
    if isinstance(value.get("nodes"), list):
        return _from_workflow(value, name, types, keep_modes)
    prompt = value.get("prompt")
    if isinstance(prompt, dict) and "class_type" not in prompt:
        extra = value.get("extra_data")
        info = extra.get("extra_pnginfo") if isinstance(extra, dict) else None
        info = info if isinstance(info, dict) else {}
        return Document(
            _api_nodes(prompt, name),
            workflow=_object_or_none(info.get("workflow")),
            nst=_object_or_none(info.get("nst")),
            origin="post",
        )
    if value and not any(
        isinstance(node, dict) and "class_type" in node for node in value.values()
    ):
        keys = ", ".join(shorten(repr(key), 30) for key in list(value)[:5])
        raise UserError(
            f"{where}: JSON, but no graph (keys {keys}) - export it from ComfyUI with "
            "Export (API), or give a saved workflow"
        )
    return Document(_api_nodes(value, name))


def _from_workflow(
    value: dict[str, Any], name: str, types: Mapping[str, NodeType] | None, keep_modes: bool
) -> Document:
    try:
        nodes, notes = to_api(
            value, node_types() if types is None else types, keep_modes=keep_modes
        )
    except UserError as error:
        raise UserError(f"{name}: {error} - save the workflow in ComfyUI again") from None
    return Document(nodes, workflow=value, origin="workflow", notes=tuple(notes))


def _from_png(
    file: BinaryIO, name: str, types: Mapping[str, NodeType] | None, keep_modes: bool
) -> Document:
    return _from_texts(png_text.texts(file, name, _TEXTS), name, types, keep_modes)


def _from_texts(
    texts: Mapping[str, str],
    name: str,
    types: Mapping[str, NodeType] | None,
    keep_modes: bool,
) -> Document:
    workflow = _chunk(texts, "workflow")
    nst = _chunk(texts, "nst")
    if "prompt" not in texts:
        if workflow is None:
            raise UserError(
                f"{name} has no graph in it - only a PNG written by SaveImage and never edited has"
            )
        return replace(_from_workflow(workflow, name, types, keep_modes), nst=nst)
    inside = f"{name}, its text 'prompt'"
    value = json_reader.loads(texts["prompt"], inside, tolerant=True)
    if not isinstance(value, dict):
        raise UserError(f"{inside} is not a graph - was the picture made by another program?")
    nodes = _api_nodes(value, name)
    if fault := _first_not_finite(nodes):
        raise UserError(f"{inside}: {fault} - export the graph again")
    return Document(nodes, workflow=workflow, nst=nst, origin="png")


def _chunk(texts: Mapping[str, str], key: str) -> dict[str, Any] | None:
    """A text that is welcome but not needed: None when it is missing or unreadable."""
    try:
        return _object_or_none(json_reader.loads(texts[key], key, tolerant=True))
    except (KeyError, UserError):
        return None


def _object_or_none(value: Any) -> dict[str, Any] | None:
    return value if isinstance(value, dict) else None


def _api_nodes(value: dict[str, Any], name: str) -> dict[str, dict[str, Any]]:
    if len(value) > MOST_NODES:
        raise UserError(f"{name} has {len(value)} nodes - at most {MOST_NODES} are read")
    return {
        node: {key: item for key, item in data.items() if key != "is_changed"}
        if isinstance(data, dict)
        else data
        for node, data in value.items()
    }


def _first_not_finite(nodes: Mapping[str, Any]) -> str:
    """Where the first NaN or infinity is; empty if all numbers are finite."""
    for node, data in nodes.items():
        for path, value in _leaves(data, f"node #{shorten(node)}"):
            if isinstance(value, float) and not math.isfinite(value):
                return f"{path} is {value}, not a finite number"
    return ""


def _leaves(value: Any, path: str) -> Iterator[tuple[str, Any]]:
    if isinstance(value, Mapping):
        for key, item in value.items():
            yield from _leaves(item, f"{path}, {shorten(str(key))}")
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _leaves(item, path)
    else:
        yield path, value


# -- writing


def _lines(value: Any, indent: str) -> Iterator[str]:
    """JSON with an object's entries on lines of their own and lists on one line."""
    if not isinstance(value, Mapping) or not value:
        yield json.dumps(value, ensure_ascii=False, allow_nan=False)
        return
    yield "{"
    inner = f"{indent}  "
    for index, (key, item) in enumerate(value.items()):
        first, *rest = _lines(item, inner)
        lines = [f"{inner}{json.dumps(str(key), ensure_ascii=False)}: {first}", *rest]
        if index < len(value) - 1:
            lines[-1] += ","
        yield from lines
    yield f"{indent}}}"
