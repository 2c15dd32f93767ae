"""The list of runs: finding one, and seeing what it is about."""

from __future__ import annotations

from collections.abc import Iterator

from textual.app import ComposeResult
from textual.containers import Horizontal

from nst_graph.errors import UserError
from nst_graph.progress import number

from .. import filters, recorded
from ..listing import Entry, Listing
from ..tail import Follower
from ..widgets.curves import Curves
from ..widgets.plot import Line
from ..widgets.preview import Picture
from ..widgets.runtable import RunTable
from ..widgets.summary import Summary
from .page import Page

AT_ONCE = 0.005
"""Seconds left to the keyboard between two slices of reading."""


class RunList(Page):
    """Every run, filtered and sorted, with a summary of the one under the cursor."""

    def __init__(self) -> None:
        super().__init__()
        self.listing = Listing()
        self.filter_text = ""
        self._fits: filters.Test = filters.parse("")
        self._shown: Follower | None = None

    def body(self) -> ComposeResult:
        yield RunTable(id="runs")
        with Horizontal(id="summary"):
            yield Summary(id="summary-text")
            yield Curves("loss", id="run-curves")
            yield Picture(id="run-picture")

    def on_mount(self) -> None:
        self.set_focus(self.table)

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
            self.fill()
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

    def fill(self) -> None:
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

    def action_mark(self) -> None:
        entry = self.current
        if entry is None:
            return
        problem = self.nst.mark(entry.run.id)
        if problem is not None:
            self.say(problem, "warn")
        else:
            self.say(f"{len(self.nst.marked)} marked; c compares them", "dim")
        self.fill()
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
        self.fill()
        return None

    def action_next_match(self) -> None:
        self.table.action_by(1)

    def action_previous_match(self) -> None:
        self.table.action_by(-1)

    def action_sort(self) -> None:
        self.say(f"sorted by {self.table.sort_next()}", "dim")

    def action_reverse(self) -> None:
        self.table.reverse = not self.table.reverse
        self.fill()

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
            self.fill()
