"""``nst verify`` and ``nst diff``: what a picture, a run or a graph holds, compared."""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from nst_graph import host, runs
from nst_graph.document import Document, find_graph, read
from nst_graph.errors import UserError
from nst_graph.machine import environment
from nst_graph.overrides import title_of
from nst_graph.prepare import input_roots, make_folders, prepare
from nst_graph.registry import node_types
from nst_graph.text import clean, shorten


def verify(arguments: argparse.Namespace) -> int:
    """Run the recipe inside a picture again and say whether the same picture comes out.

    0: bit-identical; 1: different, with the largest difference and what may explain it.
    """
    path = Path(arguments.picture)
    document = _document(str(path))
    recipe = document.nst
    if recipe is None:
        raise UserError(f"{shorten(str(path), 200)} holds no nst recipe; nst-graph did not save it")
    if "partial" in recipe:
        raise UserError(f"{shorten(str(path), 200)} was saved by a run that was stopped half-way")
    recorded = _mapping(recipe.get("environment"))
    explained = list(_differences(recorded, _mapping(recipe.get("versions"))))
    with tempfile.TemporaryDirectory(prefix="nst-verify-") as folder:
        try:
            options = runs.Options(
                inputs=tuple(str(Path(d).absolute()) for d in arguments.input_dir),
                output=folder,
                device=str(recorded.get("device", "auto")),
                threads=int(recorded.get("threads", 0)),
                force=True,
                live=tuple((int(s), n, i, float(v)) for s, n, i, v in recipe.get("changes", ())),
            )
        except (TypeError, ValueError, OverflowError):
            raise UserError(
                f"{shorten(str(path), 200)} holds a recipe that was tampered with"
            ) from None
        try:
            environment(options.device)
        except UserError as error:
            explained.append(f"device {options.device} is not here ({error}); used what there is")
            options = replace(options, device="auto")
        made = _run_again(path, _mapping(recipe.get("original")), options)
        largest = min(_largest_difference(path, other) for other in made)
    if largest == 0:
        print("bit-identical")
        return 0
    print(f"different: up to {largest} of 255")
    for line in explained or ["no difference in device, threads or versions explains it"]:
        print(clean(f"  {line}"))
    return 1


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _run_again(path: Path, original: Mapping[str, Any], options: runs.Options) -> list[Path]:
    from nst_graph.progress import Display
    from nst_graph.worker import execute_run

    item = prepare(path, [f"{place}={value}" for place, value in original.items()], options)
    run = runs.create(item.text, path.stem, item.options, Path(options.output) / "run")
    display = Display()
    try:
        result = execute_run(run, [display])
    finally:
        display.close()
    made = [
        Path(p) for p in result.outputs if p.lower().endswith((".png", ".jpg", ".webp", ".tif"))
    ]
    if result.status != "done" or not made:
        raise UserError("the recipe could not be run again; what is missing is named above")
    return made


def _differences(recorded: Mapping[str, Any], versions: Mapping[str, Any]) -> Iterator[str]:
    here = environment()
    for name in ("device", "precision"):
        if name in recorded and recorded[name] != getattr(here, name):
            yield f"{name}: {recorded[name]} then, {getattr(here, name)} now"
    for package, version in runs.versions().items():
        if package in versions and versions[package] != version:
            yield f"{package}: {versions[package]} then, {version} now"


def _largest_difference(one: Path, other: Path) -> int:
    import numpy as np
    from PIL import Image

    kinds = ("PNG", "JPEG", "WEBP", "TIFF")
    with Image.open(one, formats=kinds) as a, Image.open(other, formats=kinds) as b:
        if a.size != b.size:
            return 255
        first = np.asarray(a.convert("RGB"), dtype=np.int16)
        second = np.asarray(b.convert("RGB"), dtype=np.int16)
    return int(np.abs(first - second).max())


def diff(arguments: argparse.Namespace) -> int:
    """What differs between two graphs, runs or pictures: nodes, inputs, pixels."""
    first, second = (_document(name) for name in (arguments.first, arguments.second))
    lines = list(_graph_differences(first.nodes, second.nodes))
    pictures = [Path(n) for n in (arguments.first, arguments.second) if _is_picture(n)]
    if len(pictures) == 2:
        largest = _largest_difference(*pictures)
        if largest:
            lines.append(f"pixels: up to {largest} of 255")
    for line in lines:
        print(clean(line, one_line=True))
    if not lines:
        print("no difference", file=sys.stderr)
    return 1 if lines else 0


def _is_picture(name: str) -> bool:
    return Path(name).is_file() and not name.lower().endswith(".json")


def _graph_differences(a: Mapping[str, Any], b: Mapping[str, Any]) -> Iterator[str]:
    for node in sorted(a.keys() | b.keys(), key=lambda n: (len(n), n)):
        one, other = _mapping(a.get(node)), _mapping(b.get(node))
        kind, new_kind = one.get("class_type"), other.get("class_type")
        if node not in a or node not in b:
            where = "first" if node in a else "second"
            yield f"#{node} {kind or new_kind}: only in the {where}"
            continue
        title = title_of(other) or new_kind
        if kind != new_kind:
            yield f"#{node}: {kind} -> {new_kind}"
        inputs, new_inputs = _mapping(one.get("inputs")), _mapping(other.get("inputs"))
        for name in sorted(inputs.keys() | new_inputs.keys()):
            before, after = inputs.get(name), new_inputs.get(name)
            if before != after:
                yield f"{title} (#{node}).{name}: {before!r} -> {after!r}"


def _document(name: str) -> Document:
    """The graph in a file, a picture, a shipped example, or a run."""
    try:
        path = find_graph(name)
    except UserError as error:
        try:
            path = runs.find(name).graph
        except UserError:
            raise error from None
    folders = make_folders(input_roots(path, runs.Options()), runs.Options())
    with host.use(host.PlainHost(folders)):
        return read(path, node_types())
