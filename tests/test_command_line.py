"""The command line as a process: streams, encodings, wrong arguments, hostile names."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from nst_graph import events, runs
from nst_graph.cli import main
from nst_graph.files import Appender

from_pack: Any = sys.modules["pack"]
node, save = from_pack.node, from_pack.save
Terminal: Any = sys.modules["terminal"].Terminal

CONTROL = re.compile(rb"[\x00-\x08\x0b-\x1f\x7f]|\xc2[\x80-\x9f]")
HOSTILE = "pic \x1b]0;pwned\x07 имя 図\n\u202e.json"


def nst(*arguments: str, cwd: Path, **kwargs: Any) -> subprocess.CompletedProcess[bytes]:
    command = [sys.executable, "-m", "nst_graph", *arguments]
    env = {**os.environ, **kwargs.pop("env", {})}
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **kwargs}
    return subprocess.run(command, cwd=cwd, env=env, check=False, timeout=60, **pipes)


@pytest.fixture
def hostile(tmp_path: Path) -> Path:
    """A graph with one mistake, and escape sequences in its file name, title and values."""
    path = tmp_path / HOSTILE
    nodes = {
        "1": {
            "class_type": "LoadImage",
            "inputs": {"image": "\x1b[31m no such.png"},
            "_meta": {"title": "\x1b]52;c;AAAA\x07\nfirst"},
        },
        "2": {"class_type": "SaveImage", "inputs": {"images": ["1", 0]}},
    }
    path.write_text(json.dumps(nodes))
    return path


@pytest.mark.parametrize(
    ("arguments", "encoding"),
    [
        (["check"], "utf-8"),
        (["run"], "ascii"),
        (["diff", "quickstart"], "utf-8"),
        (["diff", "quickstart"], "ascii"),
        (["convert", "-"], "latin-1"),
    ],
)
def test_no_escape_sequence_of_a_graph_reaches_the_terminal_in_any_encoding(
    hostile: Path, tmp_path: Path, arguments: list[str], encoding: str
) -> None:
    command, *rest = arguments
    done = nst(command, str(hostile), *rest, cwd=tmp_path, env={"PYTHONIOENCODING": encoding})
    said = done.stdout + done.stderr
    assert said and b"Traceback" not in said
    assert not CONTROL.search(said)


def test_a_title_of_several_lines_stays_on_one(hostile: Path, tmp_path: Path) -> None:
    done = nst("check", str(hostile), cwd=tmp_path)
    assert done.returncode == 2
    assert "first (#1), input image" in done.stderr.decode()


def test_the_check_of_a_hostile_name_prints_no_control_characters(tmp_path: Path) -> None:
    path = tmp_path / HOSTILE
    path.write_text(
        json.dumps(
            {
                "1": {"class_type": "LoadImage", "inputs": {"image": "nst_harbour.jpg"}},
                "2": {"class_type": "SaveImage", "inputs": {"images": ["1", 0]}},
            }
        )
    )
    done = nst("check", str(path), cwd=tmp_path)
    assert done.returncode == 0
    assert b"ready to run" in done.stdout and not CONTROL.search(done.stdout)


def test_wrong_arguments_are_repeated_without_their_escape_sequences(tmp_path: Path) -> None:
    done = nst("runs", "--\x1b[31mred", cwd=tmp_path)
    assert done.returncode == 2
    assert b"red" in done.stderr and not CONTROL.search(done.stderr)


@pytest.mark.parametrize(
    "arguments",
    [["runs", "--limit", "-1"], ["runs", "--prune", "-2"], ["run", "quickstart", "--threads=-1"]],
)
def test_a_negative_count_is_a_usage_error(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 2
    assert "is not a whole number from 0 on" in capsys.readouterr().err


def test_more_threads_than_torch_bears_are_refused(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["run", "quickstart", "--threads", "100000"]) == 2
    assert "100000 threads are too many" in capsys.readouterr().err


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
@pytest.mark.parametrize("arguments", [["nodes"], ["store"]])
def test_output_that_cannot_be_written_is_one_line_and_exit_1(
    arguments: list[str], tmp_path: Path
) -> None:
    with open("/dev/full", "wb") as full:
        done = nst(*arguments, cwd=tmp_path, stdout=full)
    assert done.returncode != 0
    assert b"Traceback" not in done.stderr
    assert b"No space left" in done.stderr


@pytest.mark.parametrize("closed", [">&-", "2>&-", "<&-", ">&- 2>&- <&-"])
def test_closed_streams_are_no_error(closed: str, tmp_path: Path) -> None:
    script = f'"{sys.executable}" -m nst_graph check quickstart {closed}'
    assert subprocess.run(["sh", "-c", script], cwd=tmp_path, check=False).returncode == 0


def test_a_reader_of_the_events_who_leaves_does_not_end_the_run(
    engine_pack: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from nst_graph.events import Event
    from nst_graph.prepare import prepare
    from nst_graph.worker import execute_run

    monkeypatch.chdir(tmp_path)
    graph = save(tmp_path / "g.json", n1=node("Number", value=2), n2=node("Write", a=("1", 0)))
    item = prepare(graph)
    run = runs.create(item.text, "g", item.options)
    seen = []

    def leaves(event: Event) -> None:
        seen.append(event)
        raise BrokenPipeError

    result = execute_run(run, [leaves])
    assert result.status == "done" and len(result.outputs) == 1
    assert len(seen) == 1


def test_every_problem_of_a_graph_has_a_line_of_its_own(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    nodes = {
        "1": {"class_type": "LoadImage", "inputs": {"image": "absent.png"}},
        "2": {"class_type": "SaveImage", "inputs": {"images": ["7", 0]}},
    }
    (tmp_path / "g.json").write_text(json.dumps(nodes))
    told = []
    for command in ("run", "check"):
        assert main([command, str(tmp_path / "g.json")]) == 2
        told.append(capsys.readouterr().err.splitlines())
    assert told[0] == told[1] and len(told[0]) == 2
    assert all(line.startswith("error: ") for line in told[0])


def test_a_file_that_is_not_there_is_not_answered_with_all_the_examples(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["run", "zzzzzzzz.json"]) == 2
    assert capsys.readouterr().err == "error: no graph 'zzzzzzzz.json' - there is no such file\n"


@pytest.mark.skipif(os.name == "nt", reason="needs a pseudo-terminal")
def test_a_plain_watch_writes_plain_lines_on_a_terminal_too(tmp_path: Path) -> None:
    run = runs.create("{}", "g", runs.Options())
    append = Appender(run.log)
    for event in (
        events.RunStarted(run.id, ["1"], {"1": "paint"}, {"1": "Optimize"}, 1),
        events.Step("1", 2, 2, total=0.5, losses={"a": 0.5}),
        events.RunFinished("done", 1.0, ["/x.png"]),
    ):
        append(events.to_json(event))
    append.close()
    command = [sys.executable, "-m", "nst_graph", "watch", run.id, "--plain"]
    with Terminal(command, env={"NST_HOME": os.environ["NST_HOME"]}) as terminal:
        terminal.wait_for("/x.png")
    assert b"paint: step 2/2" in terminal.raw and b"\x1b" not in terminal.raw


@pytest.mark.skipif(os.name == "nt", reason="needs a pseudo-terminal")
@pytest.mark.parametrize("env", [{"TERM": "xterm-256color"}, {"TERM": "dumb"}, {"NO_COLOR": "1"}])
def test_a_run_on_a_terminal_shows_step_loss_pace_and_path(
    env: dict[str, str], tmp_path: Path
) -> None:
    command = [sys.executable, "-m", "nst_graph", "run", "quickstart", "--threads", "1"]
    command += ["--set", "optimize.size=64", "--set", "optimize.steps=12"]
    command += ["--output-dir", str(tmp_path)]
    with Terminal(command, columns=80, env=env) as terminal:
        deadline = time.monotonic() + 120
        while terminal.running and time.monotonic() < deadline:
            time.sleep(0.05)
        terminal.settle(0.3)
        screen = terminal.screen()
    assert str(tmp_path) in screen.replace("\n", "").replace(" ", "")
    said = terminal.raw.decode()
    assert re.search(r"optimize.* 12/12 .*loss [\d.]+ ", screen)
    assert "it/s" in said and "error" not in said
    if env.get("TERM") == "dumb":
        assert "\x1b" not in said
    if "NO_COLOR" in env:
        assert not re.search(r"\x1b\[[\d;]*3\d", said)
