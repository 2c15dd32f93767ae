"""Commands that open the terminal UI."""

from __future__ import annotations

import argparse
from importlib import import_module


def edit(arguments: argparse.Namespace) -> int:
    """Open the graph editor."""
    return int(import_module("nst_graph.tui.app").main("edit", graph=arguments.graph))
