"""``nst sweep`` and ``nst batch``: one graph, many values, one contact sheet."""

from __future__ import annotations

import argparse
import csv
import io
import json
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from nst_graph import events, files, host, runs
from nst_graph.commands.run import EXIT, options_from
from nst_graph.errors import UserError
from nst_graph.folders import PICTURES, store_folder
from nst_graph.machine import cores
from nst_graph.prepare import Prepared, prepare
from nst_graph.progress import Display, duration, number
from nst_graph.sheet import contact_sheet, encode_png
from nst_graph.store import Damaged, Store
from nst_graph.sweep import Axis, Cell, cells, parse_axes
from nst_graph.text import clean, shorten
from nst_graph.values import History


@dataclass(frozen=True)
class Finished:
    """One cell that was run: its run folder and what its log says."""

    cell: Cell
    run: runs.RunFolder
    summary: runs.RunSummary
    losses: Mapping[str, float]
    total: float | None


def sweep(arguments: argparse.Namespace) -> int:
    """Run a graph with every combination of the values given."""
    if not arguments.set:
        raise UserError("a sweep needs at least one --set NODE.INPUT=VALUE,VALUE,…")
    base = prepare(arguments.graph, (), options_from(arguments))
    with host.use(host.PlainHost(base.folders)):
        axes = parse_axes(arguments.set, _type_of(base), base.folders.pictures())
    wanted = cells(axes, zipped=arguments.zip, sample=arguments.sample, seed=arguments.seed)
    return _run_cells(arguments, base, wanted, axes, f"{base.name}_sweep")


def batch(arguments: argparse.Namespace) -> int:
    """Run a graph once for each picture in a folder, as the picture that it paints over."""
    folder = Path(arguments.contents)
    if not folder.is_dir():
        raise UserError(f"--contents {shorten(str(folder), 200)} is not a folder")
    names = sorted(p.name for p in folder.iterdir() if p.suffix.lower() in PICTURES)
    if not names:
        raise UserError(f"there is no picture in {shorten(str(folder), 200)}")
    arguments.input_dir.insert(0, str(folder))
    base = prepare(arguments.graph, arguments.set, options_from(arguments))
    node = arguments.node or _content_node(base)
    axis = Axis(node, "image", tuple(names))
    return _run_cells(arguments, base, cells([axis]), [axis], f"{base.name}_batch", arguments.set)


def _run_cells(
    arguments: argparse.Namespace,
    base: Prepared,
    wanted: Sequence[Cell],
    axes: Sequence[Axis],
    stem: str,
    common: Sequence[str] = (),
) -> int:
    jobs = max(1, arguments.jobs)
    options = options_from(arguments)
    if jobs > 1 and not options.threads:
        options = replace(options, threads=max(1, cores() // jobs))
    prepared = []
    for cell in wanted:  # every variant is checked before the first one runs
        item = prepare(arguments.graph, [*common, *cell.assignments], options)
        named = replace(item.options, name=f"{base.name} {cell.label}")
        prepared.append((cell, runs.create(item.text, base.name, named)))
    many = "variant" if len(prepared) == 1 else "variants"
    print(clean(f"{len(prepared)} {many} of {base.name}", one_line=True), file=sys.stderr)
    done = _in_workers(prepared, jobs) if jobs > 1 else _in_process(prepared)
    _report(arguments, base, axes, stem, done)
    codes = [EXIT.get(item.summary.state, 1) for item in done]
    if len(done) < len(prepared):
        return EXIT["stopped"]
    return max(codes, default=0)


def _in_process(prepared: Sequence[tuple[Cell, runs.RunFolder]]) -> list[Finished]:
    """One after the other in this process: the encoder is loaded once."""
    from nst_graph.worker import execute_run

    done = []
    for index, (cell, run) in enumerate(prepared, 1):
        print(clean(f"[{index}/{len(prepared)}] {cell.label}"), file=sys.stderr)
        display = Display()
        try:
            result = execute_run(run, [display])
        except UserError as error:
            print(clean(f"error: {error}"), file=sys.stderr)
            done.append(_finished(cell, run))
            continue
        finally:
            display.close()
        done.append(_finished(cell, run))
        if result.status == "stopped":
            break
    return done


def _in_workers(prepared: Sequence[tuple[Cell, runs.RunFolder]], jobs: int) -> list[Finished]:
    """``jobs`` processes at a time; what they share is computed by the first that needs it."""
    waiting = list(prepared)
    running: list[tuple[Cell, runs.RunFolder, subprocess.Popen[bytes]]] = []
    done: list[Finished] = []
    try:
        while waiting or running:
            while waiting and len(running) < jobs:
                cell, run = waiting.pop(0)
                running.append((cell, run, runs.start_worker(run)))
            for item in [item for item in running if item[2].poll() is not None]:
                running.remove(item)
                finished = _finished(item[0], item[1])
                done.append(finished)
                told = finished.summary
                loss = f" loss {number(finished.total)}" if finished.total is not None else ""
                line = f"[{len(done)}/{len(prepared)}] {item[0].label}: {told.state}{loss}"
                line += f" {duration(told.seconds)}"
                if told.state != "done" and told.message:
                    line += f" ({told.message})"
                print(clean(line, one_line=True), file=sys.stderr)
            time.sleep(0.1)
    except KeyboardInterrupt:
        for _, run, process in running:
            process.terminate()
            process.wait()
            done += [_finished(cell, run) for cell, other, _ in running if other is run]
    order = {run.id: index for index, (_, run) in enumerate(prepared)}
    return sorted(done, key=lambda item: order[item.run.id])


def _finished(cell: Cell, run: runs.RunFolder) -> Finished:
    losses: Mapping[str, float] = {}
    total = None
    reader = events.LogReader(run.log)
    while batch := reader.read():
        for event in batch:
            if isinstance(event, events.Step):
                losses, total = event.losses, event.total
    if not losses:
        losses, total = _stored_losses(run)
    return Finished(cell, run, runs.summary(run), losses, total)


def _stored_losses(run: runs.RunFolder) -> tuple[Mapping[str, float], float | None]:
    """The last losses of a run whose optimisation was stored already, from its history."""
    store = Store(store_folder())
    try:
        tasks = json.loads(files.read_limited(run.path / "plan.json"))
        entries = [store.entry(task["key"]) for task in tasks]
    except (UserError, ValueError, TypeError, KeyError):
        return {}, None
    for entry in filter(None, reversed(entries)):
        with suppress(Damaged):
            for output in store.plain(entry):
                if isinstance(output, History) and output.points:
                    last = output.points[-1]
                    return dict(zip(output.terms, last.losses, strict=False)), last.total
    return {}, None


def _report(
    arguments: argparse.Namespace,
    base: Prepared,
    axes: Sequence[Axis],
    stem: str,
    done: Sequence[Finished],
) -> None:
    from PIL import Image

    table = io.StringIO()
    writer = csv.writer(table, lineterminator="\n")
    terms = sorted({name for item in done for name in item.losses})
    places = [axis.label for axis in axes]
    writer.writerow([*places, "state", "total", *terms, "seconds", "run", "picture"])
    shown = []
    for item in done:
        told = item.summary
        picture = next((p for p in told.outputs if p.lower().endswith(PICTURES)), "")
        values = dict(item.cell.overrides)
        writer.writerow(
            [
                *(values[place] for place in places),
                told.state,
                "" if item.total is None else item.total,
                *(item.losses.get(term, "") for term in terms),
                round(told.seconds, 2),
                item.run.id,
                picture,
            ]
        )
        if picture:
            with Image.open(picture, formats=("PNG", "JPEG", "WEBP", "TIFF")) as image:
                shown.append((image.convert("RGB"), item.cell.label))
    folder = base.folders.output
    if arguments.sheet:
        stem = Path(arguments.sheet).stem
        folder = Path(arguments.sheet).absolute().parent
    columns = len(axes[-1].values) if len(axes) > 1 and len(axes[-1].values) <= 8 else 0
    if shown:
        sheet = encode_png(contact_sheet(shown, columns=columns))
        print(clean(str(files.publish(sheet, _named(folder, stem, ".png")))))
    text = table.getvalue().encode()
    print(clean(str(files.publish(text, _named(folder, stem, ".csv")))))


def _named(folder: Path, stem: str, suffix: str) -> Callable[[int], Path]:
    def name(counter: int) -> Path:
        return folder / f"{stem}{'' if counter == 1 else f'_{counter}'}{suffix}"

    return name


def _type_of(base: Prepared) -> Callable[[str, str], str]:
    nodes: Mapping[str, Mapping[str, Any]] = {
        node: data for node, data in base.checked.graph.nodes(data=True)
    }

    def type_of(name: str, input_name: str) -> str:
        found = [name] if name in nodes else []
        found = found or [n for n, d in nodes.items() if d["title"].lower() == name.lower()]
        declared = nodes[found[0]]["type"].inputs.get(input_name) if found else None
        if declared is None:
            return "STRING"  # the check of the first variant says what is wrong, with hints
        return "PICTURE" if declared.options.get("image_upload") else str(declared.type)

    return type_of


def _content_node(base: Prepared) -> str:
    """The node that loads the picture which Optimize starts from."""
    graph = base.checked.graph
    for _, data in graph.nodes(data=True):
        link = data["links"].get("image")
        if data["type"].id == "Optimize" and link is not None:
            node = link[0]
            while (above := graph.nodes[node]["links"].get("image")) is not None:
                node = above[0]
            if any(
                i.options.get("image_upload") for i in graph.nodes[node]["type"].inputs.values()
            ):
                title = graph.nodes[node]["title"]
                titles = [other["title"] for _, other in graph.nodes(data=True)]
                speaking = title and titles.count(title) == 1 and "=" not in title
                return str(title if speaking else node)
    raise UserError("which node loads the content? say it with --node ID")
