"""Running from the editor, the mouse, and what the editor promises about speed and bytes."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

import editor_pack
import pytest

from nst_graph import events, files, runs
from nst_graph.document import parse
from nst_graph.errors import GraphError, Problem

Open = Callable[..., AbstractAsyncContextManager[Any]]


@pytest.fixture
def open_editor(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Open:
    return editor_pack.opener(monkeypatch, tmp_path)


@pytest.fixture
def launched(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Any, runs.Options, runs.RunFolder]]:
    """Instead of a worker: what would have been run."""
    found: list[tuple[Any, runs.Options, runs.RunFolder]] = []

    def launch(graph: Path, overrides: Any = (), options: Any = None) -> runs.RunFolder:
        text = Path(graph).read_text()
        folder = runs.create(text, "test", options)
        found.append((parse(text.encode()).nodes, options, folder))
        return folder

    monkeypatch.setattr(runs, "launch", launch)
    return found


def tell(run: runs.RunFolder, *told: events.Event) -> None:
    append = files.Appender(run.log)
    for event in told:
        append(events.to_json(event))
    append.close()


async def test_r_runs_what_is_on_the_canvas_and_shows_how_far_each_node_is(
    open_editor: Open, launched: list[tuple[Any, runs.Options, runs.RunFolder]]
) -> None:
    async with open_editor(editor_pack.quickstart()) as editor:
        await editor.press("slash", '"#7"', "enter", "enter", "plus", "escape", "r")
        nodes, options, run = launched[0]
        assert nodes == editor.nodes and nodes["7"]["inputs"]["weight"] == pytest.approx(1.1)
        assert Path(options.inputs[0]) == Path.cwd()
        assert json.loads(Path("graph.json").read_text()) == editor_pack.quickstart()
        assert "queued" in editor.shown()
        tell(
            run,
            events.RunStarted(run="r", nodes=list(nodes)),
            events.NodeCached(node="1"),
            events.NodeStarted(node="8"),
            events.Step(node="8", step=63, steps=200, total=1.0, losses={"a": 1.0}),
        )
        editor.screen.follow_run()
        editor.screen.canvas.centre("8")
        assert "63/200" in editor.shown()
        assert editor.screen.states["1"][0] == "cached"


async def test_a_node_that_fails_is_selected_with_its_message(
    open_editor: Open, launched: list[tuple[Any, runs.Options, runs.RunFolder]]
) -> None:
    async with open_editor(editor_pack.quickstart()) as editor:
        await editor.press("r")
        tell(
            launched[0][2],
            events.RunStarted(run="r", nodes=list(editor.nodes)),
            events.NodeFailed(node="4", error="the encoder \x1b[31mis gone"),
            events.RunFinished("failed"),
        )
        editor.screen.follow_run()
        await editor.pilot.pause()
        assert editor.screen.selected == "4"
        assert "the encoder" in editor.message
        assert "✗ failed" in editor.shown()


async def test_running_up_to_a_node_runs_only_what_it_needs(
    open_editor: Open, launched: list[tuple[Any, runs.Options, runs.RunFolder]]
) -> None:
    async with open_editor(editor_pack.quickstart()) as editor:
        await editor.press("slash", '"#6"', "enter", "R")
        nodes, options, _ = launched[0]
        assert sorted(nodes) == ["2", "4", "6"]
        assert options.targets == ("6",)


async def test_a_graph_with_errors_is_not_run_but_its_first_error_shown(
    open_editor: Open, launched: list[tuple[Any, runs.Options, runs.RunFolder]]
) -> None:
    graph: Any = editor_pack.quickstart()
    del graph["7"]["inputs"]["gram"]
    async with open_editor(graph) as editor:
        await editor.press("r")
        assert not launched
        assert editor.screen.selected == "7" and "gram" in editor.message


async def test_what_only_the_engine_finds_wrong_is_said(
    open_editor: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: Any) -> Any:
        raise GraphError([Problem("x", "no such encoder", node="3")])

    monkeypatch.setattr(runs, "launch", refuse)
    async with open_editor(editor_pack.quickstart()) as editor:
        await editor.press("r")
        assert "no such encoder" in editor.message


async def test_v_opens_the_monitor_on_the_run(
    open_editor: Open, launched: list[tuple[Any, runs.Options, runs.RunFolder]]
) -> None:
    async with open_editor(editor_pack.quickstart()) as editor:
        await editor.press("r", "v")
        assert editor.app.current_mode == "monitor"
        assert editor.app.run_folder == launched[0][2]


def cell_of(editor: Any, node: str, *, right: bool = False, row: int = 0) -> tuple[int, int]:
    """A cell of a node on the canvas: its head, or a socket at one of its sides."""
    picture, (ox, oy) = editor.screen.canvas.picture, editor.screen.canvas.origin
    x, y = picture.drawing.places[node]
    return x - ox + (picture.plan.boxes[node].width - 1 if right else 0), y - oy + row


async def test_dragging_a_node_moves_it_and_dragging_between_sockets_links_them(
    open_editor: Open,
) -> None:
    async with open_editor(editor_pack.quickstart(), size=(200, 50)) as editor:
        pilot = editor.pilot
        x, y = cell_of(editor, "2")
        await pilot.mouse_down("#canvas", offset=(x + 5, y))
        await pilot.hover("#canvas", offset=(x + 9, y + 3))
        await pilot.mouse_up("#canvas", offset=(x + 9, y + 3))
        await pilot.pause()
        assert "pos" in editor.nodes["2"]["_meta"]
        assert cell_of(editor, "2") == (x + 4, y + 3)
        # content's image output to the style branch's features
        await pilot.mouse_down("#canvas", offset=cell_of(editor, "1", right=True, row=1))
        await pilot.mouse_up("#canvas", offset=cell_of(editor, "4", row=1))
        await pilot.pause()
        assert editor.nodes["4"]["inputs"]["image"] == ["1", 0]
        # two outputs, and types that do not fit
        before = editor.nodes
        await pilot.mouse_down("#canvas", offset=cell_of(editor, "1", right=True, row=1))
        await pilot.mouse_up("#canvas", offset=cell_of(editor, "6", right=True, row=1))
        await pilot.pause()
        assert "both are outputs" in editor.message
        await pilot.mouse_down("#canvas", offset=cell_of(editor, "1", right=True, row=1))
        await pilot.mouse_up("#canvas", offset=cell_of(editor, "7", row=1))
        await pilot.pause()
        assert "takes GRAM" in editor.message and editor.nodes is before


async def test_a_click_selects_and_ctrl_click_marks(open_editor: Open) -> None:
    async with open_editor(editor_pack.quickstart()) as editor:
        x, y = cell_of(editor, "4")
        await editor.pilot.click("#canvas", offset=(x + 3, y))
        assert editor.screen.selected == "4"
        x, y = cell_of(editor, "3")
        await editor.pilot.click("#canvas", offset=(x + 3, y), control=True)
        assert editor.screen.history.now.marked == {"3"}


async def test_selecting_repaints_few_cells_and_costs_little(open_editor: Open) -> None:
    """The budget is 30 ms and 3 KB a key; here: the cells that differ, and the time of the work."""
    async with open_editor(editor_pack.large(300), size=(160, 48)) as editor:
        canvas = editor.screen.canvas
        repainted: list[int] = []
        refresh = canvas.refresh
        canvas.refresh = lambda *regions, **options: (
            repainted.append(sum(r.area for r in regions) if regions else 10**6),
            refresh(*regions, **options),
        )[1]
        start = time.process_time()
        for _ in range(10):
            editor.screen.action_go("down")
            editor.screen.action_go("up")
        assert (time.process_time() - start) / 20 < 0.1
        assert max(repainted) < 600


async def test_detail_can_be_changed_and_everything_stays_in_place(open_editor: Open) -> None:
    async with open_editor(editor_pack.quickstart()) as editor:
        await editor.press("g", "z")
        assert "layers" in editor.shown()
        await editor.press("z")
        assert editor.shown().count("╔") == 0 and "LoadImage #1" in editor.shown()
        await editor.press("z")
        assert "╔" in editor.shown()


async def test_the_footer_tells_the_keys_of_the_pane_with_the_focus(open_editor: Open) -> None:
    from nst_graph.tui.widgets.bars import KeyBar

    def footer() -> str:
        return "".join(map(chr, editor.screen.query_one(KeyBar).grid.codes[0]))

    async with open_editor(editor_pack.quickstart()) as editor:
        assert "add" in footer() and "connect" in footer()
        await editor.press("tab")
        assert "less" in footer() and "default" in footer()
        await editor.press("escape")
        assert "add" in footer()


async def test_every_key_of_the_table_has_its_action(open_editor: Open) -> None:
    from nst_graph.tui import keys

    async with open_editor(editor_pack.quickstart()) as editor:
        for key in keys.EDIT:
            name = key.action.removeprefix("screen.").split("(")[0]
            assert callable(getattr(editor.screen, f"action_{name}", None)), key


async def test_ascii_terminals_get_ascii(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("NST_ASCII", "1")
    async with editor_pack.opener(monkeypatch, tmp_path)(editor_pack.quickstart()) as editor:
        lines = editor.screen._compositor.render_strips()
        text = "\n".join(strip.text for strip in lines)
        assert text.isascii(), sorted({c for c in text if not c.isascii()})
