"""Our own host for a node that runs: events, previews, checkpoints, and orders from outside."""

from __future__ import annotations

import io
import time
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from nst_graph import events, files
from nst_graph.control import Control
from nst_graph.errors import Cancelled
from nst_graph.folders import Folders
from nst_graph.host import Orders, Reading, State, Update
from nst_graph.plan import Change, Task, fork_key
from nst_graph.store import Store

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np

STEPS_PER_SECOND = 20
PREVIEW_SECONDS = 2.0
PREVIEWS_KEPT = 200
PREVIEW_SIDE = 512
FIRST_CHECKPOINT = 5.0
CHECKPOINT_SHARE = 50
"""A checkpoint may cost one part in this many of the time between two."""


class RunHost:
    """Serves one node of one run. ``changes`` are weight changes to replay, oldest first."""

    def __init__(
        self,
        task: Task,
        *,
        folders: Folders,
        device: str,
        store: Store,
        emit: events.Emit,
        control: Control,
        run_path: Path | None,
        labels: Sequence[tuple[str, str]] | None,
        weights: Mapping[str, float] | None = None,
        changes: Sequence[Change] = (),
        resume: bool = True,
        memory_limit: int | None = None,
    ) -> None:
        """``labels``: (name, node id) of each loss term that arrives at the node, in order;
        ``weights``: what the graph says those nodes weigh.
        """
        self.folders = folders
        self.device = device
        self.memory_limit = memory_limit
        self.partial_step: int | None = None
        self.changes: list[Change] = []
        self._replay = list(changes)
        self._resume = resume
        self._task = task
        self._store = store
        self._emit = emit
        self._control = control
        self._run_path = run_path
        self._labels = labels
        self._weights = dict(weights or {})
        self._names: tuple[str, ...] = ()
        self._noted: set[str] = set()
        self._started = time.monotonic()
        self._last_step = 0.0
        self._last_preview = 0.0
        self._preview_gap = PREVIEW_SECONDS
        self._previews: list[Path] = []
        self._low: float | None = None
        self._high: float | None = None
        self._checkpoint_at = self._started + FIRST_CHECKPOINT
        self._update = Update(0, 0, 1, 1, 0, 0, 0, 0.0)

    @property
    def key(self) -> str:
        """The key of the result, forked by the weight changes in force."""
        return fork_key(self._task.base, self.changes)

    def terms(self, count: int) -> tuple[str, ...] | None:
        if self._labels is None or len(self._labels) != count:
            return None
        self._names = tuple(name for name, _ in self._labels)
        return self._names

    def note(self, message: str) -> None:
        if message not in self._noted:
            self._noted.add(message)
            self._emit(events.Note(message, self._task.node))

    # -- progress --------------------------------------------------------------------------

    def progress(
        self,
        update: Update,
        read: Callable[[], Reading],
        picture: Callable[[], np.ndarray],
    ) -> Orders:
        self._update = update
        wishes = self._control.poll()
        if wishes.stop_now and not wishes.checkpoint:
            raise Cancelled
        now = time.monotonic()
        last = update.step >= update.steps
        due = last or now - self._last_step >= 1 / STEPS_PER_SECOND or wishes.stop
        if due or self.device == "cpu":
            self._step(update, read(), due)
            if due:
                self._last_step = now
        timely = now - self._last_preview >= self._preview_gap
        if wishes.preview or last or (timely if update.preview is None else update.preview):
            wishes.preview = False
            self._preview(update, picture())
            self._last_preview = time.monotonic()
        if wishes.paused:
            self._pause()
            wishes = self._control.wishes
        checkpoint, wishes.checkpoint = wishes.checkpoint or wishes.stop, False
        if wishes.stop and not last:
            self.partial_step = update.step
        return Orders(
            stop=wishes.stop,
            weights=self._new_weights(update.step),
            checkpoint=checkpoint,
        )

    def _step(self, update: Update, reading: Reading, due: bool) -> None:
        total = reading.total
        if not due:
            self._low = total if self._low is None else min(self._low, total)
            self._high = total if self._high is None else max(self._high, total)
            return
        names = self._names + reading.own
        if len(names) != len(reading.weighted):
            names = tuple(f"term {i + 1}" for i in range(len(reading.weighted)))
        self._emit(
            events.Step(
                node=self._task.node,
                step=update.step,
                steps=update.steps,
                scale=update.scale,
                scales=update.scales,
                width=update.width,
                height=update.height,
                seconds=update.seconds,
                evaluations=update.evaluations,
                total=total,
                losses=dict(zip(names, reading.weighted, strict=True)),
                raw=dict(zip(names, reading.raw, strict=True)),
                low=self._low,
                high=self._high,
            )
        )
        self._low = self._high = None

    def _preview(self, update: Update, pixels: np.ndarray) -> None:
        if self._run_path is None:
            return
        from PIL import Image

        image = Image.fromarray(pixels)
        image.thumbnail((PREVIEW_SIDE, PREVIEW_SIDE))
        buffer = io.BytesIO()
        image.save(buffer, "JPEG", quality=85)
        name = f"previews/{self._task.node.replace(':', '_')}/{update.step:06d}.jpg"
        try:
            files.write(self._run_path / name, buffer.getvalue())
        except OSError as error:
            self.note(f"no previews: {error.strerror or error}")
            return
        self._previews.append(self._run_path / name)
        if len(self._previews) > PREVIEWS_KEPT:  # keep every second one and look half as often
            for path in self._previews[1::2]:
                files.remove(path)
            self._previews = self._previews[::2]
            self._preview_gap *= 2
        self._emit(events.Preview(self._task.node, update.step, name))

    def _pause(self) -> None:
        self._emit(events.Paused())
        while self._control.poll().paused:
            time.sleep(0.05)
        if self._control.wishes.stop_now:
            raise Cancelled
        self._emit(events.Resumed())

    # -- weights ---------------------------------------------------------------------------

    def _new_weights(self, step: int) -> dict[int, float]:
        """New weights by term index: recorded changes due by now, then new wishes."""
        due = [change for change in self._replay if change.step <= step]
        self._replay = self._replay[len(due) :]
        wishes = self._control.wishes.weights
        mine = [wish for wish in wishes if any(node == wish[0] for _, node in self._labels or ())]
        for wish in mine:
            wishes.remove(wish)
            due.append(Change(step, *wish))
        weights = {}
        for change in due:
            old = next(
                (c.value for c in reversed(self.changes) if c.node == change.node),
                self._weights.get(change.node, float("nan")),
            )
            self.changes.append(change)
            for index, (_, node) in enumerate(self._labels or ()):
                if node == change.node:
                    weights[index] = change.value
            self._emit(events.Changed(change.node, change.input, old, change.value, change.step))
        return weights

    # -- checkpoints -----------------------------------------------------------------------

    def load_checkpoint(self) -> State | None:
        """The newest checkpoint on the way that the recorded changes describe."""
        if not self._resume:
            return None
        for count in range(len(self._replay), -1, -1):
            changes = self._replay[:count]
            before = self._replay[count].step if count < len(self._replay) else None
            state = self._store.load_checkpoint(fork_key(self._task.base, changes), before)
            if state is not None and (not changes or state.facts["step"] >= changes[-1].step):
                self.changes, self._replay = list(changes), self._replay[count:]
                return state
        return None

    def checkpoint_due(self) -> bool:
        return time.monotonic() >= self._checkpoint_at

    def save_checkpoint(self, state: State, step: int) -> None:
        started = time.monotonic()
        try:
            self._store.save_checkpoint(self.key, step, state)
        except OSError as error:
            self.note(f"no checkpoint saved: {error.strerror or error}")
            self._checkpoint_at = time.monotonic() + 60
            return
        cost = time.monotonic() - started
        self._checkpoint_at = time.monotonic() + max(FIRST_CHECKPOINT, CHECKPOINT_SHARE * cost)
        self._emit(events.Checkpoint(self._task.node, step, cost))
        if self._control.wishes.stop_now:
            raise Cancelled
