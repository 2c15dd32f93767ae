"""``nst doctor``: everything worth knowing before asking for help."""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
from collections.abc import Mapping
from typing import Any

from nst_graph import folders, runs
from nst_graph.errors import UserError
from nst_graph.machine import cores, environment
from nst_graph.store import Store
from nst_graph.text import clean


def doctor(arguments: argparse.Namespace) -> int:
    """Print the report; 0 if graphs can run here."""
    report = collect(arguments.device)
    if arguments.json:
        print(json.dumps(report, indent=2))
    else:
        for section, facts in report.items():
            print(section)
            for name, value in facts.items():
                print(clean(f"  {name}: {value}", one_line=True))
    return 0 if "error" not in report["device"] else 1


def collect(device: str = "auto") -> dict[str, dict[str, Any]]:
    """The report by section."""
    return {
        "versions": {**runs.versions(), "platform": sys.platform},
        "device": _device(device),
        "encoders": _encoders(),
        "folders": _folders(),
        "terminal": _terminal(),
    }


def _device(device: str) -> dict[str, Any]:
    try:
        found = environment(device)
    except UserError as error:
        return {"error": str(error)}
    return {
        "device": found.device,
        "precision": found.precision,
        "threads": found.threads,
        "cores": cores(),
        "torch": found.torch,
    }


def _encoders() -> dict[str, Any]:
    from nst_graph.encoders import available

    return {
        info.name: f"{'found' if info.found else 'not found'}, {info.where}"
        for info in available(folders.models_folder())
    }


def _folders() -> dict[str, Any]:
    places: Mapping[str, Any] = {
        "home": folders.home(),
        "runs": folders.runs_folder(),
        "store": folders.store_folder(),
        "models": folders.models_folder(),
    }
    facts = {name: f"{path}{_access(path)}" for name, path in places.items()}
    existing = folders.home()
    while not existing.exists():
        existing = existing.parent
    facts["free space"] = f"{shutil.disk_usage(existing).free / 1e9:.1f} GB"
    facts["store size"] = f"{Store(folders.store_folder()).size() / 1e9:.2f} GB"
    return facts


def _access(path: Any) -> str:
    if not path.exists():
        return " (not there yet)"
    return "" if os.access(path, os.W_OK) else " (NOT writable)"


def _terminal() -> dict[str, Any]:
    size = shutil.get_terminal_size()
    return {
        "TERM": os.environ.get("TERM", ""),
        "COLORTERM": os.environ.get("COLORTERM", ""),
        "NO_COLOR": "set" if "NO_COLOR" in os.environ else "not set",
        "size": f"{size.columns}x{size.lines}",
        "encoding": sys.stdout.encoding,
        "tmux": "yes" if "TMUX" in os.environ else "no",
        "ssh": "yes" if "SSH_CONNECTION" in os.environ else "no",
        "test line": "⣿⣷⣯ ▀▄█ ─│┌┐ ✓✗●",
    }
