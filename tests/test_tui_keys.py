"""The key table: one meaning each, every key reaches its action, footer and help agree with it."""

from __future__ import annotations

import re
from typing import Any

import pytest
from fakes import FakeRun
from textual.events import Key

from nst_graph.tui import keys
from nst_graph.tui.app import NstApp
from nst_graph.tui.screens.help import KeysScreen
from nst_graph.tui.screens.page import Page

SWALLOWED = {
    *("ctrl+i", "ctrl+m", "ctrl+j", "ctrl+h", "ctrl+s", "ctrl+q", "ctrl+z", "ctrl+b", "ctrl+a"),
    "ctrl+left_square_bracket",
}


def _families() -> list[tuple[str, ...]]:
    """Scopes whose keys are alive at the same time: a pane, its screen, and the app."""
    scopes = dict.fromkeys(key.scope for key in keys.KEYS)
    return [tuple(dict.fromkeys((scope, scope.split(".")[0], "app"))) for scope in scopes]


@pytest.mark.parametrize("family", _families(), ids="-".join)
def test_a_key_means_one_thing_where_it_is_alive(family: tuple[str, ...]) -> None:
    pane, *outer = family
    seen: dict[str, str] = {}
    for scope in dict.fromkeys((pane, *outer)):
        for key in keys.in_scope(scope):
            for name in key.keys.split(","):
                overridden = scope != pane and "." in pane and name in seen
                assert name not in seen or overridden, f"{name}: {seen[name]} and {key.id}"
                seen.setdefault(name, key.id)


def test_ids_are_unique_and_every_key_is_explained() -> None:
    ids = [key.id for key in keys.KEYS]
    assert len(ids) == len(set(ids))
    assert all(key.help and re.fullmatch(r"[a-z_.A-Z0-9]+", key.id) for key in keys.KEYS)


def test_no_key_is_one_that_terminals_swallow() -> None:
    for key in keys.KEYS:
        names = key.keys.split(",")
        assert not SWALLOWED & set(names), key.id
        unsafe = [n for n in names if n.startswith(("alt+", "f1", "f2", "ctrl+shift+"))]
        assert len(unsafe) < len(names), key.id


def _app(**options: Any) -> NstApp:
    fake = FakeRun("20261123-100000-fake-0001").start().step(30, preview=True)
    fake.finish()
    return NstApp(run=fake.run, **options)


@pytest.mark.parametrize("scope", ["runs", "monitor", "compare"])
async def test_every_key_reaches_its_action(scope: str, monkeypatch: pytest.MonkeyPatch) -> None:
    app = _app(start=scope)
    calls: list[tuple[str, tuple[Any, ...]]] = []

    def record(name: str) -> Any:
        return lambda *values: calls.append((name, values))

    async with app.run_test(size=(100, 30)) as pilot:
        await pilot.pause()
        screen = app.screen
        for holder, name in ((screen, scope), (app, "app")):
            for key in keys.in_scope(name):
                action = re.sub(r"\(.*", "", key.action)
                monkeypatch.setattr(holder, f"action_{action}", record(action))
        for name in (scope, "app"):
            for key in keys.in_scope(name):
                if key.id == "app.help_quit":  # first offered to the screen, as copying
                    continue
                for pressed in key.keys.split(","):
                    calls.clear()
                    app.post_message(Key(pressed, None))
                    await pilot.pause()
                    action, _, given = key.action.partition("(")
                    expected = given.rstrip(")").strip("'")
                    found = [(n, "".join(map(str, values))) for n, values in calls]
                    assert found == [(action, expected)], (key.id, pressed)


def test_the_footer_fits_and_always_shows_the_way_to_the_keys() -> None:
    for scope in ("runs", "monitor", "compare", "edit"):
        for width in (20, 58, 78, 118, 300):
            pairs = keys.footer((scope, "app"), width)
            assert sum(len(key) + len(label) + 3 for key, label in pairs) <= max(width, 10)
            assert pairs[-1] == ("?", "keys")


async def test_help_lists_the_keys_of_the_screen_and_can_be_searched() -> None:
    app = _app(start="monitor")
    async with app.run_test(size=(100, 60)) as pilot:
        await pilot.press("question_mark")
        await pilot.pause()
        assert isinstance(app.screen, KeysScreen)
        shown = {text for _, text in app.screen._list.lines()}
        for scope in ("monitor", "app"):
            assert {key.help for key in keys.in_scope(scope)} <= shown
        await pilot.press(*"checkpoint")
        found = [text for key, text in app.screen._list.lines() if key]
        assert "save a checkpoint now" in found and len(found) < 4
        await pilot.press("escape")
        assert isinstance(app.screen, Page)


def test_the_documentation_of_the_keys_is_the_table() -> None:
    text = keys.markdown()
    for key in keys.KEYS:
        assert f"| {key.help} | `{key.id}` |" in text


async def test_a_key_can_be_bound_otherwise() -> None:
    app = _app(start="monitor")
    async with app.run_test(size=(100, 30)) as pilot:
        await pilot.pause()
        app.set_keymap({"monitor.log_scale": "f8"})
        curves = app.screen.query_one("#curves")
        before = curves.plot.view.log  # type: ignore[attr-defined]
        await pilot.press("y")
        assert curves.plot.view.log is before  # type: ignore[attr-defined]
        await pilot.press("f8")
        assert curves.plot.view.log is not before  # type: ignore[attr-defined]
