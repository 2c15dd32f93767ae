"""What every screen has: bars, a message line, a prompt, a fallback for tiny terminals, a beat."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, ClassVar, cast

from textual.app import ComposeResult
from textual.containers import Vertical
from textual.screen import Screen
from textual.timer import Timer

from ..widgets.bars import KeyBar, Message, Prompt, TopBar
from ..widgets.cells import Cells, Grid

if TYPE_CHECKING:
    from ..app import NstApp

SMALLEST = (60, 16)


class Tiny(Cells):
    """Text alone, for terminals too small for the screen."""

    DEFAULT_CSS = "Tiny { display: none; height: 1fr; }"

    def paint(self, grid: Grid) -> None:
        assert isinstance(self.screen, Page)
        width, height = self.app.size
        smallest = "×".join(map(str, SMALLEST))
        lines = [*self.screen.in_short(), f"terminal {width}×{height}, needs {smallest}"]
        for y, line in enumerate(lines):
            grid.write(0, y, line, "text" if y < len(lines) - 1 else "dim")


class Page(Screen[None]):
    """A screen of the app. Subclasses yield their widgets in :meth:`body`."""

    MODE: ClassVar[str] = ""
    SCOPES: ClassVar[tuple[str, ...]] = ()
    AUTO_FOCUS = ""  # else Textual would focus the closed prompt, which would swallow every key

    _beat: Timer | None = None

    @property
    def nst(self) -> NstApp:
        return cast("NstApp", self.app)

    def body(self) -> ComposeResult:
        raise NotImplementedError

    def in_short(self) -> Iterator[str]:
        """A few lines of text that stand for the whole screen."""
        yield "nst-graph"

    def tick(self) -> float | None:
        """Do what is due and draw; seconds until the next time, None for the usual interval."""
        return None

    def compose(self) -> ComposeResult:
        yield TopBar(self.MODE)
        with Vertical(id="body"):
            yield from self.body()
        yield Message()
        yield Prompt()
        yield KeyBar(*self.SCOPES)
        yield Tiny()

    def say(self, text: str, role: str = "text") -> None:
        """Show one line of text, whoever wrote it, in the message line."""
        self.query_one(Message).say(text, role)

    @property
    def prompt(self) -> Prompt:
        return self.query_one(Prompt)

    @property
    def top_bar(self) -> TopBar:
        return self.query_one(TopBar)

    def on_screen_resume(self) -> None:
        self._tick()

    def on_screen_suspend(self) -> None:
        if self._beat is not None:
            self._beat.stop()
            self._beat = None

    def _tick(self) -> None:
        if not self.is_current:
            return
        wait = self.tick()
        tiny = self.query_one(Tiny)
        if tiny.display:
            tiny.repaint()
        if self._beat is not None:
            self._beat.stop()
        self._beat = self.set_timer(wait or self.nst.governor.interval, self._tick)

    def beat_now(self) -> None:
        """Tick at once, and go on from there."""
        self._tick()
