"""Where things lie: pictures by name, outputs, models, runs and the store.

A graph names its pictures; it never holds a path. A name is resolved inside a list of input
folders and refused when it leads anywhere else, after symbolic links have been followed.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from nst_graph.errors import UserError
from nst_graph.text import shorten

PICTURES = (".png", ".jpg", ".jpeg", ".webp", ".tif", ".tiff", ".bmp", ".gif")
_ANNOTATED = re.compile(r"(?s)(.*) \[(input|output|temp)\]")
_WINDOWS_DEVICES = re.compile(r"(?i)(con|prn|aux|nul|com\d|lpt\d)(\..*)?")


def home() -> Path:
    """``$NST_HOME``, else the user's data folder for nst-graph."""
    given = os.environ.get("NST_HOME")
    if given:
        return Path(given)
    import platformdirs  # here, because inside ComfyUI it may not be installed

    return platformdirs.user_data_path("nst-graph", appauthor=False)


def runs_folder() -> Path:
    return home() / "runs"


def store_folder() -> Path:
    return home() / "store"


def models_folder() -> Path:
    return home() / "models"


@dataclass(frozen=True)
class Folders:
    """The folders one run works with. ``inputs`` are searched in order."""

    inputs: tuple[Path, ...]
    output: Path
    temp: Path
    models: Path

    def find(self, name: str) -> Path:
        """The regular file that ``name`` means, resolved.

        ``name`` is relative to the input folders; ``name [output]`` and ``name [temp]`` look
        there instead, as ComfyUI does.

        Raises:
            UserError: the name leaves its folder, is not a regular file, or does not exist.
        """
        match = _ANNOTATED.fullmatch(name)
        name, kind = (match[1], match[2]) if match else (name, "input")
        roots = {"input": self.inputs, "output": (self.output,), "temp": (self.temp,)}[kind]
        refuse_unsafe_name(name)
        for root in roots:
            found = contained(root, name)
            if found is not None:
                return found
        looked = ", ".join(str(root) for root in roots) or "no folder"
        raise UserError(f"no picture named {shorten(name)!r}; looked in {shorten(looked, 400)}")

    def pictures(self) -> list[str]:
        """Names of the pictures directly inside the input folders, sorted, without repeats."""
        return sorted({name for root in self.inputs for name in _pictures(root)})


def refuse_unsafe_name(name: str) -> None:
    """Raise UserError for names that cannot be a file below a folder on any system."""
    parts = re.split(r"[\\/]", name)
    if not name.strip() or "\0" in name:
        raise UserError("a picture's name is empty or has a NUL character")
    if os.path.isabs(name) or re.match(r"^([A-Za-z]:|[\\/])", name) or name.startswith("~"):
        raise UserError(
            f"{shorten(name)!r} is a path; a graph names files inside the input folder "
            "(choose another folder with --input-dir)"
        )
    if ".." in parts:
        raise UserError(f"{shorten(name)!r} leads out of the input folder")
    if any(_WINDOWS_DEVICES.fullmatch(part.strip(" .")) for part in parts):
        raise UserError(f"{shorten(name)!r} is the name of a device on some systems")
    if any(len(os.fsencode(part)) > 255 for part in parts):
        raise UserError(f"{shorten(name)!r} is too long for a file name")


def contained(root: Path, name: str) -> Path | None:
    """The regular file ``root / name`` with links resolved; None if there is none.

    Raises:
        UserError: it exists but lies outside ``root`` or is no regular file (folder, FIFO …).
    """
    try:
        base = root.resolve()
        path = (base / name).resolve()
        mode = path.stat().st_mode
    except (OSError, ValueError, RuntimeError):
        return None
    if not path.is_relative_to(base):
        raise UserError(f"{shorten(name)!r} leads out of the folder {shorten(str(root), 200)}")
    if not stat.S_ISREG(mode):
        raise UserError(f"{shorten(name)!r} is not a regular file")
    return path


def _pictures(root: Path) -> Iterator[str]:
    try:
        with os.scandir(root) as entries:
            for entry in entries:
                if entry.name.lower().endswith(PICTURES) and entry.is_file():
                    yield entry.name
    except OSError:
        return
