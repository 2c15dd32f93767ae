"""The canvas: shows a picture of the graph, moves over it, and reports what the mouse does."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

from textual import events
from textual.binding import BindingType
from textual.message import Message

from ..keys import bindings
from ..widgets.cells import Cells, Grid
from .cards import Faults, Look
from .minimap import Minimap
from .model import Nodes, Types
from .picture import Picture
from .sprites import Sprites
from .steer import in_view, neighbour

MINIMAP_FROM = 110
"""The canvas width from which on the minimap is shown, if not everything is in view."""
_MARGIN_X, _MARGIN_Y = 4, 2
_EMPTY = (
    "This graph is empty.",
    "",
    "a  add a node            o  open a graph, an example or a recent file",
    "?  every key             p  paste nodes from ComfyUI or another graph",
)


@dataclass(frozen=True)
class View:
    """What is shown on top of the graph: cursor, marks, run states, letters, matches."""

    selected: str | None = None
    marked: frozenset[str] = frozenset()
    found: frozenset[str] = frozenset()
    states: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    """State and progress text by node."""
    letters: Mapping[tuple[str, str], str] = field(default_factory=dict)
    """Jump letters by node and input name ("" for the node itself)."""
    lit: frozenset[str] | None = None
    """While a target is picked: the nodes that can be one; the others are dim."""


class GraphCanvas(Cells, can_focus=True):
    """A view of a graph. It edits nothing: it posts messages."""

    BINDINGS: ClassVar[list[BindingType]] = [*bindings("edit.canvas")]

    @dataclass
    class Selected(Message):
        node: str | None
        extend: bool = False

    @dataclass
    class Dropped(Message):
        """Nodes were dragged by this many cells."""

        node: str
        x: int
        y: int

    @dataclass
    class Linked(Message):
        """The mouse was dragged from an output to an input (or the other way round)."""

        source: str
        slot: int
        target: str
        input: str

    @dataclass
    class DragRefused(Message):
        reason: str

    def __init__(self, types: Types, **options: Any) -> None:
        super().__init__(**options)
        self.picture = Picture(types)
        self.view = View()
        self.level = 1
        self.origin = (-1, 0)
        """The cell of the drawing in the top left corner of the widget."""
        self._grab: tuple[str, int, int] | None = None
        self._wire: tuple[str, str, int | str] | None = None
        self._faults = Faults()
        self._sprites = Sprites()
        self._minimap = Minimap()
        self._asked: dict[str, str] = {}
        self._picked: Callable[[str], object] = str
        self._typed = ""

    def show(self, nodes: Nodes, view: View, faults: Faults | None = None) -> None:
        """Draw another state; the node under the cursor stays in sight."""
        if faults is not None:
            self._faults = faults
        if nodes is not self.picture.nodes or faults is not None:
            self.picture.update(nodes, self._faults, self.level)
            self._sprites.forget_all_but(nodes)
        moved = view.selected != self.view.selected
        self.view = view
        if moved or not self._visible_at_all(view.selected):
            self.reveal(view.selected)
        self.repaint()

    def set_level(self, level: int) -> None:
        self.level = level
        self.picture.update(self.picture.nodes, self._faults, level)
        self.reveal(self.view.selected)
        self.repaint()

    # Where we look

    def pan(self, x: int, y: int) -> None:
        drawing = self.picture.drawing
        self.origin = (
            min(max(self.origin[0] + x, -self.size.width // 2), drawing.width),
            min(max(self.origin[1] + y, -self.size.height // 2), drawing.height),
        )
        self.repaint()

    def centre(self, node: str | None) -> None:
        if node is not None and node in self.picture.drawing.places:
            x, y = self.picture.drawing.places[node]
            box = self.picture.plan.boxes[node]
            self.origin = (
                x + box.width // 2 - self.size.width // 2,
                y + box.height // 2 - self.size.height // 2,
            )
            self.repaint()

    def reveal(self, node: str | None) -> None:
        """Scroll, in jumps of half a screen, until ``node`` is in sight."""
        if node is None or node not in self.picture.drawing.places or not self.size.area:
            return
        x, y = self.picture.drawing.places[node]
        box = self.picture.plan.boxes[node]
        self.origin = (
            _jump(self.origin[0], x, box.width, self.size.width, _MARGIN_X),
            _jump(self.origin[1], y, box.height, self.size.height, _MARGIN_Y),
        )

    def _visible_at_all(self, node: str | None) -> bool:
        if node is None or node not in self.picture.drawing.places:
            return True
        x, y = self.picture.drawing.places[node]
        across, down = x - self.origin[0], y - self.origin[1]
        width, height = self.size.width, self.size.height
        return bool(0 <= across < width and 0 <= down < height)

    def in_sight(self) -> list[str]:
        return list(in_view(self.picture, *self.origin, self.size.width, self.size.height))

    def neighbour(self, direction: str) -> str | None:
        selected = self.view.selected
        if selected is None or selected not in self.picture.drawing.places:
            return next(iter(self.picture.drawing.places), None)
        return neighbour(self.picture, selected, direction)

    def ask_letter(self, letters: Mapping[str, str], picked: Callable[[str], object]) -> None:
        """Show a letter at each of the nodes; the one that is pressed calls ``picked``."""
        self._asked, self._picked, self._typed = dict(letters), picked, ""
        self.light({(node, ""): letter for node, letter in letters.items()}, None)

    def check_consume_key(self, key: str, character: str | None) -> bool:
        """While a jump letter is awaited, no key is a command."""
        return bool(self._asked) and key != "ctrl+c"

    def on_key(self, event: events.Key) -> None:
        if not self._asked:
            return
        event.stop()
        event.prevent_default()
        self._typed += event.character or ""
        node = next((n for n, letter in self._asked.items() if letter == self._typed), None)
        begun = any(letter.startswith(self._typed) for letter in self._asked.values())
        if node is None and begun and event.character:
            return
        self._asked = {}
        self.light({}, None)
        if node is not None:
            self._picked(node)

    # Drawing

    def paint(self, grid: Grid) -> None:
        picture, view = self.picture, self.view
        if not picture.nodes:
            top = max(0, grid.height // 2 - 3)
            wide = max(map(len, _EMPTY))
            for row, line in enumerate(_EMPTY):
                left = max(1, (grid.width - wide) // 2)
                grid.write(left, top + row, line, "dim" if row else "title")
            return
        ox, oy = self.origin
        picture.ink.paint(grid, ox, oy, picture.edges_of(view.selected))
        letters: dict[str, list[tuple[str, str]]] = {}
        for (node, name), letter in view.letters.items():
            letters.setdefault(node, []).append((name, letter))
        for node, (x, y) in picture.drawing.places.items():
            box = picture.plan.boxes[node]
            x, y = x - ox, y - oy
            if x >= grid.width or y >= grid.height or x + box.width <= 0 or y + box.height <= 0:
                continue
            state, progress = view.states.get(node, ("", ""))
            look = Look(
                selected=node == view.selected,
                marked=node in view.marked,
                found=node in view.found,
                dim=view.lit is not None and node not in view.lit,
                state=state,
                progress=progress,
                letters=tuple(letters.get(node, ())),
            )
            card = picture.cards[node]
            self._sprites.stamp(grid, node, card, look, box, x, y, picture.level)
        if grid.width >= MINIMAP_FROM:
            self._minimap.paint(grid, picture, self.origin, view.selected)

    # Mouse

    def on_mouse_down(self, event: events.MouseDown) -> None:
        x, y = event.x + self.origin[0], event.y + self.origin[1]
        self._wire = self.picture.socket_at(x, y)
        node = self.picture.at(x, y)
        self._grab = None if node is None or self._wire else (node, event.x, event.y)
        if node is not None:
            self.post_message(self.Selected(node, event.ctrl or event.shift))
        self.capture_mouse()

    def on_mouse_up(self, event: events.MouseUp) -> None:
        self.release_mouse()
        grab, self._grab = self._grab, None
        wire, self._wire = self._wire, None
        if grab is not None and (event.x, event.y) != grab[1:]:
            self.post_message(self.Dropped(grab[0], event.x - grab[1], event.y - grab[2]))
        elif wire is not None:
            here = self.picture.socket_at(event.x + self.origin[0], event.y + self.origin[1])
            if here is not None and here != wire:
                self._link(wire, here)

    def _link(self, one: tuple[str, str, int | str], other: tuple[str, str, int | str]) -> None:
        out, into = (one, other) if one[1] == "out" else (other, one)
        if out[1] == into[1]:
            side = "outputs" if out[1] == "out" else "inputs"
            self.post_message(self.DragRefused(f"both are {side}; drag from an output to an input"))
            return
        self.post_message(self.Linked(out[0], int(out[2]), into[0], str(into[2])))

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        self.pan(8 if event.shift else 0, 0 if event.shift else 3)

    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        self.pan(-8 if event.shift else 0, 0 if event.shift else -3)

    def light(self, letters: Mapping[tuple[str, str], str], lit: Collection[str] | None) -> None:
        """Show jump letters and dim every node that is not ``lit``."""
        lit_nodes = None if lit is None else frozenset(lit)
        self.view = replace(self.view, letters=letters, lit=lit_nodes)
        self.repaint()


def _jump(origin: int, start: int, length: int, window: int, margin: int) -> int:
    """The new origin: unchanged while [start, start + length) is in sight, else well inside."""
    margin = min(margin, max(0, (window - length) // 2))
    if start - margin < origin:
        return max(-1, min(start - margin, start - window // 3))
    if start + length + margin > origin + window:
        return start + min(length, window) + max(margin, window // 3) - window
    return origin
