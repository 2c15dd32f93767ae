"""The shipped graphs on a real ComfyUI server with this pack: NST_COMFYUI_URL names it."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from nst_graph import cli, events, runs
from nst_graph.document import read, shipped_graphs
from nst_graph.prepare import samples_folder

pytestmark = pytest.mark.comfyui
URL = os.environ.get("NST_COMFYUI_URL", "")


def small(name: str, folder: Path) -> Path:
    """The shipped graph ``name``, quick to run: few steps, small, our own encoder, fp32, PNG."""
    nodes = read(shipped_graphs()[name]).nodes
    for data in nodes.values():
        inputs: dict[str, Any] = data["inputs"]
        if data["class_type"] == "Optimize":
            inputs |= {"steps": 3, "size": 64, "precision": "fp32"}
        if str(inputs.get("encoder", "")).startswith("vgg"):
            inputs["encoder"] = "compact"
        if data["class_type"] == "NSTSaveImage":
            inputs["format"] = "png"
    path = folder / "small.json"
    path.write_text(json.dumps(nodes))
    return path


def run(graph: Path, folder: Path, *options: str) -> list[Path]:
    """The pictures that ``graph`` gives, in the order of their names."""
    common = ["--quiet", "--input-dir", str(samples_folder()), "--output-dir", str(folder)]
    assert cli.main(["run", str(graph), *common, *options]) == 0
    return sorted(path for path in folder.rglob("*") if path.is_file())


@pytest.mark.parametrize("name", sorted(shipped_graphs()))
def test_a_server_paints_the_same_pictures(name: str, tmp_path: Path) -> None:
    graph = small(name, tmp_path)
    ours = run(graph, tmp_path / "ours", "--device", "cpu", "--force")
    theirs = run(graph, tmp_path / "theirs", "--server", URL)
    assert [path.name for path in ours] == [path.name for path in theirs]
    for one, other in zip(ours, theirs, strict=True):
        with Image.open(one) as a, Image.open(other) as b:
            difference = np.asarray(a.convert("RGB"), int) - np.asarray(b.convert("RGB"), int)
        assert np.abs(difference).max() <= 1, one.name


def test_a_graph_that_ran_before_comes_from_the_servers_cache(tmp_path: Path) -> None:
    graph = small("quickstart", tmp_path)
    run(graph, tmp_path / "first", "--server", URL)
    run(graph, tmp_path / "second", "--server", URL)
    told = events.LogReader(runs.find("last").log).read()
    assert {e.node for e in told if isinstance(e, events.NodeCached)} == set(read(graph).nodes)


def test_a_picture_of_either_side_is_a_graph_on_the_other(tmp_path: Path) -> None:
    graph = small("quickstart", tmp_path)
    (theirs,) = run(graph, tmp_path / "theirs", "--server", URL)
    (ours,) = run(graph, tmp_path / "ours", "--device", "cpu")
    (theirs_here,) = run(theirs, tmp_path / "here", "--device", "cpu")
    (ours_there,) = run(ours, tmp_path / "there", "--server", URL)
    with Image.open(theirs_here) as a, Image.open(ours_there) as b:
        assert np.abs(np.asarray(a, int) - np.asarray(b, int)).max() <= 1
