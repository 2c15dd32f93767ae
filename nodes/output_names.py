"""Names of output pictures, as ComfyUI makes them: ``<prefix>_<5-digit counter>_<suffix>``."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from nst_graph import files
from nst_graph.errors import NodeError, UserError
from nst_graph.folders import refuse_unsafe_name
from nst_graph.text import clean, shorten

_DATE = re.compile(r"%date:([^%]*)%")
_DATE_PARTS = re.compile(r"yyyy|yy|MM?|dd?|hh?|mm?|ss?")


@dataclass(frozen=True)
class Place:
    """A folder that pictures go to, and what ComfyUI calls it: ``output`` or ``temp``."""

    root: Path
    kind: str


def save_all(
    place: Place, prefix: str, suffix: str, size: tuple[int, int], pictures: Iterable[bytes]
) -> list[Mapping[str, str]]:
    """Publish ``pictures`` under fresh names; nothing that exists is ever replaced.

    ``size`` is (width, height). Returns ComfyUI's description of each file.

    Raises:
        NodeError: the prefix leads out of the folder, or the folder cannot be written.
    """
    subfolder, stem = split_prefix(prefix, size)
    folder = _inside(place.root, subfolder, prefix)
    counter = 1 + _highest_counter(folder, stem)
    saved: list[Mapping[str, str]] = []
    for number, data in enumerate(pictures):
        own_stem = stem.replace("%batch_num%", str(number))

        def name(counter: int, own_stem: str = own_stem) -> Path:
            return folder / f"{own_stem}_{counter:05}_{suffix}"

        try:
            path = files.publish(data, name, counter)
        except UserError as error:
            raise NodeError(str(error)) from error
        counter = _counter(path.name, own_stem) + 1
        saved.append({"filename": path.name, "subfolder": subfolder, "type": place.kind})
    return saved


def split_prefix(prefix: str, size: tuple[int, int] = (0, 0)) -> tuple[str, str]:
    """Sub-folder and file name stem of a prefix, its variables replaced.

    Variables are those of ComfyUI: %width% %height% %year% %month% %day% %hour% %minute%
    %second% and the browser's %date:yyyy-MM-dd%; %batch_num% is left for each picture.

    Raises:
        NodeError: it cannot name a file inside the output folder.
    """
    text = _substituted(prefix, size).replace("\\", "/")
    problem = NodeError(
        f"filename_prefix {shorten(prefix)!r} does not name a file inside the output folder; "
        "use something like 'nst/picture' (choose another folder with --output-dir)"
    )
    if clean(text, one_line=True) != text or ":" in text:
        raise problem
    try:
        refuse_unsafe_name(text)
    except UserError:
        raise problem from None
    normal = os.path.normpath(text).replace("\\", "/")
    subfolder, _, stem = normal.rpartition("/")
    if stem in ("", "."):
        raise problem
    return subfolder, stem


def prefix_problem(prefix: str | None) -> bool | str:
    """True, or what is wrong with the prefix: the answer of VALIDATE_INPUTS."""
    if prefix is None:
        return True
    try:
        split_prefix(prefix)
    except NodeError as error:
        return str(error)
    return True


def _inside(root: Path, subfolder: str, prefix: str) -> Path:
    """The folder to write to, links followed; never outside ``root``."""
    base = root.resolve()
    try:
        folder = (base / subfolder).resolve()
    except (OSError, RuntimeError) as error:
        raise NodeError(f"cannot write to {shorten(str(base / subfolder), 300)}: {error}") from None
    if not folder.is_relative_to(base):
        raise NodeError(f"filename_prefix {shorten(prefix)!r} leads out of the output folder")
    return folder


def _substituted(prefix: str, size: tuple[int, int]) -> str:
    if "%" not in prefix:
        return prefix
    now = time.localtime()
    variables = {
        "width": str(size[0]),
        "height": str(size[1]),
        "year": str(now.tm_year),
        "month": f"{now.tm_mon:02}",
        "day": f"{now.tm_mday:02}",
        "hour": f"{now.tm_hour:02}",
        "minute": f"{now.tm_min:02}",
        "second": f"{now.tm_sec:02}",
    }
    for name, value in variables.items():
        prefix = prefix.replace(f"%{name}%", value)
    return _DATE.sub(lambda match: _formatted(match[1], now), prefix)


def _formatted(pattern: str, now: time.struct_time) -> str:
    values = {
        "M": now.tm_mon,
        "d": now.tm_mday,
        "h": now.tm_hour,
        "m": now.tm_min,
        "s": now.tm_sec,
    }

    def part(match: re.Match[str]) -> str:
        token = match[0]
        if token[0] == "y":
            return str(now.tm_year)[-len(token) :]
        return str(values[token[0]]).zfill(len(token))

    return _DATE_PARTS.sub(part, pattern)


def _highest_counter(folder: Path, stem: str) -> int:
    try:
        names = os.listdir(folder)
    except OSError:  # not there yet, or unreadable: publishing says so
        return 0
    return max((_counter(name, stem) for name in names), default=0)


def _counter(name: str, stem: str) -> int:
    """The counter in a file name with this stem; 0 if there is none."""
    if os.path.normcase(name[: len(stem) + 1]) != os.path.normcase(stem + "_"):
        return 0
    digits = name[len(stem) + 1 :].split("_")[0]
    return int(digits) if digits.isascii() and digits.isdigit() else 0
