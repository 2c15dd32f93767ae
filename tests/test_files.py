"""Writing is whole or absent, and names never lead out of their folder."""

from __future__ import annotations

import errno
import os
import threading
from pathlib import Path
from typing import Any

import pytest

from nst_graph import files
from nst_graph.errors import UserError
from nst_graph.folders import Folders
from nst_graph.text import clean, shorten


def test_a_failing_write_leaves_the_old_content_and_no_litter(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = tmp_path / "result"
    files.write(target, b"old")
    for name in ("fsync", "replace"):

        def fail(*_: Any) -> None:
            raise OSError(errno.ENOSPC, "No space left on device")

        with monkeypatch.context() as patch:
            patch.setattr(os, name, fail)
            with pytest.raises(OSError, match="No space"):
                files.write(target, b"new")
        assert target.read_bytes() == b"old"
        assert os.listdir(tmp_path) == ["result"]


def test_a_rename_happens_after_the_content_is_synced_and_before_the_folder_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    order: list[str] = []
    fsync, replace = os.fsync, os.replace

    def record_fsync(descriptor: int) -> None:
        kind = "folder" if os.path.isdir(f"/proc/self/fd/{descriptor}") else "content"
        order.append(kind)
        fsync(descriptor)

    def record_replace(a: Any, b: Any) -> None:
        order.append("rename")
        replace(a, b)

    monkeypatch.setattr(os, "fsync", record_fsync)
    monkeypatch.setattr(os, "replace", record_replace)
    files.write(tmp_path / "x", b"data")
    assert order == ["content", "rename", "folder"]


def test_publishing_never_replaces_a_file(tmp_path: Path) -> None:
    def name(n: int) -> Path:
        return tmp_path / f"p_{n}"

    (tmp_path / "p_1").write_text("mine")
    assert files.publish(b"a", name) == tmp_path / "p_2"
    assert (tmp_path / "p_1").read_text() == "mine"


def test_publishing_from_many_threads_gives_every_one_its_own_file(tmp_path: Path) -> None:
    def work(index: int) -> None:
        for round_ in range(10):
            files.publish(f"{index}.{round_}".encode(), lambda n: tmp_path / f"p_{n}")

    threads = [threading.Thread(target=work, args=(i,)) for i in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    contents = sorted(path.read_text() for path in tmp_path.iterdir())
    assert contents == sorted(f"{i}.{r}" for i in range(8) for r in range(10))


def test_publishing_works_without_hard_links(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_links(*_: Any) -> None:
        raise OSError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(os, "link", no_links)
    (tmp_path / "p_1").write_text("mine")
    path = files.publish(b"data", lambda n: tmp_path / f"p_{n}")
    assert path.read_bytes() == b"data" and (tmp_path / "p_1").read_text() == "mine"


def folders(root: Path) -> Folders:
    return Folders((root / "input",), root / "output", root / "temp", root / "models")


@pytest.fixture
def place(tmp_path: Path) -> Path:
    for name in ("input/sub", "input_secret", "output"):
        (tmp_path / name).mkdir(parents=True)
    for name in ("input/a.png", "input/sub/b.png", "input_secret/x", "secret", "output/o.png"):
        (tmp_path / name).write_text("picture")
    (tmp_path / "input" / "link.png").symlink_to(tmp_path / "secret")
    (tmp_path / "input" / "linked").symlink_to(tmp_path / "input_secret")
    (tmp_path / "input" / "inner.png").symlink_to(tmp_path / "input" / "a.png")
    (tmp_path / "input" / "loop").symlink_to(tmp_path / "input" / "loop")
    os.mkfifo(tmp_path / "input" / "pipe.png")
    return tmp_path


TRICKS = [
    "",
    " ",
    ".",
    "..",
    "../secret",
    "../input_secret/x",
    "sub/../../secret",
    "sub/../a.png",
    "./../secret",
    "..\\secret",
    "sub\\..\\..\\secret",
    "/etc/passwd",
    "//etc/passwd",
    "\\\\server\\share\\x",
    "C:\\Windows\\win.ini",
    "C:x",
    "c:/x",
    "~/x",
    "~root/x",
    "link.png",
    "linked/x",
    "loop",
    "pipe.png",
    "sub",
    "a.png\0",
    "\0",
    "a.png/x",
    "nul",
    "CON.png",
    "sub/aux.txt",
    "COM1",
    "x" * 300,
    "sub/" + "y" * 5000,
    "../secret [input]",
    "../secret [output]",
    "/etc/passwd [temp]",
    "a.png [models]",
    "a.png  [input]",
    "file:///etc/passwd",
    "/dev/zero",
    "/proc/self/mem",
    "....//....//secret",
    "..%2fsecret",
    "%2e%2e/secret",
    "\uff0e\uff0e/secret",
    "a.png\n",
    "missing.png",
]


@pytest.mark.parametrize("name", TRICKS)
def test_no_name_leads_out_of_the_input_folder(place: Path, name: str) -> None:
    with pytest.raises(UserError) as caught:
        folders(place).find(name)
    message = str(caught.value)
    assert clean(message) == message and "Traceback" not in message


def test_names_inside_the_folder_are_found(place: Path) -> None:
    found = folders(place).find
    assert found("a.png").name == "a.png"
    assert found("sub/b.png").name == "b.png"
    assert found("inner.png").name == "a.png"
    assert found("a.png [input]").name == "a.png"
    assert found("o.png [output]").parent.name == "output"


def test_clean_leaves_no_control_or_bidi_character() -> None:
    hostile = "a\x1b]52;c;Z\x07b\x9b31mc\u202ed\u200be\x7ff\ud800g\u2028h\U000e0041"
    shown = clean(hostile)
    assert not any(ord(c) < 32 or 0x7F <= ord(c) < 0xA0 for c in shown)
    assert "\u202e" not in shown and "\u200b" not in shown and "\U000e0041" not in shown
    assert (
        clean("plain text\nand\ttab — ünïcode 漢字 🎨") == "plain text\nand\ttab — ünïcode 漢字 🎨"
    )
    assert "\n" not in shorten("a\nb" * 100, 20) and len(shorten("a" * 99, 20)) == 20


def test_reading_is_limited_and_says_what_is_wrong(tmp_path: Path) -> None:
    (tmp_path / "big").write_bytes(b"x" * 100)
    with pytest.raises(UserError, match="larger"):
        files.read_limited(tmp_path / "big", 99)
    with pytest.raises(UserError, match="no such file"):
        files.read_limited(tmp_path / "none")
    with pytest.raises(UserError, match="not a file"):
        files.read_limited(tmp_path)
