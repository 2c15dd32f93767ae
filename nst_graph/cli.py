"""The command line: parse, call, print. Commands live in :mod:`nst_graph.commands`."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from importlib import import_module
from typing import NoReturn

from nst_graph import __version__, registry
from nst_graph.errors import GraphError, NodeError, UserError
from nst_graph.machine import yield_processors
from nst_graph.text import clean, shorten

DEVICES = ("auto", "cpu", "cuda", "mps")
PRECISIONS = ("auto", "fp32", "bf16", "fp16")


def main(argv: Sequence[str] | None = None) -> int:
    """Exit codes: 0 done, 1 a node or the machine failed, 2 the user's mistake, 130 stopped."""
    _make_streams_safe()
    parser = build_parser()
    arguments = parser.parse_args(argv)
    try:
        code = _call(arguments, parser)
        sys.stdout.flush()
        return code
    except GraphError as error:
        for problem in error.problems:
            print(clean(f"{problem.severity}: {problem}"), file=sys.stderr)
        return 2
    except NodeError as error:
        print(clean(f"error: {error}"), file=sys.stderr)
        return 1
    except UserError as error:
        print(clean(f"error: {error}"), file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:  # the reader of our output has gone: nothing more to say
        _discard_output()
        return 0
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        _discard_output()
        print(clean(f"error: {where}{error.strerror or error}"), file=sys.stderr)
        return 1


def _call(arguments: argparse.Namespace, parser: argparse.ArgumentParser) -> int:
    if arguments.call is None:
        return _no_command(parser)
    yield_processors()
    if getattr(arguments, "offline", False):
        os.environ["NST_OFFLINE"] = "1"
    module, function = arguments.call.split(":")
    command = getattr(import_module(f"nst_graph.commands.{module}"), function)
    try:
        return int(command(arguments))
    finally:
        for fault in registry.pack_faults():
            print(clean(f"warning: {fault}"), file=sys.stderr)


def _make_streams_safe() -> None:
    """Closed streams swallow what is printed, and others take any character, escaped if need be."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115
        elif hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")


def _discard_output() -> None:
    """What is still buffered goes nowhere, so that Python does not fail on it at its exit."""
    with suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _no_command(parser: argparse.ArgumentParser) -> int:
    if sys.stdin.isatty() and sys.stdout.isatty():
        return int(import_module("nst_graph.tui.app").main("runs"))
    parser.print_help()
    return 0


class _Parser(argparse.ArgumentParser):
    """Its messages repeat what was typed, which may be a file's name with anything in it."""

    def error(self, message: str) -> NoReturn:
        super().error(clean(message))


def _count(text: str) -> int:
    """A whole number from 0 on, as an option's value."""
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"{shorten(text)!r} is not a whole number from 0 on")
    return int(text)


def build_parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="nst",
        description="Neural style transfer as a graph of nodes.",
        epilog="Try: nst run quickstart",
    )
    parser.add_argument("--version", action="version", version=f"nst-graph {__version__}")
    parser.set_defaults(call=None)
    commands = parser.add_subparsers(metavar="COMMAND", title="commands")
    _run_commands(commands)
    _sweep_commands(commands)
    _graph_commands(commands)
    _observe_commands(commands)
    _upkeep_commands(commands)
    return parser


_Commands = argparse._SubParsersAction  # argparse has no public name for it


def _add(commands: _Commands, name: str, call: str, help: str) -> argparse.ArgumentParser:  # type: ignore[type-arg]
    parser: argparse.ArgumentParser = commands.add_parser(name, help=help, description=help)
    parser.set_defaults(call=call)
    return parser


def _add_graph_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="NODE.INPUT=VALUE",
        help="give an input another value; NODE is an id or a title; repeatable",
    )
    parser.add_argument(
        "--input-dir",
        action="append",
        default=[],
        metavar="DIR",
        help="look for pictures here first (default: the graph's folder); repeatable",
    )


def _run_commands(commands: _Commands) -> None:  # type: ignore[type-arg]
    run = _add(commands, "run", "run:run", "run graphs and print the paths of the pictures")
    run.add_argument("graphs", nargs="+", metavar="GRAPH", help="a file, or a shipped example")
    _add_graph_options(run)
    run.add_argument("--output-dir", metavar="DIR", help="where pictures go (default: ./output)")
    run.add_argument("--device", choices=DEVICES, default="auto")
    run.add_argument("--threads", type=_count, default=0, metavar="N", help="0: all cores")
    run.add_argument("--precision", choices=PRECISIONS, help="of every Optimize node")
    run.add_argument("--memory", metavar="auto|MB", help="of every Optimize node")
    run.add_argument("--seed", type=int, metavar="N", help="of every node that has one")
    run.add_argument("--offline", action="store_true", help="never download weights")
    run.add_argument("--force", action="store_true", help="compute everything again")
    run.add_argument(
        "--detach",
        action="store_true",
        help="run in the background, after those already queued; print the id",
    )
    run.add_argument(
        "--server", metavar="URL", help="run on a ComfyUI server and fetch the pictures from it"
    )
    run.add_argument("--json", action="store_true", help="print events, one JSON object a line")
    run.add_argument("--quiet", action="store_true", help="show only what went wrong")
    resume = _add(commands, "resume", "run:resume", "go on with a paused, stopped or crashed run")
    resume.add_argument("run", nargs="?", default="last", metavar="RUN")
    resume.add_argument("--json", action="store_true")
    resume.add_argument("--quiet", action="store_true")

    branch = _add(
        commands, "branch", "run:branch", "paint on from a step of a run, with new weights"
    )
    branch.add_argument("run", metavar="RUN")
    branch.add_argument("--step", type=_count, required=True, metavar="N")
    branch.add_argument("--set", action="append", default=[], metavar="NODE.weight=VALUE")
    branch.add_argument("--detach", action="store_true")
    branch.add_argument("--json", action="store_true")
    branch.add_argument("--quiet", action="store_true")


def _sweep_commands(commands: _Commands) -> None:  # type: ignore[type-arg]
    sweep = _add(commands, "sweep", "sweep:sweep", "run a graph with many values; a contact sheet")
    sweep.add_argument("--zip", action="store_true", help="values side by side, not the product")
    sweep.add_argument("--sample", type=_count, default=0, metavar="N", help="N at random")
    sweep.add_argument("--seed", type=int, default=0, metavar="N", help="of --sample")
    batch = _add(commands, "batch", "sweep:batch", "run a graph for every picture in a folder")
    batch.add_argument("--contents", required=True, metavar="DIR")
    batch.add_argument("--node", metavar="NODE", help="what loads the content (default: found)")
    for parser in (sweep, batch):
        parser.add_argument("graph", metavar="GRAPH")
        _add_graph_options(parser)
        parser.add_argument("--output-dir", metavar="DIR")
        parser.add_argument("--device", choices=DEVICES, default="auto")
        parser.add_argument("--threads", type=_count, default=0, metavar="N", help="for each job")
        parser.add_argument("--jobs", type=_count, default=1, metavar="N", help="at a time")
        parser.add_argument("--sheet", metavar="FILE", help="name of the sheet and the CSV")
        parser.add_argument("--force", action="store_true", help="compute everything again")


def _graph_commands(commands: _Commands) -> None:  # type: ignore[type-arg]
    check = _add(commands, "check", "inspect:check", "say everything that is wrong with a graph")
    check.add_argument("graph", metavar="GRAPH")
    _add_graph_options(check)
    check.add_argument("--json", action="store_true", help="in the shape of a ComfyUI server")
    nodes = _add(commands, "nodes", "inspect:nodes", "the node reference")
    nodes.add_argument("id", nargs="?", metavar="NODE")
    nodes.add_argument("--json", action="store_true", help="in the shape of /object_info")
    convert = _add(commands, "convert", "inspect:convert", "API graph, UI workflow, PNG -> JSON")
    convert.add_argument("source", metavar="IN")
    convert.add_argument("target", metavar="OUT", help="a file, or - for standard output")
    convert.add_argument("--to", choices=("api", "workflow"), help="default: the other format")
    convert.add_argument("--force", action="store_true", help="replace OUT")
    verify = _add(commands, "verify", "compare:verify", "does a picture's recipe give it again?")
    verify.add_argument("picture", metavar="PICTURE")
    verify.add_argument("--input-dir", action="append", default=[], metavar="DIR")
    diff = _add(commands, "diff", "compare:diff", "what differs between two graphs, runs, pictures")
    diff.add_argument("first", metavar="A")
    diff.add_argument("second", metavar="B")
    export = _add(
        commands, "export", "export:export", "a run's losses as CSV, or its previews as a film"
    )
    export.add_argument("run", nargs="?", default="last", metavar="RUN")
    export.add_argument("--to", choices=("csv", "gif", "apng", "webp"), default="csv")
    export.add_argument(
        "--out", metavar="FILE", help="default: standard output, or a film named like the run"
    )
    edit = _add(commands, "edit", "screens:edit", "edit a graph in the terminal")
    edit.add_argument("graph", nargs="?", metavar="GRAPH")


def _observe_commands(commands: _Commands) -> None:  # type: ignore[type-arg]
    listing = _add(commands, "runs", "observe:list_runs", "list runs, newest first")
    listing.add_argument("--json", action="store_true")
    listing.add_argument("--limit", type=_count, default=30, metavar="N")
    listing.add_argument(
        "--prune",
        type=_count,
        nargs="?",
        const=20,
        metavar="KEEP",
        help="remove the folders of ended runs but the newest KEEP (20); pictures stay",
    )
    listing.add_argument(
        "--move", nargs=2, metavar=("RUN", "PLACE"), help="let a queued run start PLACE-th"
    )
    watch = _add(commands, "watch", "observe:watch", "watch a run, from any terminal")
    watch.add_argument("run", nargs="?", default="last", metavar="RUN")
    watch.add_argument("--plain", action="store_true", help="one line every few seconds")
    tail = _add(commands, "tail", "observe:tail", "print the events of a run as JSON lines")
    tail.add_argument("run", nargs="?", default="last", metavar="RUN")
    tail.add_argument("--json", action="store_true", help="(always)")
    tail.add_argument("--no-follow", action="store_true", help="end at the end of the log")
    for name, help in (
        ("pause", "hold a run after its current step"),
        ("stop", "end a run and keep its picture"),
    ):
        parser = _add(commands, name, f"steer:{name}", help)
        parser.add_argument("run", nargs="?", default="last", metavar="RUN")
        if name == "stop":
            parser.add_argument("--now", action="store_true", help="at once, without a picture")
    change = _add(commands, "set", "steer:set_weight", "change a weight of a running run")
    change.add_argument("run", metavar="RUN")
    change.add_argument("assignment", metavar="NODE.INPUT=VALUE")


def _upkeep_commands(commands: _Commands) -> None:  # type: ignore[type-arg]
    encoders = _add(commands, "encoders", "upkeep:encoders", "list, fetch or normalise weights")
    encoders.add_argument(
        "action", nargs="?", choices=("list", "fetch", "normalise"), default="list"
    )
    encoders.add_argument("name", nargs="?", default="vgg19", metavar="NAME")
    encoders.add_argument("--pictures", metavar="FOLDER", help="pictures to normalise over")
    encoders.add_argument("--out", metavar="NAME.safetensors", help="name of the normalised file")
    encoders.add_argument("--offline", action="store_true")
    store = _add(commands, "store", "upkeep:store", "stored results: size, verify, prune")
    store.add_argument("action", nargs="?", choices=("size", "verify", "prune"), default="size")
    store.add_argument("--limit", type=float, metavar="GB", help="prune down to this size")
    comfyui = _add(commands, "comfyui", "comfyui:install", "make the node pack known to a ComfyUI")
    comfyui.add_argument("action", choices=("install",))
    comfyui.add_argument("folder", metavar="DIR", help="the folder of ComfyUI")
    doctor = _add(commands, "doctor", "doctor:doctor", "report versions, device, weights, folders")
    doctor.add_argument("--device", choices=DEVICES, default="auto")
    doctor.add_argument("--json", action="store_true")
