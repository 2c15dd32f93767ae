"""Fetching one large file over HTTP: resumed where it broke off, named only once checked."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from email.message import Message
from http.client import HTTPException
from pathlib import Path
from urllib.error import HTTPError, URLError
from urllib.request import Request, urlopen

from filelock import FileLock

from nst_graph import __version__, files
from nst_graph.errors import UserError
from nst_graph.text import shorten

Progress = Callable[[int, int | None], None]
"""Called with the bytes that are there and, if the server told, the bytes there will be."""

_CHUNK = 1 << 18
_TIMEOUT = 30.0
_FUTILE_ATTEMPTS = 3
_PAUSE = 0.5


class _Interrupted(Exception):
    """The network failed; what has arrived is kept."""


def download(url: str, target: Path, sha256: str, progress: Progress | None = None) -> None:
    """Put the file at ``url`` at ``target`` unless it is there; resume what was begun before.

    ``sha256``: the digest's first digits. A second process that wants the same file waits.

    Raises:
        UserError: the network or the server failed (what has arrived is kept for the next call),
            the content has another digest, or the folder cannot be written.
    """
    shown = shorten(url, 200)
    try:
        files.make_folder(target.parent)
        lock = target.with_name(f"{target.name}.lock")
        with FileLock(lock):
            if not target.is_file():
                _fetch(url, target, sha256, progress or (lambda done, total: None))
        with suppress(OSError):  # whoever still waits for it will find the target
            files.remove(lock)
    except HTTPError as error:
        raise UserError(f"{shown}: the server says {error.code} {error.reason}") from error
    except OSError as error:
        raise UserError(
            f"cannot write {shorten(str(target), 300)}: {error.strerror or error}"
        ) from error


def _fetch(url: str, target: Path, sha256: str, progress: Progress) -> None:
    part = files.Part(target)
    try:
        resumed = part.size > 0
        _complete(url, part, progress)
        if not part.sha256().startswith(sha256) and resumed:  # the old piece may be of old content
            part.restart()
            _complete(url, part, progress)
        found = part.sha256()
        if not found.startswith(sha256):
            part.restart()
            raise UserError(
                f"{shorten(url, 200)} is not the expected file: its sha256 begins with "
                f"{found[:8]}, not {sha256} - nothing was kept; try again, or another network"
            )
        part.finish()
    finally:
        part.close()


def _complete(url: str, part: files.Part, progress: Progress) -> None:
    futile = 0
    while True:
        before = part.size
        try:
            for piece, total in _pieces(url, part):
                part.append(piece)
                progress(part.size, total)
            return
        except _Interrupted as error:
            futile = 0 if part.size > before else futile + 1
            if futile == _FUTILE_ATTEMPTS:
                reason = shorten(str(error), 200)
                if not part.size:
                    raise UserError(f"cannot reach {shorten(url, 200)} ({reason})") from error
                raise UserError(
                    f"the download of {shorten(url, 200)} stopped after {part.size / 1e6:.1f} MB "
                    f"({reason}); the next attempt goes on from there"
                ) from error
            if futile:
                time.sleep(_PAUSE * futile)


def _pieces(url: str, part: files.Part) -> Iterator[tuple[bytes, int | None]]:
    """What is missing of ``part``, with the file's whole size. Restarts it if need be."""
    headers = {"User-Agent": f"nst-graph/{__version__}", "Accept-Encoding": "identity"}
    if part.size:
        headers["Range"] = f"bytes={part.size}-"
    try:
        with urlopen(Request(url, headers=headers), timeout=_TIMEOUT) as response:
            total = _total(response.status, response.headers, part)
            while piece := response.read(_CHUNK):
                yield piece, total
            if total is not None and part.size < total:
                raise _Interrupted("the connection ended early")
    except HTTPError as error:
        if error.code != 416:  # 416: nothing lies beyond what we have
            raise
        if _after_slash(error.headers.get("Content-Range", "")) != part.size:
            part.restart()
            raise _Interrupted("the server does not go on from here") from error
    except URLError as error:
        raise _Interrupted(str(error.reason)) from error
    except (HTTPException, OSError) as error:
        raise _Interrupted(str(error) or type(error).__name__) from error


def _total(status: int, headers: Message, part: files.Part) -> int | None:
    if status == 206:
        span = headers.get("Content-Range", "")
        if re.match(rf"bytes {part.size}-", span):
            return _after_slash(span)
        part.restart()
        raise _Interrupted("the server sent another part than asked for")
    if part.size:  # it ignores ranges and sends everything
        part.restart()
    length = headers.get("Content-Length", "")
    return int(length) if length.isdecimal() else None


def _after_slash(content_range: str) -> int | None:
    match = re.search(r"/([0-9]+)$", content_range)
    return int(match[1]) if match else None
