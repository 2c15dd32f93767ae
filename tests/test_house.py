"""Rules of the house: formatting, types, the import direction, what is imported when."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
FORBIDDEN = {
    # folder: module prefixes that its files may not import at all / at module level
    "nst_graph": ((), ("torch", "torchvision", "textual", "nst_graph.nodes", "nst_graph.tui")),
    "nst_graph/style": (
        ("nst_graph.nodes", "nst_graph.tui", "textual"),
        (),
    ),
    "nodes": (
        ("nst_graph.tui", "nst_graph.scheduler", "nst_graph.runner", "nst_graph.store", "textual"),
        ("torch", "torchvision", "nst_graph.style"),
    ),
    "tui": (("nst_graph.nodes", "nst_graph.style", "torch", "torchvision"), ()),
}
STYLE_MAY_IMPORT = ("nst_graph.style", "nst_graph.values", "nst_graph.errors")


def run(*command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


def test_ruff_finds_nothing() -> None:
    for check in (["check", "."], ["format", "--check", "."]):
        done = run(sys.executable, "-m", "ruff", *check)
        assert done.returncode == 0, done.stdout + done.stderr


def test_mypy_finds_nothing() -> None:
    done = run(sys.executable, "-m", "mypy")
    assert done.returncode == 0, done.stdout + done.stderr


def _sources(folder: str) -> Iterator[Path]:
    pattern = "*.py" if folder == "nst_graph" else "**/*.py"
    yield from sorted((ROOT / folder).glob(pattern))
    if folder == "nst_graph":
        yield from sorted((ROOT / "nst_graph" / "commands").glob("*.py"))


def _imports(tree: ast.Module) -> Iterator[tuple[str, bool]]:
    """Every imported module and whether it is imported when the file is."""
    lazy = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        or (isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test))
        for inner in ast.walk(node)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.name, id(node) not in lazy
        elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            yield node.module, id(node) not in lazy
            for alias in node.names:
                yield f"{node.module}.{alias.name}", id(node) not in lazy


def _within(module: str, prefixes: tuple[str, ...]) -> bool:
    return any(module == prefix or module.startswith(prefix + ".") for prefix in prefixes)


@pytest.mark.parametrize("folder", sorted(FORBIDDEN))
def test_imports_point_in_one_direction(folder: str) -> None:
    never, not_at_once = FORBIDDEN[folder]
    wrong = []
    for path in _sources(folder):
        for module, at_once in _imports(ast.parse(path.read_text(encoding="utf-8"))):
            if _within(module, never) or (at_once and _within(module, not_at_once)):
                wrong.append(f"{path.relative_to(ROOT)} imports {module}")
            if module.split(".")[0] in ("nodes", "tui", "graphs"):
                wrong.append(f"{path.relative_to(ROOT)} imports {module}, not nst_graph.{module}")
            if (
                folder == "nst_graph/style"
                and module.startswith("nst_graph.")
                and not _within(module, STYLE_MAY_IMPORT)
            ):
                wrong.append(f"{path.relative_to(ROOT)} imports {module}")
    assert not wrong, "\n".join(wrong)


def test_only_files_py_opens_files_for_writing() -> None:
    writers = {"nst_graph/files.py", "nst_graph/runs.py"}  # runs.py hands a log to a new process
    wrong = []
    for folder in ("nst_graph", "nst_graph/style", "nodes", "tui"):
        for path in _sources(folder):
            name = str(path.relative_to(ROOT))
            if name in writers:
                continue
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if not isinstance(node, ast.Call):
                    continue
                called = node.func.attr if isinstance(node.func, ast.Attribute) else ""
                if called in {"write_text", "write_bytes"}:
                    wrong.append(f"{name}:{node.lineno} calls {called}")
                mode = [a.value for a in node.args[:2] if isinstance(a, ast.Constant)]
                opened = called == "open" or (
                    isinstance(node.func, ast.Name) and node.func.id == "open"
                )
                if "os.devnull" in ast.unparse(node):
                    continue
                if opened and any(isinstance(m, str) and set(m) & set("wax+") for m in mode[-1:]):
                    wrong.append(f"{name}:{node.lineno} opens a file for writing")
    assert not wrong, "\n".join(wrong)


def test_the_command_line_and_the_check_import_no_torch(tmp_path: Path) -> None:
    code = """
import sys
from nst_graph.cli import main
assert main(["check", "quickstart"]) == 0
loaded = {name.split(".")[0] for name in sys.modules}
assert not loaded & {"torch", "torchvision", "textual"}, loaded & {"torch", "textual"}
"""
    done = run(sys.executable, "-c", code)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_terminal_ui_imports_no_torch() -> None:
    code = """
import sys
import nst_graph.tui.app
assert "torch" not in sys.modules
"""
    done = run(sys.executable, "-c", code)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_wheel_holds_every_package_and_data_file(tmp_path: Path) -> None:
    """A forgotten sub-package or data file would only be missed after an install."""
    import tomllib

    setup = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"][
        "setuptools"
    ]
    folders = {"nst_graph.nodes": "nodes", "nst_graph.tui": "tui", "nst_graph.graphs": "graphs"}
    assert setup["package-dir"] | folders == setup["package-dir"]
    expected = set()
    for top, name in (("nst_graph", "nst_graph"), *((v, k) for k, v in folders.items())):
        for path in (ROOT / top).rglob("*.py"):
            inside = path.parent.relative_to(ROOT / top)
            expected.add(".".join([name, *inside.parts]))
    assert sorted(expected - set(setup["packages"])) == []
    assert sorted(set(setup["packages"]) - expected) == []
    suffixes = {pattern.lstrip("*") for pattern in setup["package-data"]["*"]} | {".py"}
    tracked = run("git", "ls-files", "nst_graph", "nodes", "tui", "graphs").stdout.split()
    if not tracked:
        pytest.fail("the tree is not under git, so its files cannot be listed")
    left_out = [p for p in tracked if Path(p).suffix not in suffixes and Path(p).name != "py.typed"]
    assert left_out == []
