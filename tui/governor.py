"""Keeps what the UI sends within a budget, by drawing less often on a busy line."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable

BUDGET = 20_000
"""Bytes a second."""
WINDOW = 5.0
LONGEST = 4.0


class Governor:
    """Counts bytes written and says how long to wait between two drawings.

    Above the budget the interval doubles, at most every ``WINDOW`` seconds; below half of it, it
    goes back by half. Bytes caused by keys count as well, but keys themselves are never delayed.
    """

    def __init__(
        self,
        interval: float = 0.5,
        budget: int = BUDGET,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.base = interval
        self.budget = budget
        self.total = 0
        self._interval = interval
        self._clock = clock
        self._writes: deque[tuple[float, int]] = deque()
        self._changed = clock()

    def wrote(self, count: int) -> None:
        self.total += count
        self._writes.append((self._clock(), count))
        self._forget()

    @property
    def rate(self) -> float:
        """Bytes a second over the last five seconds."""
        self._forget()
        return sum(count for _, count in self._writes) / WINDOW

    @property
    def interval(self) -> float:
        """Seconds until the next drawing."""
        now, rate = self._clock(), self.rate
        if now - self._changed >= WINDOW:
            if rate > self.budget and self._interval < LONGEST:
                self._interval, self._changed = min(LONGEST, 2 * self._interval), now
            elif rate < self.budget / 2 and self._interval > self.base:
                self._interval, self._changed = max(self.base, self._interval / 2), now
        return self._interval

    @property
    def pictures(self) -> bool:
        """Whether there is room for a picture frame now."""
        return self.rate < 0.6 * self.budget

    def slower(self) -> float:
        """The next base interval: 0.5, 1, 2, 4 seconds and round again."""
        self.base = 0.5 if self.base >= LONGEST else 2 * self.base
        self._interval = self.base
        return self.base

    def _forget(self) -> None:
        limit = self._clock() - WINDOW
        while self._writes and self._writes[0][0] < limit:
            self._writes.popleft()
