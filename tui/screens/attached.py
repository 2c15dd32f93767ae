"""One run, the worker behind it, and what is said between them."""

from __future__ import annotations

import time
from typing import Any

from nst_graph import control, queue, runs
from nst_graph.errors import UserError

from ..listing import START_SECONDS, created_at, last_words
from ..state import RunState
from ..tail import Follower
from ..weights import ask_weight
from .page import Page

ALIVE_SECONDS = 1.0
PATIENCE = 10.0


class Attached(Page):
    """A screen that follows one run. It sends commands; answers come through the run's log."""

    def __init__(self) -> None:
        super().__init__()
        self.run: runs.RunFolder | None = None
        self.follower: Follower | None = None
        self.attach(None)

    def attach(self, run: runs.RunFolder | None) -> None:
        """Follow ``run`` from now on."""
        self.run = run
        self.follower = None if run is None else self.nst.follower(run)
        self.alive = self.queued = False
        self.pending: dict[str, tuple[str, float]] = {}
        """Commands not answered yet: what was asked, and when."""
        self._asked_alive = -10.0
        self._stopping = self._ended = False

    @property
    def state(self) -> RunState:
        return self.follower.state if self.follower is not None else RunState()

    @property
    def shown_state(self) -> str:
        """The log's state, corrected by what the lock says."""
        state = self.state.state
        if self.run is None or state in ("done", "failed", "stopped") or self.alive:
            return state
        young = time.time() - created_at(self.run) < START_SECONDS
        waits = self.queued or (state == "queued" and young)
        return "queued" if waits else "crashed"

    def look_alive(self) -> None:
        assert self.run is not None
        now = time.monotonic()
        if now - self._asked_alive >= ALIVE_SECONDS:
            self._asked_alive, self.alive = now, self.run.alive()
            self.queued = not self.alive and self.run in queue.waiting()
        if self.shown_state == "crashed" and not self._ended:
            self._ended = True
            words = last_words(self.run)
            self.say(f"the worker has died; r goes on. {words}", "bad")
        elif self.state.finished is not None and not self._ended:
            self._ended = True
            outputs = self.state.finished.outputs
            if self.state.failure:
                self.say(self.state.failure, "bad")
            elif outputs:
                self.say(f"result: {outputs[-1]}", "ok")
        elif self.alive and self.state.finished is None:
            self._ended = False

    def hear_answers(self) -> None:
        for command_id, (what, sent) in list(self.pending.items()):
            answer = self.state.acks.get(command_id)
            if answer is not None:
                del self.pending[command_id]
                text = answer.message if answer.ok else f"refused: {answer.message}"
                self.say(f"{what}: {text or 'done'}", "ok" if answer.ok else "bad")
            elif time.monotonic() - sent > PATIENCE:
                del self.pending[command_id]
                self.say(f"{what}: no answer yet; the worker may be busy", "warn")

    def command(self, name: str, what: str, **details: Any) -> bool:
        """Send a command; its answer will be shown. Whether there is someone to receive it."""
        if self.run is None:
            return False
        self.alive = self.run.alive()
        if not self.alive:
            self.say(f"cannot {what}: the run is {self.shown_state}", "warn")
            return False
        try:
            command_id = control.send(self.run, name, **details)
        except (OSError, UserError) as error:
            self.say(f"cannot {what}: {error}", "bad")
            return False
        self.pending[command_id] = (what, time.monotonic())
        self.say(f"{what}: sent", "dim")
        self.beat_now()
        return True

    # -- actions ---------------------------------------------------------------------------------

    def action_pause(self) -> None:
        resume = self.state.state == "paused"
        self.command("resume" if resume else "pause", "resume" if resume else "pause")

    def action_interrupt(self) -> None:
        if self._stopping:
            self.command("stop_now", "stop at once")
        elif self.command("stop", "stop"):
            self._stopping = True

    def action_checkpoint(self) -> None:
        self.command("checkpoint", "checkpoint")

    def action_preview_now(self) -> None:
        self.command("preview", "preview")

    def action_weight(self) -> None:
        ask_weight(self)

    def action_go_on(self) -> None:
        if self.run is None:
            return
        if self.run.alive():
            self.say("it is running; p pauses and resumes", "dim")
        elif self.state.state == "done":
            self.say("it is done; d in the list runs it again with other values", "dim")
        else:
            self._stopping = self._ended = False
            runs.start_worker(self.run)
            self.say("a new worker goes on from the last checkpoint", "ok")

    def action_detach(self) -> None:
        self.nst.exit(0)
