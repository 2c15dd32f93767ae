"""The lines around every screen: modes and state above, message, prompt and keys below."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from textual.app import ComposeResult
from textual.containers import Horizontal
from textual.widgets import Input

from .. import keys
from ..theme import STATES
from .cells import Cells, Grid

MODES = (("runs", "Runs"), ("edit", "Edit"), ("monitor", "Monitor"), ("compare", "Compare"))


class TopBar(Cells):
    """Screens with their numbers, and what is being looked at."""

    DEFAULT_CSS = "TopBar { height: 1; }"

    def __init__(self, mode: str, **options: Any) -> None:
        super().__init__(**options)
        self.mode = mode
        self.subject = ""
        self.state = ""
        self.extra = ""

    def say(self, subject: str = "", state: str = "", extra: str = "") -> None:
        self.subject, self.state, self.extra = subject, state, extra
        self.repaint()

    def paint(self, grid: Grid) -> None:
        x = grid.write(1, 0, "nst-graph ", "title" if grid.width >= 76 else "dim")
        for number, (mode, label) in enumerate(MODES, start=1):
            if mode == self.mode:
                x = grid.write(x, 0, f"[{number}]{label} ", "accent")
            else:
                x = grid.write(x, 0, f" {number} {label} ", "dim")
        extra = f"  {self.extra}" if self.extra and grid.width >= 100 else ""
        look = STATES.get(self.state)
        word = f"{look.glyph} {self.state.upper()}" if look else ""
        room = grid.width - x - len(word) - len(extra) - 3
        subject = self.subject if len(self.subject) <= room else self.subject[: room - 1] + "…"
        start = grid.width - len(subject) - len(word) - len(extra) - 2
        if room < 4:
            subject, start = "", grid.width - len(word) - len(extra) - 2
        start = grid.write(start, 0, subject, "text") + 1
        if look:
            start = grid.write(start, 0, word, look.role)
        grid.write(start, 0, extra, "dim")


class Message(Cells):
    """The last thing worth saying."""

    DEFAULT_CSS = "Message { height: 1; }"
    text = ""
    role = "text"

    def say(self, text: str, role: str = "text") -> None:
        self.text, self.role = text, role
        self.repaint()

    def paint(self, grid: Grid) -> None:
        grid.write(1, 0, self.text, self.role)


class KeyBar(Cells):
    """The most useful keys of this screen, from the key table."""

    DEFAULT_CSS = "KeyBar { height: 1; }"

    def __init__(self, *scopes: str, **options: Any) -> None:
        super().__init__(**options)
        self.scopes = scopes

    def paint(self, grid: Grid) -> None:
        x = 1
        for key, label in keys.footer((*self.scopes, "app"), grid.width - 1):
            x = grid.write(x, 0, key, "accent")
            x = grid.write(x, 0, f" {label}  ", "dim")


class Ask(Input):
    """One line of input at the bottom: Enter answers, Escape leaves it."""

    BINDINGS = [("escape", "leave", "leave")]  # noqa: RUF012 (Textual's own form)

    def action_leave(self) -> None:
        assert isinstance(self.parent, Prompt)
        self.parent.close()

    async def action_submit(self) -> None:
        # At once and not by message: the next key may already belong to the screen again.
        assert isinstance(self.parent, Prompt)
        self.parent.submit(self.value)


class Prompt(Horizontal):
    """A question below the screen. Hidden until asked."""

    DEFAULT_CSS = """
    Prompt { height: 1; display: none; }
    Prompt Question { width: auto; }
    Prompt Ask { border: none; height: 1; padding: 0; width: 1fr; background: $panel; }
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._answer: Callable[[str], str | None] | None = None
        self._typed: Callable[[str], object] | None = None
        self._left: Callable[[], object] | None = None

    def compose(self) -> ComposeResult:
        yield Question()
        ask = Ask(select_on_focus=False, compact=True)
        ask.cursor_blink = False
        yield ask

    def ask(
        self,
        question: str,
        value: str,
        answer: Callable[[str], str | None],
        *,
        typed: Callable[[str], object] | None = None,
        left: Callable[[], object] | None = None,
    ) -> None:
        """``answer`` gets what was entered and returns what is wrong with it, or None.

        ``typed`` is called at every change, ``left`` when the prompt is left with Escape.
        """
        self._answer, self._typed, self._left = answer, None, left
        self.query_one(Question).say(question)
        self.styles.display = "block"
        box = self.query_one(Ask)
        box.value = value
        box.cursor_position = len(value)
        self.screen.set_focus(box)
        self._typed = typed

    @property
    def is_open(self) -> bool:
        return self._answer is not None

    def close(self) -> None:
        left = self._left
        self._shut()
        if left is not None:
            left()

    def _shut(self) -> None:
        self._answer = self._typed = self._left = None
        self.styles.display = "none"
        self.screen.set_focus(getattr(self.screen, "home_widget", None))

    def on_input_changed(self, event: Input.Changed) -> None:
        event.stop()
        if self._typed is not None:
            self._typed(event.value)

    def submit(self, text: str) -> None:
        answer = self._answer
        if answer is None:
            return
        problem = answer(text)
        if problem is None:
            if self._answer is answer:
                self._shut()
        else:
            self.query_one(Question).say(problem, "bad")


class Question(Cells):
    """The text before the input."""

    DEFAULT_CSS = "Question { height: 1; width: auto; }"
    text = ""
    role = "accent"

    def say(self, text: str, role: str = "accent") -> None:
        self.text, self.role = text, role
        self.styles.width = min(len(text) + 2, max(10, self.app.size.width - 16))
        self.repaint()

    def paint(self, grid: Grid) -> None:
        grid.write(1, 0, self.text, self.role)
