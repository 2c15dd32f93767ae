"""A disk that fails, dies or loses power at a chosen operation, and the trace of what was done.

:class:`Disk` stands between the product and the folder ``root``: every create, write, fsync,
rename, link, unlink, mkdir and symlink below it is one numbered operation. :func:`aftermath`
replays a trace on a model of a file system that forgets what was not synced.
"""

from __future__ import annotations

import errno
import io
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from nst_graph import files


class Killed(BaseException):
    """The process is dead: whatever it still tries to do to the disk does not happen."""


@dataclass(frozen=True)
class Operation:
    """One thing done to the disk. ``promise`` is none, but what the product may now rely on."""

    kind: str
    path: str
    data: bytes = b""
    to: str = ""


@dataclass
class Disk:
    """``fail_at`` with ``error`` (an errno), ``for_ever`` or once; or ``kill_at``; 1 is first."""

    root: Path
    fail_at: int = 0
    error: int = 0
    for_ever: bool = False
    kill_at: int = 0
    links: bool = True
    """Whether the file system knows hard links."""
    count: int = 0
    dead: bool = False
    trace: list[Operation] = field(default_factory=list)
    _open: dict[int, str] = field(default_factory=dict)
    _guard: threading.RLock = field(default_factory=threading.RLock)

    def mine(self, path: Any) -> str | None:
        """``path`` relative to the root, or None for what is elsewhere or a lock."""
        try:
            inside = Path(os.path.abspath(path)).relative_to(self.root)
        except (TypeError, ValueError):
            return None
        return None if inside.suffix == ".lock" else str(inside)

    def operate(self, operation: Operation, do: Callable[[], Any], torn: Any = None) -> Any:
        """Do it, unless the disk fails or the process is dead; a dying write is ``torn``."""
        with self._guard:
            if self.dead:
                raise Killed
            self.count += 1
            if self.count == self.kill_at:
                self.dead = True
                if torn is not None:
                    torn()
                raise Killed
            failing = self.for_ever and 0 < self.fail_at < self.count
            if operation.kind == "unlink" and self.error == errno.ENOSPC:
                failing = False  # a full disk still lets files go
            if self.count == self.fail_at or failing:
                raise OSError(self.error, os.strerror(self.error), operation.path)
            result = do()
            self.trace.append(operation)
            return result

    def promise(self, path: Path, data: bytes, kind: str = "promise") -> None:
        inside = self.mine(path)
        if inside is not None and not self.dead:
            self.trace.append(Operation(kind, inside, data))

    @contextmanager
    def attached(self) -> Iterator[Disk]:
        """Everything that is written below the root goes through this disk."""
        with pytest.MonkeyPatch.context() as patch:
            for name in ("mkdir", "unlink", "rmdir", "symlink"):
                patch.setattr(os, name, self._one_path(name, getattr(os, name)))
            for name in ("replace", "rename", "link"):
                patch.setattr(os, name, self._two_paths(name, getattr(os, name)))
            for name in ("open", "write", "close", "fsync"):
                patch.setattr(os, name, getattr(self, f"_{name}_with")(getattr(os, name)))
            patch.setattr(Path, "open", self._opener(Path.open))
            self._attach_promises(patch)
            yield self

    def _attach_promises(self, patch: pytest.MonkeyPatch) -> None:
        write, write_new, make_folder = files.write, files.write_new, files.make_folder
        move, finish = files.move, files.Part.finish

        def promising_write(target: Path, data: bytes) -> None:
            write(target, data)
            self.promise(target, data)

        def promising_write_new(target: Path, data: bytes) -> bool:
            written = write_new(target, data)
            if written:
                self.promise(target, data)
            return written

        def promising_make_folder(folder: Path) -> None:
            make_folder(folder)
            self.promise(folder, b"", "promise folder")

        def promising_move(source: Path, target: Path) -> None:
            move(source, target)
            self.promise(source, b"", "promise gone")
            self.promise(target, b"", "promise folder")

        def promising_finish(part: files.Part) -> None:
            finish(part)
            self.promise(part.target, part.target.read_bytes())

        patch.setattr(files, "move", promising_move)
        patch.setattr(files.Part, "finish", promising_finish)
        patch.setattr(files, "write", promising_write)
        patch.setattr(files, "write_new", promising_write_new)
        patch.setattr(files, "make_folder", promising_make_folder)

    def _one_path(self, name: str, real: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any, **options: Any) -> Any:
            path = self.mine(arguments[1] if name == "symlink" else arguments[0])
            if path is None or options.get("dir_fd") is not None:
                return real(*arguments, **options)
            return self.operate(Operation(name, path), lambda: real(*arguments, **options))

        return call

    def _two_paths(self, name: str, real: Callable[..., Any]) -> Callable[..., Any]:
        def call(source: Any, target: Any, **options: Any) -> Any:
            a, b = self.mine(source), self.mine(target)
            if a is None or b is None:
                return real(source, target, **options)
            if name == "link" and not self.links:
                raise PermissionError(1, "Operation not permitted", str(target))
            return self.operate(Operation(name, a, to=b), lambda: real(source, target, **options))

        return call

    def _open_with(self, real: Callable[..., int]) -> Callable[..., int]:
        def call(path: Any, flags: int, *rest: Any, **options: Any) -> int:
            inside = self.mine(path) if options.get("dir_fd") is None else None
            if inside is None:
                return real(path, flags, *rest, **options)
            if flags & os.O_CREAT and not os.path.exists(path):
                create = Operation("create", inside)
                descriptor = self.operate(create, lambda: real(path, flags, *rest, **options))
            else:
                descriptor = real(path, flags, *rest, **options)
            self._open[descriptor] = inside
            return int(descriptor)

        return call

    def _close_with(self, real: Callable[[int], None]) -> Callable[[int], None]:
        def call(descriptor: int) -> None:
            self._open.pop(descriptor, None)
            real(descriptor)

        return call

    def _write_with(self, real: Callable[[int, Any], int]) -> Callable[[int, Any], int]:
        def call(descriptor: int, data: Any) -> int:
            path = self._open.get(descriptor)
            if path is None:
                return real(descriptor, data)
            half = data[: len(data) // 2]
            write = Operation("write", path, bytes(data))
            written = self.operate(
                write, lambda: real(descriptor, data), lambda: real(descriptor, half)
            )
            return int(written)

        return call

    def _fsync_with(self, real: Callable[[int], None]) -> Callable[[int], None]:
        def call(descriptor: int) -> None:
            path = self._open.get(descriptor)
            if path is None:
                return real(descriptor)
            # nothing is synced in earnest: no test here pulls a real plug
            return self.operate(Operation("fsync", path), lambda: None)

        return call

    def _opener(self, real: Callable[..., Any]) -> Callable[..., Any]:
        def call(path: Path, mode: str = "r", *rest: Any, **options: Any) -> Any:
            inside = self.mine(path)
            if inside is None or mode not in ("xb", "wb", "ab"):
                return real(path, mode, *rest, **options)
            if mode == "xb" and path.exists():
                raise FileExistsError(17, os.strerror(17), str(path))
            if path.exists():
                raw = io.FileIO(path, mode)
            else:
                create = Operation("create", inside)
                raw = self.operate(create, lambda: io.FileIO(path, mode))
            self._open[raw.fileno()] = inside
            return _File(raw, self, inside)

        return call


@dataclass
class _File:
    """A file opened for writing; unbuffered, so that every write is an operation."""

    raw: io.FileIO
    disk: Disk
    path: str

    def write(self, data: bytes) -> int:
        half = data[: len(data) // 2]
        write = Operation("write", self.path, data)
        done = self.disk.operate(write, lambda: self.raw.write(data), lambda: self.raw.write(half))
        return int(done)

    def flush(self) -> None:
        """There is no buffer."""

    def fileno(self) -> int:
        return self.raw.fileno()

    def tell(self) -> int:
        return self.raw.tell()

    def close(self) -> None:
        if not self.raw.closed:
            self.disk._open.pop(self.raw.fileno(), None)
        self.raw.close()

    def __enter__(self) -> _File:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


# -- what a power failure leaves ---

MOVES = ("unlink", "rmdir", "rename", "replace")
LOSSES = ("unsynced dropped", "renamed before written", "last write torn")


@dataclass
class Inode:
    """A file (``entries`` is None) or folder: as the process sees it, and as it is on the disk."""

    entries: dict[str, Inode] | None = None
    durable: dict[str, Inode] = field(default_factory=dict)
    data: bytes = b""
    synced: bytes = b""


class Model:
    """A file system that keeps of a file, and of a folder's names, only what was synced."""

    def __init__(self) -> None:
        self.root = Inode(entries={})
        self.last_written: Inode | None = None

    def find(self, path: str, *, durable: bool = False) -> Inode | None:
        node = self.root
        for name in Path(path).parts:
            if node.entries is None:
                return None
            found = (node.durable if durable else node.entries).get(name)
            if found is None:
                return None
            node = found
        return node

    def entries(self, path: str) -> dict[str, Inode]:
        folder = self.find(str(Path(path).parent))
        assert folder is not None and folder.entries is not None, path
        return folder.entries

    def replay(self, operation: Operation) -> None:
        path, name = operation.path, Path(operation.path).name
        match operation.kind:
            case "mkdir":
                self.entries(path)[name] = Inode(entries={})
            case "create":
                self.entries(path)[name] = Inode()
            case "unlink" | "rmdir":
                self.entries(path).pop(name, None)
            case "replace" | "rename" | "link":
                node = self.entries(path)[name]
                if operation.kind != "link":
                    del self.entries(path)[name]
                self.entries(operation.to)[Path(operation.to).name] = node
            case "write":
                node = self.entries(path)[name]
                node.data += operation.data
                self.last_written = node
            case "fsync":
                node = self.find(path)
                assert node is not None, path
                node.synced = node.data
                node.durable = dict(node.entries or {})

    def content(self, node: Inode, loss: str) -> bytes:
        if loss == "last write torn":
            torn = node is self.last_written and node.synced != node.data
            return node.data[: (len(node.synced) + len(node.data)) // 2] if torn else node.data
        return node.synced

    def left(self, loss: str) -> dict[str, bytes | None]:
        """What is found after a power failure: content by path; None is a folder."""
        found: dict[str, bytes | None] = {}

        def walk(node: Inode, path: str) -> None:
            names = node.durable if loss == LOSSES[0] else node.entries or {}
            for name, child in names.items():
                below = f"{path}{name}"
                if child.entries is None:
                    found[below] = self.content(child, loss)
                else:
                    found[below] = None
                    walk(child, f"{below}/")

        walk(self.root, "")
        return found


def aftermath(trace: list[Operation]) -> Iterator[tuple[int, str, dict[str, bytes | None]]]:
    """After every prefix of ``trace``: its length, the kind of loss, what the disk then holds."""
    model = Model()
    for length, operation in enumerate(trace, 1):
        model.replay(operation)
        for loss in LOSSES:
            yield length, loss, model.left(loss)


def broken_promises(trace: list[Operation]) -> Iterator[str]:
    """Promises of ``trace`` that a power failure at some moment after them would break."""
    model = Model()
    held: dict[str, Operation] = {}
    for operation in trace:
        model.replay(operation)
        if operation.kind.startswith("promise"):
            held[operation.path] = operation
            yield from _broken(model, operation)
            continue
        if operation.kind in MOVES:
            changed = {operation.path, operation.to}
            held = {p: h for p, h in held.items() if not changed & {p, *map(str, Path(p).parents)}}
        if operation.kind in ("fsync", *MOVES) or operation.path in held:
            for promise in held.values():
                yield from _broken(model, promise)


def _broken(model: Model, promise: Operation) -> Iterator[str]:
    for loss in LOSSES:
        node = model.find(promise.path, durable=loss == LOSSES[0])
        if (node is None) != (promise.kind == "promise gone"):
            yield f"{promise.path}: {promise.kind} ({loss})"
        elif node is not None and promise.kind == "promise":  # a file, and so with content
            content = model.content(node, loss)
            if content != promise.data:
                yield f"{promise.path}: not whole ({loss})"
