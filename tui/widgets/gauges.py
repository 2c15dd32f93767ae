"""Small displays: progress line, sparklines, resources, nodes, log lines."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence

from nst_graph.progress import duration, number

from ..state import LogLine, RunState
from ..theme import STATES
from .cells import Cells, Grid

_LEVELS = {"info": "dim", "note": "text", "warn": "warn", "bad": "bad", "user": "accent"}
_BARS = "▁▂▃▄▅▆▇█"
_EIGHTHS = " ▏▎▍▌▋▊▉█"


def sparkline(values: Sequence[float], width: int, low: float, high: float) -> str:
    """The last ``width`` values as bars between ``low`` and ``high``; gaps are blanks."""
    span = (high - low) or 1.0
    found = ""
    for value in values[-width:]:
        if not math.isfinite(value):
            found += " "
            continue
        place = int((value - low) / span * (len(_BARS) - 1) + 0.5)
        found += _BARS[max(0, min(place, len(_BARS) - 1))]
    return found


def bar(share: float, width: int) -> tuple[str, str]:
    """The filled part of a bar, in eighths of a cell, and the rest of it."""
    share = min(1.0, max(0.0, share)) if math.isfinite(share) else 0.0
    eighths = round(share * width * 8)
    filled = "█" * (eighths // 8) + (_EIGHTHS[eighths % 8].strip() if eighths % 8 else "")
    return filled, "·" * (width - len(filled))


def size(count: float) -> str:
    """``1.8 GB``."""
    for unit in ("B", "KB", "MB", "GB"):
        if count < 1000:
            return f"{number(count)} {unit}"
        count /= 1000
    return f"{number(count)} TB"


def clock(when: float) -> str:
    """Local time of day; dashes for times that are none."""
    try:
        return time.strftime("%H:%M:%S", time.localtime(when))
    except (OverflowError, ValueError, OSError):
        return "--:--:--"


class Progress(Cells):
    """One line: step, bar, scale, speed, time left; without an optimisation, nodes done."""

    state: RunState | None = None
    shown_state = "queued"
    node: str | None = None
    reading: float | None = None

    def paint(self, grid: Grid) -> None:
        if self.reading is not None:
            grid.write(1, 0, f"reading the log: {self.reading:.0%}", "dim")
            return
        state = self.state
        found = state.optimisations.get(self.node or "") if state else None
        if state is None or found is None:
            self._node_counts(grid, state)
            return
        step, wide = found.step, grid.width >= 100
        x = grid.write(1, 0, f"step {step.step}/{step.steps} ", "title")
        share = step.step / step.steps if step.steps else 0.0
        filled, rest = bar(share, max(10, grid.width // 4))
        x = grid.write(x, 0, filled, "bar")
        x = grid.write(x, 0, rest, "rail")
        parts = [f" {share:>4.0%}"]
        running = self.shown_state == "running"
        rate = found.pace.rate
        parts.append(f"{number(rate)} it/s" if rate else "- it/s")
        if running:
            parts.append(f"ETA {duration(found.eta) if found.eta is not None else '-'}")
        if wide or not running:
            parts.append(duration(state.seconds))
        scale = f"{step.width}×{step.height}"
        parts.append(f"scale {step.scale}/{step.scales} {scale}" if step.scales > 1 else scale)
        if wide and step.evaluations > step.step:
            parts.append(f"{step.evaluations} evaluations")
        grid.write(x, 0, "  ".join(parts), "text")

    def _node_counts(self, grid: Grid, state: RunState | None) -> None:
        if state is None or not state.order:
            text = "waiting for the worker" if self.shown_state == "queued" else "nothing logged"
            grid.write(1, 0, text, "dim")
            return
        ended = sum(n.state in ("done", "cached", "skipped") for n in state.nodes.values())
        busy = next((n.title for n in state.nodes.values() if n.state == "running"), "")
        text = f"nodes {ended}/{len(state.order)}  {duration(state.seconds)}"
        grid.write(1, 0, text + (f"  {busy}" if busy else ""), "text")


class Resources(Cells):
    """What the worker uses, from its heartbeats."""

    state: RunState | None = None

    def paint(self, grid: Grid) -> None:
        grid.write(0, 0, "─" * grid.width, "dim")
        grid.write(1, 0, " resources ", "title")
        beats = list(self.state.heartbeats) if self.state else []
        if not beats:
            grid.write(1, 1, "no figures yet", "dim")
            return
        last, width = beats[-1], max(4, min(24, grid.width - 18))
        top = max(100.0, *(beat.cpu for beat in beats if math.isfinite(beat.cpu)), 0.0)
        rows = [("cpu", [b.cpu for b in beats], top, f"{last.cpu:.0f} %")]
        rss = [float(beat.rss) for beat in beats]
        rows.append(("rss", rss, max(*rss, 1.0), size(last.rss)))
        if last.gpu is not None:
            gpu = [beat.gpu if beat.gpu is not None else math.nan for beat in beats]
            rows.append(("gpu", gpu, 100.0, f"{last.gpu:.0f} %"))
        if last.gpu_memory is not None:
            memory = [float(beat.gpu_memory or 0) for beat in beats]
            rows.append(("mem", memory, max(*memory, 1.0), size(last.gpu_memory)))
        for y, (name, values, high, text) in enumerate(rows, start=1):
            x = grid.write(1, y, f"{name} ", "dim")
            grid.write(x, y, sparkline(values, width, 0.0, high).rjust(width), "bar")
            grid.write(x + width + 1, y, text, "text")


def _took(seconds: float) -> str:
    """Tenths of a second for what was quick."""
    return f"{seconds:.1f} s" if 0 <= seconds < 10 else duration(seconds)


class Nodes(Cells):
    """The nodes of the run, in order, with their states."""

    state: RunState | None = None

    def paint(self, grid: Grid) -> None:
        grid.write(0, 0, "─" * grid.width, "dim")
        grid.write(1, 0, " nodes ", "title")
        state = self.state
        if state is None or not state.order:
            grid.write(1, 1, "none yet", "dim")
            return
        rows = grid.height - 1
        busy = [i for i, node in enumerate(state.order) if state.nodes[node].state == "running"]
        first = max(0, min((busy[0] if busy else 0) - rows // 2, len(state.order) - rows))
        for y, node in enumerate(state.order[first : first + rows], start=1):
            known = state.nodes[node]
            look = STATES.get(known.state, STATES["waiting"])
            x = grid.write(1, y, f"{look.glyph} ", look.role)
            name = known.title or known.kind or node
            right = _took(known.seconds) if known.state == "done" else known.state
            grid.write(x, y, name, "text", max(4, grid.width - x - len(right) - 2))
            grid.right(y, right, look.role if known.state != "waiting" else "dim", 1)


class Log(Cells):
    """The newest lines of the run's story."""

    lines: Sequence[LogLine] = ()

    def paint(self, grid: Grid) -> None:
        grid.write(0, 0, "─" * grid.width, "dim")
        grid.write(1, 0, " log ", "title")
        rows = grid.height - 1
        for y, line in enumerate(list(self.lines)[-rows:] if rows > 0 else [], start=1):
            write_line(grid, y, line)


def write_line(grid: Grid, y: int, line: LogLine) -> None:
    x = grid.write(1, y, clock(line.time) + " ", "dim")
    grid.write(x, y, line.text, _LEVELS[line.level], max(1, grid.width - x))
