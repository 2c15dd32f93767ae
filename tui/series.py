"""Loss curves as arrays: bounded in memory, extremes kept, ready to be drawn."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]
Axis = Literal["step", "time", "evaluations"]
AXES: tuple[Axis, ...] = ("step", "time", "evaluations")
TOTAL = "total"

CAPACITY = 16_384
"""Rows kept for each optimisation; when they are full, neighbours are merged two by two."""


class Track:
    """The course of one optimisation.

    Each row stands for one or more steps and holds, for the total and every term, the lowest,
    the highest and the last finite value among them, and whether one was NaN or infinite. Merging
    rows therefore never loses a spike. Values are weighted losses.
    """

    def __init__(self, capacity: int = CAPACITY) -> None:
        self._capacity = capacity
        self.names: list[str] = [TOTAL]
        self.size = 0
        self._x = np.zeros((64, 3))
        self._low, self._high, self._last = (np.full((64, 1), np.nan) for _ in range(3))
        self._bad = np.zeros((64, 1), np.bool_)

    def append(
        self,
        step: float,
        seconds: float,
        evaluations: float,
        total: float,
        terms: Mapping[str, float],
        low: float | None = None,
        high: float | None = None,
    ) -> None:
        """One logged step. ``low`` and ``high`` fold in the totals left out before it.

        A step at or before the last one means that the run went back to a checkpoint: what came
        after it is forgotten.
        """
        if self.size and step <= self._x[self.size - 1, 0]:
            self.cut(step)
        for name in terms:
            if name not in self.names and name != TOTAL:
                self._add_column(name)
        self._make_room()
        row = self.size
        self._x[row] = (step, seconds, evaluations)
        values = np.array([terms.get(name, np.nan) for name in self.names])
        values[0] = total
        given = np.array([name in terms for name in self.names])
        given[0] = True
        finite = np.isfinite(values)
        shown = np.where(finite, values, np.nan)
        self._low[row] = self._high[row] = self._last[row] = shown
        self._bad[row] = given & ~finite
        for folded in (low, high):
            if folded is None:
                continue
            if np.isfinite(folded):
                self._low[row, 0] = np.fmin(self._low[row, 0], folded)
                self._high[row, 0] = np.fmax(self._high[row, 0], folded)
            else:
                self._bad[row, 0] = True
        self.size += 1

    def cut(self, step: float) -> None:
        """Forget every row from ``step`` on."""
        self.size = int(np.searchsorted(self._x[: self.size, 0], step))

    def x(self, axis: Axis = "step") -> Floats:
        """float64 [size], never falling: step, seconds or evaluations of each row."""
        column = self._x[: self.size, AXES.index(axis)]
        return column if axis == "step" else np.maximum.accumulate(column)

    def low(self, name: str) -> Floats:
        return self._column(self._low, name)

    def high(self, name: str) -> Floats:
        return self._column(self._high, name)

    def last(self, name: str) -> Floats:
        return self._column(self._last, name)

    def bad(self, name: str) -> Flags:
        flags: Flags = self._bad[: self.size, self.names.index(name)]
        return flags

    def _column(self, table: Floats, name: str) -> Floats:
        column: Floats = table[: self.size, self.names.index(name)]
        return column

    def _add_column(self, name: str) -> None:
        self.names.append(name)
        rows = len(self._x)
        empty = np.full((rows, 1), np.nan)
        self._low = np.hstack([self._low, empty])
        self._high = np.hstack([self._high, empty])
        self._last = np.hstack([self._last, empty])
        self._bad = np.hstack([self._bad, np.zeros((rows, 1), np.bool_)])

    def _make_room(self) -> None:
        if self.size < len(self._x):
            return
        if self.size >= self._capacity:
            self._merge_pairs()
            return
        more = min(2 * self.size, self._capacity) - self.size
        self._x = np.vstack([self._x, np.zeros((more, 3))])
        empty = np.full((more, len(self.names)), np.nan)
        self._low = np.vstack([self._low, empty])
        self._high = np.vstack([self._high, empty])
        self._last = np.vstack([self._last, empty])
        self._bad = np.vstack([self._bad, np.zeros_like(empty, np.bool_)])

    def _merge_pairs(self) -> None:
        n = self.size // 2
        first, second = slice(0, 2 * n, 2), slice(1, 2 * n, 2)
        self._x[:n] = self._x[second]
        self._low[:n] = np.fmin(self._low[first], self._low[second])
        self._high[:n] = np.fmax(self._high[first], self._high[second])
        last = self._last[second]
        self._last[:n] = np.where(np.isnan(last), self._last[first], last)
        self._bad[:n] = self._bad[first] | self._bad[second]
        self.size = n


def smooth(values: Floats, weight: float) -> Floats:
    """Exponential moving average y[i] = weight y[i-1] + (1 - weight) x[i], y[0] = x[0].

    NaN (nothing finite there) repeats the average so far; leading ones stay NaN. Blocks of 64 are
    one matrix product each, which is 30 times faster than the loop.
    """
    if weight <= 0 or not len(values):
        return values
    known = np.flatnonzero(~np.isnan(values))
    if not len(known):
        return values
    x = values[known]
    block = 64
    powers = weight ** np.arange(block + 1)
    lags = np.subtract.outer(np.arange(block), np.arange(block))
    kernel = np.where(lags >= 0, (1 - weight) * powers[np.abs(lags)], 0.0)
    averaged = np.empty_like(x)
    carry = x[0]
    for start in range(0, len(x), block):
        part = x[start : start + block]
        n = len(part)
        averaged[start : start + n] = kernel[:n, :n] @ part + powers[1 : n + 1] * carry
        carry = averaged[start + n - 1]
    result = np.full_like(values, np.nan)
    positions = np.searchsorted(known, np.arange(len(values)), side="right") - 1
    inside = positions >= 0
    result[inside] = averaged[positions[inside]]
    return result
