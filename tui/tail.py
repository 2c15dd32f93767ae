"""Follows a run's log in slices, so that a log of any length never holds up the keyboard."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from nst_graph.events import LogReader

from .state import RunState

SLICE_BYTES = 64 << 10
SLICE_SECONDS = 0.03


class Follower:
    """Folds an ``events.jsonl`` into a :class:`RunState`, a slice at a time."""

    def __init__(self, path: Path, clock: Callable[[], float] = time.monotonic) -> None:
        self.path = path
        self.state = RunState()
        self.behind = True
        """Whether more of the log was waiting when the last slice ended."""
        self._reader = LogReader(path)
        self._clock = clock
        self._seen: tuple[int, int, int] | None = None
        self.read_bytes = 0

    def poll(self, seconds: float = SLICE_SECONDS) -> bool:
        """Read for about ``seconds``; whether anything new was applied."""
        try:
            status = self.path.stat()
        except OSError:
            self.behind = False
            return False
        seen = (status.st_ino, status.st_size, status.st_mtime_ns)
        if seen == self._seen and not self.behind:
            return False
        if self._seen is not None and self._seen[0] != status.st_ino:
            self._restart()
        self._seen = seen
        deadline = self._clock() + seconds
        changed = False
        while True:
            batch = self._reader.read(SLICE_BYTES)
            if self._reader.restarted:
                self._restart()
                continue
            for event in batch:
                self.state.apply(event)
            changed = changed or bool(batch)
            self.read_bytes = self._reader.offset
            self.behind = self.read_bytes < status.st_size
            if not self.behind or self._clock() >= deadline:
                return changed

    @property
    def share(self) -> float:
        """How much of the log has been read, 0 to 1."""
        size = self._seen[1] if self._seen else 0
        return min(1.0, self.read_bytes / size) if size else 1.0

    def _restart(self) -> None:
        self._reader = LogReader(self.path)
        self.state = RunState()
