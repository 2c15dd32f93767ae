"""``nst run --server``: our side of a conversation with a server that a small fake plays."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import struct
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from PIL import Image

from nst_graph import cli, events, registry, runs
from nst_graph.comfy_client import Server
from nst_graph.comfy_host import STEP_MESSAGE
from nst_graph.errors import GraphError, UserError
from nst_graph.server_types import declared_types
from nst_graph.websocket import WebSocket

GRAPH = {
    "1": {"class_type": "LoadImage", "inputs": {"image": "photo.png"}, "_meta": {"title": "photo"}},
    "2": {"class_type": "VGGFeatures", "inputs": {"image": ["1", 0]}},
    "3": {
        "class_type": "ContentLoss",
        "inputs": {"features": ["2", 0]},
        "_meta": {"title": "near"},
    },
    "4": {"class_type": "Optimize", "inputs": {"image": ["1", 0], "loss_1": ["3", 0]}},
    "5": {"class_type": "SaveImage", "inputs": {"images": ["4", 0], "filename_prefix": "a/b"}},
}


def _png(colour: str) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (8, 6), colour).save(buffer, "PNG")
    return buffer.getvalue()


class FakeComfy:
    """Answers like a ComfyUI server; ``script`` says what a queued prompt does."""

    def __init__(self) -> None:
        self.queued: list[dict[str, Any]] = []
        self.uploads: dict[str, bytes] = {}
        self.history: dict[str, Any] = {}
        self.running: list[str] = []
        self.cancelled: list[str] = []
        self.refusal: dict[str, Any] | None = None
        self.partly: dict[str, Any] = {}
        self.greetings: list[dict[str, Any]] = []
        self.websocket = True
        self.script: Callable[[FakeComfy, str], None] = paint
        self._clients: list[Any] = []
        self.http = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self.http.daemon_threads = True
        self._thread = threading.Thread(
            target=self.http.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True
        )
        self._thread.start()
        self.url = f"http://127.0.0.1:{self.http.server_address[1]}"

    def close(self) -> None:
        self.http.shutdown()
        self.http.server_close()

    # -- websocket -------------------------------------------------------------------------

    def tell(self, kind: str, **data: Any) -> None:
        self.send(1, json.dumps({"type": kind, "data": data}).encode())

    def send(self, opcode: int, data: bytes, *, pieces: int = 1) -> None:
        deadline = time.monotonic() + 5
        while not self._clients and time.monotonic() < deadline:
            time.sleep(0.01)
        size = -(-len(data) // pieces)
        for index in range(pieces):
            part = data[index * size : (index + 1) * size]
            first = (opcode if index == 0 else 0) | (128 if index == pieces - 1 else 0)
            n = len(part)
            if n < 126:
                head = bytes([first, n])
            elif n < 1 << 16:
                head = bytes([first, 126]) + struct.pack(">H", n)
            else:
                head = bytes([first, 127]) + struct.pack(">Q", n)
            self._clients[-1].write(head + part)

    def hang_up(self) -> None:
        self._clients.pop().close()

    # -- HTTP ------------------------------------------------------------------------------

    def get(self, path: str, query: dict[str, list[str]]) -> Any:
        if path == "/object_info":
            return {name: registry.object_info(node) for name, node in types().items()}
        if path.startswith("/history/"):
            prompt = path.rpartition("/")[2]
            return {prompt: self.history[prompt]} if prompt in self.history else {}
        if path == "/queue":
            return {
                "queue_running": [[0, p, {}, {}, []] for p in self.running],
                "queue_pending": [],
            }
        if path == "/view":
            assert query["type"] == ["output"]
            return _png("red")
        return None

    def post(self, path: str, body: bytes, headers: Any) -> tuple[int, Any]:
        if path == "/upload/image":
            name, content = _multipart(body, headers["Content-Type"])
            while self.uploads.get(name, content) != content:
                name = name.replace(".png", " (1).png")
            self.uploads[name] = content
            return 200, {"name": name, "subfolder": "", "type": "input"}
        asked = json.loads(body)
        if path == "/prompt":
            if self.refusal is not None:
                return 400, self.refusal
            self.queued.append(asked)
            prompt = f"p{len(self.queued)}"
            self.running.append(prompt)
            threading.Thread(target=self.script, args=(self, prompt), daemon=True).start()
            return 200, {"prompt_id": prompt, "number": 1, "node_errors": self.partly}
        if path == "/interrupt":
            self.cancelled.append(asked["prompt_id"])
        return 200, {}

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        fake = self

        class Handler(BaseHTTPRequestHandler):
            def log_message(self, format: str, *args: Any) -> None:
                pass

            def do_GET(self) -> None:
                parts = urlsplit(self.path)
                if parts.path == "/ws":
                    self._websocket()
                    return
                answer = fake.get(parts.path, parse_qs(parts.query))
                self._answer(404 if answer is None else 200, answer)

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                self._answer(*fake.post(self.path, body, self.headers))

            def _answer(self, status: int, answer: Any) -> None:
                data = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            def _websocket(self) -> None:
                if not fake.websocket:
                    self._answer(404, {})
                    return
                key = self.headers["Sec-WebSocket-Key"] + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
                proof = base64.b64encode(hashlib.sha1(key.encode()).digest()).decode()
                self.wfile.write(
                    "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
                    f"Connection: Upgrade\r\nSec-WebSocket-Accept: {proof}\r\n\r\n".encode()
                )
                done = threading.Event()
                connection = self.connection

                class Client:
                    write = staticmethod(self.wfile.write)

                    @staticmethod
                    def close() -> None:
                        done.set()

                fake._clients.append(Client)
                fake._listen(connection, done)
                if Client in fake._clients:
                    fake._clients.remove(Client)
                self.close_connection = True

        return Handler

    def _listen(self, connection: Any, done: threading.Event) -> None:
        data = b""
        connection.settimeout(0.02)
        while not done.is_set():
            try:
                chunk = connection.recv(4096)
            except TimeoutError:
                continue
            except OSError:
                return
            if not chunk:
                return
            data += chunk
            while len(data) >= 2:
                length, start = data[1] & 127, 6
                if length == 126:
                    length, start = struct.unpack(">H", data[2:4])[0], 8
                if len(data) < start + length:
                    break
                mask, body = data[start - 4 : start], data[start : start + length]
                if data[0] & 15 == 1:
                    text = bytes(b ^ mask[i & 3] for i, b in enumerate(body))
                    self.greetings.append(json.loads(text))
                data = data[start + length :]


def _multipart(body: bytes, kind: str) -> tuple[str, bytes]:
    mark = kind.partition("boundary=")[2].encode()
    for part in body.split(b"--" + mark):
        head, _, content = part.partition(b"\r\n\r\n")
        if b'filename="' in head:
            name = head.partition(b'filename="')[2].partition(b'"')[0].decode()
            return name, content.removesuffix(b"\r\n")
    raise AssertionError("no file in the upload")


def types() -> dict[str, registry.NodeType]:
    return registry.node_types()


def finish(fake: FakeComfy, prompt: str, *messages: list[Any], outputs: Any = None) -> None:
    fake.history[prompt] = {
        "outputs": {
            "5": {"images": [{"filename": "b_00042_.png", "subfolder": "a", "type": "output"}]}
        }
        if outputs is None
        else outputs,
        "status": {"status_str": "success", "completed": True, "messages": list(messages)},
    }
    fake.running.remove(prompt)


def step(number: int, total: float = 2.5, node: str = "4") -> dict[str, Any]:
    return {
        "node": node,
        "step": number,
        "steps": 9,
        "scale": 1,
        "scales": 1,
        "width": 8,
        "height": 6,
        "seconds": 0.5 * number,
        "evaluations": number,
        "preview": None,
        "total": total,
        "weighted": [2.0, 0.5],
        "raw": [4.0, 1.0],
        "own": ["total variation"],
    }


def paint(fake: FakeComfy, prompt: str) -> None:
    """A run in which everything goes well; the first two nodes are cached."""
    fake.tell("status", status={})
    fake.tell("execution_cached", nodes=["1", "2"], prompt_id=prompt)
    fake.tell("executing", node="3", display_node="3", prompt_id=prompt)
    fake.tell("executing", node="4", display_node="4", prompt_id=prompt)
    fake.tell("executing", node="99", display_node="99", prompt_id="somebody else's")
    fake.tell("progress", node="4", value=1, max=9, prompt_id=prompt)
    fake.tell(STEP_MESSAGE, **step(1, 5.0))
    fake.send(2, struct.pack(">II", 1, 2) + _png("blue"), pieces=3)
    fake.send(9, b"ping")
    fake.send(2, b"\0\0\0\3not a picture")
    fake.tell(STEP_MESSAGE, **step(9))
    fake.tell("executing", node="5", display_node="5", prompt_id=prompt)
    fake.tell("execution_success", prompt_id=prompt)
    finish(fake, prompt, ["execution_cached", {"nodes": ["1", "2"]}])


@pytest.fixture
def fake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeComfy]:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "graph.json").write_text(json.dumps(GRAPH))
    (tmp_path / "photo.png").write_bytes(_png("green"))
    server = FakeComfy()
    yield server
    server.close()


def run(fake: FakeComfy, *arguments: str) -> int:
    return cli.main(["run", "graph.json", "--server", fake.url, "--quiet", *arguments])


def log() -> list[events.Event]:
    return events.LogReader(runs.find("last").log).read()


def of(kind: type[Any]) -> list[Any]:
    return [event for event in log() if isinstance(event, kind)]


# -- a run ---------------------------------------------------------------------------------


def test_a_run_on_a_server_ends_with_the_picture_in_our_output_folder(
    fake: FakeComfy, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(fake) == 0
    saved = tmp_path / "output" / "a" / "b_00001_.png"
    assert saved.read_bytes() == _png("red")
    assert capsys.readouterr().out.strip() == str(saved)
    assert run(fake) == 0
    assert saved.with_name("b_00002_.png").exists()


def test_the_server_gets_our_pictures_defaults_and_workflow(fake: FakeComfy) -> None:
    fake.uploads["photo.png"] = b"another picture of that name"
    assert run(fake, "--set", "4.steps=9") == 0
    sent = fake.queued[0]
    assert fake.uploads["photo (1).png"] == _png("green")
    assert sent["prompt"]["1"]["inputs"]["image"] == "photo (1).png"
    assert sent["prompt"]["4"]["inputs"]["steps"] == 9
    for node in sent["prompt"].values():
        known = types()[node["class_type"]]
        assert {i.name for i in known.inputs.values() if i.required} <= node["inputs"].keys()
    assert sent["extra_data"]["extra_pnginfo"]["workflow"]["version"] == 0.4
    assert fake.greetings[0]["data"][STEP_MESSAGE] is True


def test_losses_and_previews_arrive_as_our_own_events(fake: FakeComfy) -> None:
    assert run(fake) == 0
    steps = of(events.Step)
    assert [s.step for s in steps] == [1, 9]
    assert steps[-1].losses == {"near": 2.0, "total variation": 0.5}
    assert steps[-1].raw == {"near": 4.0, "total variation": 1.0}
    (preview,) = of(events.Preview)
    path = runs.find("last").path / preview.path
    assert (preview.node, preview.step, path.read_bytes()) == ("4", 1, _png("blue"))
    assert [e.node for e in of(events.NodeCached)] == ["1", "2"]
    assert [e.node for e in of(events.NodeStarted)] == ["3", "4", "5"]
    assert [e.node for e in of(events.NodeFinished)] == ["3", "4", "5"]
    assert runs.summary(runs.find("last")).state == "done"


def test_previews_with_metadata_say_whose_they_are(fake: FakeComfy) -> None:
    def script(fake: FakeComfy, prompt: str) -> None:
        about = json.dumps({"node_id": "4", "display_node_id": "4"}).encode()
        fake.send(2, struct.pack(">II", 4, len(about)) + about + _png("blue"))
        finish(fake, prompt)

    fake.script = script
    assert run(fake) == 0
    assert [p.node for p in of(events.Preview)] == ["4"]


def test_nodes_of_others_show_their_progress_without_losses(
    fake: FakeComfy, tmp_path: Path
) -> None:
    def script(fake: FakeComfy, prompt: str) -> None:
        fake.tell("progress", node="1", value=3, max=7, prompt_id=prompt)
        fake.tell("progress", node="4", value=3, max=7, prompt_id=prompt)
        finish(fake, prompt)

    fake.script = script
    assert run(fake) == 0
    (told,) = of(events.Step)
    assert (told.node, told.step, told.steps, told.losses) == ("1", 3, 7, {})


# -- trouble -------------------------------------------------------------------------------


def test_without_news_the_history_tells_the_losses_and_the_end(
    fake: FakeComfy, tmp_path: Path
) -> None:
    def script(fake: FakeComfy, prompt: str) -> None:
        course = {
            "terms": ["content", "total variation"],
            "points": [[1, 3, 2, 1], [9, 1, 1, None]],
        }
        saved = [{"filename": "b_00042_.png", "subfolder": "a", "type": "output"}]
        finish(fake, prompt, outputs={"4": {"nst_loss": [course]}, "5": {"images": saved}})

    fake.websocket = False
    fake.script = script
    assert run(fake) == 0
    assert (tmp_path / "output" / "a" / "b_00001_.png").exists()
    assert [s.step for s in of(events.Step)] == [1, 9]
    assert of(events.Step)[0].losses == {"near": 2.0, "total variation": 1.0}
    assert any("no news" in note.message for note in of(events.Note))
    assert {e.node for e in of(events.NodeFinished)} == set(GRAPH)


def test_a_broken_connection_is_made_again(
    fake: FakeComfy, monkeypatch: pytest.MonkeyPatch
) -> None:
    from nst_graph import server_run

    monkeypatch.setattr(server_run, "RECONNECT", 0.05)

    def script(fake: FakeComfy, prompt: str) -> None:
        fake.tell(STEP_MESSAGE, **step(1))
        fake.hang_up()
        fake.tell(STEP_MESSAGE, **step(9))
        fake.tell("execution_success", prompt_id=prompt)
        finish(fake, prompt)

    fake.script = script
    assert run(fake) == 0
    assert [s.step for s in of(events.Step)] == [1, 9]


def test_a_node_that_fails_there_fails_here_and_says_why(
    fake: FakeComfy, capsys: pytest.CaptureFixture[str]
) -> None:
    failure = {
        "node_id": "4",
        "executed": ["1", "2", "3"],
        "exception_type": "nst_graph.errors.NodeError",
        "exception_message": "the image is too \x1b[31mlarge\n",
        "traceback": ["a", "b"],
    }

    def script(fake: FakeComfy, prompt: str) -> None:
        fake.tell("execution_error", prompt_id=prompt, **failure)
        finish(fake, prompt, ["execution_error", failure], outputs={})

    fake.script = script
    assert run(fake) == 1
    (failed,) = of(events.NodeFailed)
    assert failed.node == "4"
    assert failed.traceback is None
    assert "\x1b" not in failed.error
    assert "the image is too" in capsys.readouterr().err
    assert [e.node for e in of(events.NodeFinished)] == ["1", "2", "3"]
    assert [(e.node, e.because) for e in of(events.NodeSkipped)] == [("5", "4")]


def test_a_blocked_branch_is_not_the_end_of_the_run(fake: FakeComfy) -> None:
    blocked = {"node_id": "3", "exception_type": "ExecutionBlocked", "exception_message": "no"}

    def script(fake: FakeComfy, prompt: str) -> None:
        fake.tell("execution_error", prompt_id=prompt, **blocked)
        fake.tell(STEP_MESSAGE, **step(9))
        finish(fake, prompt, ["execution_error", blocked])

    fake.script = script
    assert run(fake) == 0
    assert len(of(events.Step)) == 1


def test_stop_cancels_on_the_server_and_exits_with_130(fake: FakeComfy) -> None:
    def script(fake: FakeComfy, prompt: str) -> None:
        fake.tell(STEP_MESSAGE, **step(1))
        cli.main(["stop"])
        while prompt not in fake.cancelled:
            time.sleep(0.01)
        fake.tell("execution_interrupted", prompt_id=prompt)
        finish(fake, prompt, ["execution_interrupted", {"node_id": "4"}], outputs={})

    fake.script = script
    assert run(fake) == 130
    assert runs.summary(runs.find("last")).state == "stopped"


def test_a_server_that_forgot_the_run_is_not_waited_for_for_ever(
    fake: FakeComfy, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from nst_graph import server_run

    monkeypatch.setattr(server_run, "LOST_AFTER", 0.3)
    monkeypatch.setattr(server_run, "ASK_HISTORY", 0.1)
    fake.script = lambda fake, prompt: fake.running.clear()
    assert run(fake) == 2
    assert "lost the run" in capsys.readouterr().err


# -- what is refused -----------------------------------------------------------------------


def test_a_graph_is_checked_against_the_server_before_anything_is_sent(
    fake: FakeComfy, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(fake, "--set", "4.steps=-1") == 2
    (tmp_path / "photo.png").unlink()
    assert run(fake) == 2
    told = capsys.readouterr().err
    assert "steps" in told
    assert "photo.png" in told
    assert fake.queued == []


def test_a_picture_that_only_the_server_has_may_be_named(
    fake: FakeComfy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = fake.get

    def get(path: str, query: dict[str, list[str]]) -> Any:
        answer = real(path, query)
        if path == "/object_info":
            answer["LoadImage"]["input"]["required"]["image"] = (
                ["theirs.png"],
                {"image_upload": True},
            )
        return answer

    monkeypatch.setattr(fake, "get", get)
    (tmp_path / "photo.png").unlink()
    assert run(fake, "--set", "1.image=theirs.png") == 0
    assert fake.queued[0]["prompt"]["1"]["inputs"]["image"] == "theirs.png"
    assert fake.uploads == {}


def test_what_the_server_has_against_a_graph_is_said_by_node_and_input(
    fake: FakeComfy, capsys: pytest.CaptureFixture[str]
) -> None:
    error = {
        "type": "value_not_in_list",
        "message": "Value not in list",
        "details": "encoder: 'x' not in ['y']",
        "extra_info": {"input_name": "encoder"},
    }
    faults = {"2": {"errors": [error], "dependent_outputs": ["5"], "class_type": "VGGFeatures"}}
    fake.refusal = {"error": {"type": "prompt_outputs_failed_validation"}, "node_errors": faults}
    assert run(fake) == 2
    assert "#2, input encoder: the server says: Value not in list" in capsys.readouterr().err
    fake.refusal, fake.partly = None, faults
    fake.script = lambda fake, prompt: None
    with pytest.raises(GraphError) as caught:
        Server(fake.url).queue(GRAPH, {})
    assert caught.value.problems[0].type == "value_not_in_list"
    assert fake.cancelled == ["p1"]


def test_a_hostile_server_cannot_write_outside_the_output_folder(
    fake: FakeComfy, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, subfolder in (("../../b_1.png", ""), ("b.png", "../.."), ("/etc/x.png", "")):

        def script(fake: FakeComfy, prompt: str, name: str = name, below: str = subfolder) -> None:
            saved = {"filename": name, "subfolder": below, "type": "output"}
            finish(fake, prompt, outputs={"5": {"images": [saved]}})

        fake.script = script
        assert run(fake) == 2
    assert not (tmp_path / "output").exists()


@pytest.mark.parametrize(
    "address", ["ftp://h", "http://", "http://h:99999", "http://u:p@h", "file:///etc/passwd"]
)
def test_what_is_no_address_of_a_server_is_said_to_be_none(address: str) -> None:
    with pytest.raises(UserError, match="no address"):
        Server(address)


def test_a_server_that_is_not_there_or_is_no_comfyui_is_named(
    fake: FakeComfy, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fake, "get", lambda path, query: b"<html>hello")
    assert run(fake) == 2
    assert "does not answer like a ComfyUI server" in capsys.readouterr().err
    url = fake.url
    fake.close()
    assert cli.main(["run", "graph.json", "--server", url]) == 2
    assert "cannot be reached" in capsys.readouterr().err


def test_classes_that_cannot_be_read_are_left_out() -> None:
    good = registry.object_info(types()["SaveImage"])
    read = declared_types({"Good": good, "Bad": {"input": 3}, "Worse": None})
    assert list(read) == ["Good"]
    with pytest.raises(UserError, match="no node classes"):
        declared_types({"Bad": {}})


# -- the websocket -------------------------------------------------------------------------


def test_messages_of_every_size_arrive_whole(fake: FakeComfy) -> None:
    socket = WebSocket(f"ws{fake.url.removeprefix('http')}/ws?clientId=x")
    for size in (0, 125, 126, 65535, 65536, 300_000):
        fake.send(2, bytes(size), pieces=1 if size < 2 else 2)
        assert socket.receive(5) == bytes(size)
    assert socket.receive(0.01) is None
    fake.send(1, "grün".encode())
    assert socket.receive(5) == "grün"
    socket.send("x" * 70_000)
    socket.close()


def test_a_frame_without_end_is_refused_before_it_is_read(fake: FakeComfy) -> None:
    socket = WebSocket(f"ws{fake.url.removeprefix('http')}/ws?clientId=x")
    while not fake._clients:
        time.sleep(0.01)
    fake._clients[-1].write(bytes([130, 127]) + struct.pack(">Q", 1 << 62))
    with pytest.raises(ConnectionError, match="not allowed"):
        socket.receive(5)


def test_a_server_without_websockets_is_refused(fake: FakeComfy) -> None:
    fake.websocket = False
    with pytest.raises(ConnectionError, match="WebSocket"):
        WebSocket(f"ws{fake.url.removeprefix('http')}/ws?clientId=x")
