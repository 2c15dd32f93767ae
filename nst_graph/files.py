"""The only module that writes files.

Every write is whole or absent: a temporary file beside the target, fsync, rename, fsync of the
folder. Output pictures are published under a fresh name and never replace a file.
"""

from __future__ import annotations

import errno
import hashlib
import os
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from nst_graph.errors import UserError
from nst_graph.text import shorten

TEXT_LIMIT = 16 << 20
"""The largest graph, workflow or text chunk that is read, in bytes."""


def make_folder(folder: Path) -> None:
    """Create ``folder`` and its parents, durably."""
    missing = []
    while not folder.is_dir():
        missing.append(folder)
        folder = folder.parent
    for path in reversed(missing):
        try:
            path.mkdir(exist_ok=True)
        except FileExistsError as error:
            reason = os.strerror(errno.ENOTDIR)
            raise NotADirectoryError(errno.ENOTDIR, reason, str(path)) from error
        sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Make a rename inside ``folder`` survive a power failure (a no-op where unsupported)."""
    if os.name == "nt":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError as error:  # some network file systems cannot sync a folder
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):
            raise
    finally:
        os.close(descriptor)


@contextmanager
def _temporary(target: Path, data: bytes) -> Iterator[Path]:
    """``data`` in a synced temporary file beside ``target``, removed if still there at the end."""
    temporary = target.with_name(f".{target.name[:100]}.{secrets.token_hex(6)}.tmp")
    try:
        with temporary.open("xb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        yield temporary
    finally:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)


def write(target: Path, data: bytes) -> None:
    """Put ``data`` at ``target``, replacing what is there, whole or not at all."""
    make_folder(target.parent)
    with _temporary(target, data) as temporary:
        os.replace(temporary, target)
        sync_folder(target.parent)


def write_new(target: Path, data: bytes) -> bool:
    """Put ``data`` at ``target`` only if nothing is there; whether it was written."""
    make_folder(target.parent)
    with _temporary(target, data) as temporary:
        try:
            os.link(temporary, target)
        except FileExistsError:
            return False
        except OSError:  # no hard links here: claim the name, then replace our own empty file
            try:
                target.open("xb").close()
            except FileExistsError:
                return False
            try:
                os.replace(temporary, target)
            except OSError:
                with suppress(OSError):
                    target.unlink()
                raise
        sync_folder(target.parent)
    return True


def publish(data: bytes, name: Callable[[int], Path], first: int = 1) -> Path:
    """Write ``data`` at the first free ``name(counter)`` and return that path.

    Two processes that publish into one folder never overwrite each other.

    Raises:
        UserError: the folder cannot be written, named with the reason.
    """
    counter = first
    target = name(counter)
    try:
        while not write_new(target, data):
            counter += 1
            target = name(counter)
    except OSError as error:
        reason = error.strerror or str(error)
        raise UserError(
            f"cannot write {shorten(str(target), 300)}: {reason}"
            + (" (free some space, or choose --output-dir)" if error.errno == errno.ENOSPC else "")
        ) from error
    return target


class Part:
    """A large file that arrives in pieces, kept as ``NAME.part`` until it is whole.

    After an interruption a new one for the same target goes on at :attr:`size`. Only
    :meth:`finish` puts it in place. Not for two writers at once.
    """

    def __init__(self, target: Path) -> None:
        make_folder(target.parent)
        self.target = target
        self.path = target.with_name(f"{target.name}.part")
        self._file = self.path.open("ab")
        self.size = self._file.tell()

    def append(self, data: bytes) -> None:
        self._file.write(data)
        self.size += len(data)

    def restart(self) -> None:
        self._file.truncate(0)
        self.size = 0

    def sha256(self) -> str:
        self._file.flush()
        with self.path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()

    def finish(self) -> None:
        """Rename it to its target, durably."""
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()
        os.replace(self.path, self.target)
        sync_folder(self.target.parent)

    def close(self) -> None:
        self._file.close()


def move(source: Path, target: Path) -> None:
    """Rename ``source`` to ``target`` on the same file system, durably; never replaces a folder."""
    make_folder(target.parent)
    source.rename(target)
    sync_folder(target.parent)
    sync_folder(source.parent)


def remove(path: Path) -> None:
    with suppress(FileNotFoundError):
        path.unlink()


class Appender:
    """Appends whole lines to a log with one ``write`` each; starts a new line after a torn one.

    A line that does not fit on the disk raises OSError; later ones are tried again.
    """

    def __init__(self, path: Path) -> None:
        make_folder(path.parent)
        self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o644)
        self._torn = False
        size = os.fstat(self._descriptor).st_size
        if size:
            with path.open("rb") as file:
                file.seek(size - 1)
                self._torn = file.read(1) != b"\n"

    def __call__(self, line: str) -> None:
        data = (b"\n" if self._torn else b"") + line.encode() + b"\n"
        written = os.write(self._descriptor, data)
        self._torn = written < len(data)
        if written < len(data):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def close(self) -> None:
        os.close(self._descriptor)


def read_limited(path: Path, limit: int = TEXT_LIMIT) -> bytes:
    """The content of a regular file of at most ``limit`` bytes.

    Raises:
        UserError: it does not exist, cannot be read, is no regular file, or is larger.
    """
    shown = shorten(str(path), 300)
    try:
        if not path.is_file():
            raise UserError(f"{shown}: not a file" if path.exists() else f"{shown}: no such file")
        with path.open("rb") as file:
            data = file.read(limit + 1)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise UserError(f"cannot read {shown}: {reason}") from error
    if len(data) > limit:
        raise UserError(f"{shown} is larger than {limit >> 20} MB")
    return data
