"""Disks that fill up, break, die and lose power at every single operation of a run."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import stat
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any, ClassVar

import pytest

from nst_graph import files, registry, run_host, runner, runs, worker
from nst_graph.cli import main

disk: Any = sys.modules["disk"]
from_pack: Any = sys.modules["pack"]
node, save = from_pack.node, from_pack.save

STEPS = 4
SAMPLE = 17
"""The quick tests take every 17th operation (a prime: all kinds come up), the slow ones all."""
EACH = [SAMPLE, pytest.param(1, marks=pytest.mark.slow)]
ERRORS = (errno.ENOSPC, errno.EIO, errno.EROFS)
VALUE = sum(3.0 / step for step in range(1, STEPS + 1))


class Paint:
    """A tensor filled with its number, so that the store has something to refer to."""

    FUNCTION, CATEGORY, RETURN_TYPES = "run", "test", ("NUMBER",)

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:
        return {"required": {"a": ("NUMBER",)}}

    def run(self, a: float) -> tuple[Any]:
        import torch

        from_pack.CALLS.append("Paint")
        return (torch.full((4,), a, dtype=torch.float64),)


class Look:
    """The first number of a tensor."""

    FUNCTION, CATEGORY, RETURN_TYPES = "run", "test", ("NUMBER",)
    INPUT_TYPES: ClassVar[Any] = Paint.INPUT_TYPES

    def run(self, a: Any) -> tuple[float]:
        from_pack.CALLS.append("Look")
        return (float(a[0]),)


class Bench:
    """A small graph, the folder in which everything that it writes lies, and ways to run it."""

    def __init__(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.root = folder / "root"
        self.root.mkdir()
        self._capsys = capsys
        self._graph = save(
            folder / "climb.json",
            n1=node("Weight", "slope", weight=1.0),
            n2=node("Weight", "other", weight=2.0),
            n3=node("Climb", loss_1=("1", 0), loss_2=("2", 0), steps=STEPS),
            n4=node("Paint", a=("3", 0)),
            n5=node("Look", a=("4", 0)),
            n6=node("Write", a=("5", 0)),
        )

    def empty(self) -> None:
        for path in sorted(self.root.rglob("*"), reverse=True):
            if path.is_dir() and not path.is_symlink():
                path.rmdir()
            else:
                path.unlink()

    def put(self, found: dict[str, bytes | None]) -> None:
        """The root as a power failure left it."""
        self.empty()
        for name, content in sorted(found.items()):
            if content is None:
                (self.root / name).mkdir()
            else:
                (self.root / name).write_bytes(content)

    def run(self, use: Any = None) -> tuple[int, str, str]:
        """Exit code, standard output and error of ``nst run`` (on the disk ``use``)."""
        from_pack.CALLS.clear()
        os.environ["NST_HOME"] = str(self.root / "home")
        arguments = ["run", str(self._graph), "--output-dir", str(self.root / "output")]
        self._capsys.readouterr()
        if use is None:
            code = main(arguments)
        else:
            with use.attached():
                code = main(arguments)
        streams = self._capsys.readouterr()
        return code, streams.out, streams.err

    def killed(self, at: int) -> int:
        """Run until the process dies at operation ``at``; how many operations there were."""
        dying = disk.Disk(self.root, kill_at=at)
        with pytest.raises(disk.Killed):
            self.run(dying)
        return int(dying.count)

    def record(self, links: bool = True) -> Any:
        recorder = disk.Disk(self.root, links=links)
        code, out, err = self.run(recorder)
        assert code == 0, err
        assert json.loads(Path(out.strip()).read_text())["value"] == VALUE
        return recorder

    def goes_on(self) -> None:
        """The next run, on a disk without faults, needs nobody's help and ends the same."""
        code, out, err = self.run()
        assert code == 0, err
        assert json.loads(Path(out.strip()).read_text())["value"] == VALUE
        assert runs.summary(runs.find("last")).state == "done"

    def not_whole(self) -> list[str]:
        """Files that bear a final name without being complete."""
        found = []
        for path in self.root.rglob("*"):
            if path.is_file() and not path.is_symlink() and not _whole(path):
                found.append(str(path.relative_to(self.root)))
        return found


def _whole(path: Path) -> bool:
    data = path.read_bytes()
    if path.name.endswith((".tmp", ".lock", ".jsonl")):
        return True  # temporary, empty by nature, and read line by line
    if path.suffix == ".jpg":
        return data[:2] == b"\xff\xd8" and data[-2:] == b"\xff\xd9"
    if path.suffix in (".json", ".txt"):
        try:
            found = json.loads(data)
        except ValueError:
            return False
        return path.suffix == ".json" or found["value"] == VALUE
    assert "store" in path.parts, path
    return hashlib.sha256(data[65:]).hexdigest().encode() + b"\n" == data[:65]


@pytest.fixture
def bench(
    engine_pack: ModuleType,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Iterator[Bench]:
    classes = {**engine_pack.CLASSES, "Paint": Paint, "Look": Look}
    monkeypatch.setattr(registry, "node_classes", lambda: classes)
    monkeypatch.setattr(run_host, "FIRST_CHECKPOINT", 0.0)
    monkeypatch.setattr(run_host, "CHECKPOINT_SHARE", 0)
    monkeypatch.setattr(run_host, "STEPS_PER_SECOND", 1_000_000)  # every step is told
    monkeypatch.setattr(runner, "LIGHT_WORKERS", 1)  # the same order of operations every time
    monkeypatch.setattr(worker, "HEARTBEAT", 3600.0)
    monkeypatch.setattr(runs, "versions", lambda: {})
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setenv("NST_HOME", "")  # restored when a run has chosen another one
    monkeypatch.chdir(tmp_path)
    yield Bench(tmp_path, capsys)


def test_a_run_does_the_same_operations_every_time(bench: Bench) -> None:
    first = bench.record()
    bench.empty()
    assert [o.kind for o in bench.record().trace] == [o.kind for o in first.trace]
    kinds = {operation.kind for operation in first.trace}
    assert {"mkdir", "create", "write", "fsync", "replace", "link", "unlink"} <= kinds
    print(f"{first.count} operations")


def faults(bench: Bench, ways: list[tuple[int, bool]], each: int, links: bool) -> int:
    """Let every ``each``-th operation fail in all these ways; how many faults that were."""
    count = bench.record(links).count
    injected = 0
    for at in range(1, count + 1, each):
        for error, for_ever in ways:
            bench.empty()
            failing = disk.Disk(bench.root, fail_at=at, error=error, for_ever=for_ever, links=links)
            code, _, err = bench.run(failing)
            where = f"operation {at} of {count}, {errno.errorcode[error]}, for ever: {for_ever}"
            assert code in (0, 1) and "Traceback" not in err, f"{where}: {err}"
            if code == 1:
                told = [line for line in err.splitlines() if os.strerror(error) in line]
                assert told, f"{where}: {err}"
            assert not bench.not_whole(), where
            bench.goes_on()
            injected += 1
    print(f"{injected} faults in {count} operations")
    return injected


@pytest.mark.parametrize(("for_ever", "links"), [(False, True), (True, False)])
def test_a_disk_that_fails_costs_one_sentence(bench: Bench, for_ever: bool, links: bool) -> None:
    assert faults(bench, [(errno.ENOSPC, for_ever)], 2 * SAMPLE, links) >= 5


@pytest.mark.slow
@pytest.mark.parametrize(
    ("error", "links"), [*((error, True) for error in ERRORS), (errno.ENOSPC, False)]
)
def test_a_disk_that_fails_at_any_operation_costs_one_sentence(
    bench: Bench, error: int, links: bool
) -> None:
    assert faults(bench, [(error, False), (error, True)], 1, links) > 200


@pytest.mark.parametrize("each", EACH)
def test_a_run_that_is_killed_at_any_operation_goes_on(bench: Bench, each: int) -> None:
    count = bench.record().count
    kills = resumed = 0
    for at in range(1, count + 1, each):
        bench.empty()
        bench.killed(at)
        assert not bench.not_whole(), f"operation {at} of {count}"
        bench.goes_on()
        kills += 1
        resumed += any(call.startswith("resumed") for call in from_pack.CALLS)
    assert resumed >= STEPS // min(each, STEPS)
    print(f"{kills} kills in {count} operations, {resumed} went on from a checkpoint")


@pytest.mark.parametrize("each", EACH)
def test_a_power_failure_at_any_operation_loses_nothing_that_was_finished(
    bench: Bench, each: int
) -> None:
    trace = bench.record().trace
    assert list(disk.broken_promises(trace)) == []
    left: dict[str, dict[str, bytes | None]] = {}
    for _, _, found in disk.aftermath(trace):
        left[hashlib.sha256(repr(sorted(found.items())).encode()).hexdigest()] = found
    tried = list(left.values())[::each]
    for found in tried:
        bench.put(found)
        bench.goes_on()
    print(f"{len(trace)} prefixes, {len(left)} different disks, {len(tried)} tried")


def without(trace: list[Any], index: int) -> list[Any]:
    return trace[:index] + trace[index + 1 :]


def test_every_single_sync_of_a_run_is_needed(bench: Bench) -> None:
    trace = bench.record().trace
    syncs = [i for i, operation in enumerate(trace) if operation.kind == "fsync"]
    idle = [trace[i] for i in syncs if not any(disk.broken_promises(without(trace, i)))]
    assert not idle
    print(f"{len(syncs)} syncs, each needed")


def everything(folder: Path) -> None:
    """Each function of the module that writes files, once."""
    files.write(folder / "a" / "b", b"one")
    files.write(folder / "a" / "b", b"two")
    files.publish(b"picture", lambda n: folder / "out" / f"p{n}")
    part = files.Part(folder / "weights" / "w")
    part.append(b"half")
    part.append(b"rest")
    part.finish()
    files.make_folder(folder / "runs" / "one")
    files.move(folder / "runs" / "one", folder / "trash" / "one")


@pytest.mark.parametrize("links", [True, False])
def test_everything_that_is_written_survives_a_power_failure_and_needs_each_sync(
    tmp_path: Path, links: bool
) -> None:
    recorder = disk.Disk(tmp_path, links=links)
    with recorder.attached():
        everything(tmp_path)
    trace = recorder.trace
    assert list(disk.broken_promises(trace)) == []
    for index, operation in enumerate(trace):
        if operation.kind == "fsync":
            assert any(disk.broken_promises(without(trace, index))), operation


@pytest.mark.parametrize("forgotten", ["content", "folder"])
def test_a_product_that_forgets_to_sync_is_found_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, forgotten: str
) -> None:
    recorder = disk.Disk(tmp_path)
    with recorder.attached():
        if forgotten == "folder":
            monkeypatch.setattr(files, "sync_folder", lambda folder: None)
        else:
            sync = os.fsync
            monkeypatch.setattr(
                os, "fsync", lambda d: stat.S_ISDIR(os.fstat(d).st_mode) and sync(d)
            )
        everything(tmp_path)
        monkeypatch.undo()
    synced = [Path(o.path).suffix for o in recorder.trace if o.kind == "fsync"]
    assert (".tmp" in synced) == (forgotten == "folder")
    assert any(disk.broken_promises(recorder.trace))


def test_a_write_that_fails_without_hard_links_leaves_no_empty_file(tmp_path: Path) -> None:
    count = 0
    while True:
        count += 1
        failing = disk.Disk(tmp_path, fail_at=count, error=errno.ENOSPC, links=False)
        target = tmp_path / "p"
        try:
            with failing.attached():
                files.write_new(target, b"picture")
        except OSError:
            assert not target.exists() or target.read_bytes() == b"picture"
            target.unlink(missing_ok=True)
            continue
        break
    assert count > 5


def test_a_temporary_file_of_a_killed_process_is_no_damage(tmp_path: Path) -> None:
    from nst_graph.store import Store

    store = Store(tmp_path)
    store.put("ab" * 32, (1,), {})
    litter = next((tmp_path / "results").glob("*")) / ".half.0123456789ab.tmp"
    litter.write_bytes(b"half")
    assert store.verify() == (1, [])
    assert litter.exists(), "another process may be writing it"
    old = time.time() - 7200
    os.utime(litter, (old, old))
    store.prune(limit=1)
    assert not litter.exists()
