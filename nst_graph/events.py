"""What happens during a run, as plain data: the single interface between engine and screens.

Command line, terminal UI, ``nst watch`` and every other observer see these events and nothing
else; state, curves, ETA and history are computed from them. One JSON object a line::

    {"event": "Step", "v": 1, "time": 1763920000.1, "node": "7", "step": 12, ...}

Readers skip kinds, fields and lines they do not understand.
"""

from __future__ import annotations

import json
import math
import os
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

VERSION = 1


@dataclass(frozen=True)
class Event:
    time: float = field(default_factory=time.time, kw_only=True)


@dataclass(frozen=True)
class RunStarted(Event):
    """``nodes``: what will run, in order; ``titles`` and ``classes`` by node id."""

    run: str = ""
    nodes: list[str] = field(default_factory=list)
    titles: dict[str, str] = field(default_factory=dict)
    classes: dict[str, str] = field(default_factory=dict)
    pid: int = 0


@dataclass(frozen=True)
class NodeStarted(Event):
    node: str = ""


@dataclass(frozen=True)
class NodeCached(Event):
    """The result was already stored; ``outputs`` are the files it had written."""

    node: str = ""
    outputs: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Step(Event):
    """One accepted iterate. ``losses`` are weighted, ``raw`` unweighted, both by term.

    ``step`` counts over all scales up to ``steps``; ``scale`` counts from 1 to ``scales``.
    ``seconds`` is the time spent optimising so far. ``low`` and ``high`` fold in the total loss
    of the steps left out of the log since the last one in it.
    """

    node: str = ""
    step: int = 0
    steps: int = 0
    scale: int = 1
    scales: int = 1
    width: int = 0
    height: int = 0
    seconds: float = 0.0
    evaluations: int = 0
    total: float = 0.0
    losses: dict[str, float] = field(default_factory=dict)
    raw: dict[str, float] = field(default_factory=dict)
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class Preview(Event):
    """A picture of the iterate; ``path`` is relative to the run folder."""

    node: str = ""
    step: int = 0
    path: str = ""


@dataclass(frozen=True)
class Note(Event):
    message: str = ""
    node: str | None = None


@dataclass(frozen=True)
class NodeFinished(Event):
    node: str = ""
    seconds: float = 0.0
    outputs: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class NodeFailed(Event):
    node: str = ""
    error: str = ""
    traceback: str | None = None


@dataclass(frozen=True)
class NodeSkipped(Event):
    node: str = ""
    because: str = ""


@dataclass(frozen=True)
class Paused(Event):
    pass


@dataclass(frozen=True)
class Resumed(Event):
    pass


@dataclass(frozen=True)
class Changed(Event):
    """An input of a running node got another value, in force from ``step`` on."""

    node: str = ""
    input: str = ""
    old: float = 0.0
    new: float = 0.0
    step: int = 0


@dataclass(frozen=True)
class Checkpoint(Event):
    node: str = ""
    step: int = 0
    seconds: float = 0.0


@dataclass(frozen=True)
class Heartbeat(Event):
    """``rss``, ``gpu_memory`` in bytes; ``cpu`` in percent of one core; ``gpu`` in percent."""

    rss: int = 0
    cpu: float = 0.0
    gpu: float | None = None
    gpu_memory: int | None = None


@dataclass(frozen=True)
class Ack(Event):
    command: str = ""
    ok: bool = True
    message: str = ""


@dataclass(frozen=True)
class RunFinished(Event):
    """``status``: done, failed or stopped."""

    status: str = "done"
    seconds: float = 0.0
    outputs: list[str] = field(default_factory=list)


Emit = Callable[[Event], None]
_KINDS: dict[str, type[Event]] = {cls.__name__: cls for cls in Event.__subclasses__()}


def to_json(event: Event) -> str:
    """One line without its newline; NaN and infinities are written as strings."""
    data = {"event": type(event).__name__, "v": VERSION, **asdict(event)}
    return json.dumps(_finite(data), ensure_ascii=True, separators=(",", ":"))


def from_json(line: str | bytes) -> Event | None:
    """The event on one log line; None for anything this version cannot read. Never raises."""
    try:
        data = json.loads(line)
        kind = _KINDS.get(data["event"])
        if kind is None:
            return None
        return kind(**{name: read(data[name]) for name, read in _FIELDS[kind] if name in data})
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError, OverflowError):
        return None


def _finite(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    return value


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError
    return value


def _number(value: Any) -> float:
    if isinstance(value, bool) or value is None:
        raise TypeError
    return float(value)


_READERS: dict[str, Callable[[Any], Any]] = {
    "str": _text,
    "str | None": lambda v: None if v is None else _text(v),
    "int": lambda v: int(_number(v)),
    "int | None": lambda v: None if v is None else int(_number(v)),
    "float": _number,
    "float | None": lambda v: None if v is None else _number(v),
    "bool": bool,
    "list[str]": lambda v: [_text(x) for x in v],
    "dict[str, str]": lambda v: {_text(k): _text(x) for k, x in v.items()},
    "dict[str, float]": lambda v: {_text(k): _number(x) for k, x in v.items()},
}

_FIELDS = {
    kind: tuple((f.name, _READERS[str(f.type)]) for f in fields(kind)) for kind in _KINDS.values()
}


class LogReader:
    """Follows an ``events.jsonl`` that another process may be writing.

    :meth:`read` returns what is new. A last line without its newline is kept for the next call;
    a file that shrank is read again from its start; a missing file is an empty one.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.restarted = False
        self._offset = 0
        self._rest = b""

    @property
    def offset(self) -> int:
        """Bytes of the file read so far."""
        return self._offset

    def read(self, limit: int = 1 << 20) -> list[Event]:
        """At most about ``limit`` bytes' worth of events; an empty list means nothing new."""
        try:
            with self.path.open("rb") as file:
                if os.fstat(file.fileno()).st_size < self._offset:
                    self._offset, self._rest, self.restarted = 0, b"", True
                file.seek(self._offset)
                data = file.read(limit)
        except OSError:
            return []
        self._offset += len(data)
        *lines, self._rest = (self._rest + data).split(b"\n")
        return [event for line in lines if (event := from_json(line)) is not None]
