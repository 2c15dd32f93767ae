"""The one table of keys. Dispatch, footer, help and documentation are made from it.

A key acts in a scope: the whole app, a screen, or a pane of a screen (``edit.canvas``). In one
screen a key means one thing; a test refuses two. Left out on purpose are keys that SSH, tmux,
screen or plain terminals swallow or cannot tell apart: ctrl+i, m, j, h, s, q, z, a and b, and alt,
function or ctrl+shift keys as the only way.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from textual.binding import Binding


@dataclass(frozen=True)
class Key:
    """``keys``: Textual key names with commas between; ``action``: the method ``action_<it>``.

    ``label`` is for the footer (no label: not shown there), ``help`` for help and documentation.
    """

    id: str
    keys: str
    scope: str
    action: str
    label: str
    help: str


def _rows(scope: str, *rows: tuple[str, str, str, str]) -> tuple[Key, ...]:
    """Rows of (keys, action, label, help); the id is made of the scope and the action."""
    return tuple(
        Key(f"{scope}.{_name(action)}", keys, scope, action, label, help)
        for keys, action, label, help in rows
    )


def _name(action: str) -> str:
    """``cursor(-1)`` as ``cursor_back``, ``mode('runs')`` as ``mode_runs``."""
    named = action.replace("(-1)", "_back").replace("(1)", "_on").replace("-", "minus_")
    return re.sub(r"\W+", "_", named).strip("_")


APP = _rows(
    "app",
    ("1", "mode('runs')", "", "the list of runs"),
    ("2", "mode('edit')", "", "the graph editor"),
    ("3", "mode('monitor')", "", "watch a run"),
    ("4", "mode('compare')", "", "compare runs"),
    ("colon,ctrl+p", "command_palette", "commands", "every command of this screen, by name"),
    ("question_mark,f1", "show_keys", "keys", "the keys of this screen"),
    ("q", "leave", "quit", "leave; runs go on"),
    ("ctrl+c", "help_quit", "", "copy what is selected; twice: leave, runs go on"),
    ("M", "toggle_mouse", "", "let the terminal have the mouse (to select text), or take it back"),
    ("B", "slower", "", "draw less often, for slow lines: 0.5, 1, 2, 4 seconds"),
)

RUNS = _rows(
    "runs",
    ("enter", "open", "watch", "watch this run"),
    ("o,e", "open_graph", "graph", "open this run's graph in the editor"),
    ("a", "new_run", "new", "run a graph: a file, or the name of an example"),
    ("d", "duplicate", "duplicate", "run this graph again with other values"),
    ("r", "go_on", "go on", "go on with a paused, stopped, failed or crashed run"),
    ("p", "pause", "pause", "pause or resume"),
    ("x", "stop", "stop", "stop and keep the picture (asks first); unqueue a waiting run"),
    ("space", "mark", "mark", "mark for comparing, at most six"),
    ("c", "compare", "compare", "compare the marked runs"),
    ("K", "queue_by(-1)", "", "let a waiting run start earlier"),
    ("J", "queue_by(1)", "", "let a waiting run start later"),
    (
        "slash",
        "filter",
        "filter",
        "words and conditions: wave state:failed loss<1e5 age<2d",
    ),
    ("n", "next_match", "", "next run that fits the filter"),
    ("N", "previous_match", "", "previous run that fits the filter"),
    ("s", "sort", "sort", "sort by the next column"),
    ("S", "reverse", "", "sort the other way round"),
    ("delete", "trash", "", "move a run that has ended to the trash"),
    ("u", "restore", "", "take the run trashed last back"),
    ("O", "open_picture", "", "open the newest picture outside"),
    ("Y", "copy", "", "copy the run's folder to the clipboard"),
    ("escape", "back", "", "drop the filter, then the marks"),
)

MONITOR = _rows(
    "monitor",
    ("p", "pause", "pause", "pause or resume"),
    ("i", "interrupt", "stop", "stop and keep the picture; a second time: stop at once"),
    ("w", "weight", "weight", "change the weight of the selected term"),
    ("k", "checkpoint", "", "save a checkpoint now"),
    ("P", "preview_now", "", "make a preview now"),
    ("up", "select(-1)", "", "select the term above"),
    ("down", "select(1)", "", "select the term below"),
    ("space", "toggle_term", "", "show or hide the curve of the selected term"),
    ("a", "all_terms", "", "every curve, or only the selected one"),
    ("left", "cursor(-1)", "cursor", "move the cursor and read the values there"),
    ("right", "cursor(1)", "", "move the cursor"),
    ("shift+left,left_square_bracket", "pan(-1)", "", "earlier"),
    ("shift+right,right_square_bracket", "pan(1)", "", "later"),
    ("plus,equals_sign", "zoom(1)", "zoom", "closer, around the cursor"),
    ("minus", "zoom(-1)", "", "wider"),
    ("0", "whole", "", "the whole run"),
    ("l", "follow", "", "follow the newest steps"),
    ("y", "log_scale", "log", "logarithmic or linear"),
    ("f", "smooth", "smooth", "smoothing 0, 0.6, 0.9, 0.99; the raw curve stays, dimmed"),
    ("x", "x_axis", "axis", "against steps, seconds or evaluations"),
    ("comma", "scrub(-1)", "", "the preview before"),
    ("full_stop", "scrub(1)", "", "the next preview; past the newest: live again"),
    ("v", "picture_mode", "image", "picture: 256 colours, truecolor, grey, off"),
    ("V", "full_picture", "", "the picture in pixels (kitty or sixel), until Enter"),
    ("Z", "enlarge", "", "curves alone, picture alone, everything"),
    ("g", "side", "nodes", "terms or nodes"),
    ("L", "log", "log", "the whole log"),
    ("j", "next_optimise", "", "the next Optimize node of the graph"),
    ("r", "go_on", "", "go on with a stopped, failed or crashed run"),
    ("c", "compare", "compare", "compare with the other marked runs"),
    ("o,e", "open_graph", "", "open this run's graph in the editor"),
    ("O", "open_picture", "", "open the newest picture outside"),
    ("Y", "copy", "", "copy the values under the cursor, or the path of the result"),
    ("D", "detach", "detach", "leave; the run goes on"),
    ("escape", "back", "", "drop the cursor; then back to the list"),
)

COMPARE = _rows(
    "compare",
    ("t", "term", "term", "compare the next term"),
    ("vertical_line", "normalise", "normalise", "each curve divided by its first value"),
    ("i", "flip", "flip", "one picture at a time, in the same place"),
    ("comma", "scrub(-1)", "", "earlier previews"),
    ("full_stop", "scrub(1)", "", "later previews"),
    ("left", "cursor(-1)", "cursor", "move the cursor and read the values there"),
    ("right", "cursor(1)", "", "move the cursor"),
    ("plus,equals_sign", "zoom(1)", "zoom", "closer, around the cursor"),
    ("minus", "zoom(-1)", "", "wider"),
    ("0", "whole", "", "the whole of every run"),
    ("y", "log_scale", "log", "logarithmic or linear"),
    ("f", "smooth", "smooth", "smoothing 0, 0.6, 0.9, 0.99"),
    ("x", "x_axis", "axis", "against steps, seconds or evaluations"),
    ("d", "all_rows", "differences", "only the inputs that differ, or all"),
    ("up", "scroll(-1)", "", "scroll the table"),
    ("down", "scroll(1)", "", "scroll the table"),
    ("E", "export", "export", "write the curves to a CSV file here"),
    ("Y", "copy", "", "copy the table of differences"),
    ("escape", "back", "", "drop the cursor; then back to the list"),
)

# The graph editor: its two panes may use the same key for different things.
EDIT = (
    *_rows(
        "edit",
        ("a", "add", "add", "add a node; Tab instead of Enter also links it to the selected one"),
        ("c", "connect", "connect", "connect an output, or the input under the cursor"),
        ("enter", "edit_value", "change", "to the inspector; there: change the value"),
        ("r", "run", "run", "run the graph as it is here, saved or not"),
        ("s", "save", "save", "save"),
        ("u", "undo", "undo", "undo"),
        ("o", "open", "open", "open an example, a recent file or a path; begin a new graph"),
        ("d", "delete", "delete", "delete the marked nodes, or the selected one"),
        ("slash", "find", "find", "find nodes by title, id, class, type or value"),
        ("n", "match(1)", "", "next match"),
        ("N", "match(-1)", "", "previous match"),
        ("X", "heal", "", "delete and join what fed the node to what it fed"),
        ("C", "cut", "cut", "cut a link"),
        ("m", "mute", "mute", "mute: leave the node out"),
        ("b", "bypass", "bypass", "bypass: leave the node out, let its input through"),
        ("y", "copy", "", "copy nodes, also to the terminal's clipboard, as ComfyUI API JSON"),
        ("p", "paste", "", "paste nodes (the terminal's own paste takes JSON, too)"),
        ("P", "paste(True)", "", "paste and keep the links from nodes that are here"),
        ("D", "duplicate", "", "duplicate with the links that come in"),
        ("t", "rename", "title", "give the node a title"),
        ("space", "mark", "mark", "mark or unmark"),
        ("V", "mark_all", "", "mark everything, or nothing"),
        ("right_square_bracket", "problem(1)", "", "next problem"),
        ("left_square_bracket", "problem(-1)", "", "previous problem"),
        ("full_stop", "fix", "", "fix the problem: opens the list or the value it needs"),
        ("R", "run_here", "", "run only what the selected node needs"),
        ("v", "watch", "", "watch the run started here (Monitor)"),
        ("ctrl+r", "redo", "", "redo"),
        ("S", "save_as", "", "save as another file"),
        ("f,ctrl+o", "jump", "jump", "jump: a letter for every node in sight"),
        ("w", "in_order(1)", "", "next node in the order of execution"),
        ("W", "in_order(-1)", "", "previous node in the order of execution"),
        ("g", "end(False)", "", "first node"),
        ("G", "end(True)", "", "last node"),
        ("z", "level", "detail", "level of detail: lines, sockets, values"),
        ("Z", "enlarge", "", "the canvas alone, or with inspector and problems"),
        ("A", "arrange", "", "automatic layout again, for marked or all nodes"),
        ("apostrophe", "centre", "", "the selected node in the middle"),
        ("tab,shift+tab", "pane", "", "canvas or inspector"),
        ("escape", "back", "", "one step back: pane, matches, marks"),
        ("ctrl+left", "pan(-8, 0)", "", "look further left"),
        ("ctrl+right", "pan(8, 0)", "", "look further right"),
        ("ctrl+up,pageup", "pan(0, -6)", "", "look further up"),
        ("ctrl+down,pagedown", "pan(0, 6)", "", "look further down"),
    ),
    *_rows(
        "edit.canvas",
        ("h,left", "screen.go('left')", "", "along a link to the left"),
        ("l,right", "screen.go('right')", "", "along a link to the right"),
        ("k,up", "screen.go('up')", "", "the node above"),
        ("j,down", "screen.go('down')", "", "the node below"),
        ("H,shift+left", "screen.nudge(-2, 0)", "", "move the node left"),
        ("L,shift+right", "screen.nudge(2, 0)", "", "move the node right"),
        ("K,shift+up", "screen.nudge(0, -1)", "", "move the node up"),
        ("J,shift+down", "screen.nudge(0, 1)", "", "move the node down"),
    ),
    *_rows(
        "edit.inspector",
        ("j,down", "screen.inspect(1)", "row", "the row below"),
        ("k,up", "screen.inspect(-1)", "", "the row above"),
        ("enter", "screen.edit_value", "change", "change the value, the title or the link"),
        ("h,left,minus", "screen.step(-1)", "less", "one step down, the previous choice"),
        ("l,right,plus", "screen.step(1)", "more", "one step up, the next choice"),
        ("asterisk", "screen.scale(10)", "×10", "ten times as much"),
        ("percent_sign", "screen.scale(0.1)", "", "a tenth"),
        ("equals_sign", "screen.default", "default", "the default"),
        ("x", "screen.roll", "", "another random seed"),
        (
            "backspace,delete",
            "screen.unlink",
            "unlink",
            "cut the link; a value gets its default",
        ),
        ("ctrl+e", "screen.external", "editor", "edit a text in $EDITOR"),
        ("Y", "screen.copy_value", "", "copy the value to the clipboard"),
    ),
)

KEYS: tuple[Key, ...] = (*APP, *RUNS, *MONITOR, *COMPARE, *EDIT)

_SHOWN = {
    "enter": "Enter",
    "escape": "Esc",
    "space": "Space",
    "delete": "Del",
    "backspace": "⌫",
    "tab": "Tab",
    "shift+tab": "⇧Tab",
    "up": "↑",
    "down": "↓",
    "left": "←",
    "right": "→",
    "shift+left": "⇧←",
    "shift+right": "⇧→",
    "shift+up": "⇧↑",
    "shift+down": "⇧↓",
    "colon": ":",
    "question_mark": "?",
    "slash": "/",
    "comma": ",",
    "full_stop": ".",
    "plus": "+",
    "minus": "-",
    "equals_sign": "=",
    "vertical_line": "|",
    "left_square_bracket": "[",
    "right_square_bracket": "]",
    "apostrophe": "'",
    "asterisk": "*",
    "percent_sign": "%",
    "pageup": "PgUp",
    "pagedown": "PgDn",
    "f1": "F1",
    "less_than_sign": "<",
    "greater_than_sign": ">",
}


def in_scope(scope: str) -> Iterator[Key]:
    return (key for key in KEYS if key.scope == scope)


def bindings(scope: str) -> list[Binding]:
    """What a screen or pane puts into its ``BINDINGS``."""
    return [
        Binding(key.keys, key.action, key.label or key.help, id=key.id, show=bool(key.label))
        for key in in_scope(scope)
    ]


def shown(keys: str) -> str:
    """``left_square_bracket,ctrl+e`` as people write it: ``[ ^e``."""
    names = []
    for name in keys.split(","):
        held = "^" if name.startswith("ctrl+") else ""
        plain = name.removeprefix("ctrl+")
        names.append(held + _SHOWN.get(plain, plain))
    return " ".join(names)


def footer(scopes: Iterable[str], width: int) -> list[tuple[str, str]]:
    """As many (key, label) pairs as fit in ``width`` cells, in the table's order."""
    fitting: list[tuple[str, str]] = []
    last = next(key for key in APP if key.action == "show_keys")
    room = width - len(shown(last.keys.split(",")[0])) - len(last.label) - 3
    for key in (key for scope in scopes for key in in_scope(scope)):
        pair = (shown(key.keys.split(",")[0]), key.label)
        needed = len(pair[0]) + len(pair[1]) + 3
        if not key.label or key is last:
            continue
        if needed > room:
            break
        room -= needed
        fitting.append(pair)
    return [*fitting, (shown(last.keys.split(",")[0]), last.label)]


def markdown() -> str:
    """The whole table as Markdown, for the documentation."""
    lines = []
    for scope in dict.fromkeys(key.scope for key in KEYS):
        title = {"app": "everywhere"}.get(scope, scope)
        lines += [f"### Keys: {title}", "", "| key | does | id |", "|-|-|-|"]
        for key in in_scope(scope):
            label = shown(key.keys).replace("|", "\\|")
            lines.append(f"| `{label}` | {key.help} | `{key.id}` |")
        lines.append("")
    return "\n".join(lines)


if __name__ == "__main__":
    print(markdown())
