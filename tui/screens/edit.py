"""The graph editor: build, change, check, save and run a graph without a mouse."""

from __future__ import annotations

from typing import Any, ClassVar

from textual import events
from textual.binding import BindingType

from ..editor.canvas import GraphCanvas
from ..editor.running import Running
from ..keys import bindings

KEEP_EVERY = 10.0
"""Seconds between two looks at the file and two copies of unsaved work."""


class EditScreen(Running):
    """``graph``: a path or the name of an example; None offers what can be opened."""

    BINDINGS: ClassVar[list[BindingType]] = [*bindings("edit")]

    def __init__(self, graph: str | None = None, **options: Any) -> None:
        super().__init__(**options)
        self._graph = graph

    def on_mount(self) -> None:
        self.set_focus(self.canvas)
        self.call_after_refresh(self._begin_with, self._graph)
        self.set_interval(KEEP_EVERY, self._look_after_files)

    def open_graph(self, name: str) -> None:
        if self.is_mounted:
            super().open_graph(name)
        else:
            self._graph = name

    def on_screen_resume(self) -> None:
        super().on_screen_resume()
        if self.is_mounted:
            self.look_around()  # pictures and models may have been added meanwhile

    def _begin_with(self, graph: str | None) -> None:
        self.new_graph()
        if graph is not None:
            self.open_graph(graph)
        else:
            self._offer_recovery()
            if not self.chooser.is_open:
                self.action_open()

    def _look_after_files(self) -> None:
        self.keep_unsaved()
        if self.is_current:
            self.notice_outside_change()

    def in_short(self) -> Any:
        name = self.path.name if self.path else "new graph"
        yield f"{name}: {len(self.nodes)} nodes, {len(self.problems)} problems"

    def tick(self) -> float | None:
        self.follow_run()
        return None

    def on_unmount(self) -> None:
        self.keep_unsaved()

    def on_paste(self, event: events.Paste) -> None:
        """The terminal's paste: nodes as JSON, from here or from ComfyUI."""
        if not self.chooser.is_open and not self.prompt.is_open:
            event.stop()
            self.paste_text(event.text)

    def action_undo(self) -> None:
        self._step_back(self.history.undo(), "undone", "nothing to undo")

    def action_redo(self) -> None:
        self._step_back(self.history.redo(), "redone", "nothing to redo")

    def _step_back(self, label: str | None, done: str, nothing: str) -> None:
        if label is None:
            self.say(nothing)
            return
        self.changed()
        self.say(f"{done}: {label}")

    def on_graph_canvas_dropped(self, event: GraphCanvas.Dropped) -> None:
        if event.node not in self.history.now.marked:
            self.select(event.node, frozenset())
        self.action_nudge(event.x, event.y)

    def on_graph_canvas_linked(self, event: GraphCanvas.Linked) -> None:
        self.link(self.nodes, event.source, event.slot, event.target, event.input, None)

    def on_graph_canvas_drag_refused(self, event: GraphCanvas.DragRefused) -> None:
        self.say(f"not linked: {event.reason}", "bad")
