"""Files of the editor: every format is saved as what it was, and nothing in it is lost."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import editor_pack
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nst_graph.document import Document, parse, to_workflow, write
from nst_graph.errors import UserError
from nst_graph.tui.editor import edits, filing
from nst_graph.tui.editor.workflow_merge import merged

TYPES = editor_pack.types()
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**50), 2**50) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=6,
)


@given(JSON, JSON, st.text(max_size=12))
@settings(max_examples=60, deadline=None)
def test_saving_and_loading_an_api_file_changes_nothing(extra: Any, value: Any, title: str) -> None:
    nodes: Any = editor_pack.quickstart()
    nodes["5"]["extra"] = extra
    nodes["5"]["inputs"]["unknown"] = value
    nodes["5"]["_meta"] = {"title": title, "other": extra, "pos": [3, -4]}
    text = write(Document(nodes=edits.as_plain(edits.resolve_modes(nodes, TYPES))))
    assert parse(text.encode()).nodes == nodes


def opened(path: Path, data: Any) -> filing.Opened:
    path.write_text(json.dumps(data))
    return filing.open_graph(str(path), TYPES)


def workflow() -> dict[str, Any]:
    """The quickstart graph as ComfyUI would save it, with things only its front end knows."""
    made = to_workflow(editor_pack.quickstart(), TYPES)
    made["groups"] = [{"title": "style", "bounding": [0, 0, 300, 200], "color": "#3f789e"}]
    made["extra"] = {"ds": {"scale": 0.8}, "reroutes": [1]}
    made["config"] = {"links_ontop": True}
    made["somebody"] = {"version": 7}
    for node in made["nodes"]:
        node["color"] = "#232"
        node["properties"]["cnr_id"] = "pack"
    seed = next(node for node in made["nodes"] if node["type"] == "Optimize")
    seed["widgets_values"] = ["randomize" if v == "fixed" else v for v in seed["widgets_values"]]
    note = {"id": 99, "type": "Note", "pos": [1, 2], "widgets_values": ["a remark"], "mode": 0}
    made["nodes"].append(note)
    return made


def test_a_workflow_is_saved_as_a_workflow_with_everything_in_it(tmp_path: Path) -> None:
    before = workflow()
    file = opened(tmp_path / "w.json", before)
    nodes = edits.set_value(file.document.nodes, "5", "weight", 9.0)
    nodes = edits.set_mode(nodes, ["7"], "muted")
    filing.save(file.path, nodes, TYPES, file)
    after = json.loads(file.path.read_text())
    assert after["groups"] == before["groups"]
    assert after["config"] == before["config"] and after["somebody"] == before["somebody"]
    assert after["extra"] == {"ds": {"scale": 0.8}}
    by_id = {node["id"]: node for node in after["nodes"]}
    assert by_id[99]["widgets_values"] == ["a remark"]
    assert by_id[5]["widgets_values"][0] == 9.0
    assert by_id[7]["mode"] == 2
    for node in before["nodes"]:
        assert by_id[node["id"]].get("color") == node.get("color")
        assert by_id[node["id"]]["pos"] == node["pos"]
    assert "cnr_id" in by_id[5]["properties"]
    again = filing.open_graph(str(file.path), TYPES)
    assert again.document.nodes["5"]["inputs"]["weight"] == 9.0
    assert again.document.nodes["7"]["_meta"]["mode"] == "muted"


def test_a_node_moved_in_the_editor_moves_in_the_workflow(tmp_path: Path) -> None:
    file = opened(tmp_path / "w.json", workflow())
    filing.save(file.path, edits.place(file.document.nodes, {"5": (40, 7)}), TYPES, file)
    after = {node["id"]: node for node in json.loads(file.path.read_text())["nodes"]}
    assert after[5]["pos"] == [400, 140]


def test_what_a_seed_does_after_a_run_is_kept_in_a_workflow() -> None:
    old = {"nodes": [{"id": 1, "type": "T", "widgets_values": [5, "randomize"]}]}
    new = to_workflow({}, TYPES) | {
        "nodes": [{"id": 1, "type": "T", "widgets_values": [6, "fixed"], "properties": {}}]
    }
    assert merged(new, old)["nodes"][0]["widgets_values"] == [6, "randomize"]


@given(JSON)
@settings(max_examples=60, deadline=None)
def test_a_workflow_of_any_shape_can_be_merged_with(old: Any) -> None:
    new = to_workflow(editor_pack.quickstart(), TYPES)
    shape = {"nodes": [old, {"id": 5, "type": old, "pos": old}], "extra": old, "last_node_id": old}
    for data in (shape, {"nodes": old}, {}):
        assert {node["id"] for node in merged(new, data)["nodes"]} == set(range(1, 10))


def test_a_queue_request_stays_one(tmp_path: Path) -> None:
    request = {"prompt": editor_pack.quickstart(), "client_id": "me", "extra_data": {"a": 1}}
    file = opened(tmp_path / "post.json", request)
    nodes = edits.set_value(file.document.nodes, "5", "weight", 2.0)
    filing.save(file.path, nodes, TYPES, file)
    after = json.loads(file.path.read_text())
    assert after["client_id"] == "me" and after["extra_data"] == {"a": 1}
    assert after["prompt"]["5"]["inputs"]["weight"] == 2.0


def test_a_picture_is_never_overwritten_by_its_graph(tmp_path: Path) -> None:
    from PIL import Image
    from PIL.PngImagePlugin import PngInfo

    info = PngInfo()
    info.add_text("prompt", json.dumps(editor_pack.quickstart()))
    Image.new("RGB", (4, 4)).save(tmp_path / "out.png", pnginfo=info)
    file = filing.open_graph(str(tmp_path / "out.png"), TYPES)
    assert file.document.nodes == editor_pack.quickstart()
    assert not file.can_be_saved


def test_a_folder_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="cannot save"):
        filing.save(tmp_path / "file" / "g.json", editor_pack.quickstart(), TYPES, None)


def test_unsaved_work_is_kept_until_it_is_forgotten(tmp_path: Path) -> None:
    path = tmp_path / "g.json"
    assert filing.kept(path) is None
    filing.keep(editor_pack.quickstart(), path)
    filing.keep({}, None)
    found = filing.kept(path)
    assert found is not None and found.nodes == editor_pack.quickstart()
    filing.forget(path)
    assert filing.kept(path) is None
    assert filing.kept(None) is not None


@pytest.mark.parametrize("junk", ["", "[]", '{"nodes": 3}', '{"nodes": {"1": 2}, "time": "x"}'])
def test_damaged_recovery_files_are_ignored(tmp_path: Path, junk: str) -> None:
    filing.keep({}, tmp_path / "g.json")
    kept_as = filing._kept_as(tmp_path / "g.json")
    kept_as.write_text(junk)
    assert filing.kept(tmp_path / "g.json") is None


def test_recent_files_are_remembered_newest_first(tmp_path: Path) -> None:
    for name in ("a.json", "b.json", "a.json"):
        (tmp_path / name).write_text("{}")
        filing.remember(tmp_path / name)
    assert [path.name for path in filing.recent()] == ["a.json", "b.json"]
    (tmp_path / "a.json").unlink()
    assert [path.name for path in filing.recent()] == ["b.json"]
