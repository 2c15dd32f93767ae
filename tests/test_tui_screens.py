"""Runs, Monitor and Compare, driven by keys alone."""

from __future__ import annotations

import asyncio
import csv
import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from fakes import FakeRun
from textual.events import Key
from textual.pilot import Pilot

from nst_graph import events, files, queue, runs
from nst_graph.errors import UserError
from nst_graph.tui.app import NstApp
from nst_graph.tui.screens.confirm import ConfirmScreen
from nst_graph.tui.widgets.cells import Cells
from nst_graph.tui.widgets.runtable import COLUMNS

DONE = "20261123-100000-wave-0001"
FAILED = "20261123-100001-scream-0002"
LIVE = "20261123-100002-live-0003"


def shown(app: NstApp) -> str:
    """The text of every visible widget of ours."""
    lines = []
    for cells in app.screen.query(Cells):
        if cells.display and cells.region.area:
            lines += ["".join(chr(c) for c in row if c) for row in cells.grid.codes.tolist()]
    return "\n".join(lines)


async def press(pilot: Pilot[Any], *keys: str) -> None:
    """All keys at once, as they come over a slow line; then what they caused."""
    for key in keys:
        pilot.app.post_message(Key(key, key if len(key) == 1 else None))
    await pilot.pause()


async def until(pilot: Pilot[Any], test: Callable[[], bool], seconds: float = 5.0) -> None:
    deadline = time.monotonic() + seconds
    while not test():
        assert time.monotonic() < deadline, shown(pilot.app)  # type: ignore[arg-type]
        await pilot.pause(0.05)


def sent(fake: FakeRun) -> list[dict[str, Any]]:
    path = fake.run.path / "control.jsonl"
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def answer(fake: FakeRun, ok: bool = True, message: str = "fine") -> None:
    fake.emit(events.Ack(sent(fake)[-1]["id"], ok, message))


@pytest.fixture
def live() -> Iterator[FakeRun]:
    """A run with a worker: somebody holds its lock."""
    fake = FakeRun(LIVE, steps=100).start().step(40, preview=True).beat()
    lock = fake.run.lock()
    lock.acquire()
    yield fake
    lock.release()


@pytest.fixture
def done() -> FakeRun:
    fake = FakeRun(DONE, steps=60).start()
    for _ in range(6):
        fake.step(10, preview=True)
    return fake.finish(outputs=("/tmp/out/wave_00001_.png",))


@pytest.fixture
def failed() -> FakeRun:
    fake = FakeRun(FAILED, steps=60, weight=1e6).start().step(20).change(3.0)
    fake.step(2, broken=True)
    fake.emit(events.NodeFailed("4", "paint (#4): the loss is not finite at step 21"))
    return fake.finish("failed")


# -- Monitor ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [(80, 24), (120, 40), (160, 48), (60, 16)])
async def test_the_monitor_shows_the_whole_run_at_every_size(
    live: FakeRun, size: tuple[int, int]
) -> None:
    app = NstApp("monitor", live.run)
    async with app.run_test(size=size) as pilot:
        await until(pilot, lambda: "RUNNING" in shown(app))
        text = shown(app)
        for part in ("step 40/100", "40%", "10 it/s", "ETA 6 s", "total", "content", "style"):
            assert part in text, text
        assert any(0x2800 < ord(c) < 0x2900 for c in text)
        assert "1e+05" in text and "▀" in text and "cpu" in text


async def test_the_monitor_follows_the_log(live: FakeRun) -> None:
    app = NstApp("monitor", live.run)
    async with app.run_test(size=(120, 40)) as pilot:
        await until(pilot, lambda: "step 40/100" in shown(app))
        live.step(5)
        await until(pilot, lambda: "step 45/100" in shown(app))
        live.emit(events.Paused())
        await until(pilot, lambda: "PAUSED" in shown(app))


async def test_pausing_resuming_and_checkpoints_are_commands_with_answers(live: FakeRun) -> None:
    app = NstApp("monitor", live.run)
    async with app.run_test(size=(120, 40)) as pilot:
        await until(pilot, lambda: "RUNNING" in shown(app))
        await press(pilot, "p")
        assert sent(live)[-1]["command"] == "pause"
        assert "pause: sent" in shown(app)
        answer(live, message="pauses after this step")
        live.emit(events.Paused())
        await until(pilot, lambda: "pause: pauses after this step" in shown(app))
        await press(pilot, "p")
        assert sent(live)[-1]["command"] == "resume"
        for key, command in (
            ("k", "checkpoint"),
            ("P", "preview"),
            ("i", "stop"),
            ("i", "stop_now"),
        ):
            await press(pilot, key)
            assert sent(live)[-1]["command"] == command
        answer(live, ok=False, message="too late")
        await until(pilot, lambda: "refused: too late" in shown(app))


async def test_a_weight_is_checked_sent_and_marked(live: FakeRun) -> None:
    app = NstApp("monitor", live.run)
    async with app.run_test(size=(120, 40)) as pilot:
        await until(pilot, lambda: "RUNNING" in shown(app))
        await press(pilot, "w")
        assert "select a term first" in shown(app)
        await press(pilot, "down", "down", "w")
        await until(pilot, lambda: "weight of style, from the next step on:" in shown(app))
        for wrong, said in (("abc", "not a number"), ("-1", "outside"), ("nan", "finite")):
            await press(pilot, "ctrl+u", *wrong, "enter")
            await until(pilot, lambda said=said: said in shown(app))
            assert not sent(live)
        await press(pilot, "ctrl+u", *"3e5", "enter")
        assert {k: sent(live)[-1][k] for k in ("command", "node", "input", "value")} == {
            "command": "set",
            "node": "3",
            "input": "weight",
            "value": 3e5,
        }
        answer(live, message="in force")
        live.change(3e5).step(3)
        await until(pilot, lambda: "3e+05" in shown(app))
        assert "style.weight 1e+05 → 3e+05 from step 40 on" in shown(app)


async def test_leaving_the_prompt_sends_nothing(live: FakeRun) -> None:
    app = NstApp("monitor", live.run)
    async with app.run_test(size=(120, 40)) as pilot:
        await until(pilot, lambda: "RUNNING" in shown(app))
        await press(pilot, "down", "w", "5", "escape")
        assert not app.screen.prompt.is_open and not sent(live)  # type: ignore[attr-defined]
        await press(pilot, "y")
        assert "lin y" in shown(app)


async def test_commands_to_a_run_without_a_worker_are_refused(done: FakeRun) -> None:
    app = NstApp("monitor", done.run)
    async with app.run_test(size=(120, 40)) as pilot:
        await until(pilot, lambda: "DONE" in shown(app))
        await press(pilot, "p")
        assert "cannot pause: the run is done" in shown(app)
        await press(pilot, "down", "w")
        assert "its weights cannot change any more" in shown(app)
        assert not sent(done)


async def test_a_crashed_run_shows_the_last_words_of_its_worker() -> None:
    fake = FakeRun(LIVE).start().step(10)
    files.write(fake.run.worker_log, b"Killed: out of memory\n")
    app = NstApp("monitor", fake.run)
    async with app.run_test(size=(120, 40)) as pilot:
        await until(pilot, lambda: "CRASHED" in shown(app))
        assert "Killed: out of memory" in shown(app)


async def test_going_on_starts_a_worker_on_the_same_run(monkeypatch: pytest.MonkeyPatch) -> None:
    fake = FakeRun(LIVE).start().step(10)
    started: list[str] = []
    monkeypatch.setattr(runs, "start_worker", lambda run: started.append(run.id))
    app = NstApp("monitor", fake.run)
    async with app.run_test(size=(100, 30)) as pilot:
        await until(pilot, lambda: "CRASHED" in shown(app))
        await press(pilot, "r")
        assert started == [LIVE]


async def test_the_cursor_reads_the_values_of_every_term(done: FakeRun) -> None:
    app = NstApp("monitor", done.run)
    async with app.run_test(size=(120, 40)) as pilot:
        await until(pilot, lambda: "step 60/60" in shown(app))
        screen: Any = app.screen
        await press(pilot, "left")
        assert screen.curves.plot.view.cursor == 60
        await press(pilot, *["left"] * 10)
        at = screen.curves.plot.view.cursor
        assert 40 < at < 60 and f"@{at:g}" in shown(app)
        row = screen.query_one("#terms").rows[1]
        track = screen.optimisation.track
        assert row.value == track.last("content")[int(at) - 1]
        await press(pilot, "Y")
        assert app.clipboard.startswith(f"step {at:g}  total ")
        await press(pilot, "escape")
        assert screen.curves.plot.view.cursor is None


async def test_curves_can_be_zoomed_hidden_smoothed_and_drawn_against_time(done: FakeRun) -> None:
    app = NstApp("monitor", done.run)
    async with app.run_test(size=(120, 40)) as pilot:
        await until(pilot, lambda: "step 60/60" in shown(app))
        screen: Any = app.screen
        plot = screen.curves.plot
        await press(pilot, "plus")
        assert plot.view.window == (15.0, 45.0)
        await press(pilot, "right_square_bracket")
        assert plot.view.window == (22.5, 52.5)
        await press(pilot, "0")
        assert plot.x_range() == (0.0, 60.0)
        await press(pilot, "down", "space")
        assert [line.name for line in plot.lines] == ["total", "style"]
        await press(pilot, "a")
        assert [line.name for line in plot.lines] == ["content"]
        await press(pilot, "a")
        assert len(plot.lines) == 3
        await press(pilot, "f")
        assert "smooth 0.6" in shown(app)
        await press(pilot, "x")
        assert "x time" in shown(app)
        await press(pilot, "l")
        assert "following" in shown(app)


async def test_previews_can_be_leafed_through(done: FakeRun) -> None:
    app = NstApp("monitor", done.run)
    async with app.run_test(size=(120, 40)) as pilot:
        await until(pilot, lambda: "step 60 " in shown(app))
        screen: Any = app.screen
        await press(pilot, "comma")
        assert screen.picture.title == "step 50" and "5 of 6" in shown(app)
        files.remove(done.run.path / "previews/4/000040.jpg")
        await press(pilot, "comma")
        assert screen.picture.title == "step 30"
        await press(pilot, "full_stop", "full_stop", "full_stop")
        assert screen.picture.title == "step 60" and screen.scrubbed is None
        await press(pilot, "v", "v")
        assert not (screen.picture.grid.codes == ord("▀")).any()
        await press(pilot, "v")
        assert "picture off" in shown(app)


async def test_a_value_that_is_not_finite_is_seen_in_curve_and_table(failed: FakeRun) -> None:
    app = NstApp("monitor", failed.run)
    async with app.run_test(size=(120, 40)) as pilot:
        await until(pilot, lambda: "FAILED" in shown(app))
        assert "×" in shown(app) and "nan" in shown(app)
        assert "the loss is not finite at step 21" in shown(app)


async def test_without_any_run_every_screen_says_what_to_do() -> None:
    app = NstApp("monitor")
    async with app.run_test(size=(80, 24)) as pilot:
        await until(pilot, lambda: "no run yet" in shown(app))
        await press(pilot, *"apiwkcYOLescape"[:6], "comma", "left", "plus", "minus")
        await press(pilot, "4")
        await until(pilot, lambda: "no runs marked" in shown(app))
        await press(pilot, "t", "i", "E", "left", "comma", "d", "Y")
        await press(pilot, "1")
        await until(pilot, lambda: "no runs yet" in shown(app))
        await press(pilot, "enter", "o", "d", "x", "c")


async def test_terminals_that_are_too_small_get_text_and_recover(live: FakeRun) -> None:
    app = NstApp("monitor", live.run)
    async with app.run_test(size=(120, 40)) as pilot:
        await until(pilot, lambda: "RUNNING" in shown(app))
        for size in ((52, 14), (59, 30), (120, 15), (10, 3), (1, 1)):
            await pilot.resize_terminal(*size)
            await pilot.pause()
            text = shown(app)
            assert "▀" not in text
            if size[0] > 40:
                assert "step 40/100" in text and f"terminal {size[0]}×{size[1]}" in text
        await pilot.resize_terminal(80, 24)
        await until(pilot, lambda: "│" in shown(app))


async def test_a_storm_of_resizes_is_survived(live: FakeRun) -> None:
    app = NstApp("monitor", live.run)
    async with app.run_test(size=(120, 40)) as pilot:
        for width in range(30, 200, 20):
            await pilot.resize_terminal(width, 5 + width // 4)
        await pilot.resize_terminal(120, 40)
        await until(pilot, lambda: "step 40/100" in shown(app) and "resources" in shown(app))


async def test_the_log_can_be_searched_and_goes_on(live: FakeRun) -> None:
    app = NstApp("monitor", live.run)
    async with app.run_test(size=(100, 30)) as pilot:
        await until(pilot, lambda: "RUNNING" in shown(app))
        await press(pilot, "L")
        await until(pilot, lambda: "run started" in shown(app))
        live.emit(events.Note("a word of warning"))
        await until(pilot, lambda: "a word of warning" in shown(app))
        await press(pilot, *"warning")
        await until(pilot, lambda: "run started" not in shown(app))
        assert "a word of warning" in shown(app)
        await press(pilot, "escape")
        await until(pilot, lambda: "RUNNING" in shown(app))


async def test_the_palette_knows_every_command_by_name(live: FakeRun) -> None:
    app = NstApp("monitor", live.run)
    async with app.run_test(size=(100, 30)) as pilot:
        await until(pilot, lambda: "RUNNING" in shown(app))
        await press(pilot, "colon")
        await pilot.pause(0.3)
        await pilot.press(*"save a checkpoint")
        await pilot.pause(0.5)
        await pilot.press("enter")
        await until(pilot, lambda: bool(sent(live)))
        assert sent(live)[-1]["command"] == "checkpoint"


async def test_the_cursor_on_a_mark_says_what_happened(live: FakeRun) -> None:
    live.change(2e5).step(30)
    app = NstApp("monitor", live.run)
    async with app.run_test(size=(120, 40)) as pilot:
        await until(pilot, lambda: "step 70/100" in shown(app))
        screen: Any = app.screen
        for _ in range(40):
            await press(pilot, "left")
            if screen.curves.plot.view.cursor <= 40:
                break
        assert "style.weight 1e+05" in shown(app).splitlines()[2]


async def test_another_run_brings_its_own_curves(live: FakeRun) -> None:
    bare = FakeRun("20261123-100009-bare-0009").start()
    app = NstApp("monitor", live.run)
    async with app.run_test(size=(120, 40)) as pilot:
        await until(pilot, lambda: "step 40/100" in shown(app))
        app.watch_run(bare.run)
        await until(pilot, lambda: "CRASHED" in shown(app))
        text = shown(app)
        assert "nodes 3/4" in text and "step 40" not in text and "no picture yet" in text
        assert not any(0x2800 < ord(c) < 0x2900 for c in text)


async def test_keys_typed_ahead_reach_the_prompt_that_the_first_one_opens(live: FakeRun) -> None:
    app = NstApp("monitor", live.run)
    async with app.run_test(size=(120, 40)) as pilot:
        await until(pilot, lambda: "RUNNING" in shown(app))
        keys = ["down", "down", "w", *["backspace"] * 6, "2", "e", "5", "enter", "p"]
        await press(pilot, *keys)
        await until(pilot, lambda: len(sent(live)) == 2)
        assert sent(live)[0]["value"] == 2e5 and sent(live)[1]["command"] == "pause"


# -- Runs ------------------------------------------------------------------------------------------


async def test_states_are_told_by_glyph_and_word(
    done: FakeRun, failed: FakeRun, live: FakeRun
) -> None:
    FakeRun("20261123-090000-gone-0009").start().step(3)
    app = NstApp("runs")
    async with app.run_test(size=(120, 40)) as pilot:
        await until(pilot, lambda: "4 runs, 1 running" in shown(app))
        text = shown(app)
        for name, glyph, word in (
            ("wave", "✓", "done"),
            ("scream", "✗", "failed"),
            ("live", "●", "running"),
            ("gone", "!", "crashed"),
        ):
            line = next(line for line in text.splitlines() if name in line and word in line)
            assert line.index(glyph) < line.index(name) < line.index(word)


async def test_a_filter_narrows_the_list_while_it_is_typed(done: FakeRun, failed: FakeRun) -> None:
    app = NstApp("runs")
    async with app.run_test(size=(100, 30)) as pilot:
        await until(pilot, lambda: "2 runs" in shown(app))
        table: Any = app.screen.table  # type: ignore[attr-defined]
        await press(pilot, "slash", *"state:failed")
        await until(pilot, lambda: [e.name for e in table.entries] == ["scream"])
        await press(pilot, *" lss<3")
        await until(pilot, lambda: "no field 'lss'" in shown(app))
        await press(pilot, "enter")
        assert app.screen.prompt.is_open  # type: ignore[attr-defined]
        await press(pilot, "escape")
        await until(pilot, lambda: len(table.entries) == 2)
        await press(pilot, "slash", *"zzz", "enter")
        await until(pilot, lambda: "no run fits 'zzz'" in shown(app))
        await press(pilot, "escape")
        await until(pilot, lambda: len(table.entries) == 2)


async def test_the_list_is_sorted_by_any_column_both_ways(done: FakeRun, failed: FakeRun) -> None:
    FakeRun("20261123-090000-zebra-0009", steps=500).start().step(100).finish("stopped")
    app = NstApp("runs")
    async with app.run_test(size=(120, 30)) as pilot:
        await until(pilot, lambda: "3 runs" in shown(app))
        table: Any = app.screen.table  # type: ignore[attr-defined]
        orders = {}
        for _ in COLUMNS:
            orders[COLUMNS[table.sorted_by].title] = [e.name for e in table.entries]
            await press(pilot, "s")
        assert orders["CREATED"] == ["scream", "wave", "zebra"]
        assert orders["NAME"] == ["scream", "wave", "zebra"]
        assert orders["STEP"] == ["wave", "scream", "zebra"]
        assert orders["TIME"] == ["zebra", "wave", "scream"]
        assert orders["LOSS"][-1] == "scream"  # NaN is no loss to be proud of
        await press(pilot, "s", "S")
        assert [e.name for e in table.entries] == ["zebra", "wave", "scream"]


async def test_stopping_asks_first(live: FakeRun) -> None:
    app = NstApp("runs")
    async with app.run_test(size=(100, 30)) as pilot:
        await until(pilot, lambda: "1 running" in shown(app))
        await press(pilot, "x")
        await pilot.pause()
        assert isinstance(app.screen, ConfirmScreen) and "Stop live?" in shown(app)
        await press(pilot, "n")
        assert not sent(live)
        await press(pilot, "x")
        await press(pilot, "y")
        await until(pilot, lambda: bool(sent(live)))
        assert sent(live)[-1]["command"] == "stop"


async def test_an_ended_run_goes_to_the_trash_and_comes_back(done: FakeRun, live: FakeRun) -> None:
    app = NstApp("runs")
    async with app.run_test(size=(100, 30)) as pilot:
        await until(pilot, lambda: "2 runs" in shown(app))
        await press(pilot, "delete")
        assert "has not ended" in shown(app) and live.run.path.exists()
        await press(pilot, "down", "delete")
        await until(pilot, lambda: "1 runs" in shown(app))
        assert not done.run.path.exists()
        await press(pilot, "u")
        await until(pilot, lambda: "2 runs" in shown(app))
        assert done.run.log.exists()


async def test_a_run_is_made_from_a_graph_with_overrides(
    done: FakeRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    launched: list[tuple[Any, ...]] = []

    def launch(graph: str, overrides: list[str], options: Any) -> runs.RunFolder:
        launched.append((graph, tuple(overrides), options))
        if graph == "nonsense":
            raise UserError("no graph named 'nonsense'")
        return done.run

    monkeypatch.setattr(runs, "launch", launch)
    app = NstApp("runs")
    async with app.run_test(size=(100, 30)) as pilot:
        await until(pilot, lambda: "1 runs" in shown(app))
        await press(pilot, "a", *"nonsense", "enter")
        await until(pilot, lambda: "no graph named 'nonsense'" in shown(app))
        await press(pilot, "a", *"quickstart style.weight=3", "enter")
        await until(pilot, lambda: f"{DONE}: starts now" in shown(app))
        assert launched[-1] == ("quickstart", ("style.weight=3",), None)
        await press(pilot, "d", *"weight", "enter")
        await until(pilot, lambda: "'weight' is not NODE.INPUT=VALUE" in shown(app))
        await press(pilot, "ctrl+u", *"style.weight=5", "enter")
        await until(pilot, lambda: len(launched) == 3)
        assert launched[-1] == (str(done.run.graph), ("style.weight=5",), runs.Options(name="fake"))


async def test_waiting_runs_are_moved_in_the_queue_and_taken_out(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(queue, "ensure_runner", lambda: None)
    waiting = []
    for index, name in enumerate(("one", "two", "three")):
        run = runs.RunFolder(runs.runs_folder() / f"20261123-10000{index}-{name}-000{index}")
        files.write(run.graph, b"{}")
        queue.enqueue(run)
        waiting.append(run)
    one, two, three = waiting
    app = NstApp("runs")
    async with app.run_test(size=(100, 30)) as pilot:
        await until(pilot, lambda: "3 runs" in shown(app))
        line = next(line for line in shown(app).splitlines() if "three" in line)
        assert "queued" in line and "#3" in line
        await press(pilot, "K")
        await until(pilot, lambda: queue.waiting() == [one, three, two])
        await until(pilot, lambda: app.screen.current.place == 2)  # type: ignore[attr-defined]
        await press(pilot, "J")
        await until(pilot, lambda: queue.waiting() == [one, two, three])
        await press(pilot, "x")
        await until(pilot, lambda: queue.waiting() == [one, two])
        await until(pilot, lambda: "stopped" in shown(app))


async def test_enter_opens_the_monitor_and_escape_comes_back(
    done: FakeRun, failed: FakeRun
) -> None:
    app = NstApp("runs")
    async with app.run_test(size=(100, 30)) as pilot:
        await until(pilot, lambda: "2 runs" in shown(app))
        await press(pilot, "down", "enter")
        await until(pilot, lambda: "[3]Monitor" in shown(app) and "DONE" in shown(app))
        await press(pilot, "escape")
        await until(pilot, lambda: "[1]Runs" in shown(app))


@pytest.mark.parametrize("key", ["q", "D"])
async def test_leaving_never_harms_the_run(live: FakeRun, key: str) -> None:
    app = NstApp("monitor", live.run)
    async with app.run_test(size=(100, 30)) as pilot:
        await until(pilot, lambda: "RUNNING" in shown(app))
        await press(pilot, key)
        await pilot.pause()
    assert app.return_code == 0 and not sent(live) and live.run.alive()


async def test_control_c_asks_once_more(live: FakeRun) -> None:
    app = NstApp("monitor", live.run)
    async with app.run_test(size=(100, 30)) as pilot:
        await until(pilot, lambda: "RUNNING" in shown(app))
        await press(pilot, "ctrl+c")
        assert "ctrl+c again leaves; runs go on" in shown(app) and app.is_running
        await press(pilot, "ctrl+c")
        await pilot.pause()
    assert app.return_code == 0 and not sent(live)


# -- Compare ---------------------------------------------------------------------------------------


async def test_marked_runs_are_laid_over_each_other(done: FakeRun, failed: FakeRun) -> None:
    app = NstApp("runs")
    async with app.run_test(size=(120, 40)) as pilot:
        await until(pilot, lambda: "2 runs" in shown(app))
        await press(pilot, "space", "space", "c")
        await until(pilot, lambda: "2 runs · term total" in shown(app))
        text = shown(app)
        assert "a scream" in text and "b wave" in text
        assert "1e+06 → 3" in text  # changed while it ran
        assert "style #3.weight" in text and "1e+06" in text and "100000" in text
        assert "paint #4.steps" not in text  # both 60
        screen: Any = app.screen
        assert [line.label for line in screen.curves.plot.lines] == ["scream", "wave"]
        await press(pilot, "d")
        assert "paint #4.steps" in shown(app)
        await press(pilot, "t")
        assert screen.term == "content"
        await press(pilot, "vertical_line")
        assert screen.curves.plot.values_at(1.0) == [1.0, 1.0]
        await press(pilot, "i")
        assert [p.id for p in screen.query("Picture") if p.display] == ["picture-a"]
        await press(pilot, "i")
        assert [p.id for p in screen.query("Picture") if p.display] == ["picture-b"]
        await press(pilot, "escape", "left")
        await until(pilot, lambda: "content at step" in shown(app))


async def test_at_most_six_runs_are_compared() -> None:
    for index in range(8):
        FakeRun(f"20261123-10000{index}-many-{index:04x}").start().step(3).finish()
    app = NstApp("runs")
    async with app.run_test(size=(100, 30)) as pilot:
        await until(pilot, lambda: "8 runs" in shown(app))
        await press(pilot, *["space"] * 7)
        assert "at most 6 runs" in shown(app) and len(app.marked) == 6


async def test_exported_curves_are_the_logged_ones(
    done: FakeRun, failed: FakeRun, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    app = NstApp("compare", done.run)
    app.marked = [done.run.id, failed.run.id]
    async with app.run_test(size=(120, 40)) as pilot:
        await until(pilot, lambda: "2 runs" in shown(app))
        await press(pilot, "E", "E")
        await until(pilot, lambda: "nst-compare-2.csv" in shown(app))
    with (tmp_path / "nst-compare-1.csv").open() as file:
        rows = list(csv.DictReader(file))
    logged = [
        event.losses["style"]
        for event in events.LogReader(done.run.log).read()
        if isinstance(event, events.Step)
    ]
    found = [float(r["value"]) for r in rows if r["run"] == DONE and r["term"] == "style"]
    assert found == pytest.approx(logged, rel=1e-8) and len(found) == 60
    assert sum(row["run"] == FAILED for row in rows) == 3 * 22


# -- long logs -------------------------------------------------------------------------------------


async def test_a_long_log_does_not_hold_up_the_keyboard() -> None:
    fake = FakeRun(LIVE, steps=24_000)
    fake.start().step(1)
    line = fake.run.log.read_text().splitlines()[-1]
    many = (line.replace('"step":1,', f'"step":{step},') for step in range(2, 12_001))
    fake.raw("\n".join(many))
    app = NstApp("monitor", fake.run)
    async with app.run_test(size=(120, 40)) as pilot:
        await until(pilot, lambda: "reading the log" in shown(app))
        gaps, last = [], time.perf_counter()
        while "step 12000/24000" not in shown(app):
            await asyncio.sleep(0)
            now = time.perf_counter()
            gaps.append(now - last)
            last = now
        assert len(gaps) > 20
        assert sorted(gaps)[int(0.95 * len(gaps))] < 0.2
        assert app.screen.optimisation.track.size == 12_000  # type: ignore[attr-defined]
