"""Steering a run from another process: commands are lines in ``control.jsonl``.

Each command carries an id and is answered by an ``Ack`` event with that id. No socket, no port:
it works wherever the run folder can be written.
"""

from __future__ import annotations

import json
import secrets
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from nst_graph import files
from nst_graph.errors import UserError
from nst_graph.events import Ack, Emit

COMMANDS = ("pause", "resume", "stop", "stop_now", "checkpoint", "preview", "set")
"""``stop`` keeps the picture as it is; ``stop_now`` ends the run without a result."""


class Controllable(Protocol):
    @property
    def path(self) -> Path: ...


def send(
    run: Controllable,
    command: str,
    *,
    node: str = "",
    input: str = "",
    value: float | None = None,
) -> str:
    """Append ``command`` for ``run`` and return its id, which the Ack event will carry."""
    if command not in COMMANDS:
        raise UserError(f"no such command {command!r}; there are {', '.join(COMMANDS)}")
    command_id = secrets.token_hex(4)
    line: dict[str, Any] = {"id": command_id, "command": command}
    if command == "set":
        line |= {"node": node, "input": input, "value": value}
    append = files.Appender(run.path / "control.jsonl")
    append(json.dumps(line))
    append.close()
    return command_id


@dataclass
class Wishes:
    """What the commands received so far ask of a run."""

    paused: bool = False
    stop: bool = False
    stop_now: bool = False
    checkpoint: bool = False
    preview: bool = False
    weights: list[tuple[str, str, float]] = field(default_factory=list)


class Control:
    """Reads the commands of one run as they arrive. Safe to poll from several threads."""

    def __init__(
        self,
        path: Path | None,
        emit: Emit,
        check_set: Callable[[str, str, Any], tuple[str, str, float]],
    ) -> None:
        """``check_set`` validates (node, input, value) and resolves them, or raises UserError."""
        self.wishes = Wishes()
        self._path = path
        self._emit = emit
        self._check_set = check_set
        self._offset = path.stat().st_size if path is not None and path.exists() else 0
        self._rest = b""
        self._lock = threading.Lock()

    def poll(self) -> Wishes:
        """Take in new commands, acknowledge them, and return what is wanted now."""
        if self._path is None:
            return self.wishes
        with self._lock:
            try:
                if self._path.stat().st_size > self._offset:
                    with self._path.open("rb") as file:
                        file.seek(self._offset)
                        data = file.read()
                    self._offset += len(data)
                    *lines, self._rest = (self._rest + data).split(b"\n")
                    for line in lines:
                        self._obey(line)
            except OSError:
                pass
        return self.wishes

    def _obey(self, line: bytes) -> None:
        try:
            command = json.loads(line)
            name = command["command"]
            command_id = str(command["id"])
        except (ValueError, KeyError, TypeError, RecursionError):
            return
        try:
            message = self._apply(name, command)
        except UserError as error:
            self._emit(Ack(command=command_id, ok=False, message=str(error)))
        else:
            self._emit(Ack(command=command_id, ok=True, message=message))

    def _apply(self, name: str, command: Mapping[str, Any]) -> str:
        wishes = self.wishes
        match name:
            case "pause":
                wishes.paused = True
                return "pauses after this step"
            case "resume":
                wishes.paused = False
                return "goes on"
            case "stop":
                wishes.stop, wishes.paused = True, False
                return "stops after this step and keeps the picture"
            case "stop_now":
                wishes.stop_now, wishes.paused = True, False
                return "stops"
            case "checkpoint":
                wishes.checkpoint = True
                return "saves a checkpoint after this step"
            case "preview":
                wishes.preview = True
                return "makes a preview after this step"
            case "set":
                change = self._check_set(
                    str(command.get("node", "")),
                    str(command.get("input", "")),
                    command.get("value"),
                )
                wishes.weights.append(change)
                return f"{change[0]}.{change[1]} = {change[2]:g} from the next step on"
            case _:
                raise UserError(f"no such command {name!r}")
