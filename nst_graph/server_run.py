"""A run on a ComfyUI server, told in our own events, so that every screen follows it unchanged.

The server's websocket is the news and its history the truth: what the news missed, because the
connection broke, is taken from there.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, suppress
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from nst_graph import events, files
from nst_graph.comfy_client import Server, Unreachable
from nst_graph.control import Control
from nst_graph.document import read, to_workflow
from nst_graph.errors import UserError
from nst_graph.folders import Folders, refuse_unsafe_name
from nst_graph.graph import check
from nst_graph.prepare import make_folders
from nst_graph.registry import NodeType
from nst_graph.runner import Result
from nst_graph.runs import RunFolder
from nst_graph.server_news import GREETING, News
from nst_graph.server_types import declared_types
from nst_graph.text import shorten

if TYPE_CHECKING:
    import networkx as nx

ASK_HISTORY = 2.0
"""Seconds between two looks at the history."""
RECONNECT = 5.0
LOST_AFTER = 30.0
"""A prompt that is neither queued nor finished for so many seconds is lost."""
_NUMBERED = re.compile(r"(?s)(.*?)_?\d{5,}_?")


Signals = Callable[[Control], AbstractContextManager[None]]
"""Turns signals into wishes while a block runs."""


def execute_on_server(run: RunFolder, emit: events.Emit, signals: Signals) -> Result:
    """Queue the graph of ``run`` on its server, follow it to its end and fetch the pictures.

    Raises:
        UserError: the server cannot be reached, or (GraphError) refuses the graph.
    """
    options = run.options()
    server = Server(options.server)
    folders = make_folders([Path(folder) for folder in options.inputs], options)
    types = declared_types(server.object_info())
    document = read(run.graph, types)
    checked = check(document, types).graph
    graph = server_graph(document.nodes, checked, folders, server)
    _announce(run, checked, emit)
    news = News(run.path, checked, emit)
    control = Control(run.path / "control.jsonl", emit, _refuse)
    follower = _Follower(server, news, control, folders.output, emit)
    with signals(control):
        return follower.follow(graph, {"workflow": to_workflow(graph, types)})


def server_graph(
    nodes: Mapping[str, Mapping[str, Any]],
    checked: nx.DiGraph[str],
    folders: Folders,
    server: Server,
) -> dict[str, dict[str, Any]]:
    """The graph as the server wants it: every required input given, its pictures uploaded.

    A picture of ours goes before one of the server's that has the same name.

    Raises:
        UserError: a picture is neither here nor there.
    """
    graph: dict[str, dict[str, Any]] = {}
    sent: dict[str, str] = {}
    for node, data in checked.nodes(data=True):
        known: NodeType = data["type"]
        inputs = dict(nodes[node].get("inputs", {}))
        for name, item in known.inputs.items():
            if name not in inputs and item.required and name in data["values"]:
                inputs[name] = data["values"][name]
            value = inputs.get(name)
            if item.options.get("image_upload") and isinstance(value, str):
                if value not in sent:
                    sent[value] = _uploaded(value, item.choices or (), folders, server)
                inputs[name] = sent[value]
        graph[node] = {**nodes[node], "inputs": inputs}
    return graph


def _uploaded(name: str, there: tuple[Any, ...], folders: Folders, server: Server) -> str:
    """The server's name for a picture of ours; a name that only the server has stays."""
    try:
        path = folders.find(name)
    except UserError:
        if name in there or name.endswith((" [output]", " [temp]")):
            return name
        raise
    return server.upload(name, path.read_bytes())


def _announce(run: RunFolder, graph: nx.DiGraph[str], emit: events.Emit) -> None:
    nodes: dict[str, dict[str, Any]] = {node: graph.nodes[node] for node in graph.nodes}
    emit(
        events.RunStarted(
            run.id,
            list(nodes),
            {node: data["title"] or data["type"].display_name for node, data in nodes.items()},
            {node: data["type"].id for node, data in nodes.items()},
            os.getpid(),
        )
    )


class _Follower:
    """Follows one prompt to its end."""

    def __init__(
        self,
        server: Server,
        news: News,
        control: Control,
        output: Path,
        emit: events.Emit,
    ) -> None:
        self._server = server
        self._prompt = ""
        self._news = news
        self._control = control
        self._output = output
        self._emit = emit
        self._cancelled = False
        self._told: set[str] = set()
        self._socket: Any = None
        self._connect_at = 0.0
        self._seen_at = time.monotonic()

    def follow(self, graph: Mapping[str, Any], extra_pnginfo: Mapping[str, Any]) -> Result:
        """Listen, queue ``graph`` and wait for its end."""
        try:
            self._listen(0.0)
            self._prompt = self._server.queue(graph, extra_pnginfo)
            return self._result(self._finished())
        finally:
            if self._socket is not None:
                self._socket.close()

    def _finished(self) -> dict[str, Any]:
        """The prompt's entry in the history, once it is there."""
        ask_at = 0.0
        while True:
            self._obey()
            self._listen(0.2)
            now = time.monotonic()
            if self._news.over or now >= ask_at:
                ask_at = now + (ASK_HISTORY if not self._news.over else 0.2)
                entry = self._ask()
                if entry is not None:
                    return entry

    def _ask(self) -> dict[str, Any] | None:
        try:
            entry = self._server.history(self._prompt)
            if entry is None and not self._news.over:
                running, waiting = self._server.waiting()
                if self._prompt in waiting:
                    self._tell(f"waits for {len(running) + waiting.index(self._prompt)} others")
                if self._prompt in (*running, *waiting):
                    self._seen_at = time.monotonic()
        except Unreachable as error:
            self._tell(f"{error}; waiting for it")
            return None
        if entry is None and time.monotonic() - self._seen_at > LOST_AFTER:
            raise UserError(f"{self._server.url} has lost the run, probably by a restart")
        return entry

    def _listen(self, seconds: float) -> None:
        """Take in news for ``seconds``, or sleep as long where the connection is lost."""
        deadline = time.monotonic() + seconds
        try:
            if self._socket is None:
                if time.monotonic() < self._connect_at:
                    time.sleep(seconds)
                    return
                self._connect_at = time.monotonic() + RECONNECT
                self._socket = self._server.listen()
                self._socket.send(GREETING)
            while (left := deadline - time.monotonic()) > 0:
                message = self._socket.receive(left)
                if message is not None:
                    self._seen_at = time.monotonic()
                    self._news.take(self._prompt, message)
        except OSError as error:
            self._tell(f"no news from the server ({error}); asking its history instead")
            if self._socket is not None:
                self._socket.close()
            self._socket = None

    def _obey(self) -> None:
        wishes = self._control.poll()
        if (wishes.stop or wishes.stop_now) and not self._cancelled:
            self._cancelled = True
            self._tell("cancelled on the server; queued again it goes on from its step")
            with suppress(UserError):
                self._server.cancel(self._prompt)
        if wishes.paused:
            wishes.paused = False
            self._tell("a run on a server cannot pause; nst stop cancels it")

    def _tell(self, message: str) -> None:
        if message not in self._told:
            self._told.add(message)
            self._emit(events.Note(shorten(message, 300)))

    # -- the end ---------------------------------------------------------------------------

    def _result(self, entry: Mapping[str, Any]) -> Result:
        outputs = entry.get("outputs")
        fetched: dict[str, list[str]] = {}
        for node, shown in (outputs if isinstance(outputs, Mapping) else {}).items():
            for saved in _saved_pictures(shown):
                path = self._fetch(*saved)
                fetched.setdefault(node, []).append(str(path))
        status = self._news.end(entry, fetched)
        if self._cancelled and status == "failed":
            status = "stopped"
        return Result(status, [path for paths in fetched.values() for path in paths])

    def _fetch(self, name: str, subfolder: str) -> Path:
        """Download a picture into our output folder, under the next free number."""
        data = self._server.picture(name, subfolder, "output")
        path = PurePosixPath(subfolder.replace("\\", "/")) / name
        refuse_unsafe_name(str(path))
        match = _NUMBERED.fullmatch(path.stem)
        prefix = match[1] if match and match[1] else path.stem
        folder = self._output.joinpath(*path.parent.parts)
        if not folder.resolve().is_relative_to(self._output.resolve()):
            raise UserError(f"{shorten(str(folder), 200)} leads out of the output folder")
        return files.publish(data, lambda n: folder / f"{prefix}_{n:05d}_{path.suffix}")


def _saved_pictures(shown: Any) -> list[tuple[str, str]]:
    """(file name, sub-folder) of what a node saved in the server's output folder."""
    found = []
    for items in shown.values() if isinstance(shown, Mapping) else ():
        for item in items if isinstance(items, list) else ():
            if isinstance(item, Mapping) and item.get("type") == "output":
                name, subfolder = item.get("filename"), item.get("subfolder", "")
                if isinstance(name, str) and isinstance(subfolder, str):
                    found.append((name, subfolder))
    return found


def _refuse(node: str, name: str, value: Any) -> tuple[str, str, float]:
    raise UserError("weights of a run on a server cannot change")
