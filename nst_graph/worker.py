"""Executes one run folder, in the caller's process or in one of its own.

``python -m nst_graph.worker RUN_FOLDER`` is what ``--detach``, the terminal UI and the queue
start. ``nst run`` calls :func:`execute_run` itself and passes its display as an observer.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import Timeout

from nst_graph import events, files, host
from nst_graph.control import Control
from nst_graph.document import read
from nst_graph.embed import hidden_inputs, input_digests
from nst_graph.errors import UserError
from nst_graph.folders import Folders, store_folder
from nst_graph.graph import Checked, check
from nst_graph.live import recorded_changes, settable
from nst_graph.machine import environment, yield_processors
from nst_graph.plan import Plan, make_plan
from nst_graph.prepare import make_folders
from nst_graph.registry import node_types
from nst_graph.runner import Context, Result, run_plan
from nst_graph.runs import Options, RunFolder
from nst_graph.store import Store
from nst_graph.text import clean

HEARTBEAT = 2.0


def execute_run(run: RunFolder, observers: Sequence[events.Emit] = ()) -> Result:
    """Run the graph in ``run`` and log everything; the log ends with RunFinished.

    Raises:
        UserError: the graph cannot run, or another worker has this run.
    """
    lock = run.lock()
    try:
        lock.acquire(timeout=5)
    except Timeout:
        raise UserError(f"run {run.id} already has a worker (nst watch {run.id})") from None
    started = time.monotonic()
    append = files.Appender(run.log)
    guard = threading.Lock()
    watching = list(observers)
    unwritten = False

    def tell(event: events.Event) -> None:
        for observer in list(watching):
            try:
                observer(event)
            except OSError:  # its terminal or pipe has gone; the run goes on without it
                watching.remove(observer)

    def emit(event: events.Event) -> None:
        nonlocal unwritten
        line = events.to_json(event)
        with guard:
            try:
                append(line)
            except OSError as error:  # a full disk costs the log, not the picture
                if not unwritten:
                    unwritten = True
                    reason = error.strerror or error
                    tell(events.Note(f"the run's log cannot be written: {reason}"))
            tell(event)

    result = Result("failed")
    try:
        result = _run_somewhere(run, emit)
    except UserError as error:
        with suppress(OSError):
            append(events.to_json(events.Note(str(error))))  # the caller tells those who watch
        raise
    finally:
        emit(events.RunFinished(result.status, time.monotonic() - started, result.outputs))
        _link_outputs(run, result.outputs)
        append.close()
        lock.release()
    return result


def _run_somewhere(run: RunFolder, emit: events.Emit) -> Result:
    if not run.options().server:
        return _execute(run, emit)
    from nst_graph.server_run import execute_on_server

    return execute_on_server(run, emit, _signals)


def _execute(run: RunFolder, emit: events.Emit) -> Result:
    options = run.options()
    folders = make_folders([Path(folder) for folder in options.inputs], options)
    earlier = recorded_changes(run)
    if options.offline:
        os.environ["NST_OFFLINE"] = "1"
    with host.use(_Preparing(folders, emit)):
        types = node_types()
        document = read(run.graph, types)
        checked = check(document, types)
        _prepare_nodes(checked)
        plan = make_plan(
            checked.graph,
            environment(options.device, options.threads),
            output_folder=str(folders.output),
            targets=options.targets or None,
        )
    _record(run, options, plan)
    emit(
        events.RunStarted(
            run.id,
            [task.node for task in plan],
            {task.node: task.title or task.type.display_name for task in plan},
            {task.node: task.type.id for task in plan},
            os.getpid(),
        )
    )
    inputs = input_digests(plan, folders)
    control = Control(run.path / "control.jsonl", emit, settable(checked.graph))
    store = Store(store_folder())
    context = Context(
        folders=folders,
        store=store,
        emit=emit,
        control=control,
        graph=checked.graph,
        hidden=lambda plan, partial: hidden_inputs(
            document,
            types,
            plan,
            partial,
            inputs,
            [*earlier, *recorded_changes(run)[len(earlier) :]],
        ),
        run_path=run.path,
        changes=earlier,
        force=options.force,
    )
    with _signals(control), _heartbeat(emit):
        result = run_plan(plan, context, options.targets or None)
    with suppress(OSError):
        store.prune()
    return result


class _Preparing(host.PlainHost):
    """The host while a run is planned: notes go to the log."""

    def __init__(self, folders: Folders, emit: events.Emit) -> None:
        super().__init__(folders)
        self._emit = emit

    def note(self, message: str) -> None:
        self._emit(events.Note(message))


def _prepare_nodes(checked: Checked) -> None:
    """Let nodes fetch what they need (weights), each distinct wish once, before anything runs."""
    done = set()
    for _, data in checked.graph.nodes(data=True):
        prepare = getattr(data["type"].cls, "PREPARE", None)
        wish = (data["type"].id, json.dumps(data["values"], sort_keys=True, default=repr))
        if prepare is not None and wish not in done:
            done.add(wish)
            prepare(**{k: v for k, v in data["values"].items() if k not in data["links"]})


# -- signals and heartbeat ---


@contextmanager
def _signals(control: Control) -> Iterator[None]:
    """First Ctrl-C: stop and keep the picture; second, SIGTERM, SIGHUP: checkpoint and go."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def interrupt(number: int, frame: object) -> None:
        wishes = control.wishes
        if wishes.stop or number != signal.SIGINT:
            wishes.stop_now, wishes.checkpoint = True, True
        else:
            wishes.stop = True
        wishes.paused = False

    numbers = [signal.SIGINT, signal.SIGTERM]
    if hasattr(signal, "SIGHUP") and signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
        numbers.append(signal.SIGHUP)
    before = {number: signal.signal(number, interrupt) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def _heartbeat(emit: events.Emit) -> Iterator[None]:
    """A Heartbeat event every two seconds while the block runs."""
    import psutil

    process = psutil.Process()
    process.cpu_percent()
    done = threading.Event()

    def beat() -> None:
        while not done.wait(HEARTBEAT):
            usage, memory = _gpu()
            emit(events.Heartbeat(process.memory_info().rss, process.cpu_percent(), usage, memory))

    thread = threading.Thread(target=beat, daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


def _gpu() -> tuple[float | None, int | None]:
    cuda = getattr(sys.modules.get("torch"), "cuda", None)  # torch may be half imported
    if cuda is None or not hasattr(cuda, "utilization") or not cuda.is_available():
        return None, None
    with suppress(Exception):  # needs NVML, which not every installation has
        return float(cuda.utilization()), int(cuda.memory_allocated())
    return None, int(cuda.memory_allocated())


# -- the run folder --------------------------------------------------------------------------


def _record(run: RunFolder, options: Options, plan: Plan) -> None:
    tasks = [
        {"node": t.node, "class": t.type.id, "key": t.key, "links": dict(t.links)} for t in plan
    ]
    with suppress(OSError):
        files.write(run.path / "plan.json", json.dumps(tasks, indent=1).encode())


def _link_outputs(run: RunFolder, outputs: Sequence[str]) -> None:
    with suppress(OSError):
        folder = run.path / "outputs"
        files.make_folder(folder)
        for path in map(Path, outputs):
            link = folder / path.name
            if not link.is_symlink():
                link.symlink_to(path)


def main(argv: Sequence[str]) -> int:
    """Entry point of a detached worker: lower priority, deaf to hang-ups."""
    yield_processors()
    with suppress(OSError, AttributeError):
        os.nice(5)
    if hasattr(signal, "SIGHUP"):
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        result = execute_run(RunFolder(Path(argv[0])))
    except UserError as error:
        print(clean(str(error)), file=sys.stderr)
        return 2
    return {"done": 0, "failed": 1}.get(result.status, 130)


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
