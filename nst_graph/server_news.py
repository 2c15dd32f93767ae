"""What a ComfyUI server tells of a run, as our own events."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from nst_graph import events, files
from nst_graph.comfy_host import STEP_MESSAGE
from nst_graph.plan import term_labels
from nst_graph.registry import NodeType
from nst_graph.text import shorten

if TYPE_CHECKING:
    from pathlib import Path

    import networkx as nx

GREETING = json.dumps(
    {"type": "feature_flags", "data": {"supports_preview_metadata": True, STEP_MESSAGE: True}}
)
"""A client's first message: what it understands."""
PREVIEW_SECONDS = 0.5
PREVIEWS_KEPT = 200
_PREVIEW, _PREVIEW_WITH_METADATA = 1, 4
_SUFFIXES = {b"\xff\xd8": "jpg", b"\x89P": "png"}
_ENDS = ("execution_success", "execution_error", "execution_interrupted")
_NOT_A_NUMBER = float("nan")


class News:
    """Turns the server's messages about one prompt into events of one run."""

    def __init__(self, folder: Path, graph: nx.DiGraph[str], emit: events.Emit) -> None:
        """``graph`` is a checked one; previews are written below ``folder``."""
        self.over = False
        self._folder = folder
        self._graph = graph
        self._emit = emit
        self._running: str | None = None
        self._started: dict[str, float] = {}
        self._settled: set[str] = set()
        self._steps: dict[str, int] = {}
        self._measured: set[str] = set()
        self._preview_at = 0.0
        self._previews: list[Path] = []
        self._gap = PREVIEW_SECONDS

    # -- while it runs ---------------------------------------------------------------------

    def take(self, prompt: str, message: str | bytes) -> None:
        """One websocket message. What is not about ``prompt`` or not understood is ignored."""
        if isinstance(message, bytes):
            self._binary(message)
            return
        try:
            told = json.loads(message)
            kind, data = told["type"], told["data"]
        except (ValueError, KeyError, TypeError, RecursionError):
            return
        if isinstance(data, Mapping) and data.get("prompt_id", prompt) == prompt:
            self._message(str(kind), data)

    def _message(self, kind: str, data: Mapping[str, Any]) -> None:
        match kind:
            case "execution_cached":
                for node in data.get("nodes") or ():
                    self._cached(node)
            case "executing":
                self._executing(data.get("display_node") or data.get("node"))
            case "progress":
                self._progress(data)
            case _ if kind == STEP_MESSAGE:
                self._step(data)
            case _ if kind in _ENDS:
                self.over = data.get("exception_type") != "ExecutionBlocked"

    def _cached(self, node: Any) -> None:
        known = node in self._graph and node not in self._settled
        if known and not self._type(node).is_output:
            self._settled.add(node)
            self._emit(events.NodeCached(node))

    def _executing(self, node: Any) -> None:
        if node == self._running:
            return
        before, self._running = self._running, node if node in self._graph else None
        if before is not None and not self._type(before).is_output:
            self._finished(before, ())
        if self._running is not None and node not in self._started:
            self._started[node] = time.monotonic()
            self._emit(events.NodeStarted(node))

    def _finished(self, node: str, outputs: Sequence[str]) -> None:
        if node not in self._settled:
            self._settled.add(node)
            seconds = time.monotonic() - self._started.get(node, time.monotonic())
            self._emit(events.NodeFinished(node, seconds, list(outputs)))

    def _progress(self, data: Mapping[str, Any]) -> None:
        """A progress bar. Our own nodes tell more: their losses."""
        node = data.get("node")
        if node not in self._graph or node in self._measured:
            return
        step, steps = _whole(data.get("value")), _whole(data.get("max"))
        self._steps[str(node)] = step
        if term_labels(self._graph, str(node)) is None:
            seconds = time.monotonic() - self._started.get(str(node), time.monotonic())
            self._emit(events.Step(str(node), step, steps, seconds=seconds, total=_NOT_A_NUMBER))

    def _step(self, data: Mapping[str, Any]) -> None:
        node = data.get("node")
        if node not in self._graph:
            return
        node = str(node)
        try:
            weighted, raw = ([float(v) for v in data[part]] for part in ("weighted", "raw"))
            own = [shorten(str(name)) for name in data.get("own", ())]
            names = self._names(node, len(weighted), own)
            step = events.Step(
                node=node,
                step=_whole(data["step"]),
                steps=_whole(data["steps"]),
                scale=_whole(data["scale"]),
                scales=_whole(data["scales"]),
                width=_whole(data["width"]),
                height=_whole(data["height"]),
                seconds=float(data["seconds"]),
                evaluations=_whole(data["evaluations"]),
                total=float(data["total"]),
                losses=dict(zip(names, weighted, strict=True)),
                raw=dict(zip(names, raw, strict=True)),
            )
        except (KeyError, TypeError, ValueError, OverflowError):
            return
        self._measured.add(node)
        self._steps[node] = step.step
        self._emit(step)

    def _names(self, node: str, count: int, own: Sequence[str]) -> list[str]:
        labels = [name for name, _ in term_labels(self._graph, node) or ()]
        if len(labels) + len(own) == count:
            return [*labels, *own]
        return [f"term {index + 1}" for index in range(count)]

    def _binary(self, message: bytes) -> None:
        kind = int.from_bytes(message[:4])
        node: Any = self._running
        if kind == _PREVIEW:
            picture = message[8:]
        elif kind == _PREVIEW_WITH_METADATA:
            length = int.from_bytes(message[4:8])
            picture = message[8 + length :]
            try:
                about = json.loads(message[8 : 8 + length])
                node = about.get("display_node_id") or about.get("node_id")
            except (ValueError, AttributeError, RecursionError):
                return
        else:
            return
        suffix = _SUFFIXES.get(picture[:2])
        if suffix is not None and node in self._graph:
            self._preview(str(node), picture, suffix)

    def _preview(self, node: str, picture: bytes, suffix: str) -> None:
        now = time.monotonic()
        if now - self._preview_at < self._gap:
            return
        self._preview_at = now
        step = self._steps.get(node, 0)
        name = f"previews/{node.replace(':', '_')}/{step:06d}.{suffix}"
        try:
            files.write(self._folder / name, picture)
        except OSError:
            return
        self._previews.append(self._folder / name)
        if len(self._previews) > PREVIEWS_KEPT:
            for path in self._previews[1::2]:
                files.remove(path)
            self._previews = self._previews[::2]
            self._gap *= 2
        self._emit(events.Preview(node, step, name))

    # -- the end ---------------------------------------------------------------------------

    def end(self, entry: Mapping[str, Any], fetched: Mapping[str, Sequence[str]]) -> str:
        """Tell what is left to tell from the history's ``entry``; how the run ended.

        ``fetched``: paths of the pictures by the node that saved them.
        """
        messages = _messages(entry)
        failed = messages.get("execution_error", {})
        status = "done" if not failed else "failed"
        if "execution_interrupted" in messages:
            status = "stopped"
        self._missed_losses(entry)
        cached = set(messages.get("execution_cached", {}).get("nodes") or ())
        for node in self._graph:
            outputs = list(fetched.get(node, ()))
            if node in self._settled:
                continue
            if node in cached:
                self._settled.add(node)
                self._emit(events.NodeCached(node, outputs))
            elif status == "done" or outputs or node in (failed.get("executed") or ()):
                self._finished(node, outputs)
        self._failures(failed)
        because = str(failed.get("node_id")) if failed else "the run was stopped"
        for node in self._graph:
            if node not in self._settled:
                self._emit(events.NodeSkipped(node, because))
        return status

    def _failures(self, failed: Mapping[str, Any]) -> None:
        node = str(failed.get("node_id"))
        if not failed or node not in self._graph:
            return
        self._settled.add(node)
        name = self._graph.nodes[node]["title"] or self._type(node).id
        what = str(failed.get("exception_message") or failed.get("exception_type")).strip()
        trace = failed.get("traceback")
        ours = str(failed.get("exception_type", "")).startswith("nst_graph.errors.")
        text = "".join(map(str, trace)) if isinstance(trace, list) and not ours else None
        self._emit(events.NodeFailed(node, f"{name} (#{node}): {shorten(what, 1000)}", text))

    def _missed_losses(self, entry: Mapping[str, Any]) -> None:
        """The course of the losses, where the connection was lost while it was news."""
        outputs = entry.get("outputs")
        for node, shown in outputs.items() if isinstance(outputs, Mapping) else ():
            if node in self._measured or node not in self._graph or node in self._settled:
                continue
            try:
                course = shown["nst_loss"][0]
                points = [
                    [float(v if v is not None else "nan") for v in p] for p in course["points"]
                ]
                labels = [name for name, _ in term_labels(self._graph, node) or ()]
                own = [shorten(str(name)) for name in course["terms"][len(labels) :]]
                names = self._names(node, len(points[-1]) - 2, own)
                last = int(points[-1][0])
                told = [
                    events.Step(
                        node,
                        int(step),
                        last,
                        total=total,
                        losses=dict(zip(names, values, strict=True)),
                    )
                    for step, total, *values in points
                ]
            except (KeyError, TypeError, ValueError, IndexError, OverflowError):
                continue
            for step in told:
                self._emit(step)

    def _type(self, node: str) -> NodeType:
        found: NodeType = self._graph.nodes[node]["type"]
        return found


def _messages(entry: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    """The messages the history kept, by kind."""
    status = entry.get("status")
    kept = status.get("messages") if isinstance(status, Mapping) else None
    return {
        str(message[0]): message[1]
        for message in (kept if isinstance(kept, list) else ())
        if isinstance(message, list)
        and len(message) == 2
        and isinstance(message[1], Mapping)
        and message[1].get("exception_type") != "ExecutionBlocked"
    }


def _whole(value: Any) -> int:
    """A count; 0 for what is none."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) < 1e15:
        return 0
    return int(value)
