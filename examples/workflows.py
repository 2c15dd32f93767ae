"""ComfyUI's template browser: the shipped graphs as UI workflows, with pictures of their results.

``python -m examples.workflows`` writes ``example_workflows/NAME.json`` for every graph;
``python -m examples.workflows RESULTS`` also makes ``NAME.jpg`` of the newest picture in RESULTS
that has the graph's file name prefix.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from PIL import Image

from nst_graph import host
from nst_graph.document import read, shipped_graphs, to_workflow
from nst_graph.folders import Folders
from nst_graph.prepare import samples_folder
from nst_graph.registry import node_types

FOLDER = Path(__file__).resolve().parent.parent / "example_workflows"
SIDE = 400
PICTURES = (".png", ".jpg", ".webp")


def workflows() -> dict[str, str]:
    """The UI workflow of every shipped graph as JSON, by file name."""
    nowhere = FOLDER / "none"
    with host.use(host.PlainHost(Folders((samples_folder(),), nowhere, nowhere, nowhere))):
        types = node_types()
        return {
            f"{flat(name)}.json": json.dumps(to_workflow(read(path).nodes, types), indent=1) + "\n"
            for name, path in shipped_graphs().items()
        }


def flat(name: str) -> str:
    """The name of a graph without its folder's slash: the template browser shows one folder."""
    return name.replace("/", "-")


def newest_result(graph: Path, results: Path) -> Path | None:
    """The newest picture in ``results`` that a node of ``graph`` could have saved."""
    prefixes = [data["inputs"].get("filename_prefix") for data in read(graph).nodes.values()]
    found = [
        path
        for prefix in prefixes
        if isinstance(prefix, str)
        for path in results.glob(f"{prefix}_[0-9]*")
        if path.suffix in PICTURES
    ]
    return max(found, key=lambda path: path.stat().st_mtime, default=None)


def thumbnail(picture: Path, target: Path) -> None:
    with Image.open(picture) as image:
        small = image.convert("RGB")
    small.thumbnail((SIDE, SIDE), Image.Resampling.LANCZOS)
    small.save(target, quality=88, optimize=True)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m examples.workflows", description=__doc__)
    parser.add_argument("results", nargs="?", type=Path)
    results = parser.parse_args().results
    FOLDER.mkdir(exist_ok=True)
    written = workflows()
    for name, text in written.items():
        (FOLDER / name).write_text(text, encoding="utf-8")
    for old in FOLDER.iterdir():
        if f"{old.stem}.json" not in written:
            old.unlink()
    if results is None:
        return
    for name, path in shipped_graphs().items():
        picture = newest_result(path, results)
        if picture is None:
            print(f"no picture of {name} in {results}")
        else:
            thumbnail(picture, FOLDER / f"{flat(name)}.jpg")


if __name__ == "__main__":
    main()
