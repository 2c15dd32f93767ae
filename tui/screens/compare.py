"""Up to six runs over each other."""

from __future__ import annotations

import csv
import io
import math
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Horizontal

from nst_graph import files, runs
from nst_graph.errors import UserError
from nst_graph.progress import duration, number

from .. import keys, recorded
from ..listing import glimpse
from ..series import TOTAL, Track
from ..state import Optimisation
from ..tail import SLICE_SECONDS, Follower
from ..theme import SERIES
from ..widgets.cells import Cells, Grid
from ..widgets.curves import Curves
from ..widgets.plot import Line
from ..widgets.preview import Picture
from .page import Page
from .plotkeys import PlotKeys

LETTERS = "abcdef"
AT_ONCE = 0.005
DRAW_WHILE_READING = 0.5


@dataclass
class Compared:
    """One of the runs: ``letter`` a to f, in the colour of the same letter."""

    letter: str
    run: runs.RunFolder
    follower: Follower
    nodes: dict[str, recorded.RecordedNode]
    state: str = "queued"

    @property
    def optimisation(self) -> Optimisation | None:
        """The longest optimisation of the run."""
        known = self.follower.state.optimisations.values()
        return max(known, key=lambda found: found.step.step, default=None)

    @property
    def series(self) -> int:
        return LETTERS.index(self.letter) + 1


class Differences(Cells):
    """Inputs of the runs side by side, then how they went."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.heads: list[tuple[str, int]] = []
        self.rows: list[tuple[str, tuple[str, ...]]] = []
        self.title = "what differs"
        self.first = 0

    def scroll_rows(self, by: int) -> None:
        self.first = max(0, min(self.first + by, len(self.rows) - self.size.height + 1))
        self.repaint()

    def paint(self, grid: Grid) -> None:
        grid.write(0, 0, "─" * grid.width, "dim")
        if not self.heads:
            grid.write(1, 0, f" {self.title} ", "title")
            return
        label = max(16, min(40, grid.width - 14 * len(self.heads)))
        width = max(8, (grid.width - label) // len(self.heads))
        grid.write(1, 0, f" {self.title} ", "title", label - 1)
        for index, (head, series) in enumerate(self.heads):
            x = label + index * width
            grid.write(x, 0, f" {head} ", f"series{series % SERIES}", width - 1)
        rows = grid.height - 1
        self.first = max(0, min(self.first, len(self.rows) - rows))
        for y, (name, values) in enumerate(self.rows[self.first : self.first + rows], start=1):
            grid.write(1, y, name, "dim", label - 2)
            for index, value in enumerate(values):
                grid.write(label + index * width + 1, y, value, "text", width - 2)


class CompareScreen(PlotKeys, Page):
    MODE = "compare"
    SCOPES = ("compare",)
    BINDINGS: ClassVar[list[BindingType]] = [*keys.bindings("compare")]

    def __init__(self) -> None:
        super().__init__()
        self.runs: list[Compared] = []
        self.term = TOTAL
        self.normalised = False
        self.everything = False
        self.flipped: int | None = None
        self._drawn = -10.0
        self.back_by = 0
        """How many previews before the newest are shown."""

    def body(self) -> ComposeResult:
        yield Curves("total", id="compare-curves")
        with Horizontal(id="compare-pictures"):
            for letter in LETTERS:
                yield Picture(id=f"picture-{letter}")
        yield Differences(id="differences")

    @property
    def curves(self) -> Curves:
        return self.query_one(Curves)

    # -- what is shown ---------------------------------------------------------------------------

    def tick(self) -> float | None:
        self._take_marked()
        if not self.runs:
            self.say("no runs marked: 1, then space marks runs and c compares them", "dim")
            self.top_bar.say("nothing to compare")
            self.curves.repaint()
            return None
        for compared in self.runs:
            compared.follower.poll(SLICE_SECONDS / len(self.runs))
        behind = any(compared.follower.behind for compared in self.runs)
        if not behind or time.monotonic() - self._drawn > DRAW_WHILE_READING:
            self.draw()
            self._drawn = time.monotonic()
        return AT_ONCE if behind else None

    def _take_marked(self) -> None:
        wanted = list(self.nst.marked)
        if [compared.run.id for compared in self.runs] == wanted:
            return
        known = {run.id: run for run in runs.list_runs()}
        self.nst.marked[:] = wanted = [run_id for run_id in wanted if run_id in known]
        self.runs = [
            Compared(
                LETTERS[index],
                known[run_id],
                self.nst.follower(known[run_id]),
                recorded.nodes(known[run_id].graph),
            )
            for index, run_id in enumerate(wanted)
        ]
        self.flipped = None
        self.say("")

    def terms(self) -> list[str]:
        """The total, then every term that any of the runs has."""
        found = (compared.optimisation for compared in self.runs)
        names = [name for each in found if each for name in each.track.names]
        return list(dict.fromkeys([TOTAL, *names]))

    def draw(self) -> None:
        plot = self.curves.plot
        lines = []
        for compared in self.runs:
            found = compared.optimisation
            if found is None or self.term not in found.track.names:
                continue
            divide = _first(found.track, self.term) if self.normalised else 1.0
            label = compared.run.name
            lines.append(Line(label, compared.series, found.track, self.term, divide))
        plot.lines = lines
        known = [c.optimisation for c in self.runs if c.optimisation is not None]
        plot.planned = max((found.step.steps for found in known), default=0)
        self.curves.title = self.term + (" ÷ first" if self.normalised else "")
        self.curves.repaint()
        states = [self._state(compared) for compared in self.runs]
        going = sum(state in ("running", "paused") for state in states)
        told = f"{len(self.runs)} runs · term {self.term}"
        self.top_bar.say(told, "", f"{going} going on" if going else "")
        self._draw_table(states)
        self._draw_pictures()

    def _draw_table(self, states: list[str]) -> None:
        table = self.query_one(Differences)
        table.title = "all inputs" if self.everything else "what differs"
        table.heads = [(f"{c.letter} {c.run.name}", c.series) for c in self.runs]
        at = self.curves.plot.view.cursor
        rows = []
        if at is not None:
            values = {
                line.series: value
                for line, value in zip(
                    self.curves.plot.lines, self.curves.plot.values_at(at), strict=True
                )
            }
            axis = self.curves.plot.view.axis
            shown = tuple(number(values.get(c.series, math.nan)) for c in self.runs)
            rows.append((f"{self.term} at {axis} {number(at)}", shown))
        rows.append((f"{self.term} now", tuple(self._final(c) for c in self.runs)))
        graphs = [recorded.changed(c.nodes, c.follower.state.weights) for c in self.runs]
        rows += recorded.differences(graphs, everything=self.everything)
        rows.append(("state", tuple(states)))
        rows.append(("time", tuple(duration(c.follower.state.seconds) for c in self.runs)))
        rows.append(("it/s", tuple(_speed(c.optimisation) for c in self.runs)))
        table.rows = rows
        table.repaint()

    def _final(self, compared: Compared) -> str:
        found = compared.optimisation
        if found is None or self.term not in found.track.names or not found.track.size:
            return recorded.MISSING
        return f"{number(found.track.last(self.term)[-1])} at {found.step.step}"

    def _state(self, compared: Compared) -> str:
        state = compared.follower.state
        if state.finished is not None:
            return state.state
        return glimpse(compared.run).state

    def _draw_pictures(self) -> None:
        self.query_one("#body").set_class(self.flipped is not None, "-flip")
        for index, letter in enumerate(LETTERS):
            picture = self.query_one(f"#picture-{letter}", Picture)
            wanted = index < len(self.runs) and self.flipped in (None, index)
            picture.display = wanted
            if not wanted:
                continue
            compared = self.runs[index]
            found = compared.optimisation
            previews = found.previews if found else []
            if not previews:
                picture.show(None, f"{letter} {compared.run.name}")
                continue
            step, name = previews[max(0, len(previews) - 1 - self.back_by)]
            path = recorded.picture(compared.run.path, name)
            picture.show(path, f"{letter} {compared.run.name}", f"step {step}")

    def in_short(self) -> Iterator[str]:
        for compared in self.runs:
            yield f"{compared.letter} {compared.run.name}: {self._final(compared)}"
        if not self.runs:
            yield "no runs marked"

    # -- actions -----------------------------------------------------------------------------------

    def after_plot_key(self) -> None:
        if self.runs:
            self.draw()

    def action_term(self) -> None:
        known = self.terms()
        at = known.index(self.term) if self.term in known else -1
        self.term = known[(at + 1) % len(known)]
        self.after_plot_key()

    def action_normalise(self) -> None:
        self.normalised = not self.normalised
        self.after_plot_key()

    def action_flip(self) -> None:
        if not self.runs:
            return
        index = -1 if self.flipped is None else self.flipped
        self.flipped = index + 1 if index + 1 < len(self.runs) else None
        self.after_plot_key()

    def action_scrub(self, by: int) -> None:
        found = [c.optimisation for c in self.runs]
        longest = max((len(each.previews) for each in found if each), default=0)
        self.back_by = max(0, min(self.back_by - by, longest - 1))
        self.after_plot_key()

    def action_all_rows(self) -> None:
        self.everything = not self.everything
        self.after_plot_key()

    def action_scroll(self, by: int) -> None:
        self.query_one(Differences).scroll_rows(by)

    def action_copy(self) -> None:
        table = self.query_one(Differences)
        lines = [["", *(head for head, _ in table.heads)]]
        lines += [[name, *values] for name, values in table.rows]
        self.nst.copy("\n".join("\t".join(line) for line in lines))

    def action_export(self) -> None:
        if not self.runs:
            return
        try:
            text = curves_csv([(c.run.id, c.optimisation) for c in self.runs])
            folder = Path.cwd()
            path = files.publish(text.encode(), lambda n: folder / f"nst-compare-{n}.csv")
        except UserError as error:
            self.say(str(error), "bad")
            return
        self.say(f"written: {path}", "ok")

    def action_back(self) -> None:
        if self.flipped is not None:
            self.flipped = None
            self.after_plot_key()
        elif self.curves.drop_cursor():
            self.after_plot_key()
        else:
            self.nst.switch_mode("runs")


def curves_csv(compared: list[tuple[str, Optimisation | None]]) -> str:
    """One row for each run, term and logged step; long logs are merged rows (low, high, last)."""
    target = io.StringIO()
    writer = csv.writer(target, lineterminator="\n")
    writer.writerow(["run", "term", "step", "seconds", "evaluations", "value", "low", "high"])
    for run, found in compared:
        if found is None:
            continue
        track = found.track
        positions = [track.x("step"), track.x("time"), track.x("evaluations")]
        for name in track.names:
            columns = [track.last(name), track.low(name), track.high(name)]
            for row in zip(*positions, *columns, strict=True):
                writer.writerow([run, name, *(f"{value:.9g}" for value in row)])
    return target.getvalue()


def _first(track: Track, name: str) -> float:
    values = track.last(name)
    usable = values[(values == values) & (values != 0)]
    return abs(float(usable[0])) if len(usable) else 1.0


def _speed(found: Optimisation | None) -> str:
    rate = found.pace.rate if found else None
    return number(rate) if rate else recorded.MISSING
