"""A small WebSocket client (RFC 6455): whole messages in, text out, pings answered.

No extensions, no compression: what a ComfyUI server sends needs neither.
"""

from __future__ import annotations

import base64
import hashlib
import secrets
import select
import socket
import ssl
import struct
import time
from contextlib import suppress
from urllib.parse import urlsplit

LARGEST = 64 << 20
"""Bytes of one message that are accepted."""
_MAGIC = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
_CONTINUED, _TEXT, _BINARY, _CLOSE, _PING, _PONG = 0, 1, 2, 8, 9, 10
_HEADER_LIMIT = 64 << 10


class WebSocket:
    """An open connection. Every method raises ConnectionError (an OSError) when it is lost."""

    def __init__(self, url: str, timeout: float = 10.0) -> None:
        """Connect to ``ws://`` or ``wss://`` within ``timeout`` seconds."""
        parts = urlsplit(url)
        secure = parts.scheme == "wss"
        host = parts.hostname or ""
        plain = socket.create_connection(
            (host, parts.port or (443 if secure else 80)), timeout=timeout
        )
        try:
            self._socket: socket.socket = (
                ssl.create_default_context().wrap_socket(plain, server_hostname=host)
                if secure
                else plain
            )
            self._buffer = b""
            self._parts: list[bytes] = []
            self._kind = 0
            self._shake_hands(parts.netloc, f"{parts.path or '/'}?{parts.query}", timeout)
        except BaseException:
            plain.close()
            raise

    def send(self, text: str) -> None:
        self._send_frame(_TEXT, text.encode())

    def receive(self, timeout: float) -> str | bytes | None:
        """The next message; None if none is complete within ``timeout`` seconds."""
        deadline = time.monotonic() + timeout
        while True:
            frame = self._frame()
            if frame is None:
                if not self._read_more(deadline - time.monotonic()):
                    return None
                continue
            final, kind, data = frame
            if kind == _CLOSE:
                raise ConnectionError("the server closed the connection")
            if kind == _PING:
                self._send_frame(_PONG, data)
            if kind not in (_CONTINUED, _TEXT, _BINARY):
                continue
            self._kind = kind or self._kind
            self._parts.append(data)
            if sum(map(len, self._parts)) > LARGEST:
                raise ConnectionError("the server sent a message that is too large")
            if final:
                message, self._parts = b"".join(self._parts), []
                return message.decode("utf-8", "replace") if self._kind == _TEXT else message

    def close(self) -> None:
        with suppress(OSError):
            self._send_frame(_CLOSE, b"")
        self._socket.close()

    # -- frames ----------------------------------------------------------------------------

    def _frame(self) -> tuple[bool, int, bytes] | None:
        """(last of its message, kind, content) of the first whole frame in the buffer."""
        data = self._buffer
        if len(data) < 2:
            return None
        length, start = data[1] & 127, 2
        if length == 126:
            start = 4
            length = int.from_bytes(data[2:4]) if len(data) >= 4 else 0
        elif length == 127:
            start = 10
            length = int.from_bytes(data[2:10]) if len(data) >= 10 else 0
        if length > LARGEST or data[1] & 128:
            raise ConnectionError("the server sent a frame that is not allowed")
        if len(data) < start + length:
            return None
        self._buffer = data[start + length :]
        return bool(data[0] & 128), data[0] & 15, data[start : start + length]

    def _read_more(self, seconds: float) -> bool:
        pending = isinstance(self._socket, ssl.SSLSocket) and self._socket.pending() > 0
        if not pending and not select.select([self._socket], [], [], max(0.0, seconds))[0]:
            return False
        try:
            data = self._socket.recv(1 << 16)
        except TimeoutError:
            return False
        if not data:
            raise ConnectionError("the connection was lost")
        self._buffer += data
        return True

    def _send_frame(self, kind: int, data: bytes) -> None:
        length = len(data)
        if length < 126:
            head = bytes([128 | kind, 128 | length])
        elif length < 1 << 16:
            head = bytes([128 | kind, 128 | 126]) + struct.pack(">H", length)
        else:
            head = bytes([128 | kind, 128 | 127]) + struct.pack(">Q", length)
        mask = secrets.token_bytes(4)
        masked = bytes(byte ^ mask[i & 3] for i, byte in enumerate(data))
        self._socket.sendall(head + mask + masked)

    def _shake_hands(self, netloc: str, target: str, timeout: float) -> None:
        key = base64.b64encode(secrets.token_bytes(16)).decode()
        self._socket.sendall(
            f"GET {target} HTTP/1.1\r\nHost: {netloc}\r\nUpgrade: websocket\r\n"
            f"Connection: Upgrade\r\nSec-WebSocket-Key: {key}\r\n"
            f"Sec-WebSocket-Version: 13\r\n\r\n".encode()
        )
        deadline = time.monotonic() + timeout
        while b"\r\n\r\n" not in self._buffer:
            if len(self._buffer) > _HEADER_LIMIT or not self._read_more(
                deadline - time.monotonic()
            ):
                raise ConnectionError("no answer to the WebSocket handshake")
        head, _, self._buffer = self._buffer.partition(b"\r\n\r\n")
        proof = base64.b64encode(hashlib.sha1((key + _MAGIC).encode()).digest())
        first, *rest = head.split(b"\r\n")
        fields = {
            name.strip().lower(): value.strip()
            for name, _, value in (line.partition(b":") for line in rest)
        }
        if b" 101" not in first or fields.get(b"sec-websocket-accept") != proof:
            raise ConnectionError("the server does not speak WebSocket here")
