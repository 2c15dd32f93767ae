"""Foreign text is hostile: nothing but our own codes reaches the terminal, no markup is obeyed."""

from __future__ import annotations

import ast
import re
import unicodedata
from collections.abc import Iterator
from pathlib import Path

import pytest
from fakes import FakeRun
from rich.segment import Segment
from terminal import open_ui
from textual.color import Color

from nst_graph import events
from nst_graph.tui.safe import Sanitise
from nst_graph.tui.theme import STATES, to_ascii

ROOT = Path(__file__).parent.parent
TUI = sorted((ROOT / "tui").glob("**/*.py"))

HOSTILE = [
    "\x1b]52;c;UFdORUQ=\x07",
    "\x1b]0;PWNED\x07",
    "\x9d0;PWNED\x9c",
    "\x1b_PWNED\x1b\\",
    "\x1bP$qPWNED\x1b\\",
    "\x1b[2J\x1b[H\x1b[31mPWNED",
    "\x9b2JPWNED",
    "\x1b[6n",
    "\x1bcPWNED",
    "a\x00b\x08\x08\x7f",
    "\r\nPWNED\x0b\x0c",
    "\u202ePWNED\u202c\u2066\u200b\ufeff",
    "\U000e0041\U000e0042",
    "[bold]PWNED[/bold]",
    "[@click=app.exit(7)]name.png[/]",
    "foo[/bar]",
    "[/]",
    "[red",
]


# -- the gate ---------------------------------------------------------------------------------


@pytest.mark.parametrize("text", HOSTILE)
def test_the_filter_lets_no_control_character_through(text: str) -> None:
    segments = Sanitise().apply([Segment(f"x{text}y")], Color(0, 0, 0))
    shown = "".join(segment.text for segment in segments)
    assert shown.startswith("x") and shown.endswith("y")
    kinds = {unicodedata.category(character) for character in shown}
    assert not kinds & {"Cc", "Cf", "Cs", "Zl", "Zp"}, kinds


def test_our_own_control_segments_pass() -> None:
    own = Segment("\x1b[2J", None, [(1,)])  # type: ignore[list-item]
    assert Sanitise().apply([own], Color(0, 0, 0)) == [own]


def test_ascii_mode_leaves_ascii_alone() -> None:
    for state in STATES.values():
        assert to_ascii(state.glyph) == state.ascii
    assert to_ascii("┌─┐ ⣿ 日 é") == "+-+ ? ?? ?"


# -- no markup --------------------------------------------------------------------------------

MARKUP_WIDGETS = {
    *("Static", "Label", "Button", "Checkbox", "RadioButton", "Digits", "Collapsible"),
    *("OptionList", "SelectionList", "Option", "Selection", "Tab", "TabPane", "Tree", "Toast"),
    *("Footer", "Header", "Markdown", "notify", "from_markup"),
}
MARKUP_TITLES = {"border_title", "border_subtitle", "tooltip", "sub_title"}


def _literal(node: ast.expr) -> bool:
    """Text of ours, or Content: text whose markup, if it had any, has been read already."""
    made = isinstance(node, ast.Call) and getattr(node.func, "id", "") == "Content"
    return made or isinstance(node, ast.Constant)


def _faults(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call):
            function = node.func
            name = getattr(function, "id", getattr(function, "attr", ""))
            plain = any(
                word.arg == "markup"
                and isinstance(word.value, ast.Constant)
                and not word.value.value
                for word in node.keywords
            )
            if name in MARKUP_WIDGETS and not plain:
                given = [*node.args, *(k.value for k in node.keywords if k.arg == "label")]
                if not all(map(_literal, given)):
                    yield f"{path.name}:{node.lineno} {name}(…) reads markup in foreign text"
        targets = node.targets if isinstance(node, ast.Assign) else []
        for target in targets:
            titled = isinstance(target, ast.Attribute) and target.attr in MARKUP_TITLES
            if titled and not _literal(node.value):
                yield f"{path.name}:{node.lineno} {target.attr} reads markup in foreign text"


def test_no_widget_reads_markup_in_foreign_text() -> None:
    assert len(TUI) > 20
    assert [fault for path in TUI for fault in _faults(path)] == []


def test_the_markup_test_finds_what_it_looks_for(tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.py"
    wrong.write_text(
        "Static(name)\nLabel(f'{x}')\nself.notify(text)\nbox.border_title = name\n"
        "Static('fine')\nStatic(name, markup=False)\nbox.border_title = 'fine'\n"
    )
    assert [int(re.findall(r":(\d+)", fault)[0]) for fault in sorted(_faults(wrong))] == [
        1,
        2,
        3,
        4,
    ]


# -- on a real terminal -----------------------------------------------------------------------


@pytest.mark.parametrize("colour", ["xterm-256color", "dumb"])
def test_a_hostile_run_writes_nothing_but_our_own_codes(colour: str) -> None:
    fake = FakeRun("20261123-100000-\x1b]0;PWNED\x07-ab12")
    fake.titles = {str(i): text for i, text in enumerate(HOSTILE)}
    fake.emit(events.RunStarted(fake.run.id, list(fake.titles), fake.titles, {}, 1))
    fake.at = 0
    for text in HOSTILE:
        fake.emit(events.Note(text, "1"))
        fake.emit(events.NodeFailed("2", text))
        fake.emit(events.NodeSkipped(text, text))
        fake.emit(events.Preview(text, 1, text))
    losses = {text: 10.0 + i for i, text in enumerate(HOSTILE[:8])}
    for step in range(1, 9):
        fake.emit(events.Step("2", step, 10, losses=losses, raw=losses, total=99.0))
    fake.emit(events.Preview("2", 3, "\x1b]0;PWNED\x07.jpg"))
    fake.emit(events.RunFinished("failed", 1.0, HOSTILE))
    with open_ui("runs", 120, 40, {"TERM": colour}) as terminal:
        terminal.wait_for("1 runs")
        for keys, sign in (("\r", "Monitor"), ("L", "search"), ("\x1b", "terms"), ("gvcY", "")):
            terminal.type(keys)
            terminal.settle(0.5)
            if sign:
                assert sign in terminal.screen()
        terminal.type("4")
        terminal.settle(0.5)
        assert terminal.running
        terminal.type("q")
        terminal.settle(1.0)
        raw = bytes(terminal.raw)
    written = raw.decode()
    assert "PWNED" in written  # shown as plain text
    for sequence in re.findall(r"\x1b\].*?(?:\x07|\x1b\\)", written, re.S):
        assert "PWNED" not in sequence and "UFdORUQ" not in sequence, sequence
    without = re.sub(r"\x1b\][^\x07\x1b]*(\x07|\x1b\\)", "", written)
    without = re.sub(r"\x1b\[[0-9;?<>=]*[ $]?[a-zA-Z]|\x1b[()][A-Z0-9]|\x1b[=>78]", "", without)
    bad = {c for c in without if unicodedata.category(c) in ("Cc", "Cf", "Cs")} - {"\r", "\n"}
    assert not bad, sorted(map(hex, map(ord, bad)))
