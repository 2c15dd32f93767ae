"""``nst runs``, ``nst tail``, ``nst watch``: looking at runs that any process made."""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict

from nst_graph import events, queue, runs
from nst_graph.errors import UserError
from nst_graph.progress import Display, duration, number
from nst_graph.text import clean

POLL = 0.2
GLYPHS = {
    "queued": "◌",
    "running": "●",
    "paused": "‖",
    "done": "✓",
    "failed": "✗",
    "crashed": "✗",
    "stopped": "■",
}


def list_runs(arguments: argparse.Namespace) -> int:
    """One line for each run, newest first; or move one forward in the queue, or prune."""
    if arguments.prune is not None:
        return _prune(arguments.prune)
    if arguments.move is not None:
        queue.move(runs.find(arguments.move[0]), _position(arguments.move[1]))
    queue.ensure_runner()
    for folder in runs.list_runs()[: arguments.limit]:
        told = runs.summary(folder)
        if arguments.json:
            print(json.dumps({"id": folder.id, **asdict(told)}))
            continue
        step = f"{told.step}/{told.steps}" if told.steps else "-"
        loss = number(told.total) if told.total is not None else "-"
        left = f"ETA {duration(told.eta)}" if told.eta is not None else ""
        line = (
            f"{GLYPHS[told.state]} {folder.id:<32} {told.state:<8} {step:>8} "
            f"{loss:>8} {duration(told.seconds):>7}  {left}"
        )
        print(clean(line.rstrip(), one_line=True))
        if told.message and told.state in ("failed", "crashed"):
            print(clean(f"    {told.message}", one_line=True))
    return 0


def _position(text: str) -> int:
    if not text.isdigit() or int(text) < 1:
        raise UserError(f"{text!r} is not a place in the queue; 1 is the next to start")
    return int(text)


def _prune(keep: int) -> int:
    """Remove the folders of ended runs, all but the newest; pictures are never removed."""
    ended = [
        run
        for run in runs.list_runs()
        if runs.summary(run).state in ("done", "failed", "stopped", "crashed")
    ]
    for run in ended[max(keep, 0) :]:
        shutil.rmtree(run.path)
        print(f"removed {run.id}")
    return 0


def follow(folder: runs.RunFolder, *, wait: bool = True) -> Iterator[events.Event]:
    """The events of a run from its beginning, and those to come until it ends.

    A run whose worker has died ends the iteration; ``wait=False`` ends it at the log's end.
    """
    reader = events.LogReader(folder.log)
    quiet_since = time.monotonic()
    while True:
        batch = reader.read()
        yield from batch
        if batch:
            quiet_since = time.monotonic()
            continue
        ended = time.monotonic() - quiet_since > 2 and not folder.alive()
        if not wait or ended or (not folder.alive() and folder.log.exists()):
            yield from reader.read()
            return
        time.sleep(POLL)


def tail(arguments: argparse.Namespace) -> int:
    """Print a run's events, one JSON object a line."""
    for event in follow(runs.find(arguments.run), wait=not arguments.no_follow):
        print(events.to_json(event), flush=True)
    return 0


def watch(arguments: argparse.Namespace) -> int:
    """Follow a run: in the terminal UI, or with one line every few seconds."""
    folder = runs.find(arguments.run)
    if arguments.plain or not sys.stdout.isatty():
        return _watch_plain(folder)
    from importlib import import_module

    app = import_module("nst_graph.tui.app")
    return int(app.main("monitor", run=folder.id))


def _watch_plain(folder: runs.RunFolder) -> int:
    display = Display(sys.stdout, plain=True)
    last: events.Event | None = None
    try:
        for event in follow(folder):
            display(event)
            last = event
    finally:
        display.close()
    if isinstance(last, events.RunFinished):
        print(f"{last.status} after {duration(last.seconds)}")
        for path in last.outputs:
            print(clean(path, one_line=True))
        return {"done": 0, "failed": 1}.get(last.status, 130)
    raise UserError(f"run {folder.id} has crashed; nst resume {folder.id} goes on with it")
