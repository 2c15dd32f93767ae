"""The editor by keyboard alone, as a user would: every scenario only presses keys."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

import editor_pack
import pytest

from nst_graph.tui.app import NstApp
from nst_graph.tui.editor.inspector import Inspector
from nst_graph.tui.widgets.bars import Question

WIDE, SMALL = editor_pack.WIDE, editor_pack.SMALL
Open = Callable[..., AbstractAsyncContextManager[Any]]


@pytest.fixture
def open_editor(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Open:
    return editor_pack.opener(monkeypatch, tmp_path)


def saved(name: str = "graph.json") -> Any:
    return json.loads(Path(name).read_text())


def plain(nodes: Any) -> list[Any]:
    """Classes and links of a graph, whatever its ids and order are."""

    def describe(node: str, depth: int = 0) -> str:
        data = nodes[node]
        feeds = [
            f"{name}={describe(value[0], depth + 1)}.{value[1]}"
            for name, value in sorted(data["inputs"].items())
            if isinstance(value, list)
        ]
        return f"{data['class_type']}({', '.join(feeds)})"

    return sorted(describe(node) for node in nodes)


QUICKSTART: Iterable[str] = (
    *("a", '"load"', "enter", "a", '"vgg"', "tab", "a", '"con"', "tab", "a", '"opt"', "tab"),
    *("a", '"save"', "tab", "a", '"load"', "enter", "a", '"vgg"', "tab", "a", '"gram"', "tab"),
    *("a", '"sty"', "tab", "c", "f", "g", "c", "f", "f"),
)


async def test_the_quickstart_graph_is_built_from_nothing_with_sixty_keys(
    open_editor: Open,
) -> None:
    async with open_editor() as editor:
        await editor.press(*QUICKSTART)
        assert plain(editor.nodes) == plain(editor_pack.quickstart())
        assert editor.pressed <= 60
        await editor.press("right_square_bracket")
        assert editor.message == "no problems: r runs the graph"


async def test_a_two_style_blend_is_made_from_a_graph_with_one_style(open_editor: Open) -> None:
    async with open_editor(editor_pack.quickstart(), size=SMALL) as editor:
        # mark the style branch, duplicate it, connect the copy's loss, choose its picture
        for node in ("2", "4", "6", "7"):
            await editor.press("slash", f'"#{node}"', "enter", "space")
        await editor.press("D")
        assert len(editor.nodes) == 13
        copies = editor.screen.history.now.marked
        loss = next(n for n in copies if editor.nodes[n]["class_type"] == "StyleLoss")
        await editor.press("slash", f'"#{loss}"', "enter", "c", "f")
        assert editor.nodes["8"]["inputs"]["loss_3"] == [loss, 0]
        # the balance: the copy's weight
        await editor.press("enter", "enter")
        await editor.press('"0.25"', "enter")
        assert editor.nodes[loss]["inputs"]["weight"] == 0.25
        await editor.press("s")
        assert saved()[loss]["inputs"]["weight"] == 0.25
        assert saved() == editor.nodes
    async with open_editor("graph.json") as again:
        assert again.nodes == saved()


async def test_a_newcomer_blends_two_styles_from_the_example_and_changes_the_balance(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the real nodes and the shipped example: o, its name, the weight, save."""
    monkeypatch.chdir(tmp_path)
    app = NstApp("edit")
    async with app.run_test(size=SMALL) as pilot:
        await pilot.pause()
        editor = editor_pack.Editor(app, pilot)
        await editor.press('"two"', "enter")
        assert editor.screen.opened.path.stem == "two-styles"
        losses = [n for n, data in editor.nodes.items() if data["class_type"] == "StyleLoss"]
        grams = [n for n, data in editor.nodes.items() if data["class_type"] == "GramMatrix"]
        assert len(grams) == 2
        loss = losses[-1]
        await editor.press("slash", f'"#{loss}"', "enter", "enter", "enter", '"0.5"', "enter")
        assert editor.nodes[loss]["inputs"]["weight"] == 0.5
        editor.screen.check_now()
        assert not [p for p in editor.screen.problems if p.severity == "error"]
        await editor.press("escape", "s", "enter")
        assert saved("two-styles.json")[loss]["inputs"]["weight"] == 0.5
        assert editor.pressed <= 20


async def test_values_out_of_range_are_refused_with_the_limits(open_editor: Open) -> None:
    async with open_editor(editor_pack.quickstart()) as editor:
        await editor.press("slash", '"#8"', "enter", "enter", "j", "enter")
        await editor.press('"0"', "enter")
        assert editor.nodes["8"]["inputs"]["steps"] == 200
        assert "1 … 100000" in editor.screen.query_one(Question).text
        await editor.press("ctrl+u", '"500"', "enter")
        assert editor.nodes["8"]["inputs"]["steps"] == 500
        await editor.press("u")
        assert editor.nodes["8"]["inputs"]["steps"] == 200


async def test_steps_with_plus_and_times_ten_are_one_undo(open_editor: Open) -> None:
    async with open_editor(editor_pack.quickstart()) as editor:
        await editor.press("slash", '"#7"', "enter", "enter", "asterisk", "asterisk", "plus")
        assert editor.nodes["7"]["inputs"]["weight"] == pytest.approx(100.1)
        await editor.press("u")
        assert editor.nodes["7"]["inputs"]["weight"] == 1.0


async def test_a_link_that_would_close_a_cycle_is_not_offered_and_a_forced_one_refused(
    open_editor: Open,
) -> None:
    async with open_editor(editor_pack.quickstart()) as editor:
        await editor.press("slash", '"#8"', "enter", "c", "f")
        offered = {(c.value.node, c.value.input) for c in editor.screen.chooser.found}
        assert ("3", "image") not in offered
        await editor.press("escape")
        before = editor.nodes
        editor.screen.link(before, "8", 0, "3", "image", None)
        assert editor.nodes is before
        assert "cycle" in editor.message


async def test_connecting_shows_letters_at_the_sockets_that_fit(open_editor: Open) -> None:
    async with open_editor(editor_pack.quickstart()) as editor:
        await editor.press("slash", '"#6"', "enter", "c")
        found = editor.screen.chooser.found
        assert found[0].detail == "new node" or found[0].value.node == "7"
        assert any(choice.value.node is None for choice in found)
        letters = editor.screen.canvas.view.letters
        assert all(name == "gram" for _, name in letters)
        await editor.press("escape")
        assert not editor.screen.canvas.view.letters


async def test_connecting_to_a_new_node_adds_it(open_editor: Open) -> None:
    async with open_editor(editor_pack.quickstart()) as editor:
        await editor.press("slash", '"#6"', "enter", "c", "slash", '"+ style"', "enter")
        new = editor.screen.selected
        assert new is not None and new not in editor_pack.quickstart()
        assert editor.nodes[new]["inputs"]["gram"] == ["6", 0]


async def test_cut_delete_heal_mute_bypass_and_rename_are_each_undone_by_u(
    open_editor: Open,
) -> None:
    async with open_editor(editor_pack.quickstart()) as editor:
        for keys in (
            ("C", "f"),
            ("d",),
            ("X",),
            ("m",),
            ("b",),
            ("t", '"x"', "enter"),
            ("D",),
            ("J",),
            ("A",),
        ):
            await editor.press("slash", '"#7"', "enter")
            await editor.press(*keys)
            while editor.screen.history.depth:
                assert editor.nodes != editor_pack.quickstart()
                await editor.press("u")
            assert editor.nodes == editor_pack.quickstart(), keys


async def test_a_moved_node_stays_where_it_was_put_after_saving(open_editor: Open) -> None:
    async with open_editor(editor_pack.quickstart()) as editor:
        before = editor.screen.canvas.picture.drawing.places["1"]
        await editor.press("g", "L", "J", "J", "s")
        assert editor.screen.history.depth == 1
        place = saved()["1"]["_meta"]["pos"]
        assert place == [before[0] + 2, before[1] + 2]
    async with open_editor("graph.json") as again:
        assert again.screen.canvas.picture.drawing.places["1"] == tuple(place)


async def test_copied_nodes_are_pasted_and_a_comfyui_file_can_be_pasted_by_the_terminal(
    open_editor: Open,
) -> None:
    from textual import events

    async with open_editor(editor_pack.quickstart()) as editor:
        await editor.press("slash", '"#6"', "enter", "y", "p")
        assert editor.classes().count("GramMatrix") == 2
        text = json.dumps({"prompt": {"77": {"class_type": "Foreign", "inputs": {"x": 1}}}})
        editor.app.post_message(events.Paste(text))
        await editor.pilot.pause()
        assert "Foreign" in editor.classes()


async def test_problems_are_found_while_editing_and_fixed_by_the_full_stop(
    open_editor: Open,
) -> None:
    async with open_editor(editor_pack.quickstart()) as editor:
        await editor.press("slash", '"#7"', "enter", "C", "f")
        editor.screen.check_now()
        assert any(p.node == "7" and p.input == "gram" for p in editor.screen.problems)
        assert "✗" in editor.shown()
        await editor.press("g", "right_square_bracket")
        assert editor.screen.selected == "7"
        await editor.press("full_stop", "f")
        assert editor.nodes["7"]["inputs"]["gram"] == ["6", 0]
        editor.screen.check_now()
        assert not [p for p in editor.screen.problems if p.severity == "error"]


async def test_searching_goes_through_all_matches(open_editor: Open) -> None:
    async with open_editor(editor_pack.quickstart()) as editor:
        await editor.press("slash", '"loadimage"', "enter")
        first = editor.screen.selected
        await editor.press("n")
        second = editor.screen.selected
        assert {first, second} == {"1", "2"}
        await editor.press("N")
        assert editor.screen.selected == first
        await editor.press("slash", '"relu1_1"', "enter")
        assert editor.screen.selected == "4"


async def test_a_jump_letter_selects_a_node_in_sight(open_editor: Open) -> None:
    async with open_editor(editor_pack.quickstart()) as editor:
        await editor.press("G", "ctrl+o")
        letters = editor.screen.canvas.view.letters
        await editor.press(letters[("7", "")])
        assert editor.screen.selected == "7"
        assert not editor.screen.canvas.view.letters


async def test_a_file_changed_by_others_is_not_overwritten_without_asking(
    open_editor: Open,
) -> None:
    async with open_editor(editor_pack.quickstart()) as editor:
        await editor.press("D")
        theirs = {**editor_pack.quickstart(), "20": {"class_type": "LoadImage", "inputs": {}}}
        Path("graph.json").write_text(json.dumps(theirs))
        await editor.press("s")
        assert saved() == theirs
        await editor.press("d")
        assert "only there #20" in editor.message
        await editor.press("s", "w")
        assert saved() == editor.nodes


async def test_unsaved_work_is_found_again_after_a_crash(open_editor: Open) -> None:
    async with open_editor(editor_pack.quickstart()) as editor:
        await editor.press("D")
        work = editor.nodes
        editor.screen.keep_unsaved()
        assert saved() != work
    async with open_editor("graph.json") as again:
        assert again.nodes == editor_pack.quickstart()
        await again.press("y")
        assert again.nodes == work
        await again.press("u")
        assert again.nodes == editor_pack.quickstart()


async def test_saving_an_api_file_resolves_muted_nodes_and_says_so(open_editor: Open) -> None:
    async with open_editor(editor_pack.quickstart()) as editor:
        await editor.press("slash", '"#7"', "enter", "m", "s")
        assert "7" not in saved() and "7" in editor.nodes
        assert "muted" in editor.message


async def test_nothing_of_a_foreign_node_is_lost(open_editor: Open) -> None:
    graph: Any = editor_pack.quickstart()
    graph["30"] = {
        "class_type": "SomebodyElses",
        "inputs": {"image": ["8", 0], "weird": {"a": [1, None]}},
        "_meta": {"title": "theirs", "colour": "#123"},
        "extra": [1, 2],
    }
    async with open_editor(graph) as editor:
        await editor.press("slash", '"#5"', "enter", "enter", "plus", "escape", "s")
        assert saved()["30"] == graph["30"]
        assert saved()["5"]["inputs"]["weight"] == pytest.approx(1.1)


async def test_titles_with_markup_and_escapes_are_shown_as_text(open_editor: Open) -> None:
    graph: Any = editor_pack.quickstart()
    graph["5"]["_meta"] = {"title": "[bold]\x1b]52;c;AAAA\x07[/] \u202ex"}
    async with open_editor(graph) as editor:
        await editor.press("slash", '"#5"', "enter", "C")
        text = editor.shown() + editor.message + str(editor.screen.chooser.border_title)
        assert "[bold]" in text
        assert "\x1b" not in text and "\u202e" not in text


async def test_a_graph_that_cannot_be_read_is_reported_and_the_editor_stays(
    open_editor: Open,
) -> None:
    Path("broken.json").write_text('{"1": ')
    async with open_editor("broken.json") as editor:
        assert "broken.json" in editor.message
        assert editor.nodes == {}


async def test_the_inspector_shows_every_input_of_the_declaration(open_editor: Open) -> None:
    async with open_editor(editor_pack.quickstart()) as editor:
        await editor.press("slash", '"#8"', "enter")
        grid = editor.screen.query_one(Inspector).grid
        text = "\n".join("".join(map(chr, row)) for row in grid.codes)
        for name in ("optimizer", "steps", "clamp", "seed", "image", "loss_1", "loss_3"):
            assert name in text


async def test_three_hundred_nodes_can_be_walked_and_moved(open_editor: Open) -> None:
    import time

    async with open_editor(editor_pack.large(300)) as editor:
        start = time.process_time()
        await editor.press(*"jjjjllhh", *"JJJJ")
        assert time.process_time() - start < 5
        assert editor.screen.history.depth == 1


async def test_a_picture_anywhere_is_taken_by_its_path_and_only_named_in_the_graph(
    open_editor: Open, tmp_path_factory: pytest.TempPathFactory
) -> None:
    from PIL import Image

    folder = tmp_path_factory.mktemp("photos")
    Image.new("RGB", (8, 8)).save(folder / "me.png")
    async with open_editor(editor_pack.quickstart()) as editor:
        await editor.press("g", "enter", "enter")
        await editor.press(f'"{folder / "me.png"}"', "enter")
        assert editor.nodes["1"]["inputs"]["image"] == "me.png"
        assert folder in editor.screen.roots
        editor.screen.check_now()
        assert not [p for p in editor.screen.problems if p.node == "1"]


async def test_a_long_text_is_edited_in_the_users_editor(
    open_editor: Open, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    from contextlib import nullcontext

    script = tmp_path / "editor.py"
    script.write_text("import sys; open(sys.argv[1], 'w').write('relu3_1\\nrelu4_1\\n')")
    monkeypatch.setenv("VISUAL", f"{sys.executable} {script}")
    async with open_editor(editor_pack.quickstart()) as editor:
        monkeypatch.setattr(editor.app, "suspend", nullcontext)
        await editor.press("slash", '"#4"', "enter", "enter", "j", "ctrl+e")
        assert editor.nodes["4"]["inputs"]["layers"] == "relu3_1\nrelu4_1"
        await editor.press("u")
        assert editor.nodes["4"]["inputs"]["layers"] == "relu1_1,relu2_1"
        monkeypatch.setenv("VISUAL", "no-such-editor-anywhere")
        await editor.press("ctrl+e")
        assert "set EDITOR" in editor.message


async def test_leaving_from_another_screen_asks_about_unsaved_work(open_editor: Open) -> None:
    async with open_editor(editor_pack.quickstart()) as editor:
        await editor.press("D", "1", "q")
        assert editor.app.current_mode == "edit" and editor.screen.chooser.is_open
        await editor.press("s")
        assert len(saved()) == 10
        assert editor.app.return_code == 0


async def test_the_graph_of_a_run_is_not_saved_over_the_record(open_editor: Open) -> None:
    from nst_graph import runs

    text = json.dumps(editor_pack.quickstart())
    run = runs.create(text, "waves", runs.Options(inputs=(str(Path.cwd()),)))
    async with open_editor(str(run.graph)) as editor:
        assert editor.screen.path is None and "of run waves" in editor.screen.unsaved_name
        assert not editor.screen.problems
        await editor.press("D", "s")
        await editor.press("ctrl+u", '"mine"', "enter")
        assert len(saved("mine.json")) == 10
        assert json.loads(run.graph.read_text()) == editor_pack.quickstart()


async def test_nodes_can_be_looked_up_by_what_they_give_or_take(open_editor: Open) -> None:
    async with open_editor(editor_pack.quickstart()) as editor:
        await editor.press("a", '">nst_loss"')
        found = {choice.value for choice in editor.screen.chooser.found}
        assert found == {"ContentLoss", "StyleLoss", "NSTTotalVariation"}
        await editor.press("ctrl+u", '"<gram"')
        assert {choice.value for choice in editor.screen.chooser.found} == {"StyleLoss"}


async def test_what_fits_the_selected_node_comes_first_in_the_palette(open_editor: Open) -> None:
    async with open_editor(editor_pack.quickstart()) as editor:
        await editor.press("slash", '"#6"', "enter", "a")
        assert editor.screen.chooser.found[0].value == "StyleLoss"


async def test_an_edit_that_is_undone_brings_the_problems_back(open_editor: Open) -> None:
    async with open_editor(editor_pack.quickstart()) as editor:
        await editor.press("slash", '"#6"', "enter", "d", "right_square_bracket")
        assert any(p.node == "7" for p in editor.screen.problems)
        await editor.press("u", "right_square_bracket")
        assert not editor.screen.problems
