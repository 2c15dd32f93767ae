"""The application: four screens over the same runs, one key table, one gate to the terminal."""

from __future__ import annotations

import os
import sys
import time
import webbrowser
from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from textual import events
from textual.app import App, SuspendNotSupported, SystemCommand
from textual.binding import BindingType
from textual.driver import Driver
from textual.filter import LineFilter
from textual.screen import Screen
from textual.widgets import Input

from nst_graph import runs
from nst_graph.errors import UserError
from nst_graph.text import clean, shorten

from . import keys, pixels, theme
from .governor import Governor
from .safe import Colourless, Sanitise
from .screens.compare import CompareScreen
from .screens.help import KeysScreen
from .screens.monitor import MonitorScreen
from .screens.page import Page
from .screens.runs import RunsScreen
from .settings import load
from .tail import Follower
from .widgets.raster import Glyphs

if TYPE_CHECKING:
    from .screens.edit import EditScreen

Mode = Literal["runs", "edit", "monitor", "compare"]
FOLLOWED = 8
"""Logs whose folded state is kept at a time."""
MARKED = 6


class NstApp(App[int], inherit_bindings=False):
    """``start``: the first screen; ``run``: what Monitor shows; ``graph``: what Edit opens."""

    TITLE = "nst-graph"
    CSS_PATH = "nst.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [*keys.bindings("app")]
    COMMAND_PALETTE_BINDING = "ctrl+p"
    HORIZONTAL_BREAKPOINTS = [  # noqa: RUF012 (Textual declares it)
        (0, "-tiny-w"),
        (60, "-compact"),
        (120, "-wide"),
    ]
    VERTICAL_BREAKPOINTS = [  # noqa: RUF012
        (0, "-tiny-h"),
        (16, "-short"),
        (22, "-low"),
        (32, "-tall"),
    ]

    def __init__(
        self,
        start: Mode = "runs",
        run: str | runs.RunFolder | None = None,
        graph: str | None = None,
        *,
        ascii_only: bool | None = None,
        **options: Any,
    ) -> None:
        settings = load()
        self.settings = settings
        self.ascii_only = settings.ascii if ascii_only is None else ascii_only
        self.plot_glyphs: Glyphs = "ascii" if self.ascii_only else settings.glyphs
        self.governor = Governor(settings.interval, round(1000 * settings.budget))
        self._own_filters: list[LineFilter] = [Sanitise(ascii_only=self.ascii_only)]
        super().__init__(**options)
        if self.no_color:
            self._own_filters.append(Colourless())
        for palette in theme.PALETTES.values():
            self.register_theme(palette.theme())
        known = settings.theme in self.available_themes
        self.theme = settings.theme if known else theme.DEFAULT
        self.set_keymap(settings.keys)
        self.run_folder = runs.find(run) if isinstance(run, str) else run
        self.graph = graph
        self.marked: list[str] = []
        """Ids of the runs marked for comparing."""
        self._start: Mode = start
        self._editor: EditScreen | None = None
        self._followers: OrderedDict[str, Follower] = OrderedDict()
        self._asked_to_quit = -10.0
        for mode, screen in self._screens().items():
            self.add_mode(mode, screen)

    def _screens(self) -> dict[str, Callable[[], Screen[Any]]]:
        return {
            "runs": RunsScreen,
            "edit": self._edit_screen,
            "monitor": MonitorScreen,
            "compare": CompareScreen,
        }

    def _edit_screen(self) -> Screen[Any]:
        from .screens.edit import EditScreen

        self._editor = EditScreen(self.graph)
        return self._editor

    def on_mount(self) -> None:
        if self.ascii_only:
            self.add_class("-ascii")
        self.switch_mode(self._start)
        if self.settings.warnings:
            self.call_after_refresh(self._warn)

    def _warn(self) -> None:
        if isinstance(self.screen, Page):
            self.screen.say("; ".join(self.settings.warnings), "warn")

    # -- what comes from the keyboard ----------------------------------------------------------

    async def on_event(self, event: events.Event) -> None:
        """Obey each key before the next one is looked at.

        Textual passes keys on by message: of keys that arrive together, as they do over a slow
        line, text would be typed before the backspace that came first, and "w 2e5 Enter" would
        not reach the prompt that w opens.
        """
        if isinstance(event, events.Key) and not event.is_forwarded and await self._obey(event):
            return
        await super().on_event(event)

    async def _obey(self, key: events.Key) -> bool:
        box = self.focused
        if isinstance(box, Input) and key.is_printable and key.character:
            start, end = sorted(box.selection)
            if start == end:
                box.insert_text_at_cursor(key.character)
            else:
                box.replace(key.character, start, end)
            return True
        if box is not None and box.check_consume_key(key.key, key.character):
            return False
        found = self.screen.active_bindings.get(key.key)
        if found is None or not found.enabled:
            return False
        return await self.run_action(found.binding.action, found.node)

    # -- what goes to the terminal -----------------------------------------------------------

    @property
    def own_filters(self) -> Sequence[LineFilter]:
        """The filters for widgets that choose their colours themselves."""
        return self._own_filters

    def get_line_filters(self) -> Sequence[LineFilter]:
        return [*super().get_line_filters(), *self._own_filters]

    def get_driver_class(self) -> type[Driver]:
        """The terminal's driver, counting what it writes."""
        governor = self.governor
        usual = super().get_driver_class()

        class CountingDriver(usual):  # type: ignore[misc, valid-type]
            def write(self, data: str) -> None:
                governor.wrote(len(data) if data.isascii() else len(data.encode()))
                super().write(data)

        return CountingDriver

    # -- runs ----------------------------------------------------------------------------------

    def follower(self, run: runs.RunFolder) -> Follower:
        """The reader of the run's log; several screens share one."""
        found = self._followers.pop(run.id, None) or Follower(run.log)
        self._followers[run.id] = found
        while len(self._followers) > FOLLOWED:
            self._followers.popitem(last=False)
        return found

    def watch_run(self, run: runs.RunFolder) -> None:
        """Show ``run`` in the Monitor."""
        self.run_folder = run
        self.switch_mode("monitor")

    def open_graph(self, run: runs.RunFolder) -> None:
        """Show the graph of ``run`` in the editor."""
        self.graph = str(run.graph)
        editor = self._editor
        self.switch_mode("edit")
        if editor is not None:  # a new one opens it by itself
            editor.open_graph(self.graph)

    def copy(self, text: str) -> None:
        """Put ``text`` on the clipboard of the terminal (OSC 52), cleaned."""
        self.copy_to_clipboard(clean(text))
        if isinstance(self.screen, Page):
            self.screen.say(f"copied: {shorten(text, 200)}", "dim")

    def open_outside(self, path: str) -> None:
        """Show a file in the desktop's own viewer; without a desktop, say and copy its path."""
        desktop = sys.platform == "darwin" or os.name == "nt" or "DISPLAY" in os.environ
        if (desktop or "WAYLAND_DISPLAY" in os.environ) and "SSH_CONNECTION" not in os.environ:
            webbrowser.open(Path(path).resolve().as_uri())
        else:
            self.copy(path)

    def show_pixels(self, path: Path, kind: pixels.Protocol) -> None:
        """Leave the screen, show the picture in pixels, come back at the next key."""
        try:
            width, height = self.size
            picture = pixels.encode(path, kind, width, height - 2)
            with self.suspend():
                print(f"\x1b[2J\x1b[H{picture}\n", end="", flush=True)
                input("Enter goes back ")
        except (OSError, ValueError, SuspendNotSupported) as error:
            if isinstance(self.screen, Page):
                self.screen.say(f"cannot show it: {error or 'not on this terminal'}", "warn")
        except EOFError:
            self.exit(0)

    def mark(self, run_id: str) -> str | None:
        """Mark or unmark a run for comparing; what is wrong, if it cannot be."""
        if run_id in self.marked:
            self.marked.remove(run_id)
        elif len(self.marked) >= MARKED:
            return f"at most {MARKED} runs can be compared"
        else:
            self.marked.append(run_id)
        return None

    # -- actions of the key table ----------------------------------------------------------------

    def action_mode(self, mode: str) -> None:
        if mode != self.current_mode:
            self.switch_mode(mode)

    def action_show_keys(self) -> None:
        scopes = getattr(self.screen, "SCOPES", ())
        if not isinstance(self.screen, KeysScreen):
            self.push_screen(KeysScreen((*scopes, "app")))

    def action_leave(self) -> None:
        """Leave, unless a screen has a question to ask first."""
        for stack in self._screen_stacks.values():
            for screen in stack:
                ask = getattr(screen, "ask_before_leaving", None)
                if ask is not None and ask():
                    return
        self.exit(0)

    def action_help_quit(self) -> None:
        now = time.monotonic()
        if now - self._asked_to_quit < 3:
            self.exit(0)
            return
        self._asked_to_quit = now
        if isinstance(self.screen, Page):
            self.screen.say("ctrl+c again leaves; runs go on", "warn")

    def action_toggle_mouse(self) -> None:
        # Textual has no public way to do this while the app runs.
        driver = self._driver
        taken = getattr(self, "_mouse_given_away", False)
        name = "_enable_mouse_support" if taken else "_disable_mouse_support"
        change = getattr(driver, name, None)
        if change is not None:
            change()
        self._mouse_given_away = not taken
        if isinstance(self.screen, Page):
            owner = "the app" if taken else "the terminal: select text with it"
            self.screen.say(f"the mouse belongs to {owner}")

    def action_slower(self) -> None:
        interval = self.governor.slower()
        if isinstance(self.screen, Page):
            self.screen.say(f"drawing every {interval:g} s")

    def get_system_commands(self, screen: Screen[Any]) -> Iterable[SystemCommand]:
        """The palette: every key of this screen by its help text, and the themes."""
        for scope in (*getattr(screen, "SCOPES", ()), "app"):
            for key in keys.in_scope(scope):
                title = f"{key.help[0].upper()}{key.help[1:]}"
                yield SystemCommand(title, keys.shown(key.keys), self._command(screen, key))
        for name in theme.PALETTES:
            yield SystemCommand(f"Theme {name}", "colours", lambda name=name: self._wear(name))

    def _command(self, screen: Screen[Any], key: keys.Key) -> Callable[[], Any]:
        async def act() -> None:
            target = self if key.scope == "app" else screen
            await self.run_action(key.action, target)

        return act

    def _wear(self, name: str) -> None:
        self.theme = name


def main(start: Mode = "runs", run: str | None = None, graph: str | None = None) -> int:
    """Open the terminal UI; the exit code.

    Raises:
        UserError: there is no terminal, or no such run.
    """
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise UserError("the terminal UI needs a terminal; try nst runs, nst watch --plain")
    app = NstApp(start, run, graph)
    code = app.run(mouse=app.settings.mouse)
    return code if code is not None else app.return_code or 0
