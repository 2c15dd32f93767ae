"""``nst run`` and ``nst resume``."""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from nst_graph import control, events, queue, runs
from nst_graph.errors import UserError
from nst_graph.folders import home
from nst_graph.live import recorded_changes, settable
from nst_graph.plan import Change
from nst_graph.prepare import Prepared, prepare
from nst_graph.progress import Display
from nst_graph.registry import NodeType
from nst_graph.text import clean, shorten

EXIT = {"done": 0, "failed": 1, "stopped": 130}


def options_from(arguments: argparse.Namespace) -> runs.Options:
    return runs.Options(
        inputs=tuple(str(Path(folder).absolute()) for folder in arguments.input_dir),
        output=str(Path(arguments.output_dir).absolute()) if arguments.output_dir else "",
        device=arguments.device,
        threads=arguments.threads,
        force=arguments.force,
        offline=getattr(arguments, "offline", False),
        server=getattr(arguments, "server", None) or "",
    )


def run(arguments: argparse.Namespace) -> int:
    """Run every graph named, one after the other; the worst exit code wins."""
    options, declared = options_from(arguments), _declared(arguments)
    prepared = [
        prepare(graph, _overrides(graph, arguments, declared), options, declared)
        for graph in arguments.graphs
    ]
    worst = 0
    for item in prepared:
        _warn(item)
        folder = _new_run(item, detach=arguments.detach)
        if arguments.detach:
            queue.enqueue(folder)
            print(folder.id)
            continue
        code = _foreground(folder, json=arguments.json, quiet=arguments.quiet)
        worst = max(worst, code)
        if code == EXIT["stopped"]:
            break
    return worst


def resume(arguments: argparse.Namespace) -> int:
    """Un-pause a running run; go on with one that is not running, in its own folder."""
    folder = runs.find(arguments.run)
    if folder.alive():
        control.send(folder, "resume")
        print(f"run {folder.id} goes on", file=sys.stderr)
        return 0
    return _foreground(folder, json=arguments.json, quiet=arguments.quiet)


def branch(arguments: argparse.Namespace) -> int:
    """Paint on from step N of another run with other weights, as a run of its own."""
    origin = runs.find(arguments.run)
    told = runs.summary(origin)
    if arguments.step > told.step:
        raise UserError(f"run {origin.id} has only reached step {told.step}")
    options = origin.options()
    item = prepare(origin.graph, (), replace(options, changes=()))
    resolve = settable(item.checked.graph)
    wanted = [resolve(*split_assignment(text)) for text in arguments.set]
    live = [change for change in recorded_changes(origin) if change.step <= arguments.step]
    live += [Change(arguments.step, *change) for change in wanted]
    branched = replace(
        item.options,
        name=options.name,
        changes=options.changes,
        force=False,
        live=tuple((c.step, c.node, c.input, c.value) for c in live),
    )
    folder = runs.create(item.text, options.name, branched)
    if arguments.detach:
        queue.enqueue(folder)
        print(folder.id)
        return 0
    return _foreground(folder, json=arguments.json, quiet=arguments.quiet)


def split_assignment(text: str) -> tuple[str, str, float]:
    """``NODE.INPUT=VALUE`` as (node, input, number). Raises UserError."""
    place, equals, value = text.partition("=")
    node, dot, name = place.rpartition(".")
    if not (equals and dot and node and name):
        raise UserError(f"{shorten(text)!r} is not NODE.INPUT=VALUE")
    try:
        return node, name, float(value)
    except ValueError:
        raise UserError(f"{shorten(text)!r}: {shorten(value)!r} is not a number") from None


def _declared(arguments: argparse.Namespace) -> Mapping[str, NodeType] | None:
    """The node classes of the server that is to run the graphs; None for our own."""
    if not arguments.server:
        return None
    from nst_graph.comfy_client import Server
    from nst_graph.server_types import declared_types

    return declared_types(Server(arguments.server).object_info())


def _overrides(
    graph: str, arguments: argparse.Namespace, declared: Mapping[str, NodeType] | None
) -> list[str]:
    """``--set`` and the options that stand for an input of every node that has it."""
    wanted = {"seed": arguments.seed, "precision": arguments.precision, "memory": arguments.memory}
    shorthand = {name: str(value) for name, value in wanted.items() if value is not None}
    overrides = list(arguments.set)
    if shorthand:
        item = prepare(graph, arguments.set, options_from(arguments), declared)
        for node, data in item.checked.graph.nodes(data=True):
            for name, value in shorthand.items():
                if name in data["type"].inputs and name not in data["links"]:
                    overrides.append(f"{node}.{name}={value}")
    return overrides


def _new_run(item: Prepared, *, detach: bool) -> runs.RunFolder:
    try:
        return runs.create(item.text, item.name, item.options)
    except OSError as error:
        if detach:  # nobody could find it again
            raise
        told = f"cannot write {shorten(str(home()), 200)}: {error.strerror or error}"
        print(
            clean(f"note: {told}; this run is not recorded (set NST_HOME to a writable folder)"),
            file=sys.stderr,
        )
        os.environ["NST_HOME"] = tempfile.mkdtemp(prefix="nst-graph-")
        return runs.create(item.text, item.name, item.options)


def _warn(item: Prepared) -> None:
    for note in item.document.notes:
        print(clean(f"note: {note}"), file=sys.stderr)
    for warning in item.checked.warnings:
        print(clean(f"warning: {warning}"), file=sys.stderr)


def _foreground(folder: runs.RunFolder, *, json: bool, quiet: bool) -> int:
    from nst_graph.worker import execute_run

    display = Display(quiet=quiet)
    observers: list[events.Emit] = [display]
    if json:
        observers.append(lambda event: print(events.to_json(event), flush=True))
    try:
        result = execute_run(folder, observers)
    finally:
        display.close()
    if not json:
        for path in result.outputs:
            print(clean(path, one_line=True))
    if result.status == "stopped":
        print(f"stopped; go on with: nst resume {folder.id}", file=sys.stderr)
    return EXIT[result.status]
