"""``nst encoders`` and ``nst store``: weights and stored results."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from nst_graph import folders
from nst_graph.errors import UserError
from nst_graph.progress import number
from nst_graph.store import Store
from nst_graph.text import clean


def encoders(arguments: argparse.Namespace) -> int:
    """List the encoders, fetch one, or normalise one over a folder of pictures."""
    from nst_graph import encoders as known

    models = folders.models_folder()
    if arguments.action == "normalise":
        from nst_graph.normalise import normalise

        if arguments.pictures is None:
            raise UserError("nst encoders normalise needs --pictures FOLDER")
        name = arguments.out or f"{Path(arguments.name).stem}-normalised.safetensors"
        path, error = normalise(arguments.name, Path(arguments.pictures), models, name)
        print(f"output preserved to {error:.0e}", file=sys.stderr)
        print(clean(str(path), one_line=True))
        return 0
    if arguments.action == "fetch":
        path = known.fetch(arguments.name, models, _progress, arguments.offline, _warn)
        print(file=sys.stderr)
        print(clean(str(path), one_line=True))
        return 0
    for info in known.available(models):
        state = "found" if info.found else "not found"
        size = f"{info.size / 1e6:.1f} MB" if info.size else ""
        print(clean(f"{info.name:<28} {state:<10} {size:>10}  {info.where}  {info.note}".rstrip()))
    return 0


def _warn(message: str) -> None:
    print(clean(f"warning: {message}"), file=sys.stderr)


def _progress(done: int, total: int | None) -> None:
    share = f" of {total / 1e6:.0f}" if total else ""
    print(f"\r{done / 1e6:.0f}{share} MB", end="", file=sys.stderr, flush=True)


def store(arguments: argparse.Namespace) -> int:
    """Check every stored file, or make room."""
    kept = Store(folders.store_folder())
    if arguments.action == "verify":
        count, damaged = kept.verify()
        for path in damaged:
            print(clean(f"damaged, set aside: {path}"))
        print(f"{count} files checked, {len(damaged)} damaged")
        return 1 if damaged else 0
    if arguments.action == "prune":
        limit = None if arguments.limit is None else int(arguments.limit * 1e9)
        print(f"{number(kept.prune(limit) / 1e6)} MB freed")
        return 0
    print(f"{kept.folder}: {number(kept.size() / 1e6)} MB of {number(kept.limit / 1e6)} MB")
    return 0
