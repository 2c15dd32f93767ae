"""Background runs wait their turn: one at a time, in order, through crashes and restarts.

The queue is a list of run ids in ``NST_HOME/queue.json``. One detached process works it off and
ends when it is empty; any command that looks at runs starts it again if it is gone (after a
reboot, say). A run whose worker died is gone on with from its checkpoint.
"""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from filelock import FileLock, Timeout

from nst_graph import events, files, runs
from nst_graph.errors import UserError
from nst_graph.folders import home, runs_folder
from nst_graph.runs import RunFolder

ATTEMPTS = 3
"""How often a run whose worker dies without having got any further is started again."""


def waiting() -> list[RunFolder]:
    """The queued runs in order; the first may be running already."""
    try:
        listed = json.loads(files.read_limited(home() / "queue.json", 1 << 20))
        names = [name for name in listed if isinstance(name, str) and "/" not in name]
    except (UserError, ValueError, TypeError):
        return []
    folders = [RunFolder(runs_folder() / name) for name in names]
    return [folder for folder in folders if folder.graph.is_file()]


def enqueue(run: RunFolder) -> None:
    """Put ``run`` at the end of the queue and see to it that the queue is worked off."""
    with _changing() as change:
        change(lambda queue: [*queue, run.id] if run.id not in queue else queue)
    ensure_runner()


def cancel(run: RunFolder) -> bool:
    """Take a run that has not started out of the queue; whether it was there."""
    if run.log.exists() or run not in waiting():
        return False
    _remove(run)
    append = files.Appender(run.log)
    append(events.to_json(events.RunFinished("stopped")))
    append.close()
    return True


def move(run: RunFolder, position: int) -> None:
    """Let ``run`` be the ``position``-th (from 1) of those that have not started.

    Raises:
        UserError: it is not waiting.
    """
    if run not in waiting() or run.log.exists():
        raise UserError(f"run {run.id} is not waiting in the queue")

    def reorder(queue: list[str]) -> list[str]:
        started = [n for n in queue if RunFolder(runs_folder() / n).log.exists()]
        rest = [name for name in queue if name not in started and name != run.id]
        rest.insert(max(position, 1) - 1, run.id)
        return started + rest

    with _changing() as change:
        change(reorder)


def ensure_runner() -> None:
    """Start the process that works the queue off, unless it is running or has nothing to do."""
    if not waiting() or _runner_alive():
        return
    subprocess.Popen(
        [sys.executable, "-m", "nst_graph.queue"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        **runs.own_session(),
    )


def work_off() -> None:
    """Run what is queued until nothing is left. Returns at once if another process does so."""
    lock = FileLock(home() / "queue.runner.lock")
    try:
        lock.acquire(timeout=0)
    except Timeout:
        return
    try:
        while queue := waiting():
            _run_one(queue[0])
            _remove(queue[0])
    finally:
        lock.release()


def _run_one(run: RunFolder) -> None:
    """Run ``run`` to its end, in a worker of its own, however often that dies."""
    stuck_at, attempts = -1, 0
    while True:
        while run.alive():  # the worker of a runner that was killed
            time.sleep(0.2)
        told = runs.summary(run)
        if told.state in ("done", "failed", "stopped"):
            return
        attempts = 1 if told.step > stuck_at else attempts + 1
        stuck_at = told.step
        if attempts > ATTEMPTS:
            append = files.Appender(run.log)
            append(events.to_json(events.Note(f"its worker died {ATTEMPTS} times; given up")))
            append(events.to_json(events.RunFinished("failed")))
            append.close()
            return
        if runs.start_worker(run).wait() in (2,):  # the graph cannot run any more; its log says why
            return


def _remove(run: RunFolder) -> None:
    with _changing() as change:
        change(lambda names: [name for name in names if name != run.id])


@contextmanager
def _changing() -> Iterator[Callable[[Callable[[list[str]], list[str]]], None]]:
    files.make_folder(home())
    with FileLock(home() / "queue.lock", timeout=10):

        def change(edit: Callable[[list[str]], list[str]]) -> None:
            names = edit([run.id for run in waiting()])
            files.write(home() / "queue.json", json.dumps(names).encode())

        yield change


def _runner_alive() -> bool:
    lock = FileLock(home() / "queue.runner.lock")
    try:
        lock.acquire(timeout=0)
    except Timeout:
        return True
    lock.release()
    return False


if __name__ == "__main__":
    with suppress(AttributeError):
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
    work_off()
