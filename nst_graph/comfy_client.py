"""A client of a ComfyUI server: upload, queue, follow, fetch. Only the standard library."""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping
from contextlib import suppress
from http.client import HTTPException
from pathlib import PurePosixPath
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.parse import quote, urlencode, urlsplit
from urllib.request import Request, urlopen

from nst_graph.errors import GraphError, Problem, UserError
from nst_graph.text import shorten
from nst_graph.websocket import WebSocket

TIMEOUT = 30.0
LARGEST = 1 << 30
"""Bytes of one answer that are read."""


class Unreachable(UserError):
    """The server did not answer; it may do so later."""


class Server:
    """One ComfyUI server. ``client`` names this connection: the server sends its news there."""

    def __init__(self, url: str) -> None:
        """``url``: ``http://host:port``, with or without a path.

        Raises:
            UserError: it is no such address.
        """
        if "://" not in url:
            url = f"http://{url}"
        parts = urlsplit(url)
        try:
            well_formed = parts.scheme in ("http", "https") and bool(parts.hostname)
            _ = parts.port
        except ValueError:
            well_formed = False
        if not well_formed or "@" in parts.netloc:
            raise UserError(
                f"{shorten(url, 200)!r} is no address of a server; write http://HOST:PORT"
            )
        self.url = f"{parts.scheme}://{parts.netloc}{parts.path.rstrip('/')}"
        self.client = f"nst-{uuid.uuid4().hex}"

    def object_info(self) -> dict[str, Any]:
        """The declarations of all node classes by id."""
        return self._object(self._json("GET", "/object_info"))

    def system_stats(self) -> dict[str, Any]:
        return self._object(self._json("GET", "/system_stats"))

    def upload(self, name: str, data: bytes) -> str:
        """Put a picture into the server's input folder and return the name it has there.

        The same picture keeps its name; another one that has it gets a number.
        """
        path = PurePosixPath(name.replace("\\", "/"))
        folder = "" if str(path.parent) == "." else str(path.parent)
        mark = uuid.uuid4().hex
        text = "".join(
            f'--{mark}\r\nContent-Disposition: form-data; name="{key}"\r\n\r\n{value}\r\n'
            for key, value in (("type", "input"), ("subfolder", folder))
        )
        shown = path.name.replace('"', "%22").replace("\r", "").replace("\n", "")
        text += (
            f'--{mark}\r\nContent-Disposition: form-data; name="image"; filename="{shown}"\r\n'
            "Content-Type: application/octet-stream\r\n\r\n"
        )
        body = text.encode() + data + f"\r\n--{mark}--\r\n".encode()
        kind = f"multipart/form-data; boundary={mark}"
        answer = self._object(self._json("POST", "/upload/image", body, kind))
        stored, below = str(answer.get("name", "")), str(answer.get("subfolder", ""))
        if not stored:
            raise UserError(f"{self.url}: the server did not say where it put {shorten(name)!r}")
        return f"{below}/{stored}" if below else stored

    def queue(self, graph: Mapping[str, Any], extra_pnginfo: Mapping[str, Any]) -> str:
        """Queue ``graph`` and return its prompt id.

        Raises:
            GraphError: the server refuses the graph, or a part of it.
        """
        body = {
            "prompt": graph,
            "client_id": self.client,
            "extra_data": {"extra_pnginfo": extra_pnginfo},
        }
        try:
            answer = self._json("POST", "/prompt", json.dumps(body).encode(), "application/json")
        except _Refused as refused:
            raise GraphError(_problems(refused.body, graph) or [_whole(refused)]) from None
        answer = self._object(answer)
        told = _problems(answer, graph)
        if told:  # it would run the rest and say nothing more of this
            self.cancel(str(answer.get("prompt_id")))
            raise GraphError(told)
        return str(answer["prompt_id"])

    def history(self, prompt: str) -> dict[str, Any] | None:
        """What is known of a finished prompt; None while it is not."""
        answer = self._object(self._json("GET", f"/history/{quote(prompt)}"))
        found = answer.get(prompt)
        return found if isinstance(found, dict) else None

    def waiting(self) -> tuple[list[str], list[str]]:
        """The ids of the prompts that run and of those that wait, in the order of the queue."""
        answer = self._object(self._json("GET", "/queue"))
        running, pending = (
            [item for item in answer.get(part, []) if isinstance(item, list) and len(item) > 2]
            for part in ("queue_running", "queue_pending")
        )
        pending.sort(key=lambda item: item[0])
        return [str(item[1]) for item in running], [str(item[1]) for item in pending]

    def running_graph(self, prompt: str) -> dict[str, Any] | None:
        """The graph of a prompt that runs or waits."""
        answer = self._object(self._json("GET", "/queue"))
        for part in ("queue_running", "queue_pending"):
            for item in answer.get(part, []):
                if isinstance(item, list) and len(item) > 2 and item[1] == prompt:
                    return self._object(item[2])
        return None

    def cancel(self, prompt: str) -> None:
        """Take ``prompt`` out of the queue, or interrupt it if it runs."""
        for path, body in (
            ("/queue", {"delete": [prompt]}),
            ("/interrupt", {"prompt_id": prompt}),
        ):
            self._call("POST", path, json.dumps(body).encode(), "application/json")

    def picture(self, name: str, subfolder: str, kind: str) -> bytes:
        """A file that the server saved; ``kind`` is output, temp or input."""
        query = urlencode({"filename": name, "subfolder": subfolder, "type": kind})
        return self._call("GET", f"/view?{query}")

    def listen(self) -> WebSocket:
        """The server's news for :attr:`client`. Raises OSError."""
        address = "ws" + self.url.removeprefix("http")
        return WebSocket(f"{address}/ws?clientId={self.client}")

    # -- HTTP ------------------------------------------------------------------------------

    def _json(
        self, method: str, path: str, body: bytes | None = None, kind: str | None = None
    ) -> Any:
        data = self._call(method, path, body, kind)
        try:
            return json.loads(data)
        except (ValueError, RecursionError):
            raise UserError(
                f"{self.url}{path.partition('?')[0]} does not answer like a ComfyUI server"
            ) from None

    def _object(self, value: Any) -> dict[str, Any]:
        if not isinstance(value, dict):
            raise UserError(f"{self.url} does not answer like a ComfyUI server")
        return value

    def _call(
        self, method: str, path: str, body: bytes | None = None, kind: str | None = None
    ) -> bytes:
        headers = {"Content-Type": kind} if kind else {}
        request = Request(self.url + path, data=body, method=method, headers=headers)
        try:
            with urlopen(request, timeout=TIMEOUT) as answer:
                data: bytes = answer.read(LARGEST + 1)
        except HTTPError as error:
            raise _Refused(self.url, path, error.code, error.read(1 << 20)) from None
        except (URLError, HTTPException, OSError) as error:
            reason = getattr(error, "reason", None) or error
            raise Unreachable(
                f"{self.url} cannot be reached: {shorten(str(reason), 200)}"
            ) from None
        if len(data) > LARGEST:
            raise UserError(f"{self.url}: the answer is larger than {LARGEST >> 20} MB")
        return data


class _Refused(UserError):
    def __init__(self, url: str, path: str, status: int, content: bytes) -> None:
        self.body: Any = None
        with suppress(ValueError, RecursionError):
            self.body = json.loads(content)
        said = shorten(content.decode("utf-8", "replace"), 300)
        where = path.partition("?")[0]
        super().__init__(f"{url}{where}: the server says {status} {said}".rstrip())


def _whole(refused: _Refused) -> Problem:
    """The reason for which a whole graph was refused."""
    error = refused.body.get("error") if isinstance(refused.body, dict) else None
    if not isinstance(error, dict):
        return Problem("invalid_prompt", str(refused))
    details = shorten(str(error.get("details") or ""), 300)
    text = shorten(str(error.get("message") or error.get("type")), 300)
    return Problem(
        str(error.get("type")), f"the server says: {text}" + (f" ({details})" if details else "")
    )


def _problems(answer: Any, graph: Mapping[str, Any]) -> list[Problem]:
    """What the server has against single nodes."""
    told = answer.get("node_errors") if isinstance(answer, dict) else None
    if not isinstance(told, dict):
        return []
    found = []
    for node, entry in told.items():
        data = graph.get(node, {})
        for error in entry.get("errors", []) if isinstance(entry, dict) else []:
            extra = error.get("extra_info")
            named = extra.get("input_name") if isinstance(extra, dict) else None
            found.append(
                Problem(
                    str(error.get("type")),
                    f"the server says: {shorten(str(error.get('message')), 300)}",
                    node=str(node),
                    title=data.get("_meta", {}).get("title"),
                    class_type=data.get("class_type"),
                    input=named if isinstance(named, str) else None,
                    hint=shorten(str(error.get("details") or ""), 300) or None,
                )
            )
    return found
