"""Results on disk, found by task key; safe for many processes, never trusted blindly.

``results/<key>`` holds the outputs of a node as JSON; tensors in it are references to
``blobs/<sha256>``, so that the same picture is stored once however many recipes mention it.
``checkpoints/<key>/<step>`` holds the states of an optimisation under way. Every file is sealed
with its own sha256: what does not match is set aside and computed again.

Whether a result is there can be asked without torch; tensors are read when somebody needs them.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, fields, is_dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from weakref import WeakValueDictionary

from nst_graph import files
from nst_graph.errors import UserError
from nst_graph.host import State
from nst_graph.text import shorten
from nst_graph.values import RECIPES

if TYPE_CHECKING:
    from torch import Tensor

DEFAULT_LIMIT = 4 << 30
CHECKPOINTS_KEPT = 6
_RECIPE_TYPES = {cls.__name__: cls for cls in RECIPES}
_FRESH = 3600.0
"""Blobs younger than this many seconds may belong to a result that is still being written."""


class Damaged(Exception):
    """A stored file is missing or does not match its seal; what needs it must be recomputed."""


@dataclass(frozen=True)
class Entry:
    """A stored result before its tensors are read. ``outputs`` is JSON; ``ui`` as returned."""

    outputs: list[Any]
    ui: Mapping[str, Any]
    files: tuple[tuple[str, str], ...] = ()
    """Files the node wrote: path and sha256."""
    seconds: float = 0.0


class Store:
    """A folder of results, blobs and checkpoints."""

    def __init__(self, folder: Path, limit: int | None = None) -> None:
        self.folder = folder
        self.limit = _limit() if limit is None else limit
        self._live: WeakValueDictionary[str, Tensor] = WeakValueDictionary()
        self._digests: dict[int, tuple[Any, str]] = {}

    # -- results ---------------------------------------------------------------------------

    def entry(self, key: str) -> Entry | None:
        """The stored result for ``key``, or None if there is none or it is damaged."""
        try:
            body = json.loads(_unseal(self._path("results", key)))
            with suppress(OSError):
                os.utime(self._path("results", key))
            return Entry(
                body["outputs"],
                body["ui"],
                tuple((path, digest) for path, digest in body["files"]),
                body["seconds"],
            )
        except Damaged:
            return None
        except (ValueError, KeyError, TypeError):
            self.forget(key)
            return None

    def intact(self, entry: Entry) -> bool:
        """Whether every tensor of ``entry`` can be read back as it was written."""
        try:
            for digest in _references(entry.outputs):
                self._blob(digest)
        except Damaged:
            return False
        return True

    def load(self, entry: Entry) -> tuple[Any, ...]:
        """The outputs of ``entry`` with their tensors. Raises Damaged."""
        return tuple(self._decode(output) for output in entry.outputs)

    def plain(self, entry: Entry) -> tuple[Any, ...]:
        """The outputs of ``entry`` without a tensor in them, None in place of the others.

        Needs no torch. Raises Damaged.
        """
        outputs = entry.outputs
        return tuple(None if set(_references(o)) else self._decode(o) for o in outputs)

    def put(
        self,
        key: str,
        outputs: tuple[Any, ...],
        ui: Mapping[str, Any],
        written: tuple[tuple[str, str], ...] = (),
        seconds: float = 0.0,
    ) -> None:
        """Store the result of a node. Outputs that cannot be stored raise TypeError."""
        body = {
            "outputs": [self._encode(output) for output in outputs],
            "ui": ui,
            "files": written,
            "seconds": seconds,
        }
        _seal(self._path("results", key), json.dumps(body).encode())

    def forget(self, key: str) -> None:
        with suppress(OSError):
            files.remove(self._path("results", key))

    # -- checkpoints -----------------------------------------------------------------------

    def save_checkpoint(self, key: str, step: int, state: State) -> None:
        """Keep ``state``; older ones are thinned so that only a few remain."""
        from safetensors.torch import save

        tensors = {name: t.detach().cpu().contiguous() for name, t in state.tensors.items()}
        facts = {"facts": json.dumps(dict(state.facts))}
        _seal(self._checkpoint_folder(key) / f"{step:08d}", save(tensors, metadata=facts))
        for old in _thinned(self.checkpoint_steps(key), CHECKPOINTS_KEPT):
            with suppress(OSError):
                files.remove(self._checkpoint_folder(key) / f"{old:08d}")

    def load_checkpoint(self, key: str, at: int | None = None) -> State | None:
        """The newest readable checkpoint of ``key`` (or the newest not after step ``at``)."""
        for step in sorted(self.checkpoint_steps(key), reverse=True):
            if at is not None and step > at:
                continue
            with suppress(Damaged):
                return _read_state(_unseal(self._checkpoint_folder(key) / f"{step:08d}"))
        return None

    def forget_checkpoints(self, key: str) -> None:
        for step in self.checkpoint_steps(key):
            files.remove(self._checkpoint_folder(key) / f"{step:08d}")

    def checkpoint_steps(self, key: str) -> list[int]:
        try:
            names = os.listdir(self._checkpoint_folder(key))
        except OSError:
            return []
        return sorted(int(name) for name in names if name.isdigit())

    # -- house-keeping ---------------------------------------------------------------------

    def lock_path(self, key: str) -> Path:
        return self.folder / "locks" / f"{key}.lock"

    def prune(self, limit: int | None = None) -> int:
        """Remove what was not used for longest until the store fits its limit; bytes freed.

        Blobs go with the last result that refers to them; fresh ones stay, because another
        process may be about to write the result they belong to.
        """
        limit = self.limit if limit is None else limit
        listed = sorted(self._files(), key=lambda item: item[1])
        excess = sum(size for _, _, size in listed) - limit
        if excess <= 0:
            return 0
        needed: Counter[str] = Counter()
        for path, _, _ in listed:
            if path.parent.parent.name == "results":
                needed.update(_references_of(path))
        blobs = {p.name: (p, used, size) for p, used, size in listed if _is_blob(p)}
        now = time.time()
        freed = 0
        for name in [name for name in blobs if not needed[name]]:
            freed += _remove_old(*blobs.pop(name), now)
        for path, _, size in listed:
            if freed >= excess:
                break
            if _is_blob(path):
                continue
            references = _references_of(path) if path.parent.parent.name == "results" else set()
            files.remove(path)
            freed += size
            for name in references:
                needed[name] -= 1
                if needed[name] == 0 and name in blobs:
                    freed += _remove_old(*blobs.pop(name), now)
        return freed

    def verify(self) -> tuple[int, list[Path]]:
        """Check every seal: number of files and the damaged ones."""
        damaged = []
        count = 0
        for path, _, _ in self._files():
            if path.name.startswith("."):  # being written, or left by a process that was killed
                continue
            count += 1
            try:
                data = _unseal(path)
            except Damaged:
                damaged.append(path)
                continue
            if _is_blob(path) and hashlib.sha256(data).hexdigest() != path.name:
                damaged.append(path)
        return count, damaged

    def size(self) -> int:
        return sum(size for _, _, size in self._files())

    def _files(self) -> Iterator[tuple[Path, float, int]]:
        for part in ("results", "blobs", "checkpoints"):
            for path in (self.folder / part).glob("*/*" if part != "checkpoints" else "*/*/*"):
                with suppress(OSError):
                    status = path.stat()
                    yield path, status.st_mtime, status.st_size

    def _path(self, part: str, name: str) -> Path:
        return self.folder / part / name[:2] / name

    def _checkpoint_folder(self, key: str) -> Path:
        return self._path("checkpoints", key)

    # -- values ----------------------------------------------------------------------------

    def _encode(self, value: Any) -> Any:
        if value is None or isinstance(value, str | bool | int):
            return value
        if isinstance(value, float):
            return value if math.isfinite(value) else {"$float": repr(value)}
        if isinstance(value, tuple | list):
            return {"$list": [self._encode(item) for item in value]}
        if is_dataclass(value) and type(value).__name__ in _RECIPE_TYPES:
            return {
                "$": type(value).__name__,
                **{f.name: self._encode(getattr(value, f.name)) for f in fields(value)},
            }
        if hasattr(value, "detach"):
            return {"$tensor": self._put_blob(value)}
        raise TypeError(f"a {type(value).__name__} cannot be stored")

    def _decode(self, value: Any) -> Any:
        if not isinstance(value, dict):
            return value
        if "$float" in value:
            return float(value["$float"])
        if "$list" in value:
            return tuple(self._decode(item) for item in value["$list"])
        if "$tensor" in value:
            return self._get_blob(value["$tensor"])
        try:
            cls: Any = _RECIPE_TYPES[value["$"]]
            return cls(**{k: self._decode(v) for k, v in value.items() if k != "$"})
        except (KeyError, TypeError) as error:
            raise Damaged(str(error)) from error

    def _put_blob(self, tensor: Tensor) -> str:
        known = self._digests.get(id(tensor))
        if known is not None and known[0]() is tensor and self._path("blobs", known[1]).exists():
            with suppress(OSError):
                os.utime(self._path("blobs", known[1]))
            return known[1]
        import weakref

        from safetensors.torch import save

        data = save({"t": tensor.detach().cpu().contiguous()})
        digest = hashlib.sha256(data).hexdigest()
        path = self._path("blobs", digest)
        if path.exists():
            with suppress(OSError):
                os.utime(path)
        else:
            _seal(path, data)
        self._digests[id(tensor)] = (weakref.ref(tensor), digest)
        self._live[digest] = tensor
        return digest

    def _blob(self, digest: str) -> bytes:
        data = _unseal(self._path("blobs", digest))
        if hashlib.sha256(data).hexdigest() != digest:
            raise Damaged(digest)
        return data

    def _get_blob(self, digest: str) -> Tensor:
        live = self._live.get(digest)
        if live is not None:
            return live
        from safetensors.torch import load

        tensor = load(self._blob(digest))["t"]
        self._live[digest] = tensor
        return tensor


def _limit() -> int:
    """``NST_STORE_LIMIT`` in bytes. Raises UserError when it is no such number."""
    given = os.environ.get("NST_STORE_LIMIT", "").strip() or str(DEFAULT_LIMIT)
    if not given.isdecimal():
        raise UserError(f"NST_STORE_LIMIT is {shorten(given)!r}, not a number of bytes")
    return int(given)


def _seal(path: Path, data: bytes) -> None:
    files.write(path, hashlib.sha256(data).hexdigest().encode() + b"\n" + data)


def _unseal(path: Path) -> bytes:
    """The sealed content of ``path``. Raises Damaged when it is missing or does not match."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise Damaged(str(path)) from error
    data = content[65:]
    if hashlib.sha256(data).hexdigest().encode() + b"\n" != content[:65]:
        with suppress(OSError):
            files.remove(path)
        raise Damaged(str(path))
    return data


def _is_blob(path: Path) -> bool:
    return path.parent.parent.name == "blobs"


def _references_of(result: Path) -> set[str]:
    with suppress(Damaged, ValueError, KeyError, TypeError):
        return set(_references(json.loads(_unseal(result))["outputs"]))
    return set()


def _remove_old(path: Path, used: float, size: int, now: float) -> int:
    if now - used < _FRESH:
        return 0
    files.remove(path)
    return size


def _references(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        if "$tensor" in value:
            yield str(value["$tensor"])
        for item in value.values():
            yield from _references(item)
    elif isinstance(value, list):
        for item in value:
            yield from _references(item)


def _read_state(data: bytes) -> State:
    from safetensors.torch import load

    length = int.from_bytes(data[:8], "little")
    header = json.loads(data[8 : 8 + length])
    return State(load(data), json.loads(header["__metadata__"]["facts"]))


def _thinned(steps: list[int], keep: int) -> list[int]:
    """Which checkpoints to drop: the newest stay dense, older ones get sparse."""
    drop = []
    steps = list(steps)
    while len(steps) > keep:
        gaps = [
            (steps[i + 1] - steps[i - 1]) / (steps[-1] - steps[i] + 1)
            for i in range(1, len(steps) - 1)
        ]
        index = 1 + min(range(len(gaps)), key=gaps.__getitem__)
        drop.append(steps.pop(index))
    return drop
