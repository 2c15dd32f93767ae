"""Watching one run: progress, curves, terms, picture, resources, log; pausing, stopping,
changing weights. Everything shown comes from the run's log, everything done is a command."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from typing import Any, ClassVar

from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Horizontal, Vertical

from nst_graph import runs
from nst_graph.progress import duration, number

from .. import keys, pixels, recorded
from ..series import TOTAL
from ..state import Optimisation
from ..widgets import terms as terms_table
from ..widgets.curves import Curves
from ..widgets.gauges import Log, Nodes, Progress, Resources
from ..widgets.plot import Line, Sign
from ..widgets.preview import Picture
from .attached import Attached
from .log import LogScreen
from .plotkeys import PlotKeys

PICTURE_SECONDS = 2.0
QUICK = 0.1
"""Seconds between looks at the log while an answer is awaited."""
AT_ONCE = 0.005
"""Seconds left to the keyboard between two slices of a long log."""
DRAW_WHILE_READING = 0.5


class MonitorScreen(PlotKeys, Attached):
    MODE = "monitor"
    SCOPES = ("monitor",)
    BINDINGS: ClassVar[list[BindingType]] = [*keys.bindings("monitor")]

    def __init__(self) -> None:
        super().__init__()
        self._forget()

    def on_mount(self) -> None:
        self.picture.mode = self.nst.settings.picture

    def _forget(self) -> None:
        """Nothing chosen yet: a new run is shown."""
        self.hidden: set[str] = set()
        self.only_selected = False
        self.chosen_node: str | None = None
        self.scrubbed: int | None = None
        self.declared: dict[str, recorded.RecordedNode] = {}
        self._drawn = self._pictured = -10.0

    def body(self) -> ComposeResult:
        yield Progress(id="progress")
        with Horizontal(id="top"):
            yield Curves("loss", id="curves")
            yield Picture(id="picture")
        with Horizontal(id="middle"):
            yield terms_table.Terms(id="terms")
            yield Nodes(id="nodes")
            with Vertical(id="side"):
                yield Resources(id="resources")
                yield Log(id="side-log")
        yield Log(id="log-pane")

    # -- what is shown ---------------------------------------------------------------------------

    @property
    def optimisation(self) -> Optimisation | None:
        state = self.state
        node = self.chosen_node if self.chosen_node in state.optimisations else state.current
        return state.optimisations.get(node or "")

    def show_run(self, run: runs.RunFolder) -> None:
        self.attach(run)
        self._forget()
        self.declared = recorded.nodes(run.graph)
        self.curves.plot.lines = self.curves.plot.signs = ()
        self.curves.drop_cursor()
        self.curves.whole()
        table = self.query_one(terms_table.Terms)
        table.rows, table.selected = [], 0
        table.repaint()
        self.picture.show(None, "picture")
        self.say("")

    def tick(self) -> float | None:
        wanted = self.nst.run_folder
        if wanted is None:
            wanted = self.nst.run_folder = next(iter(runs.list_runs()), None)
        if wanted is None:
            self.say("no run yet: 1, then a, runs a graph", "dim")
            return None
        if wanted != self.run:
            self.show_run(wanted)
        assert self.follower is not None
        self.follower.poll()
        if self.follower.behind and time.monotonic() - self._drawn < DRAW_WHILE_READING:
            return AT_ONCE
        self.look_alive()
        self.hear_answers()
        self.draw()
        self._drawn = time.monotonic()
        if self.follower.behind:
            return AT_ONCE
        return QUICK if self.pending else None

    def draw(self) -> None:
        assert self.run is not None and self.follower is not None
        state, found = self.state, self.optimisation
        progress = self.query_one(Progress)
        progress.reading = self.follower.share if self.follower.behind else None
        progress.state, progress.shown_state = state, self.shown_state
        progress.node = found.node if found else None
        progress.repaint()
        # nothing comes from a run without a worker, so its figures stand still
        io = f"io {self.nst.governor.rate / 1000:.0f} KB/s" if self.alive else ""
        pid = f"pid {state.pid} · " if state.pid and self.alive else ""
        self.top_bar.say(self.run.name, self.shown_state, pid + io)
        if found is not None:
            self._draw_curves(found)
            self._draw_picture(found)
        nodes, resources = self.query_one(Nodes), self.query_one(Resources)
        nodes.state = resources.state = state
        nodes.repaint()
        resources.repaint()
        for log in self.query(Log):
            log.lines = state.lines
            log.repaint()

    def _draw_curves(self, found: Optimisation) -> None:
        plot, table = self.curves.plot, self.query_one(terms_table.Terms)
        names = found.track.names
        every = [Line(n, i, found.track, n) for i, n in enumerate(names)]
        cursor = plot.view.cursor
        at = None
        table.heading = "now"
        plot.lines = every
        if cursor is not None:
            at = dict(zip(names, plot.values_at(cursor), strict=True))
            table.heading = f"@{number(cursor)}"
        weights = {name: self._weight(found, name) for name in names}
        table.rows = terms_table.rows(
            found.track, weights, self.hidden, at, since=found.scale_began
        )
        table.repaint()
        selected = table.current.name if table.current else TOTAL
        plot.lines = [
            line
            for line in every
            if (line.name == selected if self.only_selected else line.name not in self.hidden)
        ]
        plot.signs = [
            Sign(found.track, mark.step, mark.text, "mark" if mark.kind == "weight" else "dim")
            for mark in found.marks
        ]
        plot.planned = found.step.steps
        self.curves.repaint()

    def _weight(self, found: Optimisation, term: str) -> float | None:
        """The weight in force: the changed one, else the graph's, else weighted over raw."""
        node = self.state.term_node(term)
        if node is not None:
            given: Any = self.state.weights.get((node, "weight"))
            if given is None and node in self.declared:
                given = self.declared[node].values.get("weight")
            if isinstance(given, int | float) and not isinstance(given, bool):
                return float(given)
        return found.weight_ratio(term)

    def _draw_picture(self, found: Optimisation) -> None:
        assert self.run is not None
        picture = self.query_one("#picture", Picture)
        if not found.previews:
            picture.show(None, "picture")
            return
        now = time.monotonic()
        live = self.scrubbed is None
        index = (
            len(found.previews) - 1 if live else min(self.scrubbed or 0, len(found.previews) - 1)
        )
        step, name = found.previews[index]
        title = f"step {step}"
        if live and picture.path is not None and picture.title != title and self.alive:
            due = now - self._pictured >= max(PICTURE_SECONDS, 2 * self.nst.governor.interval)
            if not due or not self.nst.governor.pictures:
                return
        if picture.title != title or picture.path is None:
            self._pictured = now
            path = recorded.picture(self.run.path, name)
            place = "" if live else f"{index + 1} of {len(found.previews)}"
            picture.show(path, title, place)

    def in_short(self) -> Iterator[str]:
        state, found = self.state, self.optimisation
        yield f"{self.run.name if self.run else 'no run'}: {self.shown_state}"
        if found is not None:
            eta = f", ETA {duration(found.eta)}" if found.eta is not None else ""
            yield f"step {found.step.step}/{found.step.steps}{eta}"
            yield f"loss {number(found.step.total)}"
        elif state.order:
            busy = [n.title for n in state.nodes.values() if n.state == "running"]
            yield f"running {', '.join(busy) or 'nothing'}"

    # -- actions -----------------------------------------------------------------------------------

    @property
    def curves(self) -> Curves:
        return self.query_one("#curves", Curves)

    @property
    def picture(self) -> Picture:
        return self.query_one("#picture", Picture)

    def action_select(self, by: int) -> None:
        self.query_one(terms_table.Terms).move(by)
        if self.only_selected:
            self._redraw()

    def action_toggle_term(self) -> None:
        row = self.query_one(terms_table.Terms).current
        if row is not None:
            self.hidden ^= {row.name}
            self._redraw()

    def action_all_terms(self) -> None:
        self.only_selected = not self.only_selected
        if not self.only_selected:
            self.hidden.clear()
        self._redraw()

    def action_scrub(self, by: int) -> None:
        found = self.optimisation
        if found is None or not found.previews or self.run is None:
            self.say("no previews yet", "dim")
            return
        index = len(found.previews) - 1 if self.scrubbed is None else self.scrubbed
        index += by
        while 0 <= index < len(found.previews):
            if recorded.picture(self.run.path, found.previews[index][1]) is not None:
                break
            index += by  # thinned out by the worker
        if index >= len(found.previews):
            self.scrubbed = None
        elif index >= 0:
            self.scrubbed = index
        self.picture.title = ""
        self._redraw()

    def action_picture_mode(self) -> None:
        self.say(f"picture: {self.picture.next_mode()}")

    def action_full_picture(self) -> None:
        path, kind = self.picture.path, pixels.protocol(os.environ)
        if path is None:
            self.say("no picture yet", "dim")
        elif kind is None:
            self.say(
                "no pixel graphics known of this terminal (NST_GRAPHICS=kitty or sixel)", "warn"
            )
        else:
            self.nst.show_pixels(path, kind)

    def action_enlarge(self) -> None:
        body = self.query_one("#body")
        order = ("", "-curves-only", "-picture-only")
        now = next((name for name in order[1:] if body.has_class(name)), "")
        body.remove_class(*order[1:])
        following = order[(order.index(now) + 1) % len(order)]
        if following:
            body.add_class(following)

    def action_side(self) -> None:
        self.query_one("#body").toggle_class("-nodes")

    def action_log(self) -> None:
        if self.follower is not None:
            self.nst.push_screen(LogScreen(self.follower))

    def action_next_optimise(self) -> None:
        known = list(self.state.optimisations)
        if len(known) < 2:
            self.say("the graph has one Optimize node", "dim")
            return
        found = self.optimisation
        at = known.index(found.node) if found else -1
        self.chosen_node = known[(at + 1) % len(known)]
        self.scrubbed = None
        self.say(f"showing {self.state.title(self.chosen_node)}")
        self._redraw()

    def action_compare(self) -> None:
        if self.run is not None and self.run.id not in self.nst.marked:
            problem = self.nst.mark(self.run.id)
            if problem:
                self.say(problem, "warn")
                return
        self.nst.switch_mode("compare")

    def action_open_graph(self) -> None:
        if self.run is not None:
            self.nst.open_graph(self.run)

    def action_open_picture(self) -> None:
        path = self.picture.path
        if self.state.finished is not None and self.state.finished.outputs:
            self.nst.open_outside(self.state.finished.outputs[-1])
        elif path is not None:
            self.nst.open_outside(str(path))
        else:
            self.say("no picture yet", "dim")

    def action_copy(self) -> None:
        view, found = self.curves.plot.view, self.optimisation
        if view.cursor is not None and found is not None:
            values = zip(
                self.curves.plot.lines, self.curves.plot.values_at(view.cursor), strict=True
            )
            text = f"{view.axis} {view.cursor:g}  " + "  ".join(
                f"{line.name} {number(value)}" for line, value in values
            )
        elif self.state.finished is not None and self.state.finished.outputs:
            text = "\n".join(self.state.finished.outputs)
        else:
            text = str(self.run.path) if self.run else ""
        self.nst.copy(text)

    def action_back(self) -> None:
        if self.scrubbed is not None:
            self.scrubbed = None
            self.picture.title = ""
            self._redraw()
        elif not self.curves.drop_cursor():
            self.nst.switch_mode("runs")

    def _redraw(self) -> None:
        if self.follower is not None and self.run is not None:
            self.draw()

    def after_plot_key(self) -> None:
        self._redraw()
