"""The list of runs, and what can be done with them."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from contextlib import suppress
from typing import ClassVar

from textual import work
from textual.binding import BindingType

from nst_graph import control, files, folders, queue, runs
from nst_graph.errors import UserError

from .. import keys
from ..listing import Entry
from .confirm import ConfirmScreen
from .runlist import RunList

TRASH = ".trash"


class RunsScreen(RunList):
    MODE = "runs"
    SCOPES = ("runs",)
    BINDINGS: ClassVar[list[BindingType]] = [*keys.bindings("runs")]

    def __init__(self) -> None:
        super().__init__()
        self._trashed: list[runs.RunFolder] = []

    def on_mount(self) -> None:
        self._wake_queue()

    @work(thread=True)
    def _wake_queue(self) -> None:
        """Runs that were waiting when the machine went down go on."""
        with suppress(OSError):
            queue.ensure_runner()

    def action_new_run(self) -> None:
        self.prompt.ask("run which graph (a file, or an example's name)?", "", self._new_run)

    def _new_run(self, text: str) -> str | None:
        if not text.strip():
            return "a file, or a name such as quickstart:"
        try:
            graph, *overrides = shlex.split(text)
        except ValueError as error:
            return f"{error}:"
        self.say("checking the graph…", "dim")
        self._launch(graph, overrides, None)
        return None

    def action_duplicate(self) -> None:
        entry = self.current
        if entry is None:
            return

        def answer(text: str) -> str | None:
            try:
                overrides = shlex.split(text)
                options = entry.run.options()
            except (ValueError, UserError) as error:
                return f"{error}:"
            wrong = [word for word in overrides if "=" not in word or "." not in word]
            if wrong:
                return f"{wrong[0]!r} is not NODE.INPUT=VALUE:"
            self.say("checking the graph…", "dim")
            self._launch(str(entry.run.graph), overrides, options)
            return None

        self.prompt.ask(f"{entry.name} again, with NODE.INPUT=VALUE …:", "", answer)

    @work(thread=True, exclusive=True)
    def _launch(self, graph: str, overrides: list[str], options: runs.Options | None) -> None:
        try:
            run = runs.launch(graph, overrides, options)
        except (UserError, OSError) as error:
            self.nst.call_from_thread(self.say, str(error), "bad")
            return
        self.nst.call_from_thread(self._launched, run)

    def _launched(self, run: runs.RunFolder) -> None:
        waiting = [queued.id for queued in queue.waiting()]
        place = waiting.index(run.id) + 1 if run.id in waiting else 1
        self.say(f"{run.id}: " + ("starts now" if place == 1 else f"number {place} to run"), "ok")
        self.listing.look_again()
        self.beat_now()

    def action_go_on(self) -> None:
        entry = self.current
        if entry is None:
            return
        if entry.run.alive():
            if entry.state == "paused":
                self._send(entry, "resume")
            else:
                self.say(f"{entry.name} is {entry.state} already", "dim")
        elif entry.state == "done":
            self.say(f"{entry.name} is done; d runs it again with other values", "dim")
        else:
            runs.start_worker(entry.run)
            self.say(f"{entry.name} goes on", "ok")
            self.listing.look_again()

    def action_pause(self) -> None:
        entry = self.current
        if entry is not None:
            self._send(entry, "resume" if entry.state == "paused" else "pause")

    def action_stop(self) -> None:
        entry = self.current
        if entry is None:
            return
        if entry.place:
            self._try(lambda: queue.cancel(entry.run), f"{entry.name} is out of the queue")
            return
        if not entry.run.alive():
            self.say(f"{entry.name} is not running ({entry.state})", "warn")
            return

        def answered(yes: bool | None) -> None:
            if yes:
                self._send(entry, "stop")

        question = ConfirmScreen(f"Stop {entry.name}?", "Its picture as it is now is kept.")
        self.nst.push_screen(question, answered)

    def action_queue_by(self, places: int) -> None:
        entry = self.current
        if entry is None or not entry.place:
            self.say("only runs that wait in the queue can be moved in it", "dim")
            return
        ahead = sum(run.log.exists() for run in queue.waiting())
        place = max(1, entry.place - ahead + places)
        self._try(lambda: queue.move(entry.run, place), f"{entry.name} starts as number {place}")

    def _send(self, entry: Entry, command: str) -> None:
        if not entry.run.alive():
            self.say(f"{entry.name} is not running ({entry.state})", "warn")
            return
        try:
            control.send(entry.run, command)
        except (OSError, UserError) as error:
            self.say(f"cannot {command} {entry.name}: {error}", "bad")
            return
        self.say(f"{command} sent to {entry.name}", "ok")
        self.listing.look_again()

    def action_trash(self) -> None:
        entry = self.current
        if entry is None:
            return
        if entry.run.alive() or not entry.ended:
            self.say(f"{entry.name} has not ended; x stops it", "warn")
            return
        target = folders.runs_folder() / TRASH / entry.run.id
        done = f"{entry.name} is in the trash; u takes it back"
        if self._try(lambda: files.move(entry.run.path, target), done):
            self._trashed.append(runs.RunFolder(target))
        if entry.run.id in self.nst.marked:
            self.nst.marked.remove(entry.run.id)

    def action_restore(self) -> None:
        if not self._trashed:
            self.say("nothing was trashed", "dim")
            return
        trashed = self._trashed.pop()
        target = folders.runs_folder() / trashed.id
        self._try(lambda: files.move(trashed.path, target), f"{trashed.name} is back")

    def _try(self, act: Callable[[], object], done: str) -> bool:
        try:
            act()
        except (OSError, UserError) as error:
            self.say(f"that failed: {error}", "bad")
            return False
        self.say(done, "ok")
        self.listing.look_again()
        self.beat_now()
        return True
