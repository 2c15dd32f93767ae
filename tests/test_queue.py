"""Background runs: they outlive their terminal, wait their turn, and survive a killed runner."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from nst_graph import queue, runs
from nst_graph.cli import main

from_pack: Any = sys.modules["pack"]
node, save = from_pack.node, from_pack.save


@pytest.fixture
def graph(tmp_path: Path) -> Path:
    """A graph of our smallest real nodes."""
    Image.new("RGB", (16, 12), (200, 80, 20)).save(tmp_path / "in.png")
    return Path(
        save(
            tmp_path / "copy.json",
            n1=node("LoadImage", image="in.png"),
            n2=node("SaveImage", images=("1", 0), filename_prefix="copy"),
        )
    )


def wait_for(condition: Callable[[], Any], seconds: float = 60.0) -> Any:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if found := condition():
            return found
        time.sleep(0.05)
    raise AssertionError("nothing happened in time")


def hold_the_queue(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(queue, "ensure_runner", lambda: None)


def enqueue(graph: Path, prefix: str) -> runs.RunFolder:
    return runs.launch(graph, [f"2.filename_prefix={prefix}"])


def test_a_detached_run_prints_its_id_at_once_and_finishes_by_itself(
    graph: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(graph.parent)
    done = subprocess.run(
        [sys.executable, "-m", "nst_graph", "run", str(graph), "--detach"],
        capture_output=True,
        text=True,
        check=True,
    )
    run = runs.find(done.stdout.strip())
    assert wait_for(lambda: runs.summary(run).state in ("done", "failed"))
    told = runs.summary(run)
    assert told.state == "done"
    assert [Path(p).name for p in told.outputs] == ["copy_00001_.png"]
    wait_for(lambda: not queue.waiting())


def test_a_killed_worker_is_started_again_and_the_next_run_follows(
    graph: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(graph.parent)
    first, second = enqueue(graph, "first"), enqueue(graph, "second")
    wait_for(lambda: first.alive())
    pid = wait_for(lambda: _pid(first))
    os.kill(pid, signal.SIGKILL)
    wait_for(lambda: runs.summary(second).state == "done")
    assert runs.summary(first).state == "done"


def _pid(run: runs.RunFolder) -> int:
    """The worker's process id, from the process list: its log may not have a line yet."""
    import psutil

    for process in psutil.process_iter(["pid", "cmdline"]):
        words = process.info["cmdline"] or []
        if "nst_graph.worker" in words and str(run.path) in words:
            return int(process.info["pid"])
    return 0


def test_queued_runs_keep_their_order_and_can_be_moved_and_cancelled(
    graph: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(graph.parent)
    hold_the_queue(monkeypatch)
    a, b, c = (enqueue(graph, name) for name in "abc")
    assert queue.waiting() == [a, b, c]
    assert [runs.summary(run).state for run in (a, b, c)] == ["queued"] * 3
    assert main(["runs", "--move", c.id, "1"]) == 0
    assert queue.waiting() == [c, a, b]
    assert main(["stop", a.id]) == 0
    assert queue.waiting() == [c, b]
    assert runs.summary(a).state == "stopped"
    assert main(["runs", "--move", a.id, "1"]) == 2
    assert "not waiting" in capsys.readouterr().err
    queue.work_off()
    assert [runs.summary(run).state for run in (b, c)] == ["done", "done"]
    assert runs.summary(a).state == "stopped"
    started = {run: json.loads(run.log.read_text().splitlines()[0])["time"] for run in (b, c)}
    assert started[c] < started[b]


def test_a_restart_of_the_machine_loses_nothing(
    graph: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The queue outlives its runner: whoever looks next starts it again."""
    monkeypatch.chdir(graph.parent)
    with monkeypatch.context() as patch:
        hold_the_queue(patch)
        waiting = enqueue(graph, "later")
    assert runs.summary(waiting).state == "queued"
    assert main(["runs"]) == 0
    wait_for(lambda: runs.summary(waiting).state == "done")


def test_a_damaged_queue_file_is_an_empty_queue(graph: Path) -> None:
    (Path(os.environ["NST_HOME"]) / "queue.json").write_text('["../../etc", 3, {')
    assert queue.waiting() == []


def test_pruning_removes_ended_runs_but_no_pictures(
    graph: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(graph.parent)
    for prefix in "ab":
        assert main(["run", str(graph), "--set", f"2.filename_prefix={prefix}"]) == 0
    assert main(["runs", "--prune", "1"]) == 0
    assert len(runs.list_runs()) == 1
    assert sorted(p.name for p in (graph.parent / "output").iterdir()) == [
        "a_00001_.png",
        "b_00001_.png",
    ]
