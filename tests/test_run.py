"""Running graphs through the command line, with the engine's own test nodes."""

from __future__ import annotations

import errno
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from nst_graph import runs
from nst_graph.cli import main
from nst_graph.events import Event, LogReader
from nst_graph.files import Appender

from_pack: Any = sys.modules["pack"]
node, save = from_pack.node, from_pack.save

WORKER = """
import sys
sys.path.insert(0, {tests!r})
import pack
from nst_graph import registry
registry.node_classes = lambda: pack.CLASSES
from nst_graph.cli import main
code = main(sys.argv[1:])
print("CALLS", *pack.CALLS, sep="|", file=sys.stderr)
raise SystemExit(code)
"""


@pytest.fixture
def calls(
    engine_pack: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[[], list[str]]:
    """Run in a folder of its own; the fixture gives the nodes that ran since last asked."""
    monkeypatch.chdir(tmp_path)

    def since() -> list[str]:
        found = list(engine_pack.CALLS)
        engine_pack.CALLS.clear()
        return found

    return since


def command(*arguments: str) -> list[str]:
    script = WORKER.format(tests=str(Path(__file__).parent))
    return [sys.executable, "-c", script, *arguments]


def start(*arguments: str, cwd: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        command(*arguments),
        cwd=cwd,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )


def log_of(run: runs.RunFolder) -> list[Event]:
    return LogReader(run.log).read()


def kinds(run: runs.RunFolder) -> list[str]:
    return [type(event).__name__ for event in log_of(run)]


def value_in(path: str) -> Any:
    return json.loads(Path(path).read_text())["value"]


def climb(folder: Path, steps: int = 5, pause: float = 0.0, prefix: str = "n") -> Path:
    return save(
        folder / "climb.json",
        n1=node("Weight", "slope", weight=1.0),
        n2=node("Weight", "other", weight=2.0),
        n3=node("Climb", "climb", loss_1=("1", 0), loss_2=("2", 0), steps=steps, pause=pause),
        n4=node("Write", a=("3", 0), prefix=prefix),
    )


def wait_for(condition: Callable[[], Any], seconds: float = 30.0) -> Any:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if found := condition():
            return found
        time.sleep(0.02)
    raise AssertionError("nothing happened in time")


def steps_logged() -> int:
    found = runs.list_runs()
    return kinds(found[0]).count("Step") if found else 0


# -- running and reusing ---


def test_a_graph_runs_and_prints_the_paths_it_wrote(
    calls: Callable[[], list[str]], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["run", str(climb(tmp_path))]) == 0
    (path,) = capsys.readouterr().out.split()
    assert Path(path) == tmp_path / "output" / "n_00001_.txt"
    assert value_in(path) == pytest.approx(3 * (1 + 1 / 2 + 1 / 3 + 1 / 4 + 1 / 5))
    assert calls() == ["Weight", "Weight", "Climb", "Write"]
    assert kinds(runs.find("last"))[0] == "RunStarted"
    assert kinds(runs.find("last"))[-1] == "RunFinished"


def test_the_same_graph_again_runs_nothing_and_prints_the_same_path(
    calls: Callable[[], list[str]], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    graph = str(climb(tmp_path))
    assert main(["run", graph]) == 0
    first = capsys.readouterr().out
    calls()
    assert main(["run", graph]) == 0
    assert calls() == []
    assert capsys.readouterr().out == first


def test_only_the_save_runs_when_only_its_prefix_changed(
    calls: Callable[[], list[str]], tmp_path: Path
) -> None:
    main(["run", str(climb(tmp_path))])
    calls()
    main(["run", str(climb(tmp_path)), "--set", "4.prefix=late"])
    assert calls() == ["Write"]
    assert (tmp_path / "output" / "late_00001_.txt").exists()


def test_a_deleted_or_changed_output_is_written_again_under_a_new_name(
    calls: Callable[[], list[str]], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    graph = str(climb(tmp_path))
    main(["run", graph])
    (tmp_path / "output" / "n_00001_.txt").write_text("mine now")
    capsys.readouterr()
    calls()
    main(["run", graph])
    assert calls() == ["Write"]
    assert capsys.readouterr().out.strip().endswith("n_00002_.txt")
    assert (tmp_path / "output" / "n_00001_.txt").read_text() == "mine now"


def test_a_changed_weight_reuses_everything_upstream_of_it(
    calls: Callable[[], list[str]], tmp_path: Path
) -> None:
    main(["run", str(climb(tmp_path))])
    calls()
    main(["run", str(climb(tmp_path)), "--set", "slope.weight=3"])
    assert calls() == ["Weight", "Climb", "Write"]


def test_new_content_under_the_same_file_name_is_noticed(
    calls: Callable[[], list[str]], tmp_path: Path
) -> None:
    graph = str(
        save(
            tmp_path / "g.json", n1=node("FileNumber", image="a.txt"), n2=node("Write", a=("1", 0))
        )
    )
    (tmp_path / "a.txt").write_text("4")
    main(["run", graph])
    (tmp_path / "a.txt").write_text("5")
    calls()
    main(["run", graph])
    assert calls() == ["FileNumber", "Write"]
    assert value_in(str(tmp_path / "output" / "n_00002_.txt")) == 5


def test_a_truncated_store_entry_is_computed_again(
    calls: Callable[[], list[str]], tmp_path: Path
) -> None:
    graph = str(climb(tmp_path))
    main(["run", graph])
    for path in (Path(os.environ["NST_HOME"]) / "store" / "results").glob("*/*"):
        path.write_bytes(path.read_bytes()[:40])
    calls()
    assert main(["run", graph]) == 0
    assert calls() == ["Weight", "Weight", "Climb", "Write"]


def test_force_computes_everything_again(calls: Callable[[], list[str]], tmp_path: Path) -> None:
    graph = str(climb(tmp_path))
    main(["run", graph])
    calls()
    main(["run", graph, "--force"])
    assert calls() == ["Weight", "Weight", "Climb", "Write"]


def test_two_equal_nodes_compute_once(calls: Callable[[], list[str]], tmp_path: Path) -> None:
    graph = save(
        tmp_path / "g.json",
        n1=node("Number", value=7),
        n2=node("Number", value=7),
        n3=node("Add", a=("1", 0), b=("2", 0)),
        n4=node("Write", a=("3", 0)),
    )
    main(["run", str(graph)])
    assert calls().count("Number 7") == 1


def test_list_outputs_are_mapped_and_gathered(
    calls: Callable[[], list[str]], tmp_path: Path
) -> None:
    graph = save(
        tmp_path / "g.json",
        n1=node("Number", value=4),
        n2=node("Split", a=("1", 0)),
        n3=node("Add", a=("2", 0), b=("1", 0)),
        n4=node("Gather", a=("3", 0)),
        n5=node("Write", a=("4", 0)),
    )
    assert main(["run", str(graph)]) == 0
    assert value_in(str(tmp_path / "output" / "n_00001_.txt")) == (0 + 1 + 2 + 3) + 4 * 4


# -- failing ---


@pytest.mark.parametrize(
    ("how", "said"),
    [
        ("user", "trouble (#2): this never works; use another node"),
        ("bug", "trouble (#2): ZeroDivisionError: a bug"),
        ("memory", "trouble (#2): out of memory"),
        ("short", "returned tuple instead of a tuple of 1 outputs"),
    ],
)
def test_a_failed_node_skips_only_what_depends_on_it(
    calls: Callable[[], list[str]],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    how: str,
    said: str,
) -> None:
    graph = save(
        tmp_path / "g.json",
        n1=node("Number", value=2),
        n2=node("Fail", "trouble", a=("1", 0), how=how),
        n3=node("Write", "lost", a=("2", 0)),
        n4=node("Write", "kept", a=("1", 0)),
    )
    assert main(["run", str(graph)]) == 1
    streams = capsys.readouterr()
    assert said in streams.err and "Traceback" not in streams.err
    assert "lost: skipped (trouble)" in streams.err
    assert value_in(streams.out.strip()) == 2
    failed = next(e for e in log_of(runs.find()) if type(e).__name__ == "NodeFailed")
    assert bool(vars(failed)["traceback"]) == (how in ("bug", "memory"))
    calls()
    main(["run", str(graph)])
    assert calls() == ["Fail"], "what had finished stayed stored"


def test_an_unwritable_output_folder_is_one_clear_error(
    calls: Callable[[], list[str]], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "taken").write_text("a file, not a folder")
    code = main(["run", str(climb(tmp_path)), "--output-dir", str(tmp_path / "taken")])
    assert code == 1
    assert "cannot write" in (told := capsys.readouterr().err) and "Not a directory" in told


def test_a_store_that_cannot_be_written_costs_only_the_cache(
    calls: Callable[[], list[str]], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (Path(os.environ["NST_HOME"]) / "store").write_text("in the way")
    assert main(["run", str(climb(tmp_path))]) == 0
    streams = capsys.readouterr()
    assert streams.err.count("not kept for next time") == 1
    assert f"cannot write {os.environ['NST_HOME']}/store: Not a directory" in streams.err
    assert Path(streams.out.strip()).exists()


def test_a_home_that_cannot_be_written_costs_only_the_record(
    calls: Callable[[], list[str]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (tmp_path / "home").write_text("in the way")
    monkeypatch.setenv("NST_HOME", str(tmp_path / "home"))
    assert main(["run", str(climb(tmp_path))]) == 0
    streams = capsys.readouterr()
    assert "Not a directory; this run is not recorded" in streams.err
    assert Path(streams.out.strip()).exists()


def test_a_run_that_nobody_could_find_again_is_not_detached(
    calls: Callable[[], list[str]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (tmp_path / "home").write_text("in the way")
    monkeypatch.setenv("NST_HOME", str(tmp_path / "home"))
    assert main(["run", str(climb(tmp_path)), "--detach"]) == 1
    streams = capsys.readouterr()
    assert streams.out == "" and "Not a directory" in streams.err


def test_a_log_that_cannot_be_written_costs_only_the_log(
    calls: Callable[[], list[str]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def full(self: Appender, line: str) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Appender, "__call__", full)
    assert main(["run", str(climb(tmp_path))]) == 0
    streams = capsys.readouterr()
    assert streams.err.count("log cannot be written: No space left") == 1
    assert Path(streams.out.strip()).exists()


# -- stopping and going on ---


def reference(tmp_path: Path, steps: int) -> float:
    value = 0.0
    for step in range(1, steps + 1):
        value += 3.0 / step
    return value


def test_ctrl_c_keeps_the_picture_exits_130_and_the_next_run_goes_on(tmp_path: Path) -> None:
    graph = str(climb(tmp_path, steps=150, pause=0.02))
    process = start("run", graph, cwd=tmp_path)
    wait_for(lambda: steps_logged() >= 3)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=20)
    assert process.returncode == 130, err
    kept = json.loads(Path(out.strip()).read_text())
    stopped_at = kept["nst"]["partial"]["3"]
    assert kept["value"] == pytest.approx(reference(tmp_path, stopped_at))
    again = subprocess.run(
        command("run", graph), cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert f"resumed at {stopped_at}" in again.stderr
    assert value_in(again.stdout.strip()) == reference(tmp_path, 150)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_termination_checkpoints_and_exits_130(tmp_path: Path, number: int) -> None:
    graph = str(climb(tmp_path, steps=150, pause=0.02))
    process = start("run", graph, cwd=tmp_path)
    wait_for(lambda: steps_logged() >= 3)
    process.send_signal(number)
    out, err = process.communicate(timeout=20)
    assert process.returncode == 130 and out == "", err
    run = runs.find("last")
    assert "Checkpoint" in kinds(run)
    again = subprocess.run(
        command("resume", run.id), cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert "resumed at" in again.stderr
    assert value_in(again.stdout.strip()) == reference(tmp_path, 150)


def test_a_killed_run_is_shown_as_crashed_and_resumes_exactly(tmp_path: Path) -> None:
    graph = str(climb(tmp_path, steps=400, pause=0.02))
    process = start("run", graph, cwd=tmp_path)
    wait_for(lambda: runs.list_runs() and "Checkpoint" in kinds(runs.list_runs()[0]))
    process.kill()
    process.communicate()
    run = runs.find("last")
    assert runs.summary(run).state == "crashed"
    again = subprocess.run(
        command("resume", run.id), cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert "resumed at" in again.stderr
    assert value_in(again.stdout.strip()) == reference(tmp_path, 400)
    assert runs.summary(run).state == "done"


# -- control from another process ---


def test_a_weight_changes_while_the_graph_runs_and_forks_the_result(
    calls: Callable[[], list[str]], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    graph = str(climb(tmp_path, steps=120, pause=0.02))
    process = start("run", graph, cwd=tmp_path)
    wait_for(lambda: steps_logged() >= 3)
    assert main(["set", "last", "slope.weight=5"]) == 0
    out, err = process.communicate(timeout=30)
    assert process.returncode == 0, err
    written = json.loads(Path(out.strip()).read_text())
    (change,) = written["nst"]["changes"]
    step = change[0]
    assert change[1:] == ["1", "weight", 5.0]
    (logged,) = (e for e in log_of(runs.find()) if type(e).__name__ == "Changed")
    assert (vars(logged)["old"], vars(logged)["new"]) == (1.0, 5.0)
    expected = 0.0
    for i in range(1, 121):
        expected += (3.0 if i <= step else 7.0) / i
    assert written["value"] == expected
    assert written["prompt"]["1"]["inputs"]["weight"] == 5.0
    capsys.readouterr()
    calls()
    assert main(["run", graph, "--quiet"]) == 0
    assert "Climb" in calls(), "the original graph never meets the forked result"
    assert value_in(capsys.readouterr().out.strip()) == reference(tmp_path, 120)


def test_a_killed_run_with_a_changed_weight_resumes_along_the_same_path(tmp_path: Path) -> None:
    graph = str(climb(tmp_path, steps=400, pause=0.02))
    process = start("run", graph, cwd=tmp_path)
    wait_for(lambda: steps_logged() >= 3)
    assert main(["set", "last", "1.weight=5"]) == 0
    run = runs.find("last")
    seen = kinds(run).count("Checkpoint")
    wait_for(lambda: kinds(run).count("Checkpoint") > seen)
    process.kill()
    process.communicate()
    step = next(vars(e)["step"] for e in log_of(run) if type(e).__name__ == "Changed")
    again = subprocess.run(
        command("resume", run.id), cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert "resumed at" in again.stderr
    expected = 0.0
    for i in range(1, 401):
        expected += (3.0 if i <= step else 7.0) / i
    assert value_in(again.stdout.strip()) == expected


@pytest.mark.parametrize(
    ("assignment", "said"),
    [
        ("slope.weight=11", "outside 0 to 10"),
        ("slope.steps=3", "cannot change"),
        ("3.steps=3", "cannot change"),
        ("slop.weight=3", "no node 'slop'"),
    ],
)
def test_a_wrong_change_is_refused_and_the_run_goes_on(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], assignment: str, said: str
) -> None:
    process = start("run", str(climb(tmp_path, steps=100, pause=0.02)), cwd=tmp_path)
    wait_for(lambda: steps_logged() >= 1)
    assert main(["set", "last", assignment]) == 2
    assert said in capsys.readouterr().err
    process.communicate(timeout=30)
    assert process.returncode == 0


def test_pause_holds_resume_goes_on_and_stop_keeps_the_picture(tmp_path: Path) -> None:
    process = start("run", str(climb(tmp_path, steps=5000, pause=0.01)), cwd=tmp_path)
    wait_for(lambda: steps_logged() >= 2)
    run = runs.find("last")
    assert main(["pause"]) == 0
    wait_for(lambda: runs.summary(run).state == "paused")
    held = steps_logged()
    time.sleep(0.3)
    assert steps_logged() == held
    assert main(["resume"]) == 0
    wait_for(lambda: steps_logged() > held)
    assert main(["stop"]) == 0
    out, _ = process.communicate(timeout=20)
    assert process.returncode == 130
    assert Path(out.strip()).exists()
    assert runs.summary(run).state == "stopped"


def test_controlling_a_run_that_has_ended_says_so(
    calls: Callable[[], list[str]], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    main(["run", str(climb(tmp_path))])
    assert main(["pause"]) == 2
    assert "is not running (done)" in capsys.readouterr().err


# -- looking at runs ---


def test_runs_lists_and_tail_replays_what_happened(
    calls: Callable[[], list[str]], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    main(["run", str(climb(tmp_path))])
    capsys.readouterr()
    assert main(["runs", "--json"]) == 0
    (line,) = capsys.readouterr().out.splitlines()
    assert json.loads(line)["state"] == "done" and json.loads(line)["steps"] == 5
    assert main(["tail", "--json"]) == 0
    told = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert told[0]["event"] == "RunStarted" and told[-1]["event"] == "RunFinished"
    assert main(["watch", "--plain"]) == 0
    assert "done after" in capsys.readouterr().out


def test_json_output_is_the_events_one_a_line(
    calls: Callable[[], list[str]], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    main(["run", str(climb(tmp_path)), "--json"])
    told = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert {line["event"] for line in told} >= {"RunStarted", "Step", "NodeFinished", "RunFinished"}
    step = next(line for line in told if line["event"] == "Step" and line["step"] == 5)
    assert step["losses"] == {"slope": 1.0, "other": 2.0}


# -- branching ---


def test_a_branch_paints_on_from_a_step_with_another_weight(
    calls: Callable[[], list[str]], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["run", str(climb(tmp_path, steps=40))]) == 0
    origin = runs.find("last")
    capsys.readouterr()
    assert main(["branch", origin.id, "--step", "10", "--set", "slope.weight=6"]) == 0
    written = json.loads(Path(capsys.readouterr().out.strip()).read_text())
    expected = 0.0
    for i in range(1, 41):
        expected += (3.0 if i <= 10 else 8.0) / i
    assert written["value"] == expected
    assert written["nst"]["changes"] == [[10, "1", "weight", 6.0]]
    assert written["prompt"]["1"]["inputs"]["weight"] == 6.0
    assert written["nst"]["original"] == {"1.weight": 1.0}
    assert runs.find("last").id != origin.id and runs.summary(origin).state == "done"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--step", "99"], "has only reached step 40"),
        (["--step", "3", "--set", "climb.steps=9"], "cannot change"),
        (["--step", "3", "--set", "slope.weight=many"], "is not a number"),
        (["--step", "3", "--set", "slope"], "is not NODE.INPUT=VALUE"),
    ],
)
def test_a_branch_that_makes_no_sense_is_refused(
    calls: Callable[[], list[str]],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    said: str,
) -> None:
    main(["run", str(climb(tmp_path, steps=40))])
    assert main(["branch", "last", *arguments]) == 2
    assert said in capsys.readouterr().err


def test_diff_names_what_differs(
    calls: Callable[[], list[str]], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    main(["run", str(climb(tmp_path))])
    main(["run", str(climb(tmp_path)), "--set", "slope.weight=2"])
    first, second = (run.id for run in reversed(runs.list_runs()))
    capsys.readouterr()
    assert main(["diff", first, second]) == 1
    assert capsys.readouterr().out == "slope (#1).weight: 1.0 -> 2.0\n"
    assert main(["diff", first, first]) == 0


def test_export_writes_one_row_a_step(
    calls: Callable[[], list[str]], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    main(["run", str(climb(tmp_path, steps=3, pause=0.06))])
    capsys.readouterr()
    assert main(["export", "last"]) == 0
    header, *rows = capsys.readouterr().out.splitlines()
    assert header == "node,step,scale,seconds,evaluations,total,other,slope"
    assert [row.split(",")[1] for row in rows] == ["1", "2", "3"]
