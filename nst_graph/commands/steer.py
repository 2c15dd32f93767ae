"""``nst pause``, ``nst stop``, ``nst set``: control of a run from any process."""

from __future__ import annotations

import argparse
import sys
import time

from nst_graph import control, events, queue, runs
from nst_graph.commands.run import split_assignment
from nst_graph.errors import UserError
from nst_graph.text import clean

PATIENCE = 30.0
"""Seconds to wait for a worker to acknowledge; a step on a large picture takes a while."""


def pause(arguments: argparse.Namespace) -> int:
    return _send(arguments.run, "pause")


def stop(arguments: argparse.Namespace) -> int:
    """End a run, or take it out of the queue if it has not started."""
    if queue.cancel(runs.find(arguments.run)):
        print("taken out of the queue", file=sys.stderr)
        return 0
    return _send(arguments.run, "stop_now" if arguments.now else "stop")


def set_weight(arguments: argparse.Namespace) -> int:
    """Change a loss weight of a running optimisation, from its next step on."""
    node, name, value = split_assignment(arguments.assignment)
    return _send(arguments.run, "set", node=node, input=name, value=value)


def _send(run: str, command: str, **details: object) -> int:
    folder = runs.find(run)
    if not folder.alive():
        state = runs.summary(folder).state
        raise UserError(f"run {folder.id} is not running ({state})")
    reader = events.LogReader(folder.log)
    while reader.read():
        pass
    command_id = control.send(folder, command, **details)  # type: ignore[arg-type]
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        for event in reader.read():
            if isinstance(event, events.Ack) and event.command == command_id:
                print(clean(event.message), file=sys.stderr)
                return 0 if event.ok else 2
            if isinstance(event, events.RunFinished):
                print("the run has ended", file=sys.stderr)
                return 0
        time.sleep(0.05)
    raise UserError(f"run {folder.id} did not answer within {PATIENCE:g} s; it may be busy")
