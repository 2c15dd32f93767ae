"""Run folders: one per run, with everything an observer needs, below ``NST_HOME/runs``.

``graph.json`` (the graph that ran, overrides applied) ``environment.json`` (options, versions)
``plan.json events.jsonl control.jsonl worker.lock worker.log outputs/ previews/<node>/``.
"""

from __future__ import annotations

import json
import os
import re
import secrets
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from nst_graph import events, files
from nst_graph.errors import UserError
from nst_graph.folders import runs_folder
from nst_graph.text import shorten


@dataclass(frozen=True)
class Options:
    """How a graph is to be run; recorded with the run so that it can be resumed the same way."""

    inputs: tuple[str, ...] = ()
    output: str = ""
    device: str = "auto"
    threads: int = 0
    memory: str = ""
    force: bool = False
    offline: bool = False
    targets: tuple[str, ...] = ()
    name: str = ""
    server: str = ""
    """Address of a ComfyUI server that is to run it."""
    changes: tuple[tuple[str, str, Any, Any], ...] = ()
    """Overrides applied to the graph file: node, input, old and new value."""
    live: tuple[tuple[int, str, str, float], ...] = ()
    """Weight changes that a branched run begins with: step, node, input, value."""


@dataclass(frozen=True)
class RunFolder:
    """One run on disk. Its state is computed from its log; nothing else is a truth."""

    path: Path

    @property
    def id(self) -> str:
        return self.path.name

    @property
    def name(self) -> str:
        """The graph's name, as it appears in the id."""
        match = re.fullmatch(r"\d{8}-\d{6}-(.*)-[0-9a-f]{4}", self.path.name)
        return match[1] if match else self.path.name

    @property
    def log(self) -> Path:
        return self.path / "events.jsonl"

    @property
    def graph(self) -> Path:
        return self.path / "graph.json"

    @property
    def worker_log(self) -> Path:
        return self.path / "worker.log"

    def lock(self) -> FileLock:
        return FileLock(self.path / "worker.lock")

    def alive(self) -> bool:
        """Whether a worker holds the run's lock."""
        if not (self.path / "worker.lock").exists():
            return False
        lock = self.lock()
        try:
            lock.acquire(timeout=0)
        except (Timeout, OSError):
            return True
        lock.release()
        return False

    def options(self) -> Options:
        """How the run was started. Raises UserError if that cannot be read."""
        try:
            recorded = json.loads(files.read_limited(self.path / "environment.json"))["options"]
            known = {k: v for k, v in recorded.items() if k in Options.__dataclass_fields__}
            for name in ("inputs", "targets"):
                known[name] = tuple(known.get(name, ()))
            for name in ("changes", "live"):
                known[name] = tuple(tuple(change) for change in known.get(name, ()))
            return Options(**known)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise UserError(f"run {self.id} has no readable environment.json") from error


@dataclass(frozen=True)
class RunSummary:
    """A run at a glance. ``state``: queued running paused done failed stopped crashed."""

    state: str
    step: int = 0
    steps: int = 0
    total: float | None = None
    seconds: float = 0.0
    eta: float | None = None
    created: float = 0.0
    name: str = ""
    message: str = ""
    outputs: tuple[str, ...] = field(default=())


def create(graph_json: str, name: str, options: Options, below: Path | None = None) -> RunFolder:
    """A new run folder holding ``graph_json`` and ``options``, or one below ``below``, unlisted."""
    slug = re.sub(r"[^A-Za-z0-9]+", "-", name).strip("-").lower()[:40] or "graph"
    stamp = time.strftime("%Y%m%d-%H%M%S", time.gmtime())
    for _ in range(100):
        path = (below or runs_folder()) / f"{stamp}-{slug}-{secrets.token_hex(2)}"
        if not path.exists():
            break
    folder = RunFolder(path)
    files.make_folder(path)
    files.write(folder.graph, graph_json.encode())
    environment = {"options": asdict(options), "versions": versions()}
    files.write(path / "environment.json", json.dumps(environment, indent=2).encode())
    return folder


def versions() -> dict[str, str]:
    """Versions that decide a result, without importing torch."""
    from importlib.metadata import PackageNotFoundError, version

    from nst_graph import __version__

    found = {"nst-graph": __version__, "python": sys.version.split()[0]}
    for package in ("torch", "pillow", "numpy"):
        with suppress(PackageNotFoundError):
            found[package] = version(package)
    return found


def list_runs() -> list[RunFolder]:
    """Every run, newest first."""
    found = []
    with suppress(OSError), os.scandir(runs_folder()) as entries:
        for entry in entries:
            if not entry.name.startswith("."):
                with suppress(OSError):  # runs of one second are told apart by their files
                    made = os.stat(os.path.join(entry.path, "graph.json")).st_mtime_ns
                    found.append((entry.name[:15], made, entry.name))
    return [RunFolder(runs_folder() / name) for _, _, name in sorted(found, reverse=True)]


def find(text: str = "last") -> RunFolder:
    """The run meant by an id, a unique part of one, a graph's name (its newest run), or ``last``.

    Raises:
        UserError: none or several match.
    """
    found = list_runs()
    if not found:
        raise UserError(f"there are no runs yet in {shorten(str(runs_folder()), 200)}")
    if text == "last":
        return found[0]
    exact = [run for run in found if run.id == text]
    named = [run for run in found if run.name == text]
    part = [run for run in found if text and text in run.id]
    if exact or named:
        return (exact or named)[0]
    if len(part) == 1:
        return part[0]
    if not part:
        newest = ", ".join(run.id for run in found[:3])
        raise UserError(f"no run matches {shorten(text)!r}; the newest are {newest}")
    raise UserError(
        f"{len(part)} runs match {shorten(text)!r}: {', '.join(run.id for run in part[:5])}"
    )


def summary(run: RunFolder) -> RunSummary:
    """The state of ``run``, from its log; cheap when the log has not grown."""
    try:
        status = run.log.stat()
        told = _summarise(run, status.st_size, status.st_mtime_ns)
    except OSError:
        told = RunSummary("queued", created=_created(run), name=run.name)
    if told.state in ("running", "paused", "queued") and not run.alive():
        from nst_graph import queue

        starting = told.state == "queued" and time.time() - told.created < 10
        if run in queue.waiting():
            return replace(told, state="queued", eta=None)
        if not starting:
            return replace(told, state="crashed", eta=None, message=_last_line(run.worker_log))
    return told


@lru_cache(maxsize=4096)
def _summarise(run: RunFolder, size: int, modified: int) -> RunSummary:
    state, message, step, outputs = "queued", "", None, []
    seconds = 0.0
    first: tuple[float, int] | None = None
    reader = events.LogReader(run.log)
    while batch := reader.read():
        for event in batch:
            match event:
                case events.RunStarted():
                    state, message, first = "running", "", None
                case events.Step():
                    step = event
                    first = first or (event.seconds, event.step)
                case events.Paused():
                    state = "paused"
                case events.Resumed():
                    state = "running"
                case events.NodeFailed():
                    message = event.error
                case events.RunFinished():
                    state, seconds, outputs = event.status, event.seconds, event.outputs
                case _:
                    pass
    eta = None
    if step is not None and first is not None and state == "running" and step.step > first[1]:
        pace = (step.seconds - first[0]) / (step.step - first[1])
        eta = pace * (step.steps - step.step)
    return RunSummary(
        state=state,
        step=step.step if step else 0,
        steps=step.steps if step else 0,
        total=step.total if step else None,
        seconds=seconds or (step.seconds if step else 0.0),
        eta=eta,
        created=_created(run),
        name=run.name,
        message=message,
        outputs=tuple(outputs),
    )


def _created(run: RunFolder) -> float:
    import calendar

    try:
        return float(calendar.timegm(time.strptime(run.id[:15], "%Y%m%d-%H%M%S")))
    except ValueError:
        return 0.0


def _last_line(path: Path) -> str:
    try:
        with path.open("rb") as file:
            file.seek(max(0, path.stat().st_size - 4096))
            lines = file.read().decode(errors="replace").strip().splitlines()
    except OSError:
        return ""
    return lines[-1] if lines else ""


def start_worker(run: RunFolder) -> subprocess.Popen[bytes]:
    """Start a worker for ``run`` in a session of its own.

    The worker survives the terminal, the caller and a hang-up, at a lower priority.
    """
    log = os.open(run.worker_log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    try:
        return subprocess.Popen(
            [sys.executable, "-m", "nst_graph.worker", str(run.path)],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            close_fds=True,
            **own_session(),
        )
    finally:
        os.close(log)


def own_session() -> Mapping[str, Any]:
    """Arguments of Popen that detach a process from our terminal and session."""
    if os.name == "nt":
        flags = getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0)
        return {"creationflags": flags | getattr(subprocess, "DETACHED_PROCESS", 0)}
    return {"start_new_session": True}


def launch(
    graph: Path | str, overrides: Sequence[str] = (), options: Options | None = None
) -> RunFolder:
    """Check ``graph``, create a run and queue it for a detached worker; returns at once.

    Raises:
        UserError: the graph cannot run (GraphError carries every problem).
    """
    from nst_graph import queue
    from nst_graph.prepare import prepare

    prepared = prepare(graph, overrides, options or Options())
    run = create(prepared.text, prepared.name, prepared.options)
    queue.enqueue(run)
    return run
