"""Commands on files: open, new, recover, save, save as, export, leave."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from nst_graph import runs
from nst_graph.errors import UserError
from nst_graph.folders import runs_folder
from nst_graph.text import shorten

from . import filing
from .checking import types_for
from .chooser import Choice, Question
from .filing import Opened
from .history import History, State
from .model import Nodes, order
from .peek import Peek
from .templates import templates
from .values import Values

KEEP_EVERY = 10.0
"""Seconds between two copies of unsaved work."""


class Opening(Values):
    """The editor's dealings with files."""

    opened: Opened | None = None
    _kept_nodes: Nodes | None = None
    _asked_outside: str = ""

    @property
    def place(self) -> Path | None:
        return self.path or (self.opened.path if self.opened else None)

    def open_graph(self, name: str) -> None:
        """Open a path or an example, after asking about unsaved work."""
        self._unless_unsaved("open another graph", lambda: self._open(name))

    def _open(self, name: str) -> None:
        try:
            opened = filing.open_graph(name, self.types)
        except UserError as error:
            self.say(str(error), "bad")
            return
        origin = _origin(opened)
        own = not origin
        self.opened = opened
        self.unsaved_name = f"{opened.path.stem} ({origin})"
        self._begin(dict(opened.document.nodes), opened.path if own else None)
        if not own:
            self.say(f"{self.unsaved_name}: r runs it, s asks where to save your version")
        elif opened.document.notes:
            self.say("; ".join(opened.document.notes), "warn")
        else:
            filing.remember(opened.path)
            self.say(f"opened {shorten(str(opened.path), 120)}")
        self._offer_recovery()

    def new_graph(self) -> None:
        self.opened = None
        self.unsaved_name = "new graph"
        self._begin({}, None)
        self.say("a new graph: a adds the first node")

    def _begin(self, nodes: Nodes, path: Path | None) -> None:
        self.path = path
        self.roots = run_inputs(self.opened.path) if self.opened and path is None else ()
        self.look_around()
        first = next(iter(order(nodes)), None)
        self.history = History(State(nodes, first))
        self._kept_nodes = nodes
        self.found, self.states = (), {}
        self.canvas.origin = (-1, 0)
        self.show()
        self.check_now()

    def look_around(self) -> None:
        try:
            self.types = types_for(self.place, self.roots)
        except UserError as error:  # two packs that define one class
            self.say(str(error), "bad")
        self.canvas.picture.types = self.types

    # Recovery

    def _offer_recovery(self) -> None:
        """Ask what becomes of work that a crash left behind."""
        found = filing.kept(self.path)
        if found is None or found.nodes == self.nodes:
            return
        at = time.strftime("%H:%M", time.localtime(found.kept_at))
        whose = self.path.name if self.path else self.unsaved_name

        def picked(value: str, _: bool) -> None:
            if value == "keep":
                self.change("recover", found.nodes)
                self.history.unsaved()
                self.say(f"recovered {whose} from {at}; s saves it, u goes back to the file")
            else:
                filing.forget(self.path)
                self.say("the unsaved version is gone")

        self.ask(
            Question(
                f"{whose} has unsaved work from {at} ({len(found.nodes)} nodes)",
                [
                    Choice("take the unsaved version", "keep", letter="y"),
                    Choice("discard it", "drop", letter="n"),
                ],
                picked,
                "y or n",
                letters=True,
            )
        )

    def keep_unsaved(self) -> None:
        """Called now and then: keep what is not saved, forget what is."""
        if self.nodes is self._kept_nodes:
            return
        self._kept_nodes = self.nodes
        if self.history.dirty:
            filing.keep(self.nodes, self.path)
        else:
            filing.forget(self.path)

    # Saving

    def action_save(self) -> None:
        self.save(lambda: None)

    def save(self, then: Callable[[], object]) -> None:
        if self.path is None:
            self.action_save_as(then)
            return
        opened = self.opened
        if opened is not None and opened.path == self.path and filing.changed_outside(opened):
            self._ask_changed(then)
            return
        self._write(self.path, then)

    def _write(self, path: Path, then: Callable[[], object]) -> None:
        before = self.path
        try:
            self.opened, note = filing.save(path, self.nodes, self.types, self.opened)
        except UserError as error:
            self.say(str(error), "bad")
            return
        filing.forget(before)
        filing.forget(path)
        filing.remember(path)
        moved = path != before
        self.path = path
        self.history.saved()
        self._kept_nodes = self.nodes
        if moved:
            self.look_around()
            self.check_now()
        self.show()
        self.say(f"saved {shorten(str(path), 120)}{note}", "ok")
        then()

    def action_save_as(self, then: Callable[[], object] | None = None) -> None:
        stem = self.opened.path.stem if self.opened else "graph"
        proposal = str(self.path) if self.path else f"{stem}.json"
        sure: list[Path] = []

        def answer(text: str) -> str | None:
            path = Path(text.strip()).expanduser().absolute()
            if not text.strip() or path.is_dir():
                return "a file name, please:"
            if path.suffix.lower() != ".json":
                path = path.with_name(path.name + ".json")
            if path.exists() and path != self.path and path not in sure:
                sure.append(path)
                return "it exists; ⏎ again replaces it:"
            self.call_later(self._write, path, then or (lambda: None))
            return None

        self.ask_line("save as", proposal, answer)

    def _ask_changed(self, then: Callable[[], object]) -> None:
        path = self.path
        assert path is not None
        what = "was changed by another program" if path.exists() else "is gone"

        def picked(value: str, _: bool) -> None:
            if value == "overwrite":
                self._write(path, then)
            elif value == "reload":
                self._open(str(path))
            elif value == "differences":
                self._say_differences()
            else:
                self.action_save_as(then)

        self.ask(
            Question(
                f"{path.name} {what} since it was opened",
                [
                    Choice("save as another file", "as", letter="a"),
                    Choice("overwrite it with what is here", "overwrite", letter="w"),
                    Choice("reload it and drop what is here", "reload", letter="r"),
                    Choice("say what differs", "differences", letter="d"),
                ],
                picked,
                "a letter  Esc",
                letters=True,
            )
        )

    def _say_differences(self) -> None:
        assert self.path is not None
        try:
            there = filing.open_graph(str(self.path), self.types).document.nodes
        except UserError as error:
            self.say(str(error), "bad")
            return
        here = self.nodes
        new = [node for node in there if node not in here]
        gone = [node for node in here if node not in there]
        other = [node for node in here if node in there and here[node] != there[node]]
        parts = [
            f"{what} {', '.join('#' + shorten(n, 12) for n in nodes[:6])}"
            for what, nodes in (("only there", new), ("only here", gone), ("differ", other))
            if nodes
        ]
        self.say("; ".join(parts) or "nothing differs")

    def notice_outside_change(self) -> None:
        """Say once when the file changed on disk."""
        opened = self.opened
        if opened is None or self.path != opened.path or not filing.changed_outside(opened):
            return
        now = str(opened.path.stat().st_mtime_ns) if opened.path.exists() else "gone"
        if now != self._asked_outside:
            self._asked_outside = now
            self.say(f"{opened.path.name} changed on disk: s asks what to do", "warn")

    # Starting, leaving

    def action_open(self) -> None:
        """Examples, recent files, a path, or a new graph."""
        choices = [Choice("new graph", "", "empty", glyph="▪", role="accent")]
        choices += [
            Choice(t.name, str(t.path), t.gist, "▲", "series7", more="example template")
            for t in templates()
        ]
        choices += [
            Choice(
                path.name,
                str(path),
                shorten(str(path.parent), 60),
                "■",
                "series2",
                more="recent file",
            )
            for path in filing.recent()
        ]

        def picked(value: str, _: bool) -> None:
            if value:
                self.open_graph(value)
            else:
                self._unless_unsaved("begin a new graph", self.new_graph)

        self.add_class("-picking")
        self.ask(
            Question(
                "open an example, a recent file, or type a path",
                choices,
                picked,
                "⏎ open  Esc",
                typed=self.open_graph,
                moved=self._peek_template,
                empty="⏎ opens this path: API or workflow JSON, or a PNG with a graph in it",
            )
        )

    def _peek_template(self, name: str) -> None:
        """The picture whose style an example takes."""
        found = next((t for t in templates() if str(t.path) == name), None)
        picture = found.picture if found is not None else None
        self.query_one(Peek).show_file(picture, found.name if found is not None else "")

    def _unless_unsaved(self, what: str, then: Callable[[], object]) -> None:
        if not self.history.dirty:
            then()
            return
        name = self.path.name if self.path else self.unsaved_name

        def picked(value: str, _: bool) -> None:
            if value == "save":
                self.save(then)
            else:
                filing.forget(self.path)
                self.history.saved()
                then()

        self.ask(
            Question(
                f"{name} is not saved; {what}?",
                [
                    Choice("save it first", "save", letter="s"),
                    Choice("do not save it", "drop", letter="d"),
                ],
                picked,
                "s or d  Esc stays here",
                letters=True,
            )
        )

    def ask_before_leaving(self) -> bool:
        """Whether there is unsaved work; if so, the question has been asked."""
        if not self.history.dirty:
            return False
        if self.nst.current_mode != self.MODE:
            self.nst.switch_mode(self.MODE)
        self._unless_unsaved("leave", lambda: self.app.exit(0))
        return True


def _origin(opened: Opened) -> str:
    """Where a graph that must not be saved in place is from; nothing for the user's own files."""
    if any(opened.path == template.path for template in templates()):
        return "example"
    if not opened.can_be_saved:
        return "from a picture"
    if opened.path.resolve().is_relative_to(runs_folder().resolve()):
        return f"of run {runs.RunFolder(opened.path.parent).name}"
    return ""


def run_inputs(graph: Path) -> tuple[Path, ...]:
    """The folders in which the run of this graph looked for pictures; none if it is no run's."""
    folder = runs.RunFolder(graph.parent)
    if not graph.resolve().is_relative_to(runs_folder().resolve()):
        return ()
    try:
        return tuple(Path(name) for name in folder.options().inputs)
    except UserError:
        return ()
