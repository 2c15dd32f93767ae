"""``nst diff``, ``nst verify`` and ``nst export``, also of documents that are broken."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from PIL import Image, PngImagePlugin

from nst_graph import events, runs
from nst_graph.cli import main
from nst_graph.files import Appender

GRAPH: dict[str, Any] = {
    "1": {"class_type": "LoadImage", "inputs": {"image": "nst_harbour.jpg"}},
    "2": {
        "class_type": "SaveImage",
        "inputs": {"images": ["1", 0]},
        "_meta": {"title": "keep\x1b[31m"},
    },
}


def picture(folder: Path, nst: object) -> str:
    chunks = PngImagePlugin.PngInfo()
    chunks.add_text("prompt", json.dumps(GRAPH))
    chunks.add_text("nst", json.dumps(nst))
    Image.new("RGB", (8, 8)).save(folder / "p.png", pnginfo=chunks)
    return str(folder / "p.png")


@pytest.mark.parametrize(
    "nst",
    [
        {"environment": {"threads": "many"}},
        {"environment": {"threads": float("inf")}},
        {"environment": {"threads": -4}},
        {"environment": {"device": "\x1b[31mtpu", "threads": []}},
        {"environment": [], "versions": 3, "changes": 7},
        {"environment": {}, "changes": [["a", "b", "c", "d"]]},
        {"environment": {}, "changes": [[1]]},
        {"environment": {}, "original": {"nope": 1}},
    ],
)
def test_a_recipe_that_was_tampered_with_is_one_clear_error(
    nst: object, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["verify", picture(tmp_path, nst)]) == 2
    told = capsys.readouterr().err
    assert told.startswith("error: ") and "\x1b" not in told


def test_a_verification_leaves_no_run_behind(tmp_path: Path) -> None:
    assert main(["verify", picture(tmp_path, {"environment": {"threads": 1}})]) == 1
    assert runs.list_runs() == []


@pytest.mark.parametrize(
    "node",
    [
        None,
        3,
        [],
        {"class_type": "SaveImage"},
        {"class_type": "SaveImage", "inputs": None},
        {"class_type": "SaveImage", "inputs": [1], "_meta": 5},
        {"class_type": ["x"], "inputs": {"images": {"a": []}}, "_meta": {"title": 7}},
    ],
)
def test_graphs_with_broken_nodes_are_compared_all_the_same(
    node: object, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, content in (("a", GRAPH), ("b", {**GRAPH, "2": node})):
        (tmp_path / f"{name}.json").write_text(json.dumps(content))
    paths = [str(tmp_path / "a.json"), str(tmp_path / "b.json")]
    assert main(["diff", *paths]) == main(["diff", *reversed(paths)]) == 1
    told = capsys.readouterr().out
    assert re.search(r"#2\b", told) and "\x1b" not in told


def test_the_table_of_losses_has_plain_line_ends(capfd: pytest.CaptureFixture[str]) -> None:
    run = runs.create("{}", "g", runs.Options())
    append = Appender(run.log)
    append(events.to_json(events.Step("1", 1, 2, total=0.5, losses={"a": 0.5})))
    append.close()
    assert main(["export"]) == 0
    lines = capfd.readouterr().out.split("\n")
    assert lines[0].endswith(",total,a") and lines[1].endswith("0.5,0.5") and lines[2:] == [""]


def test_a_picture_named_by_nothing_or_a_number_is_found_by_the_check(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for value in (None, 5, True):
        graph = {**GRAPH, "1": {"class_type": "LoadImage", "inputs": {"image": value}}}
        (tmp_path / "g.json").write_text(json.dumps(graph))
        assert main(["check", str(tmp_path / "g.json")]) == 2
        told = capsys.readouterr().err
        assert f"input image: expected a name, got {json.dumps(value)}" in told
