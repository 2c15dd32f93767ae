"""What every part of the editor works on: the graph, its history, its problems, the widgets."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.timer import Timer
from textual.widget import Widget

from nst_graph.errors import Problem
from nst_graph.registry import NodeType
from nst_graph.text import shorten

from ..screens.page import Page
from ..widgets.bars import KeyBar
from .canvas import GraphCanvas, View
from .cards import Faults
from .checking import check_nodes
from .chooser import Chooser, Question
from .history import History, State
from .inspector import Inspector
from .model import Nodes, title_of
from .peek import Peek
from .problems import ProblemList

CHECK_AFTER = 0.2
"""Seconds without a change after which the graph is checked."""

PEEK_AFTER = 0.3
"""Seconds on one node after which its picture is shown: pictures are dear over a slow line."""


class Desk(Page):
    """The screen without its commands; each group of commands is a subclass of its own."""

    MODE = "edit"
    SCOPES: ClassVar[tuple[str, ...]] = ("edit", "edit.canvas", "edit.inspector")

    types: Mapping[str, NodeType]
    history: History
    path: Path | None
    roots: tuple[Path, ...]
    problems: tuple[Problem, ...]
    states: Mapping[str, tuple[str, str]]
    found: tuple[str, ...]
    unsaved_name = "new graph"
    """What a graph without a file of its own is called."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.types = {}
        self.history = History(State({}))
        self.path = None
        self.roots = ()
        self.problems = ()
        self.states = {}
        self.found = ()
        self._faults = Faults()
        self._check_timer: Timer | None = None
        self._peek_timer: Timer | None = None
        self._home = "canvas"

    def body(self) -> ComposeResult:
        with Horizontal(id="desk"):
            with Vertical(id="sheet"):
                yield GraphCanvas(self.types, id="canvas")
                yield Chooser(id="chooser")
            with Vertical(id="side-pane"):
                yield Inspector(self.types, id="inspector")
                yield Peek(id="peek")
        yield ProblemList(id="problems")

    # What is there

    @property
    def nodes(self) -> Nodes:
        return self.history.now.nodes

    @property
    def selected(self) -> str | None:
        node = self.history.now.selected
        return node if node in self.nodes else None

    @property
    def chosen(self) -> list[str]:
        """The marked nodes, or the selected one, in the order of the file."""
        marked = self.history.now.marked
        wanted = marked or ({self.selected} if self.selected else set())
        return [node for node in self.nodes if node in wanted]

    @property
    def place(self) -> Path | None:
        """The file whose folder's pictures the graph means: its own, or the example it is from."""
        return self.path

    @property
    def canvas(self) -> GraphCanvas:
        return self.query_one(GraphCanvas)

    @property
    def inspector(self) -> Inspector:
        return self.query_one(Inspector)

    @property
    def chooser(self) -> Chooser:
        return self.query_one(Chooser)

    @property
    def home_widget(self) -> Widget:
        """Where the focus goes back to when a question was answered."""
        return self.inspector if self._home == "inspector" else self.canvas

    def name_of(self, node: str | None) -> str:
        if node is None:
            return "nothing"
        return f"{shorten(title_of(self.nodes, node, self.types), 30)} #{shorten(node, 12)}"

    # Changing it

    def change(
        self,
        label: str,
        nodes: Nodes,
        *,
        select: str | None = None,
        marked: frozenset[str] | None = None,
        merge: str = "",
    ) -> None:
        """One step of the history: the graph becomes ``nodes``."""
        now = self.history.now
        keep = now.marked if marked is None else marked
        at = select if select is not None else now.selected
        self.history.do(label, State(nodes, at, keep & frozenset(nodes)), merge)
        self.changed()

    def changed(self) -> None:
        """The graph is another one: show it now, check it when the typing pauses."""
        self.states = {}
        self.found = tuple(node for node in self.found if node in self.nodes)
        self.show()
        if self._check_timer is not None:
            self._check_timer.stop()
        self._check_timer = self.set_timer(CHECK_AFTER, self.check_now)

    def select(self, node: str | None, marked: frozenset[str] | None = None) -> None:
        self.history.close_merge()
        self.history.look(node, marked)
        self.show()
        self.tell()

    def check_now(self) -> None:
        """Find every problem and show them; never raises, imports no torch."""
        if self._check_timer is not None:
            self._check_timer.stop()
            self._check_timer = None
        before = self.problems
        self.problems = tuple(check_nodes(self.nodes, self.types, self.place, self.roots))
        if self.problems != before:
            self._faults = faults(self.problems)
            self.show(faults_changed=True)
            self.tell()

    # Showing it

    def show(self, *, faults_changed: bool = False) -> None:
        now = self.history.now
        view = View(
            selected=self.selected,
            marked=now.marked,
            found=frozenset(self.found),
            states=self.states,
        )
        self.canvas.show(now.nodes, view, self._faults if faults_changed else None)
        self.inspector.show(now.nodes, self.selected, self.types, self.problems)
        self.query_one(ProblemList).show(self.problems, self.name_of)
        if self._peek_timer is not None:
            self._peek_timer.stop()
        self._peek_timer = self.set_timer(PEEK_AFTER, self._peek_now)
        self.tell_top()

    def tell_top(self) -> None:
        errors = sum(problem.severity == "error" for problem in self.problems)
        warnings = len(self.problems) - errors
        name = self.path.name if self.path else self.unsaved_name
        parts = [("● " if self.history.dirty else "") + shorten(name, 40)]
        parts.append(_count(len(self.nodes), "node"))
        if errors:
            parts.append(_count(errors, "error"))
        elif warnings:
            parts.append(_count(warnings, "warning"))
        if len(self.history.now.marked):
            parts.append(f"{len(self.history.now.marked)} marked")
        self.top_bar.say(" · ".join(parts), "", f"undo {self.history.depth}")

    def tell(self) -> None:
        """The message line: what is wrong with the selected node, or else with the graph."""
        mine = [problem for problem in self.problems if problem.node == self.selected]
        errors = [problem for problem in self.problems if problem.severity == "error"]
        shown = next(iter(mine or errors), None)
        if shown is None:
            self.say("" if self.nodes else "a adds a node, o opens a graph or an example")
            return
        mark = "✗" if shown.severity == "error" else "!"
        end = " (] next, . fix)" if not mine else " (. fix)"
        where = f"{self.name_of(shown.node)}: " if shown.node in self.nodes else ""
        what = f"{shown.input}: " if shown.input else ""
        line = shorten(f"{mark} {where}{what}{shown.message}", max(20, self.size.width - 20))
        self.say(line + end, "bad" if shown.severity == "error" else "warn")

    def on_descendant_focus(self) -> None:
        """The footer tells the keys of the pane that has the focus."""
        inside = self.inspector.has_focus
        bar = self.query_one(KeyBar)
        bar.scopes = ("edit.inspector", "edit") if inside else ("edit", "edit.canvas")
        bar.repaint()

    def _peek_now(self) -> None:
        self._peek_timer = None
        if not self.has_class("-picking"):
            self.peek_at(self.selected)

    def peek_at(self, node: str | None) -> None:
        """Show the picture that belongs to a node, if there is one."""

    # Asking

    def ask(self, question: Question) -> None:
        """Open the list of choices; the canvas shows nothing else meanwhile."""
        self._home = "inspector" if self.inspector.has_focus else "canvas"

        def left() -> None:
            self.remove_class("-picking")
            self.canvas.light({}, None)
            self.show()
            if question.left is not None:
                question.left()

        def picked(value: Any, with_tab: bool) -> None:
            self.remove_class("-picking")
            self.canvas.light({}, None)
            question.picked(value, with_tab)

        def typed(text: str) -> None:
            self.remove_class("-picking")
            if question.typed is not None:
                question.typed(text)

        wrapped = replace(question, left=left, picked=picked)
        self.chooser.ask(replace(wrapped, typed=typed) if question.typed else wrapped)

    def ask_line(
        self,
        what: str,
        value: str,
        answer: Callable[[str], str | None],
        typed: Callable[[str], object] | None = None,
    ) -> None:
        """Ask for one line of text below the canvas."""
        self._home = "inspector" if self.inspector.has_focus else "canvas"
        self.prompt.ask(what, value, answer, typed=typed, left=self.tell)


def faults(problems: tuple[Problem, ...]) -> Faults:
    nodes: dict[str, str] = {}
    inputs = set()
    for problem in problems:
        if problem.node is None:
            continue
        if nodes.get(problem.node) != "error":
            nodes[problem.node] = problem.severity
        if problem.input and problem.severity == "error":
            inputs.add((problem.node, problem.input))
    return Faults(nodes, frozenset(inputs))


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"
