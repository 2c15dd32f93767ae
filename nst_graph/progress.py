"""Shows a run on a terminal: one bar for each optimisation, plain sparse lines elsewhere."""

from __future__ import annotations

import os
import sys
import time
from typing import TYPE_CHECKING, Any, TextIO

from nst_graph import events
from nst_graph.text import clean, shorten

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

BAR = 14
PLAIN_SECONDS = 5.0
"""Without a terminal, at most one line in so many seconds for each optimisation."""


def number(value: float) -> str:
    """Three significant digits, as short as they get."""
    return f"{value:.3g}"


def duration(seconds: float) -> str:
    """``42 s``, ``3:07`` or ``1:02:03``."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    minutes, rest = divmod(whole, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"


class Pace:
    """Steps per second and time left, from the steps seen since the scale last changed."""

    def __init__(self) -> None:
        self._first: events.Step | None = None
        self.rate = 0.0
        self.left: float | None = None

    def add(self, step: events.Step) -> None:
        first = self._first
        if first is None or step.scale != first.scale or step.step < first.step:
            self._first = first = step
        passed = step.seconds - first.seconds
        if step.step - first.step >= 3 and passed > 0:
            self.rate = (step.step - first.step) / passed
            self.left = (step.steps - step.step) / self.rate


class Display:
    """An observer of a run's events.

    ``quiet`` shows only what went wrong; ``plain`` writes lines on a terminal as well.
    """

    def __init__(
        self, stream: TextIO | None = None, *, quiet: bool = False, plain: bool = False
    ) -> None:
        self._stream = stream or sys.stderr
        self._quiet = quiet
        self._titles: dict[str, str] = {}
        self._paces: dict[str, Pace] = {}
        self._said: dict[str, float] = {}
        self._tasks: dict[str, TaskID] = {}
        self._progress: Progress | None = None
        plain = plain or os.environ.get("TERM", "") in ("dumb", "unknown")
        if not quiet and not plain and self._stream.isatty():
            self._progress = _bars(self._stream)

    def __call__(self, event: events.Event) -> None:
        match event:
            case events.RunStarted():
                self._titles = event.titles
                self._say(f"run {event.run}")
            case events.Step():
                self._step(event)
            case events.NodeCached() if not self._quiet:
                if event.outputs:
                    self._say(f"{self._title(event.node)}: unchanged since last time")
            case events.Note():
                where = f"{self._title(event.node)}: " if event.node else ""
                self._say(f"note: {where}{event.message}", always=True)
            case events.NodeFailed():
                self._say(f"error: {event.error}", always=True)
                if event.traceback:
                    self._say("this is a fault of the node; the run's log has the traceback", True)
            case events.NodeSkipped():
                because = self._titles.get(event.because, event.because)
                self._say(f"{self._title(event.node)}: skipped ({because})")
            case events.Paused() | events.Resumed():
                self._say("paused" if isinstance(event, events.Paused) else "goes on")
            case events.Changed():
                self._say(
                    f"{self._title(event.node)}.{event.input} = {number(event.new)} "
                    f"from step {event.step} on"
                )
            case events.RunFinished():
                self.close()
            case _:
                pass

    def close(self) -> None:
        if self._progress is not None:
            self._progress.stop()
            self._progress = None

    def _title(self, node: str | None) -> str:
        return clean(self._titles.get(node or "", node or ""), one_line=True)

    def _say(self, text: str, always: bool = False) -> None:
        if self._quiet and not always:
            return
        text = clean(text)
        if self._progress is not None:
            from rich.text import Text

            self._progress.console.print(Text(text), soft_wrap=True)
        else:
            print(text, file=self._stream, flush=True)

    def _step(self, step: events.Step) -> None:
        pace = self._paces.setdefault(step.node, Pace())
        pace.add(step)
        if self._quiet:
            return
        if self._progress is None:
            self._plain(step, pace)
            return
        losses = "  ".join(
            f"{shorten(name, 16)} {number(value)}" for name, value in list(step.losses.items())[:4]
        )
        facts = [
            f"loss {number(step.total)}",
            f"{pace.rate:.1f} it/s" if pace.rate else "",
            f"ETA {duration(pace.left)}" if pace.left is not None else "",
            _scale(step),
        ]
        fields: dict[str, Any] = {"facts": "  ".join(filter(None, facts)), "losses": losses}
        if step.node not in self._tasks:
            self._progress.start()
            self._tasks[step.node] = self._progress.add_task(
                self._title(step.node), total=step.steps, **fields
            )
        self._progress.update(
            self._tasks[step.node], completed=step.step, total=step.steps, **fields
        )

    def _plain(self, step: events.Step, pace: Pace) -> None:
        now = time.monotonic()
        if step.step < step.steps and now - self._said.get(step.node, 0.0) < PLAIN_SECONDS:
            return
        self._said[step.node] = now
        parts = [
            f"{self._title(step.node)}: step {step.step}/{step.steps}",
            _scale(step),
            f"loss {number(step.total)}",
            *(f"{shorten(name, 24)} {number(value)}" for name, value in step.losses.items()),
        ]
        if pace.rate:
            parts.append(f"{pace.rate:.1f} it/s")
        if pace.left:
            parts.append(f"ETA {duration(pace.left)}")
        self._say("  ".join(parts))


def _scale(step: events.Step) -> str:
    size = f"{step.width}x{step.height}"
    return size if step.scales == 1 else f"{size} ({step.scale}/{step.scales})"


def _bars(stream: TextIO) -> Progress:
    from rich.console import Console
    from rich.progress import Progress, ProgressColumn, Task
    from rich.text import Text

    full, rest = "█░" if "utf" in (stream.encoding or "").lower() else "#-"

    class Line(ProgressColumn):
        """All of a line, what matters most first: a narrow terminal cuts it at its end."""

        def render(self, task: Task) -> Text:
            done = round(BAR * task.percentage / 100)
            line = Text(no_wrap=True, overflow="ellipsis")
            line.append(f"{task.description} ")
            line.append(full * done, style="cyan").append(rest * (BAR - done), style="dim")
            line.append(f" {task.completed:g}/{task.total:g}  {task.fields['facts']}")
            return line.append(f"  {task.fields['losses']}", style="dim")

    console = Console(file=stream, highlight=False)
    return Progress(Line(), console=console, refresh_per_second=4)
