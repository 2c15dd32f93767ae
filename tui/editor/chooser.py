"""A list to choose from, over the canvas: type to filter, or press the letter of an entry.

One widget serves adding nodes, connecting, cutting, finding, combos, pictures, templates.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from textual import events
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.fuzzy import FuzzySearch
from textual.widgets import Input

from nst_graph.text import shorten

from ..widgets.cells import Cells, Grid

_FUZZY_LIMIT = 60
"""Longer texts are only searched for the words themselves: fuzzy search can take for ever."""


@dataclass(frozen=True)
class Choice:
    """One entry. ``more`` is searched too, but not shown; ``letter`` picks it at once."""

    title: str
    value: Any
    detail: str = ""
    glyph: str = ""
    role: str = "text"
    more: str = ""
    letter: str = ""


@dataclass(frozen=True)
class Question:
    """What is asked and what happens then.

    ``picked`` gets the chosen value and whether Tab was used instead of Enter; ``typed`` (if
    given) gets the text when nothing matches it; ``moved`` the value under the cursor.
    """

    title: str
    choices: Sequence[Choice]
    picked: Callable[[Any, bool], None]
    hint: str = "⏎ choose  Esc leave"
    letters: bool = False
    typed: Callable[[str], None] | None = None
    moved: Callable[[Any], None] | None = None
    left: Callable[[], None] | None = None
    filter: Callable[[str], Sequence[Choice] | None] | None = None
    """Answers some queries itself (``>IMAGE``); None leaves them to the fuzzy search."""
    exact: bool = False
    """Only entries that contain every word, none that are merely alike."""
    start: str = ""
    current: Any = None
    """The value on which the cursor is at first."""
    empty: str = "nothing fits"


def match(
    query: str, choices: Sequence[Choice], search: FuzzySearch, *, exact: bool = False
) -> list[Choice]:
    """The choices that fit, best first: by title, then by words anywhere."""
    query = query.strip()
    if not query:
        return list(choices)
    words = query.lower().split()
    scored: list[tuple[float, int, Choice]] = []
    for index, choice in enumerate(choices):
        score, _ = search.match(query, choice.title[:_FUZZY_LIMIT])
        everything = f"{choice.title} {choice.detail} {choice.more}".lower()
        if all(word in everything for word in words):
            score = max(score * 2, 1.0)
        elif exact:
            continue
        if score > 0:
            scored.append((-score, index, choice))
    return [choice for _, _, choice in sorted(scored, key=lambda s: s[:2])]


class _Box(Input):
    """The filter. Keys of the list act from here, too."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up", "by(-1)", show=False),
        Binding("down", "by(1)", show=False),
        Binding("pageup", "by(-8)", show=False),
        Binding("pagedown", "by(8)", show=False),
        Binding("tab", "pick(True)", show=False),
        Binding("enter", "pick(False)", show=False),
        Binding("escape", "leave", show=False),
    ]

    def action_by(self, rows: int) -> None:
        _owner(self).by(rows)

    def action_pick(self, with_tab: bool) -> None:
        _owner(self).pick(with_tab)

    def action_leave(self) -> None:
        _owner(self).leave()


def _owner(widget: Any) -> Chooser:
    assert isinstance(widget.parent, Chooser)
    return widget.parent


class _List(Cells, can_focus=True):
    """The entries; takes single letters while it has the focus."""

    def paint(self, grid: Grid) -> None:
        _owner(self).paint_list(grid)

    def check_consume_key(self, key: str, character: str | None) -> bool:
        """Every key is ours while the list is open: letters pick, they are no commands."""
        return key != "ctrl+c"

    def on_key(self, event: events.Key) -> None:
        owner = _owner(self)
        moves = {"up": -1, "down": 1, "pageup": -8, "pagedown": 8}
        if event.key in moves:
            owner.by(moves[event.key])
        elif event.key in ("enter", "tab"):
            owner.pick(event.key == "tab")
        elif event.key == "escape":
            owner.leave()
        elif event.key == "slash":
            owner.type_instead()
        elif event.character and event.is_printable:
            owner.letter(event.character)
        else:
            return
        event.stop()
        event.prevent_default()

    def on_click(self, event: events.Click) -> None:
        _owner(self).click(event.y)


class Chooser(Vertical):
    """Hidden until :meth:`ask`; gives the focus back to where it came from."""

    DEFAULT_CSS = """
    Chooser { layer: above; dock: bottom; display: none; height: auto; max-height: 100%;
              width: 100%; max-width: 92; background: $panel; border: round $accent;
              border-title-color: $accent; border-subtitle-color: $foreground; }
    Chooser.-open { display: block; }
    Chooser _Box { border: none; height: 1; padding: 0 1; background: $panel; }
    Chooser.-letters _Box { display: none; }
    Chooser _List { height: 10; background: $panel; }
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._question: Question | None = None
        self._found: list[Choice] = []
        self._cursor = 0
        self._first = 0
        self._rows = 1
        self._search = FuzzySearch()
        self._pending = ""

    def compose(self) -> ComposeResult:
        box = _Box(select_on_focus=False)
        box.cursor_blink = False
        yield box
        yield _List()

    @property
    def is_open(self) -> bool:
        return self._question is not None

    @property
    def found(self) -> Sequence[Choice]:
        """The entries shown now, best first."""
        return self._found

    def ask(self, question: Question) -> None:
        self._question = question
        self._cursor = self._first = 0
        self._pending = ""
        self.border_title = Content(shorten(question.title, 100))
        self.border_subtitle = Content(shorten(question.hint, 100))
        self.set_class(question.letters, "-letters")
        self.add_class("-open")
        box = self.query_one(_Box)
        self._rows = max(1, min(len(question.choices) + 1, self._room()))
        self.query_one(_List).styles.height = self._rows
        with self.prevent(Input.Changed):
            box.value = question.start
        box.cursor_position = len(question.start)
        values = [choice.value for choice in question.choices]
        if question.current is not None and question.current in values:
            self._cursor = values.index(question.current)
        self._find(question.start)
        (self.query_one(_List) if question.letters else box).focus()

    def _room(self) -> int:
        """Rows for entries: under half of the canvas, so that the graph stays in sight."""
        return max(4, min(14, self.screen.size.height // 2 - 4))

    def _close(self) -> Question | None:
        question, self._question = self._question, None
        self.remove_class("-open")
        home = getattr(self.screen, "home_widget", None)
        if home is not None:
            self.screen.set_focus(home)
        return question

    def leave(self) -> None:
        question = self._close()
        if question is not None and question.left is not None:
            question.left()

    def pick(self, with_tab: bool) -> None:
        question = self._question
        if question is None:
            return
        if self._found:
            choice = self._found[self._cursor]
            self._close()
            question.picked(choice.value, with_tab)
        elif question.typed is not None:
            text = self.query_one(_Box).value
            self._close()
            question.typed(text)

    def letter(self, character: str) -> None:
        """Pick the entry of this letter; with two-letter labels the second one picks."""
        question = self._question
        if question is None:
            return
        typed = self._pending + character
        for choice in question.choices:
            if choice.letter == typed:
                self._close()
                question.picked(choice.value, False)
                return
        begun = any(c.letter.startswith(typed) for c in question.choices if c.letter)
        self._pending = typed if begun else ""

    def type_instead(self) -> None:
        """From letters to filtering by typing."""
        self.remove_class("-letters")
        self.query_one(_Box).focus()

    def by(self, rows: int) -> None:
        if self._found:
            self._cursor = max(0, min(self._cursor + rows, len(self._found) - 1))
            self._show()

    def click(self, row: int) -> None:
        if 0 <= row + self._first < len(self._found):
            self._cursor = row + self._first
            self.pick(False)

    def on_input_changed(self, event: Input.Changed) -> None:
        event.stop()
        self._cursor = self._first = 0
        self._find(event.value)

    def _find(self, query: str) -> None:
        question = self._question
        if question is None:
            return
        own = question.filter(query) if question.filter is not None else None
        if own is None:
            own = match(query, question.choices, self._search, exact=question.exact)
        self._found = list(own)
        self._show()

    def _show(self) -> None:
        rows = self.query_one(_List)
        self._first = min(self._first, self._cursor)
        if self._cursor >= self._first + self._rows:
            self._first = self._cursor - self._rows + 1
        rows.repaint()
        question = self._question
        if question is not None and question.moved is not None and self._found:
            question.moved(self._found[self._cursor].value)

    def paint_list(self, grid: Grid) -> None:
        question = self._question
        if question is None:
            return
        if not self._found:
            grid.write(2, 0, question.empty, "dim")
        wide = max((len(c.title) for c in self._found), default=0)
        shown = self._found[self._first : self._first + grid.height]
        for row, choice in enumerate(shown):
            here = row + self._first == self._cursor
            x = grid.write(0, row, "▶ " if here else "  ", "accent")
            if question.letters and choice.letter:
                x = grid.write(x, row, f" {choice.letter} ", "cursor") + 1
            if choice.glyph:
                x = grid.write(x, row, choice.glyph + " ", choice.role)
            end = grid.write(x, row, choice.title, "accent" if here else "text")
            column = max(end + 2, x + min(wide, 34) + 2)
            if choice.detail:
                grid.write(column, row, choice.detail, "dim", max(0, grid.width - column - 1))
