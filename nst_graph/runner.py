"""Run a plan in this process: the store supplies what is known, threads compute the rest.

Light nodes (loading, saving, recipes) run beside each other; numeric ones one at a time, because
each uses all threads it was given. A failed node stops only what depends on it.
"""

from __future__ import annotations

import hashlib
import threading
import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import networkx as nx
from filelock import FileLock, Timeout

from nst_graph import events, files, host
from nst_graph.control import Control
from nst_graph.errors import Cancelled, NodeError, UserError
from nst_graph.execute import Outcome, call_node
from nst_graph.folders import Folders
from nst_graph.machine import memory_limit
from nst_graph.plan import Change, Plan, Task, fork_key, term_labels, term_origins
from nst_graph.run_host import RunHost
from nst_graph.scheduler import Schedule, split
from nst_graph.store import Damaged, Entry, Store

LIGHT_WORKERS = 4
POLL = 0.1
"""Seconds between two looks at the control file while nodes run."""


@dataclass
class Context:
    """What all tasks of a run share."""

    folders: Folders
    store: Store
    emit: events.Emit
    control: Control
    graph: nx.DiGraph[str]
    hidden: Callable[[Plan, Mapping[str, int]], Mapping[str, Any]]
    """(plan, step at which partial nodes stopped) -> PROMPT and EXTRA_PNGINFO."""
    run_path: Path | None = None
    changes: Sequence[Change] = ()
    force: bool = False


@dataclass(frozen=True)
class Done:
    """A computed task. ``key`` differs from the task's if weights were changed meanwhile."""

    outcome: Outcome
    key: str
    outputs: tuple[str, ...]
    partial_step: int | None = None


@dataclass
class Result:
    """How a run ended: done, failed or stopped, and the files that its outputs are in."""

    status: str
    outputs: list[str] = field(default_factory=list)


def run_plan(plan: Plan, context: Context, targets: Sequence[str] | None = None) -> Result:
    """Compute ``targets`` (default: all output nodes of the plan) and say how it went."""
    return _Run(plan, context, list(targets or _outputs_of(plan))).run()


def _outputs_of(plan: Plan) -> list[str]:
    return [task.node for task in plan if task.type.is_output] or list(plan.tasks)[-1:]


class _Run:
    def __init__(self, plan: Plan, context: Context, targets: list[str]) -> None:
        self.context = context
        for task in list(plan):  # what ran under changed weights has results of its own
            changes = self._changes(task)
            if changes:
                plan = plan.rekey(task.node, fork_key(task.base, changes))
        self.plan = plan
        self.values: dict[str, tuple[Any, ...]] = {}
        self.partial: dict[str, int] = {}
        self.result = Result("done")
        self._numeric = threading.Lock()
        self._unkept = False
        entries = {} if context.force else self._entries()
        run, read = split(plan, targets, lambda task: task.node in entries)
        damaged = {node for node in read if not context.store.intact(entries[node])}
        while damaged:  # what cannot be read back is computed again
            for node in damaged:
                context.store.forget(plan.tasks[node].key)
                entries.pop(node)
            run, read = split(plan, targets, lambda task: task.node in entries)
            damaged = {node for node in read if not context.store.intact(entries[node])}
        self.schedule = Schedule(plan, run)
        self._entries_read = {node: entries[node] for node in read}
        self._cached = [task.node for task in plan if task.node in entries and task.node not in run]
        self._entries_all = entries

    def run(self) -> Result:
        for node in self._cached:
            paths = [path for path, _ in self._entries_all[node].files]
            self.context.emit(events.NodeCached(node, paths))
            self.result.outputs += paths
        running: dict[Future[Done], str] = {}
        with ThreadPoolExecutor(LIGHT_WORKERS) as pool:
            while not self.schedule.finished:
                self._drop_if_stopping()
                for node in self.schedule.ready():
                    self.schedule.start(node)
                    running[pool.submit(self._execute, self.plan.tasks[node])] = node
                finished, _ = wait(running, timeout=POLL, return_when=FIRST_COMPLETED)
                self.context.control.poll()
                for future in sorted(finished, key=lambda f: running[f]):
                    self._settle(running.pop(future), future)
        if self.partial and self.result.status == "done":
            self.result.status = "stopped"
        return self.result

    def _drop_if_stopping(self) -> None:
        """After a stop nothing heavy starts; with ``stop_now`` nothing at all."""
        wishes = self.context.control.wishes
        if not (wishes.stop or wishes.stop_now):
            return
        while heavy := [
            node
            for node in self.schedule.ready()
            if wishes.stop_now or self.plan.tasks[node].numeric
        ]:
            self.result.status = "stopped"
            skipped, released = self.schedule.drop(heavy[0])
            for node in [heavy[0], *skipped]:
                self.context.emit(events.NodeSkipped(node, "the run was stopped"))
            self._free(released)

    def _settle(self, node: str, future: Future[Done]) -> None:
        error = future.exception()
        if error is None:
            done = future.result()
            self.values[node] = done.outcome.outputs
            self.result.outputs += done.outputs
            if done.partial_step is not None:
                self.partial[node] = done.partial_step
            if done.key != self.plan.tasks[node].key:
                self.plan = self.plan.rekey(node, done.key)
            self._free(self.schedule.finish(node))
            return
        if isinstance(error, Cancelled):
            self.result.status = "stopped"
            because = "the run was stopped"
        else:
            self.result.status = "failed"
            because = node
            bug = None if isinstance(error, UserError) else _traceback(error)
            self.context.emit(events.NodeFailed(node, _message(self.plan.tasks[node], error), bug))
        skipped, released = self.schedule.fail(node)
        for below in skipped:
            self.context.emit(events.NodeSkipped(below, because))
        self._free(released)

    def _free(self, nodes: Sequence[str]) -> None:
        for node in nodes:
            self.values.pop(node, None)

    # -- one task, in a thread of the pool ---------------------------------------------------

    def _execute(self, task: Task) -> Done:
        partial = [self.partial[s] for s, _ in task.links.values() if s in self.partial]
        if task.numeric:
            with self._numeric:
                return self._locked(task, partial)
        return self._locked(task, partial)

    def _locked(self, task: Task, partial: list[int]) -> Done:
        """Compute under the key's lock, unless another process has just done so."""
        if partial or self.context.force:
            return self._compute(task, partial)
        try:
            files.make_folder(self.context.store.lock_path("x").parent)
            lock = FileLock(self.context.store.lock_path(task.key))
            self._acquire(lock, task)
        except OSError:  # a store that cannot be written is no reason not to compute
            return self._compute(task, partial)
        try:
            entry = self._hit(task)
            if entry is not None:
                with suppress(Damaged):
                    outputs = self.context.store.load(entry)
                    paths = tuple(path for path, _ in entry.files)
                    self.context.emit(events.NodeCached(task.node, list(paths)))
                    return Done(Outcome(outputs, entry.ui), task.key, paths)
            return self._compute(task, partial)
        finally:
            lock.release()

    def _acquire(self, lock: FileLock, task: Task) -> None:
        told = False
        while True:
            try:
                lock.acquire(timeout=0.2 if told else 0)
                return
            except Timeout:
                if not told:
                    self.context.emit(
                        events.Note("another process computes the same; waiting for it", task.node)
                    )
                told = True
                wishes = self.context.control.poll()
                if wishes.stop or wishes.stop_now:
                    raise Cancelled from None

    def _compute(self, task: Task, partial: list[int]) -> Done:
        context = self.context
        service = RunHost(
            task,
            folders=context.folders,
            device=self.plan.environment.device,
            store=context.store,
            emit=context.emit,
            control=context.control,
            run_path=context.run_path,
            labels=term_labels(self.context.graph, task.node),
            weights=self._weights(),
            changes=self._changes(task),
            resume=not context.force,
            memory_limit=None if context.force else memory_limit(self.plan.environment.device),
        )
        started = time.monotonic()
        context.emit(events.NodeStarted(task.node))
        linked = {name: self._value(*link) for name, link in task.links.items()}
        if task.numeric:
            import torch

            torch.set_num_threads(self.plan.environment.threads)
        hidden: dict[str, Any] = {"UNIQUE_ID": task.node, "DYNPROMPT": None}
        if task.type.hidden:  # costs a conversion of the whole graph; few nodes ask for it
            hidden |= context.hidden(self.plan, self.partial)
        with host.use(service):
            outcome = call_node(task, linked, hidden)
        seconds = time.monotonic() - started
        written = _written(outcome.ui, context.folders)
        stopped = service.partial_step
        if stopped is None and not partial:
            self._store(service.key, outcome, written, seconds)
        paths = tuple(path for path, _ in written)
        context.emit(events.NodeFinished(task.node, seconds, list(paths)))
        step = stopped if stopped is not None else (max(partial) if partial else None)
        return Done(outcome, service.key, paths, step)

    def _store(
        self, key: str, outcome: Outcome, written: tuple[tuple[str, str], ...], seconds: float
    ) -> None:
        try:
            self.context.store.put(key, outcome.outputs, outcome.ui, written, seconds)
        except TypeError:
            return  # a pack's own kind of value: kept for this run only
        except OSError as error:
            if not self._unkept:  # what is wrong with the first is wrong with all
                self._unkept = True
                where, reason = self.context.store.folder, error.strerror or error
                told = f"results are not kept for next time: cannot write {where}: {reason}"
                self.context.emit(events.Note(told))

    def _value(self, node: str, slot: int) -> Any:
        if node not in self.values:
            self.values[node] = self.context.store.load(self._entries_read[node])
        return self.values[node][slot]

    def _weights(self) -> dict[str, float]:
        """The weight that the graph gives each node that has one."""
        nodes = self.context.graph.nodes(data=True)
        found = {node: data["values"].get("weight") for node, data in nodes}
        return {node: value for node, value in found.items() if isinstance(value, int | float)}

    def _changes(self, task: Task) -> list[Change]:
        """The recorded weight changes that concern ``task``."""
        if not task.numeric:
            return []
        origins = term_origins(self.context.graph, task.node) or []
        return [change for change in self.context.changes if change.node in origins]

    # -- what is stored ----------------------------------------------------------------------

    def _entries(self) -> dict[str, Entry]:
        found = {}
        for task in self.plan:
            entry = self._hit(task)
            if entry is not None:
                found[task.node] = entry
        return found

    def _hit(self, task: Task) -> Entry | None:
        entry = self.context.store.entry(task.key)
        if entry is None or (task.type.is_output and not all(map(_unchanged, entry.files))):
            return None
        return entry


def _written(ui: Mapping[str, Any], folders: Folders) -> tuple[tuple[str, str], ...]:
    """Path and sha256 of every file that ``ui`` says was written to the output folder."""
    found = []
    for shown in ui.values():
        for item in shown:
            if isinstance(item, Mapping) and item.get("type") == "output" and "filename" in item:
                path = folders.output / item.get("subfolder", "") / item["filename"]
                with suppress(OSError):
                    found.append((str(path), _sha256(path)))
    return tuple(found)


def _unchanged(file: tuple[str, str]) -> bool:
    try:
        return _sha256(Path(file[0])) == file[1]
    except OSError:
        return False


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _message(task: Task, error: BaseException) -> str:
    name = f"{task.title} (#{task.node})" if task.title else f"{task.type.id} #{task.node}"
    if isinstance(error, NodeError | UserError):
        return f"{name}: {error}"
    if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError":
        return f"{name}: out of memory; a smaller size on Optimize needs less"
    return f"{name}: {type(error).__name__}: {error}"


def _traceback(error: BaseException) -> str:
    return "".join(traceback.format_exception(error))
