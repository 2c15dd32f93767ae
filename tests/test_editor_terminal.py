"""What the editor writes to a real terminal: bytes for each key, nothing while idle."""

from __future__ import annotations

import json
import statistics
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import editor_pack
import pytest
from terminal import Terminal

BUDGET = 3000
"""Bytes a key that selects or moves a node may cost."""


@pytest.fixture
def terminal(tmp_path: Path) -> Iterator[Terminal]:
    """The editor on 300 nodes, 160×48."""
    editor_pack.pictures(tmp_path)
    graph = tmp_path / "large.json"
    graph.write_text(json.dumps(editor_pack.large(300)))
    code = f"from nst_graph.tui.app import NstApp; NstApp('edit', graph={str(graph)!r}).run()"
    env = {"NST_HOME": str(tmp_path / "home"), "NST_OFFLINE": "1"}
    with Terminal([sys.executable, "-c", code], 160, 48, env) as opened:
        opened.wait_for("large.json", 30)
        opened.wait_for("300 nodes", 30)
        opened.settle(0.8)
        yield opened


def cost(terminal: Terminal, keys: str) -> tuple[list[int], list[float]]:
    """Bytes and seconds to the first byte for each key."""
    sizes, seconds = [], []
    for key in keys:
        before = len(terminal.raw)
        seconds.append(terminal.echo(key))
        terminal.settle(0.15)
        sizes.append(len(terminal.raw) - before)
    print(
        f"{keys}: {statistics.median(sizes):.0f} bytes, {1000 * statistics.median(seconds):.0f} ms"
    )
    return sizes, seconds


@pytest.mark.slow
def test_selecting_and_moving_among_300_nodes_is_quick_and_sends_little(
    terminal: Terminal,
) -> None:
    terminal.type("Z")  # pictures of the inspector aside: they come when the cursor rests
    terminal.settle()
    sizes, seconds = cost(terminal, "lhlhlhjkjk")
    assert statistics.median(sizes) <= BUDGET
    assert statistics.median(seconds) <= 0.15  # 30 ms alone on the machine; tests share it
    sizes, seconds = cost(terminal, "LHLHLH")
    assert statistics.median(sizes) <= BUDGET
    assert statistics.median(seconds) <= 0.25
    assert terminal.measure(2)[0] < 100


@pytest.mark.slow
def test_the_editor_survives_resizing_and_asks_before_leaving_unsaved_work(
    terminal: Terminal,
) -> None:
    for columns, rows in ((40, 10), (80, 24), (61, 17), (160, 48)):
        terminal.resize(columns, rows)
        terminal.settle(0.3)
    terminal.wait_for("300 nodes")
    terminal.type("D")
    terminal.wait_for("301 nodes")
    terminal.type("q")
    terminal.wait_for("not saved")
    terminal.type("d")
    deadline = time.monotonic() + 10
    while terminal.running and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not terminal.running, terminal.screen()
