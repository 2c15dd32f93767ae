"""From any number of points to one range per dot column, without losing a spike."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from ..series import Flags, Floats


@dataclass(frozen=True)
class Columns:
    """For each column the lowest and highest value (NaN: none) and whether one was not finite."""

    low: Floats
    high: Floats
    bad: Flags


def columns(
    x: Floats, low: Floats, high: Floats, bad: Flags, start: float, end: float, count: int
) -> Columns:
    """The rows with ``start <= x <= end`` in ``count`` columns of equal width.

    ``x`` must never fall. Every row inside the range lands in exactly one column.
    """
    empty = np.full(count, np.nan)
    found = Columns(empty, empty.copy(), np.zeros(count, np.bool_))
    first, last = np.searchsorted(x, start, "left"), np.searchsorted(x, end, "right")
    if first >= last or end <= start:
        return found
    place = ((x[first:last] - start) * (count / (end - start))).astype(np.int64)
    np.clip(place, 0, count - 1, out=place)
    starts = np.flatnonzero(np.diff(place, prepend=-1))
    where = place[starts]
    found.low[where] = np.fmin.reduceat(low[first:last], starts)
    found.high[where] = np.fmax.reduceat(high[first:last], starts)
    found.bad[where] = np.logical_or.reduceat(bad[first:last], starts)
    return found


def bridge(values: Columns) -> Columns:
    """Fill empty columns between two filled ones along a straight line.

    A gap stays open where a value that is not finite lies in it: no line is invented there.
    """
    filled = np.flatnonzero(~np.isnan(values.low))
    if len(filled) < 2:
        return values
    at = np.arange(len(values.low))
    inside = (at > filled[0]) & (at < filled[-1]) & np.isnan(values.low)
    if not inside.any():
        return values
    left = filled[np.searchsorted(filled, at[inside], "right") - 1]
    right = filled[np.searchsorted(filled, at[inside], "left")]
    spoiled = np.concatenate([[0], np.cumsum(values.bad)])
    whole = spoiled[right + 1] == spoiled[left]
    middle = (values.low[filled] + values.high[filled]) / 2
    line = np.interp(at[inside][whole], filled, middle)
    low, high = values.low.copy(), values.high.copy()
    low[at[inside][whole]] = line
    high[at[inside][whole]] = line
    return Columns(low, high, values.bad)


def snap_up(value: float) -> float:
    """The least of 1, 1.5, 2, 3, 5 × 10^k not below ``value``: an axis that rarely moves."""
    if not math.isfinite(value) or value <= 0:
        return 1.0
    power = 10.0 ** math.floor(math.log10(value))
    for factor in (1, 1.5, 2, 3, 5, 10):
        if value <= factor * power * (1 + 1e-9):
            return factor * power
    return 10 * power


def log_limits(low: float, high: float) -> tuple[float, float]:
    """Limits for a logarithmic axis, on half decades, at most twelve decades apart."""
    if not (low > 0 and math.isfinite(high) and high >= low):
        return 0.1, 1.0
    low = max(low, high * 1e-12)
    bottom = math.floor(2 * math.log10(low) + 1e-9) / 2
    top = math.ceil(2 * math.log10(high) - 1e-9) / 2
    if top - bottom < 0.5:
        top = bottom + 0.5
    return 10.0**bottom, 10.0**top


def linear_limits(low: float, high: float) -> tuple[float, float]:
    """Limits for a linear axis, on multiples of a nice step; from 0 where that is near."""
    if not (math.isfinite(low) and math.isfinite(high)) or high < low:
        return 0.0, 1.0
    if low >= 0 and low < 0.5 * high:
        low = 0.0
    step = nice_step(high - low, 4)
    bottom, top = step * math.floor(low / step + 1e-9), step * math.ceil(high / step - 1e-9)
    return bottom, top if top > bottom else bottom + step


def nice_step(span: float, parts: int) -> float:
    """A step of 1, 2 or 5 × 10^k that divides ``span`` into at most about ``parts``."""
    if not math.isfinite(span) or span <= 0:
        return 1.0
    rough = span / max(1, parts)
    power = 10.0 ** math.floor(math.log10(rough))
    return next(f * power for f in (1, 2, 5, 10) if rough <= f * power * (1 + 1e-9))


def ticks(start: float, end: float, parts: int) -> list[float]:
    """Multiples of a nice step between ``start`` and ``end``."""
    step = nice_step(end - start, parts)
    first = math.ceil(start / step - 1e-9)
    count = math.floor(end / step + 1e-9) - first + 1
    return [step * (first + i) for i in range(max(0, min(count, 100)))]


def log_ticks(low: float, high: float, parts: int) -> list[float]:
    """Powers of ten between ``low`` and ``high``, thinned to at most about ``parts``.

    Where there is at most one of them, their double and fivefold as well.
    """
    first, last = math.ceil(math.log10(low) - 1e-9), math.floor(math.log10(high) + 1e-9)
    if last - first < 1:
        every = (
            factor * 10.0**power for power in range(first - 1, last + 1) for factor in (1, 2, 5)
        )
        return [tick for tick in every if low * (1 - 1e-9) <= tick <= high * (1 + 1e-9)]
    step = -(-(last - first + 1) // max(1, parts))
    return [10.0**power for power in range(first, last + 1, step)]
