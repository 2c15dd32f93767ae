"""The user's settings: read, checked, and never a reason not to start."""

from __future__ import annotations

import pytest

from nst_graph import files
from nst_graph.folders import home
from nst_graph.tui.app import NstApp
from nst_graph.tui.settings import Settings, load

NO_WISHES = {"TERM": "xterm-256color"}


def configure(text: str) -> None:
    files.write(home() / "config.toml", text.encode())


def test_without_a_file_everything_has_its_default() -> None:
    assert load(NO_WISHES) == Settings()


def test_the_file_is_read_and_the_environment_wins() -> None:
    configure(
        '[tui]\ntheme = "nst-light"\ninterval = 2\nbudget = 8\nglyphs = "blocks"\n'
        'picture = "off"\nmouse = false\n[tui.keys]\n"monitor.pause" = "f5, p"\n'
    )
    found = load(NO_WISHES)
    assert found == Settings(
        theme="nst-light",
        interval=2,
        budget=8,
        glyphs="blocks",
        picture="off",
        mouse=False,
        keys={"monitor.pause": "f5,p"},
    )
    assert load({**NO_WISHES, "NST_THEME": "nst-dark", "NST_ASCII": "1"}).theme == "nst-dark"
    assert load({"TERM": "linux"}).ascii


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[tui]\nthme = 'x'", "no setting 'thme'; do you mean 'theme'?"),
        ("[tui]\ninterval = 'fast'", "interval = 'fast' is not 0.1 to 60 seconds"),
        ("[tui]\ninterval = nan", "is not 0.1 to 60 seconds"),
        ("[tui]\nglyphs = 'dots'", "is not one of braille, blocks, ascii"),
        ("[tui]\nmouse = 1", "mouse = 1 is not true or false"),
        ("[tui.keys]\n'monitor.pasue' = 'p'", "no key id 'monitor.pasue'; do you mean"),
        ("[tui.keys]\n'monitor.pause' = 3", "keys of monitor.pause are text"),
        ("tui = 3", "[tui] is not a table"),
        ("[tui]\nkeys = 3", "keys is no table"),
        ("[tui", "config.toml is not read"),
        ("\udcff".encode("utf-8", "surrogateescape").decode("latin1"), "config.toml is not read"),
    ],
)
def test_what_is_wrong_is_said_and_the_rest_counts(text: str, said: str) -> None:
    configure(text)
    found = load(NO_WISHES)
    assert len(found.warnings) == 1 and said in found.warnings[0]
    assert found == Settings(warnings=found.warnings)


async def test_the_app_wears_the_settings_and_shows_the_warnings() -> None:
    configure('[tui]\ntheme = "nst-light"\nglyphs = "blocks"\nbudgt = 3\n')
    app = NstApp("runs")
    async with app.run_test(size=(100, 30)) as pilot:
        await pilot.pause()
        await pilot.pause()
        assert app.theme == "nst-light" and app.plot_glyphs == "blocks"
        message = app.screen.query_one("Message")
        assert "no setting 'budgt'; do you mean 'budget'?" in message.text  # type: ignore[attr-defined]
