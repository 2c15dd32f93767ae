"""The list of runs, kept up to date in slices.

A glimpse reads only the end of a log, because a list of hundreds of runs must appear at once;
whoever wants a run's whole story follows its log.
"""

from __future__ import annotations

import calendar
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from nst_graph import events, queue, runs

from .state import RunState

_TAILS = (16 << 10, 256 << 10, 4 << 20)
RELIST_SECONDS = 2.0
START_SECONDS = 10.0
"""A run without a log this long after it was made has no worker coming."""


@dataclass(frozen=True)
class Entry:
    """A run at a glance. ``state`` is one of theme.STATES."""

    run: runs.RunFolder
    state: str = "queued"
    step: int = 0
    steps: int = 0
    total: float | None = None
    seconds: float = 0.0
    rate: float | None = None
    eta: float | None = None
    created: float = 0.0
    message: str = ""
    terms: int = 0
    place: int = 0
    """Place in the queue, from 1; 0 for runs that are not waiting."""

    @property
    def name(self) -> str:
        return self.run.name

    @property
    def ended(self) -> bool:
        return self.state in ("done", "failed", "stopped", "crashed")


def glimpse(run: runs.RunFolder, queued: Sequence[str] = ()) -> Entry:
    """What the end of the run's log and its lock tell. ``queued``: ids in the queue's order."""
    created = created_at(run)
    state = _from_tail(run.log)
    entry = Entry(run, state.state, created=created)
    if state.optimisations:
        found = state.optimisations[state.current or next(iter(state.optimisations))]
        step = found.step
        entry = replace(
            entry,
            step=step.step,
            steps=step.steps,
            total=step.total,
            seconds=step.seconds,
            rate=found.pace.rate,
            eta=found.eta,
            terms=len(step.losses),
        )
    if state.finished is not None:
        return replace(
            entry, seconds=state.finished.seconds, eta=None, message=state.failure or entry.message
        )
    if run.alive():
        return entry if entry.state == "running" else replace(entry, eta=None)
    if run.id in queued:
        return replace(entry, state="queued", eta=None, place=queued.index(run.id) + 1)
    if not run.log.exists() and time.time() - created < START_SECONDS:
        return replace(entry, state="queued")
    return replace(entry, state="crashed", eta=None, message=last_words(run))


def _from_tail(log: Path) -> RunState:
    """A state folded from the end of the log, far enough back to know where the run is."""
    state = RunState()
    try:
        size = log.stat().st_size
    except OSError:
        return state
    for length in _TAILS:
        state = RunState()
        state.started = 0.0  # a log that exists has begun
        decided = False
        for event in _tail(log, size, length):
            state.apply(event)
            decided = decided or isinstance(event, events.Step | events.RunFinished)
        if decided or length >= size:
            break
    return state


def _tail(log: Path, size: int, length: int) -> Iterator[events.Event]:
    try:
        with log.open("rb") as file:
            file.seek(max(0, size - length))
            data = file.read(length)
    except OSError:
        return
    lines = data.split(b"\n")
    for line in lines if length >= size else lines[1:]:
        event = events.from_json(line) if line else None
        if event is not None:
            yield event


def created_at(run: runs.RunFolder) -> float:
    """Seconds since the epoch, from the run's id; 0 if it carries no time."""
    try:
        return float(calendar.timegm(time.strptime(run.id[:15], "%Y%m%d-%H%M%S")))
    except ValueError:
        return 0.0


def last_words(run: runs.RunFolder) -> str:
    """The last line the worker wrote before it died."""
    try:
        with run.worker_log.open("rb") as file:
            file.seek(max(0, run.worker_log.stat().st_size - 4096))
            lines = file.read(4096).decode(errors="replace").strip().splitlines()
    except OSError:
        return ""
    return lines[-1] if lines else ""


class Listing:
    """Entries of all runs, newest first; :meth:`refresh` spends a little time at each call."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self.entries: dict[str, Entry] = {}
        self._clock = clock
        self._todo: list[runs.RunFolder] = []
        self._stamps: dict[str, tuple[int, int]] = {}
        self._listed = -RELIST_SECONDS
        self._queued: list[str] = []

    def refresh(self, seconds: float = 0.03) -> bool:
        """Look at what may have changed, for about ``seconds``; whether anything did."""
        now = self._clock()
        changed = False
        if not self._todo and now - self._listed >= RELIST_SECONDS:
            changed = self._list(now)
        deadline = now + seconds
        while self._todo and self._clock() < deadline:
            run = self._todo.pop(0)
            entry = glimpse(run, self._queued)
            changed = changed or self.entries.get(run.id) != entry
            self.entries[run.id] = entry
        return changed

    @property
    def behind(self) -> int:
        """Runs not looked at yet."""
        return len(self._todo)

    def look_again(self) -> None:
        """List anew at the next refresh."""
        self._listed = -RELIST_SECONDS

    def _list(self, now: float) -> bool:
        self._listed = now
        self._queued = [run.id for run in queue.waiting()]
        found = runs.list_runs()
        ids = {run.id for run in found}
        gone = [run for run in self.entries if run not in ids]
        for run_id in gone:
            del self.entries[run_id]
            self._stamps.pop(run_id, None)
        for run in found:
            known = self.entries.get(run.id)
            stamp = _stamp(run.log)
            if known is None or not known.ended or stamp != self._stamps.get(run.id):
                self._stamps[run.id] = stamp
                self._todo.append(run)
        return bool(gone)


def _stamp(path: Path) -> tuple[int, int]:
    try:
        status = path.stat()
    except OSError:
        return (0, 0)
    return (status.st_size, status.st_mtime_ns)
