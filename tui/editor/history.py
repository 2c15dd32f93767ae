"""Undo and redo over whole graphs. Graphs share what did not change, so a step costs little."""

from __future__ import annotations

from dataclasses import dataclass, replace

from .model import Nodes

DEPTH = 1000


@dataclass(frozen=True)
class State:
    """What undo brings back: the graph, the cursor and the marked nodes."""

    nodes: Nodes
    selected: str | None = None
    marked: frozenset[str] = frozenset()


@dataclass(frozen=True)
class _Step:
    label: str
    before: State
    after: State
    merge: str


class History:
    """The present state, how it came about and what was undone."""

    def __init__(self, state: State, depth: int = DEPTH) -> None:
        self.now = state
        self._depth = depth
        self._done: list[_Step] = []
        self._undone: list[_Step] = []
        self._saved: Nodes | None = state.nodes

    @property
    def dirty(self) -> bool:
        """Whether the graph differs from what was saved."""
        return self.now.nodes is not self._saved and self.now.nodes != self._saved

    @property
    def depth(self) -> int:
        return len(self._done)

    def look(self, selected: str | None, marked: frozenset[str] | None = None) -> None:
        """Move the cursor: no step of its own, but undo brings it back."""
        marked = self.now.marked if marked is None else marked
        self.now = replace(self.now, selected=selected, marked=marked)

    def do(self, label: str, after: State, merge: str = "") -> None:
        """Go on to ``after``; steps in a row with the same ``merge`` are undone as one."""
        if after.nodes is self.now.nodes:
            self.now = after
            return
        last = self._done[-1] if self._done else None
        if last is not None and merge and last.merge == merge and last.after.nodes is self._present:
            self._done[-1] = replace(last, after=after)
        else:
            self._done.append(_Step(label, self.now, after, merge))
            del self._done[: -self._depth]
        self._undone.clear()
        self.now = after

    @property
    def _present(self) -> Nodes:
        return self.now.nodes

    def close_merge(self) -> None:
        """The next step is a new one even if it could be merged."""
        if self._done:
            self._done[-1] = replace(self._done[-1], merge="")

    def undo(self) -> str | None:
        """Go back one step; what was undone, or None at the beginning."""
        if not self._done:
            return None
        step = self._done.pop()
        self._undone.append(step)
        self.now = step.before
        return step.label

    def redo(self) -> str | None:
        """Go forward again; what was redone, or None at the end."""
        if not self._undone:
            return None
        step = self._undone.pop()
        self._done.append(replace(step, merge=""))
        self.now = step.after
        return step.label

    def saved(self) -> None:
        self._saved = self.now.nodes

    def unsaved(self) -> None:
        """Count the present graph as not saved (recovered, or its file vanished)."""
        self._saved = None
