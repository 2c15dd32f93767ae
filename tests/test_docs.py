"""The documentation says what is so: commands parse, links lead somewhere, graphs are sound."""

from __future__ import annotations

import json
import re
import shlex
import tomllib
from dataclasses import fields, replace
from pathlib import Path

import pytest

from nst_graph.cli import build_parser, main
from nst_graph.folders import home
from nst_graph.tui import keys, settings

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\(([^)\s]+)\)")


def name_of(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


def fenced(page: Path, language: str | None = None) -> list[str]:
    """The texts of the fenced blocks, of one language or of all."""
    found = FENCE.findall(page.read_text(encoding="utf-8"))
    return [text for given, text in found if language in (None, given)]


def nst_words(line: str) -> list[str]:
    """The arguments of the ``nst`` command in a shell line, up to a pipe or the line's end."""
    words = shlex.split(line.removeprefix("$ "), comments=True)
    start = next(at for at, word in enumerate(words) if word.rpartition("/")[2] == "nst")
    rest = words[start + 1 :]
    ends = [at for at, word in enumerate(rest) if word in ("|", "&&", ";", ">", "&")]
    return rest[: ends[0]] if ends else rest


def commands(page: Path) -> list[str]:
    return [
        line
        for language in ("", "sh", "text")
        for block in fenced(page, language)
        for line in block.splitlines()
        if re.match(r"(\$ )?(\S+=\S+ )*(uv run |\S*/)?nst( |$)", line)
    ]


COMMANDS = [(name_of(page), line) for page in PAGES for line in commands(page)]
LINKS = [
    (page, target)
    for page in PAGES
    for target in LINK.findall(FENCE.sub("", page.read_text(encoding="utf-8")))
    if not re.match(r"[a-z]+:|#", target)
]
READERS = ("settings.py", "pixels.py")
"""The files of the screens that read variables of the environment."""
GRAPHS = [text for text in fenced(ROOT / "README.md", "json") if "class_type" in text]


def test_the_pages_have_commands_links_and_graphs() -> None:
    assert len(COMMANDS) > 10 and LINKS and GRAPHS


@pytest.mark.parametrize(("page", "line"), COMMANDS)
def test_every_command_in_the_documentation_parses(page: str, line: str) -> None:
    words = nst_words(line)
    parsed = build_parser().parse_args(words)
    assert parsed.call or not words, f"{page}: {line}"


def test_a_command_that_does_not_exist_is_noticed() -> None:
    with pytest.raises(SystemExit):
        build_parser().parse_args(nst_words("nst paint quickstart  # no such command"))


@pytest.mark.parametrize(
    ("page", "target"), LINKS, ids=[f"{name_of(page)}-{target}" for page, target in LINKS]
)
def test_every_relative_link_leads_to_a_file(page: Path, target: str) -> None:
    assert (page.parent / target.partition("#")[0]).exists(), f"{name_of(page)}: {target}"


@pytest.mark.parametrize("text", GRAPHS)
def test_graphs_in_the_readme_pass_the_check(
    text: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    samples = iter(["nst_lighthouse.jpg", "nst_swirls.jpg", "nst_mosaic.jpg", "nst_lake.jpg"])
    graph = json.loads(text)
    for node in graph.values():
        if isinstance(node["inputs"].get("image"), str):
            node["inputs"]["image"] = next(samples)
    path = tmp_path / "graph.json"
    path.write_text(json.dumps(graph))
    assert main(["check", str(path)]) == 0, capsys.readouterr()


def test_the_table_of_keys_in_the_guide_is_current() -> None:
    guide = (ROOT / "docs" / "terminal.md").read_text(encoding="utf-8")
    _, _, rest = guide.partition("<!-- keys: python -m nst_graph.tui.keys -->\n")
    table, end, _ = rest.partition("<!-- end of keys -->")
    assert end and table.strip() == keys.markdown().strip()


def test_the_settings_and_variables_of_the_guide_are_those_that_are_read() -> None:
    guide = (ROOT / "docs" / "terminal.md").read_text(encoding="utf-8")
    sources = [(ROOT / "tui" / name).read_text(encoding="utf-8") for name in READERS]
    variables = set(re.findall(r'"(NST_[A-Z]+)"', "".join(sources)))
    assert variables and variables <= set(re.findall(r"`(NST_[A-Z]+)", guide))
    (example,) = fenced(ROOT / "docs" / "terminal.md", "toml")
    shown = tomllib.loads(example)["tui"]
    (home() / "config.toml").write_text(example)
    loaded = settings.load({})
    assert not loaded.warnings
    assert set(shown) == {field.name for field in fields(settings.Settings)} - {"warnings"}
    assert all(getattr(loaded, name) == value for name, value in shown.items())
    assert replace(loaded, keys={}) == settings.Settings(), "the example shows the defaults"
