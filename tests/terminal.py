"""A program on a pseudo-terminal: what it writes, how fast, and what the screen then shows."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import struct
import sys
import termios
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

import psutil
import pyte

ROOT = Path(__file__).parent.parent


class Terminal:
    """Runs ``argv`` on a pty of ``columns`` × ``rows``; use as a context manager."""

    def __init__(
        self,
        argv: Sequence[str],
        columns: int = 120,
        rows: int = 40,
        env: Mapping[str, str] | None = None,
    ) -> None:
        self.raw = bytearray()
        self.last_write = self.started = time.monotonic()
        self._pid, self._descriptor = pty.fork()
        if self._pid == 0:
            unwanted = ("TMUX", "NO_COLOR", "COLUMNS", "LINES", "SSH_CONNECTION")
            clean = {k: v for k, v in os.environ.items() if k not in unwanted}
            clean |= {"TERM": "xterm-256color", "LANG": "C.UTF-8", "PYTHONPATH": str(ROOT)}
            os.chdir(ROOT)
            fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
            os.execve(argv[0], list(argv), clean | dict(env or {}))
        self.columns, self.rows = columns, rows
        self._lock = threading.Lock()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        self.process = psutil.Process(self._pid)

    def __enter__(self) -> Terminal:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _read(self) -> None:
        while True:
            try:
                ready, _, _ = select.select([self._descriptor], [], [], 0.2)
                data = os.read(self._descriptor, 1 << 16) if ready else None
            except (OSError, ValueError):
                return
            if data == b"":
                return
            if data:
                with self._lock:
                    self.raw += data
                    self.last_write = time.monotonic()

    def resize(self, columns: int, rows: int) -> None:
        self.columns, self.rows = columns, rows
        size = struct.pack("HHHH", rows, columns, 0, 0)
        fcntl.ioctl(self._descriptor, termios.TIOCSWINSZ, size)

    def type(self, keys: str) -> None:
        os.write(self._descriptor, keys.encode())

    def wait_for(self, text: str, seconds: float = 20.0) -> str:
        """The screen once it shows ``text``."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            screen = self.screen()
            if text in screen:
                return screen
            if not self.running:
                break
            time.sleep(0.05)
        raise AssertionError(f"{text!r} did not appear:\n{self.screen()}")

    def settle(self, quiet: float = 0.5, seconds: float = 20.0) -> None:
        """Wait until nothing has been written for ``quiet`` seconds from now on."""
        start = time.monotonic()
        while time.monotonic() < start + seconds:
            if time.monotonic() - max(start, self.last_write) > quiet:
                return
            time.sleep(0.02)

    def screen(self) -> str:
        """What the terminal shows now, by a terminal emulator."""
        shown = pyte.Screen(self.columns, self.rows)
        with self._lock:
            data = bytes(self.raw)
        # the emulator prints the final letter of private sequences it does not know
        for unknown in (b"\x1b[>1u", b"\x1b[<u", b"\x1b[>4;1m", b"\x1b[?2048$p", b"\x1b[?2026$p"):
            data = data.replace(unknown, b"")
        pyte.ByteStream(shown).feed(data)
        return "\n".join(shown.display)

    @property
    def running(self) -> bool:
        try:
            return self.process.is_running() and self.process.status() != psutil.STATUS_ZOMBIE
        except psutil.NoSuchProcess:
            return False

    def measure(self, seconds: float) -> tuple[float, float]:
        """Bytes a second written, and percent of a core used, over ``seconds``."""
        before, used = len(self.raw), sum(self.process.cpu_times()[:2])
        start = time.monotonic()
        time.sleep(seconds)
        passed = time.monotonic() - start
        cpu = sum(self.process.cpu_times()[:2]) - used
        return (len(self.raw) - before) / passed, 100 * cpu / passed

    def echo(self, key: str, seconds: float = 5.0) -> float:
        """Seconds from typing ``key`` to the first byte written after it."""
        before, start = len(self.raw), time.perf_counter()
        self.type(key)
        while time.perf_counter() - start < seconds:
            if len(self.raw) > before:
                return time.perf_counter() - start
            time.sleep(0.0005)
        return seconds

    def close(self) -> None:
        with suppress(ProcessLookupError):
            os.kill(self._pid, 9)
        os.waitpid(self._pid, 0)
        os.close(self._descriptor)


def open_ui(
    start: str, columns: int = 120, rows: int = 40, env: Mapping[str, str] | None = None
) -> Terminal:
    """The terminal UI of this checkout on a pty, in the test's own home."""
    code = f"import sys; from nst_graph.tui.app import main; sys.exit(main({start!r}))"
    return Terminal([sys.executable, "-c", code], columns, rows, env)
