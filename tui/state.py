"""A run as its events tell it. Pure: no files, no clock, no screen.

:meth:`RunState.apply` takes any events in any order, from a log that may be torn, foreign or
hostile, and never raises.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass, field
from typing import Literal

from nst_graph import events
from nst_graph.progress import duration, number

from .series import Track

LOG_LINES = 2000
PREVIEWS = 5000
LARGEST_COUNT = 10**9
HISTORY = 120
"""Heartbeats kept: four minutes at one in two seconds."""

Level = Literal["info", "note", "warn", "bad", "user"]


@dataclass(frozen=True)
class LogLine:
    time: float
    level: Level
    text: str


@dataclass
class NodeState:
    """``state``: waiting running cached done failed skipped."""

    title: str
    kind: str
    state: str = "waiting"
    seconds: float = 0.0
    message: str = ""


@dataclass(frozen=True)
class Mark:
    """Something worth a line in the curves: another scale, another weight."""

    step: int
    kind: Literal["scale", "weight"]
    text: str


@dataclass
class Pace:
    """Seconds per step as a moving average (α = 0.1 a step), begun anew at every scale."""

    seconds_per_step: float = 0.0
    seen: int = 0

    def add(self, seconds: float, steps: int) -> None:
        if steps <= 0 or seconds < 0 or not math.isfinite(seconds):
            return
        share = 1 - 0.9**steps
        pace = seconds / steps
        self.seconds_per_step += (pace - self.seconds_per_step) * (share if self.seen else 1)
        self.seen += steps

    @property
    def rate(self) -> float | None:
        """Steps per second; None before five steps."""
        return 1 / self.seconds_per_step if self.seen >= 5 and self.seconds_per_step > 0 else None


@dataclass
class Optimisation:
    """One Optimize node: where it is, and its curves."""

    node: str
    step: events.Step
    track: Track = field(default_factory=Track)
    pace: Pace = field(default_factory=Pace)
    marks: list[Mark] = field(default_factory=list)
    previews: list[tuple[int, str]] = field(default_factory=list)

    @property
    def eta(self) -> float | None:
        rate = self.pace.rate
        return None if rate is None else max(0, self.step.steps - self.step.step) / rate

    @property
    def scale_began(self) -> int:
        """The first step of the current scale."""
        return max((mark.step for mark in self.marks if mark.kind == "scale"), default=0)

    def add(self, step: events.Step) -> None:
        before = self.step
        went_back = self.track.size > 0 and step.step <= before.step
        if went_back:
            self.marks = [mark for mark in self.marks if mark.step < step.step]
            self.pace = Pace()
        elif self.track.size:
            if step.scale != before.scale:
                self.pace = Pace()
            else:
                self.pace.add(step.seconds - before.seconds, step.step - before.step)
        if self.track.size and step.scale != before.scale:
            self.mark(Mark(step.step, "scale", f"scale {step.scale}: {step.width}×{step.height}"))
        self.track.append(
            step.step,
            step.seconds,
            step.evaluations,
            step.total,
            step.losses,
            step.low,
            step.high,
        )
        self.step = step

    def mark(self, mark: Mark) -> None:
        if mark not in self.marks:
            self.marks.append(mark)
            self.marks.sort(key=lambda mark: mark.step)

    def weight_ratio(self, term: str) -> float | None:
        """Weighted over unweighted loss of the last step: the weight in force."""
        weighted, raw = self.step.losses.get(term), self.step.raw.get(term)
        if weighted is None or not raw or not math.isfinite(raw) or not math.isfinite(weighted):
            return None
        return weighted / raw


class RunState:
    """Everything a screen shows about a run."""

    def __init__(self) -> None:
        self.run = ""
        self.pid = 0
        self.started: float | None = None
        self.finished: events.RunFinished | None = None
        self.paused = False
        self.order: list[str] = []
        self.nodes: dict[str, NodeState] = {}
        self.optimisations: dict[str, Optimisation] = {}
        self.current: str | None = None
        """The node of the last Step."""
        self.weights: dict[tuple[str, str], float] = {}
        """Values in force of inputs changed while running, by node and input."""
        self.heartbeats: deque[events.Heartbeat] = deque(maxlen=HISTORY)
        self.acks: dict[str, events.Ack] = {}
        self.lines: deque[LogLine] = deque(maxlen=LOG_LINES)
        self.lines_seen = 0
        self.last_time = 0.0
        self._waiting: dict[str, list[tuple[int, str]]] = {}

    @property
    def state(self) -> str:
        """What the log says: queued running paused done failed stopped."""
        if self.finished is not None:
            known = self.finished.status in ("done", "failed", "stopped")
            return self.finished.status if known else "failed"
        if self.started is None:
            return "queued"
        return "paused" if self.paused else "running"

    @property
    def seconds(self) -> float:
        """How long the run has taken, by its own clock."""
        if self.finished is not None and self.finished.seconds > 0:
            return self.finished.seconds
        return max(0.0, self.last_time - self.started) if self.started is not None else 0.0

    @property
    def failure(self) -> str:
        return next((n.message for n in self.nodes.values() if n.state == "failed"), "")

    def title(self, node: str) -> str:
        known = self.nodes.get(node)
        return known.title if known is not None and known.title else f"#{node}"

    def term_node(self, term: str) -> str | None:
        """The node that a loss term comes from: its title, with ``#id`` where titles repeat."""
        found = [node for node, known in self.nodes.items() if known.title == term]
        if len(found) == 1:
            return found[0]
        title, hash_, node = term.rpartition(" #")
        known = self.nodes.get(node)
        return node if hash_ and known is not None and known.title == title else None

    def apply(self, event: events.Event) -> None:
        self.last_time = max(self.last_time, event.time if math.isfinite(event.time) else 0.0)
        match event:
            case events.RunStarted():
                self._start(event)
            case events.NodeStarted():
                self._node(event.node, "running")
                self._say(event, "info", f"{self.title(event.node)} runs")
            case events.NodeCached():
                self._node(event.node, "cached")
                self._say(event, "info", f"{self.title(event.node)}: stored result")
            case events.Step():
                self._step(event)
            case events.Preview():
                self._preview(event)
            case events.Note():
                where = f"{self.title(event.node)}: " if event.node else ""
                self._say(event, "note", where + event.message)
            case events.NodeFinished():
                self._node(event.node, "done", event.seconds)
                took = duration(event.seconds) if math.isfinite(event.seconds) else "?"
                self._say(event, "info", f"{self.title(event.node)} done in {took}")
            case events.NodeFailed():
                self._node(event.node, "failed", message=event.error)
                self._say(event, "bad", f"{self.title(event.node)} failed: {event.error}")
            case events.NodeSkipped():
                self._node(event.node, "skipped", message=event.because)
                because = self.title(event.because)
                self._say(event, "warn", f"{self.title(event.node)} skipped: needs {because}")
            case events.Paused():
                self.paused = True
                self._say(event, "user", "paused")
            case events.Resumed():
                self.paused = False
                self._say(event, "user", "goes on")
            case events.Changed():
                self._change(event)
            case events.Checkpoint():
                self._say(event, "info", f"checkpoint at step {event.step}")
            case events.Heartbeat():
                self.heartbeats.append(event)
            case events.Ack():
                self.acks[event.command] = event
                if not event.ok:
                    self._say(event, "warn", f"refused: {event.message}")
            case events.RunFinished():
                self.finished = event
                self.paused = False
                level: Level = "info" if event.status == "done" else "warn"
                self._say(event, level, f"run {event.status}")
            case _:
                pass

    def _start(self, event: events.RunStarted) -> None:
        again = self.started is not None
        self.run, self.pid, self.finished, self.paused = event.run, event.pid, None, False
        if not again:
            self.started = event.time
        self.order = list(event.nodes)
        self.nodes = {
            node: NodeState(event.titles.get(node, ""), event.classes.get(node, ""))
            for node in event.nodes
        }
        self._say(event, "info", "run goes on" if again else f"run started, pid {event.pid}")

    def _node(self, node: str, state: str, seconds: float = 0.0, message: str = "") -> None:
        if node not in self.nodes:
            self.nodes[node] = NodeState("", "")
            self.order.append(node)
        known = self.nodes[node]
        known.state, known.seconds, known.message = state, seconds, message

    def _step(self, event: events.Step) -> None:
        counts = (event.step, event.steps, event.scale, event.scales, event.evaluations)
        if not all(0 <= count <= LARGEST_COUNT for count in counts):
            return  # no optimisation of ours: a foreign or damaged line
        found = self.optimisations.get(event.node)
        if found is None:
            found = Optimisation(event.node, event)
            found.previews = self._waiting.pop(event.node, found.previews)
            self.optimisations[event.node] = found
        found.add(event)
        self.current = event.node

    def _preview(self, event: events.Preview) -> None:
        found = self.optimisations.get(event.node)
        previews = found.previews if found else self._waiting.setdefault(event.node, [])
        while previews and previews[-1][0] >= event.step:
            previews.pop()
        previews.append((event.step, event.path))
        if len(previews) > PREVIEWS:
            del previews[: PREVIEWS // 2]

    def _change(self, event: events.Changed) -> None:
        self.weights[event.node, event.input] = event.new
        old = f"{number(event.old)} → " if math.isfinite(event.old) else ""
        text = f"{self.title(event.node)}.{event.input} {old}{number(event.new)}"
        for found in self.optimisations.values():
            if any(self.term_node(term) == event.node for term in found.step.losses):
                found.mark(Mark(event.step, "weight", text))
        self._say(event, "user", f"{text} from step {event.step} on")

    def _say(self, event: events.Event, level: Level, text: str) -> None:
        self.lines.append(LogLine(event.time, level, text))
        self.lines_seen += 1
