"""The list of runs, and what can be done with them."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import ClassVar

from textual import work
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Horizontal

from nst_graph import control, files, folders, queue, runs
from nst_graph.errors import UserError
from nst_graph.progress import number

from .. import filters, keys, recorded
from ..listing import Entry, Listing
from ..tail import Follower
from ..widgets.curves import Curves
from ..widgets.plot import Line
from ..widgets.preview import Picture
from ..widgets.runtable import RunTable
from ..widgets.summary import Summary
from .confirm import ConfirmScreen
from .page import Page

TRASH = ".trash"
AT_ONCE = 0.005
"""Seconds left to the keyboard between two slices of reading."""


class RunsScreen(Page):
    MODE = "runs"
    SCOPES = ("runs",)
    BINDINGS: ClassVar[list[BindingType]] = [*keys.bindings("runs")]

    def __init__(self) -> None:
        super().__init__()
        self.listing = Listing()
        self.filter_text = ""
        self._fits: filters.Test = filters.parse("")
        self._trashed: list[runs.RunFolder] = []
        self._shown: Follower | None = None

    def body(self) -> ComposeResult:
        yield RunTable(id="runs")
        with Horizontal(id="summary"):
            yield Summary(id="summary-text")
            yield Curves("loss", id="run-curves")
            yield Picture(id="run-picture")

    def on_mount(self) -> None:
        self.set_focus(self.table)
        self._wake_queue()

    @work(thread=True)
    def _wake_queue(self) -> None:
        """Runs that were waiting when the machine went down go on."""
        with suppress(OSError):
            queue.ensure_runner()

    @property
    def home_widget(self) -> RunTable:
        return self.table

    @property
    def table(self) -> RunTable:
        return self.query_one(RunTable)

    @property
    def current(self) -> Entry | None:
        return self.table.current

    # -- what is shown ---------------------------------------------------------------------------

    def tick(self) -> float | None:
        if self.listing.refresh():
            self._fill()
        self._summarise()
        io = f"io {self.nst.governor.rate / 1000:.0f} KB/s"
        busy = sum(entry.state == "running" for entry in self.listing.entries.values())
        count = len(self.listing.entries)
        told = f"{count} runs, {busy} running"
        self.top_bar.say(
            f"{told}, reading…" if self.listing.behind else told, "", io if busy else ""
        )
        behind = self.listing.behind or (self._shown is not None and self._shown.behind)
        return AT_ONCE if behind else None

    def _fill(self) -> None:
        table = self.table
        table.marked = self.nst.marked
        if self.listing.entries:
            table.empty = f"no run fits {self.filter_text!r}; Esc drops the filter"
        entries = self.listing.entries.values()
        table.set_entries([entry for entry in entries if self._fits(entry)])

    def _summarise(self) -> None:
        """Follow the log of the run under the cursor, a slice at a time."""
        entry, summary = self.current, self.query_one(Summary)
        curves, picture = self.query_one(Curves), self.query_one(Picture)
        if entry is None:
            self._shown = None
            summary.show(None, None)
            curves.plot.lines = ()
            curves.repaint()
            picture.show(None, "picture")
            return
        followed = self.nst.follower(entry.run)
        followed.poll()
        if followed is self._shown and followed.behind:
            return  # draw once it has been read
        self._shown = followed
        state = self._shown.state
        summary.show(entry, state)
        found = state.optimisations.get(state.current or "")
        curves.plot.lines = (
            [Line(n, i, found.track, n) for i, n in enumerate(found.track.names)] if found else ()
        )
        curves.plot.planned = found.step.steps if found else 0
        curves.repaint()
        if found is not None and found.previews:
            step, name = found.previews[-1]
            if picture.path is None or picture.title != f"step {step}" or self._moved(entry):
                picture.show(recorded.picture(entry.run.path, name), f"step {step}")
        else:
            picture.show(None, "picture")

    def _moved(self, entry: Entry) -> bool:
        """Whether the picture shown is another run's."""
        path = self.query_one(Picture).path
        return path is None or entry.run.path.resolve() not in path.parents

    def in_short(self) -> Iterator[str]:
        entry = self.current
        yield f"{len(self.listing.entries)} runs"
        if entry is not None:
            yield f"{entry.name}: {entry.state} {entry.step}/{entry.steps}"
            if entry.total is not None:
                yield f"loss {number(entry.total)}"

    def on_run_table_selected(self) -> None:
        self._summarise()

    def on_run_table_opened(self) -> None:
        self.action_open()

    # -- actions -----------------------------------------------------------------------------------

    def action_open(self) -> None:
        if self.current is not None:
            self.nst.watch_run(self.current.run)

    def action_open_graph(self) -> None:
        if self.current is not None:
            self.nst.open_graph(self.current.run)

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

    def action_mark(self) -> None:
        entry = self.current
        if entry is None:
            return
        problem = self.nst.mark(entry.run.id)
        if problem is not None:
            self.say(problem, "warn")
        else:
            self.say(f"{len(self.nst.marked)} marked; c compares them", "dim")
        self._fill()
        self.table.action_by(1)

    def action_compare(self) -> None:
        if not self.nst.marked and self.current is not None:
            self.nst.mark(self.current.run.id)
        self.nst.switch_mode("compare")

    def action_filter(self) -> None:
        before = self.filter_text
        self.prompt.ask(
            "filter:",
            self.filter_text,
            self._set_filter,
            typed=self._set_filter,
            left=lambda: self._set_filter(before),
        )

    def _set_filter(self, text: str) -> str | None:
        try:
            self._fits = filters.parse(text)
        except UserError as error:
            self.say(str(error), "warn")
            return f"{error}:"
        self.filter_text = text.strip()
        self.say(f"filter: {self.filter_text}" if self.filter_text else "", "dim")
        self._fill()
        return None

    def action_next_match(self) -> None:
        self.table.action_by(1)

    def action_previous_match(self) -> None:
        self.table.action_by(-1)

    def action_sort(self) -> None:
        self.say(f"sorted by {self.table.sort_next()}", "dim")

    def action_reverse(self) -> None:
        self.table.reverse = not self.table.reverse
        self._fill()

    def action_trash(self) -> None:
        entry = self.current
        if entry is None:
            return
        if entry.run.alive() or not entry.ended:
            self.say(f"{entry.name} has not ended; x stops it", "warn")
            return
        target = folders.runs_folder() / TRASH / entry.run.id
        self._try(lambda: files.move(entry.run.path, target), f"{entry.name} is in the trash; u")
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

    def _try(self, act: Callable[[], object], done: str) -> None:
        try:
            act()
        except (OSError, UserError) as error:
            self.say(f"that failed: {error}", "bad")
            return
        self.say(done, "ok")
        self.listing.look_again()
        self.beat_now()

    def action_open_picture(self) -> None:
        picture = self.query_one(Picture)
        state = self._shown.state if self._shown is not None else None
        if state is not None and state.finished is not None and state.finished.outputs:
            self.nst.open_outside(state.finished.outputs[-1])
        elif picture.path is not None:
            self.nst.open_outside(str(picture.path))
        else:
            self.say("no picture yet", "dim")

    def action_copy(self) -> None:
        if self.current is not None:
            self.nst.copy(str(self.current.run.path))

    def action_back(self) -> None:
        if self.filter_text:
            self._set_filter("")
        elif self.nst.marked:
            self.nst.marked.clear()
            self._fill()
