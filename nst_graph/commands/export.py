"""``nst export``: the losses of a run as a table, or its previews as a film."""

from __future__ import annotations

import argparse
import csv
import io
from pathlib import Path

from nst_graph import events, files, runs
from nst_graph.errors import UserError
from nst_graph.text import clean

FILMS = {"gif": "GIF", "apng": "PNG", "webp": "WEBP"}
FRAME_MS = 80
LAST_FRAME_MS = 2000


def export(arguments: argparse.Namespace) -> int:
    """Write what a run logged in a format that other programs read."""
    run = runs.find(arguments.run)
    seen: list[events.Event] = []
    reader = events.LogReader(run.log)
    while batch := reader.read():
        seen += batch
    if arguments.to == "csv":
        data = _table(run, [event for event in seen if isinstance(event, events.Step)])
        if arguments.out in (None, "-"):
            print(data, end="")
            return 0
        return _write(Path(arguments.out), data.encode())
    film = _film(run, [e for e in seen if isinstance(e, events.Preview)], arguments.to)
    return _write(Path(arguments.out or f"{run.id}.{arguments.to}"), film)


def _table(run: runs.RunFolder, steps: list[events.Step]) -> str:
    """One row a step, one column a term."""
    if not steps:
        raise UserError(f"run {run.id} has no steps yet")
    terms = sorted({name for step in steps for name in step.losses})
    table = io.StringIO()
    writer = csv.writer(table, lineterminator="\n")
    writer.writerow(["node", "step", "scale", "seconds", "evaluations", "total", *terms])
    for step in steps:
        facts = [step.node, step.step, step.scale, step.seconds, step.evaluations, step.total]
        writer.writerow([*facts, *(step.losses.get(term, "") for term in terms)])
    return table.getvalue()


def _film(run: runs.RunFolder, previews: list[events.Preview], kind: str) -> bytes:
    """The previews of the node that was previewed last, enlarged to the size of the last one."""
    from PIL import Image

    node = previews[-1].node if previews else ""
    paths = dict.fromkeys(run.path / event.path for event in previews if event.node == node)
    frames = []
    for path in paths:
        if path.is_file():
            with Image.open(path, formats=("JPEG",)) as image:
                frames.append(image.convert("RGB"))
    if not frames:
        raise UserError(f"run {run.id} has no previews")
    size = frames[-1].size
    frames = [f if f.size == size else f.resize(size, Image.Resampling.LANCZOS) for f in frames]
    durations = [FRAME_MS] * (len(frames) - 1) + [LAST_FRAME_MS]
    buffer = io.BytesIO()
    frames[0].save(
        buffer,
        FILMS[kind],
        save_all=True,
        append_images=frames[1:],
        duration=durations,
        loop=0,
    )
    return buffer.getvalue()


def _write(path: Path, data: bytes) -> int:
    try:
        if not files.write_new(path.absolute(), data):
            raise UserError(f"{path} exists; choose another name with --out")
    except OSError as error:
        raise UserError(f"cannot write {path}: {error.strerror or error}") from error
    print(clean(str(path), one_line=True))
    return 0
