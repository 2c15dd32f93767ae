"""Commands that move the cursor, the marks and the view."""

from __future__ import annotations

from .canvas import GraphCanvas
from .cards import LEVELS, searchable
from .chooser import Choice, Question
from .desk import Desk
from .model import order
from .problems import ProblemList
from .steer import labels

_LEVEL_NAMES = ("one line per node", "sockets", "sockets and values")


class Moving(Desk):
    """Selecting, marking, searching, panning, going from problem to problem."""

    def action_go(self, direction: str) -> None:
        node = self.canvas.neighbour(direction)
        if node is not None:
            self.select(node)

    def action_in_order(self, by: int) -> None:
        """The next or previous node in the order of execution."""
        nodes = order(self.nodes)
        if nodes:
            here = nodes.index(self.selected) if self.selected in nodes else -1
            self.select(nodes[(here + by) % len(nodes)])

    def action_end(self, last: bool) -> None:
        nodes = order(self.nodes)
        if nodes:
            self.select(nodes[-1 if last else 0])

    def action_jump(self) -> None:
        """Letters on every visible node; a letter goes there."""
        visible = self.canvas.in_sight()
        given = dict(zip(visible, labels(len(visible)), strict=True))
        if not given:
            return
        self.canvas.ask_letter(given, self.select)
        self.say("press the letter of a node; Esc leaves", "accent")

    def action_mark(self) -> None:
        node = self.selected
        if node is not None:
            self.select(node, self.history.now.marked ^ {node})

    def action_mark_all(self) -> None:
        everything = frozenset(self.nodes)
        self.select(self.selected, frozenset() if self.history.now.marked else everything)

    def action_back(self) -> None:
        """One thing at a time: the inspector, the matches, the marks."""
        if self.inspector.has_focus:
            self.set_focus(self.canvas)
        elif self.found:
            self.found = ()
            self.show()
        elif self.history.now.marked:
            self.select(self.selected, frozenset())
        self.tell()

    # Searching

    def action_find(self) -> None:
        choices = [
            Choice(
                self.name_of(node),
                node,
                more=searchable(self.nodes, node, self.types),
            )
            for node in order(self.nodes)
        ]

        def picked(node: str, _: bool) -> None:
            self.found = tuple(choice.value for choice in self.chooser.found)
            self.select(node)
            self.say(f"{len(self.found)} found; n next, N previous, Esc forgets them")

        self.ask(
            Question(
                "find: title, id, class, type or value",
                choices,
                picked,
                "⏎ go there, n N next  Esc",
                exact=True,
                moved=self._peek,
                empty="no node has that",
            )
        )

    def _peek(self, node: str) -> None:
        self.canvas.reveal(node)
        self.canvas.repaint()

    def action_match(self, by: int) -> None:
        if not self.found:
            self.say("nothing to go to: / finds nodes", "warn")
            return
        here = self.found.index(self.selected) if self.selected in self.found else -1
        self.select(self.found[(here + by) % len(self.found)])

    # Looking

    def action_level(self) -> None:
        level = (self.canvas.level + 1) % LEVELS
        self.canvas.set_level(level)
        self.say(f"detail: {_LEVEL_NAMES[level]}")

    def action_pan(self, x: int, y: int) -> None:
        self.canvas.pan(x, y)

    def action_centre(self) -> None:
        self.canvas.centre(self.selected)

    def action_enlarge(self) -> None:
        """The canvas alone, or with inspector and problems."""
        self.toggle_class("-alone")

    def action_pane(self) -> None:
        """From the canvas to the inspector and back."""
        self.set_focus(self.canvas if self.inspector.has_focus else self.inspector)

    # Problems

    def action_problem(self, by: int) -> None:
        self.check_now()
        if not self.problems:
            self.say("no problems: r runs the graph", "ok")
            return
        listed = self.query_one(ProblemList)
        at = listed.current + by if listed.current >= 0 else 0 if by > 0 else -1
        self.go_to_problem(at % len(self.problems))

    def go_to_problem(self, index: int) -> None:
        problem = self.problems[index]
        self.query_one(ProblemList).current = index
        if problem.node in self.nodes:
            self.select(problem.node)
            if problem.input:
                self.inspector.go_to(problem.input)
        hint = f" - {problem.hint}" if problem.hint else ""
        what = f"{problem.input}: " if problem.input else ""
        role = "bad" if problem.severity == "error" else "warn"
        where = f"{self.name_of(problem.node)}: " if problem.node in self.nodes else ""
        self.say(f"{where}{what}{problem.message}{hint}", role)
        self.query_one(ProblemList).repaint()

    # Mouse

    def on_graph_canvas_selected(self, event: GraphCanvas.Selected) -> None:
        marked = self.history.now.marked
        self.select(event.node, marked ^ {event.node} if event.extend and event.node else marked)

    def on_problem_list_chosen(self, event: ProblemList.Chosen) -> None:
        self.go_to_problem(event.index)
