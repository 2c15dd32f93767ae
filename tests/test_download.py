"""Downloads, from a server on the loopback interface that can misbehave."""

import hashlib
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import torch

from nst_graph import download as module
from nst_graph import encoders
from nst_graph.download import download
from nst_graph.errors import UserError
from nst_graph.style.architecture import Architecture
from nst_graph.style.encoder import load_encoder
from nst_graph.style.weights_lookup import TORCHVISION, features_file, hub_file
from nst_graph.values import EncoderChoice

CONTENT = bytes(range(256)) * 8192  # 2 MB
DIGEST = hashlib.sha256(CONTENT).hexdigest()


class Server(ThreadingHTTPServer):
    """Serves ``content`` at every path; ``cuts`` lists how many bytes each next answer sends."""

    content = CONTENT
    ranges = True
    status = 200
    wrong_range = False
    announce = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.cuts: list[int] = []
        self.asked: list[str | None] = []
        self.url = f"http://127.0.0.1:{self.server_port}/file.bin"


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        server = self.server
        wanted = self.headers.get("Range")
        server.asked.append(wanted)
        whole = len(server.content)
        start = int(wanted[6:-1]) if wanted and server.ranges else 0
        if server.status != 200:
            self.send_error(server.status)
            return
        if start >= whole:
            self.send_response(416)
            self.send_header("Content-Range", f"bytes */{whole}")
            self.end_headers()
            return
        self.send_response(206 if wanted and server.ranges else 200)
        if wanted and server.ranges:
            told = 0 if server.wrong_range else start
            self.send_header("Content-Range", f"bytes {told}-{whole - 1}/{whole}")
        if server.announce:
            self.send_header("Content-Length", str(whole - start))
        self.end_headers()
        stop = start + server.cuts.pop(0) if server.cuts else whole
        self.wfile.write(server.content[start:stop])

    def log_message(self, *arguments: object) -> None:
        pass


@pytest.fixture
def server(monkeypatch):
    monkeypatch.setattr(module, "_PAUSE", 0.01)
    with Server() as running:
        threading.Thread(target=running.serve_forever, args=(0.01,), daemon=True).start()
        yield running
        running.shutdown()


@pytest.fixture
def target(tmp_path: Path) -> Path:
    return tmp_path / "cache" / "file.bin"


def files_beside(target: Path) -> dict[str, int]:
    return {path.name: path.stat().st_size for path in target.parent.iterdir()}


def test_a_file_arrives_whole_with_progress_and_leaves_nothing_else(server, target):
    seen: list[tuple[int, int | None]] = []
    download(server.url, target, DIGEST[:8], lambda *now: seen.append(now))
    assert target.read_bytes() == CONTENT
    assert files_beside(target) == {"file.bin": len(CONTENT)}
    assert seen == sorted(seen) and seen[-1] == (len(CONTENT), len(CONTENT)) and len(seen) > 4
    assert server.asked == [None]
    download(server.url, target, DIGEST[:8])
    assert server.asked == [None]


def test_a_broken_connection_is_resumed_where_it_broke(server, target):
    server.cuts = [700_000, 1, 900_000]
    download(server.url, target, DIGEST)
    assert target.read_bytes() == CONTENT
    assert server.asked == [None, "bytes=700000-", "bytes=700001-", "bytes=1600001-"]


def test_after_giving_up_the_next_call_goes_on(server, target):
    server.cuts = [500_000, 0, 0, 0]
    with pytest.raises(UserError, match=r"stopped after 0\.5 MB .* goes on from there"):
        download(server.url, target, DIGEST)
    assert files_beside(target).get("file.bin.part") == 500_000 and not target.exists()
    seen: list[int] = []
    download(server.url, target, DIGEST, lambda done, total: seen.append(done))
    assert target.read_bytes() == CONTENT and seen[0] > 500_000
    assert server.asked[-1] == "bytes=500000-"


def test_an_interrupt_by_the_user_keeps_what_has_arrived(server, target):
    def interrupt(done: int, total: int | None) -> None:
        if done > 1_000_000:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        download(server.url, target, DIGEST, interrupt)
    assert files_beside(target)["file.bin.part"] > 1_000_000
    download(server.url, target, DIGEST)
    assert target.read_bytes() == CONTENT and server.asked[-1] != "bytes=0-"


def test_another_content_is_refused_and_not_kept(server, target):
    with pytest.raises(UserError, match=f"begins with {DIGEST[:8]}, not 01234567"):
        download(server.url, target, "01234567")
    assert not target.exists()
    assert files_beside(target).get("file.bin.part", 0) == 0


def test_a_piece_of_an_older_file_is_thrown_away(server, target):
    target.parent.mkdir()
    target.with_name("file.bin.part").write_bytes(b"x" * 1000)
    download(server.url, target, DIGEST)
    assert target.read_bytes() == CONTENT and server.asked == ["bytes=1000-", None]


@pytest.mark.parametrize("surplus", [0, 5])
def test_a_piece_as_long_as_the_file_or_longer(server, target, surplus):
    target.parent.mkdir()
    target.with_name("file.bin.part").write_bytes(CONTENT + b"x" * surplus)
    download(server.url, target, DIGEST)
    assert target.read_bytes() == CONTENT


@pytest.mark.parametrize("trouble", [{"ranges": False}, {"wrong_range": True}, {"announce": False}])
def test_servers_that_do_ranges_badly(server, target, trouble):
    for name, value in trouble.items():
        setattr(server, name, value)
    server.cuts = [600_000] if "announce" not in trouble else []
    if "wrong_range" in trouble:
        server.cuts += [0]
    download(server.url, target, DIGEST)
    assert target.read_bytes() == CONTENT


@pytest.mark.parametrize("status", [403, 404, 500])
def test_a_refusal_by_the_server_is_told(server, target, status):
    server.status = status
    with pytest.raises(UserError, match=f"the server says {status}"):
        download(server.url, target, DIGEST)
    assert not target.exists()


def test_no_server_at_all_is_told_at_once(server, target):
    url = server.url
    server.server_close()
    with pytest.raises(UserError, match=r"cannot reach .* refused"):
        download(url, target, DIGEST)


def test_a_folder_that_cannot_be_written_is_told(server, tmp_path):
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(UserError, match="cannot write"):
        download(server.url, tmp_path / "file" / "below" / "file.bin", DIGEST)


def test_two_at_once_download_it_once(server, target):
    threads = [
        threading.Thread(target=download, args=(server.url, target, DIGEST)) for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert target.read_bytes() == CONTENT and server.asked == [None]


def test_fetching_vgg19_downloads_checks_converts_and_works(server, tmp_path, monkeypatch):
    """Everything but the address and the digest is the true path, at a small width."""
    small = Architecture((2, 3, 4, 5, 6), (2, 2, 4, 4, 4))
    state, index = {"classifier.0.weight": torch.ones(7, 5)}, 0
    for block, count in enumerate(small.convs, 1):
        for i in range(1, count + 1):
            shape = small.conv_shape(f"conv{block}_{i}")
            state[f"features.{index}.weight"] = torch.rand(shape)
            state[f"features.{index}.bias"] = torch.rand(shape[:1])
            index += 2
        index += 1
    torch.save(state, tmp_path / "made.pth")
    server.content = (tmp_path / "made.pth").read_bytes()
    digest = hashlib.sha256(server.content).hexdigest()
    file = f"vgg19-{digest[:8]}.pth"
    monkeypatch.setitem(TORCHVISION, "vgg19", (small, "VGG19_Weights", file))
    monkeypatch.setattr(encoders, "_address", lambda name: server.url)
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    models = tmp_path / "models"
    with pytest.raises(UserError, match="are not on this machine"):
        encoders.fetch("vgg19", models)  # NST_OFFLINE is set for all tests
    assert server.asked == []
    monkeypatch.delenv("NST_OFFLINE")
    server.cuts = [3000, 0, 0, 0]
    with pytest.raises(UserError, match="encoder=compact` works now"):
        encoders.fetch("vgg19", models)
    seen: list[int] = []
    warnings: list[str] = []
    found = encoders.fetch(
        "vgg19", models, lambda done, total: seen.append(done), False, warnings.append
    )
    assert found == features_file("vgg19", models) and hub_file("vgg19").name == file
    assert seen[-1] == len(server.content) and server.asked[-1] == "bytes=3000-"
    assert warnings == []
    hub_file("vgg19").unlink()
    encoder = load_encoder(EncoderChoice("vgg19"), models)
    assert encoder.weights == encoders.ready("vgg19", models)
    assert torch.equal(encoder.parameters["conv3_4"][0], state["features.16.weight"])
