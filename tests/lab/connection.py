"""A client of HTTP/1.1 on one connection, which notices what libraries conceal: an end that nobody announced."""

from __future__ import annotations

import io
import json
import select
import socket
import ssl
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from email.message import Message
from http.client import parse_headers
from types import TracebackType
from typing import Any

ANSWER_SECONDS = 120
"""How long an answer may take, on a machine that is busy."""
PIECE = 65536


def opened(host: str, port: int, authority: str, seconds: float) -> socket.socket:
    """Return a connection.

    Args:
        host: the server's name or address.
        port: its port.
        authority: file with the authority of its certificate; empty where it speaks in clear.
        seconds: how long it may take, and any answer on it.
    """
    plain = socket.create_connection((host, port), timeout=seconds)
    plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    if not authority:
        return plain
    try:
        return ssl.create_default_context(cafile=authority).wrap_socket(plain, server_hostname=host)
    except OSError:
        plain.close()
        raise


class ConnectionFault(AssertionError):
    """The connection ended without a word, or something came over it that nobody had asked for."""


@dataclass(frozen=True)
class Answer:
    """What a server answered."""

    status: int
    headers: Message
    body: bytes
    announced: bool
    """Whether it says that the connection ends with it."""

    def json(self) -> Any:
        """Return the body, which is JSON."""
        return json.loads(self.body)


class Connection:
    """One connection at a time; the next request after an announced end opens another."""

    def __init__(self, host: str, port: int, authority: str = "") -> None:
        """Take the server's address, and the authority of its certificate; nothing is sent yet."""
        self.host, self.port, self.authority = host, port, authority
        self.opened = 0
        """How many connections it has taken."""
        self._socket: socket.socket | None = None
        self._received = b""
        self._last = "nothing"

    def __enter__(self) -> Connection:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close it, if it is open."""
        if self._socket:
            self._socket.close()
        self._socket = None
        self._received = b""

    def ask(
        self,
        method: str,
        path: str,
        body: bytes = b"",
        headers: Mapping[str, str] | None = None,
        *,
        pause: float = 0,
    ) -> Answer:
        """Send a request and return the answer.

        Args:
            method: the method.
            path: the path, with the query.
            body: the body; it is sent with its length.
            headers: headers beside Host and Content-Length.
            pause: seconds between the head and the body.

        Raises:
            ConnectionFault: the connection was closed without having been announced, before or instead of the answer.
        """
        self.check()
        sent = {"Host": f"{self.host}:{self.port}", "Content-Length": str(len(body)), **(headers or {})}
        head = "".join(f"{line}\r\n" for line in (f"{method} {path} HTTP/1.1", *(f"{k}: {v}" for k, v in sent.items())))
        try:
            if self._socket is None:
                self._socket = opened(self.host, self.port, self.authority, ANSWER_SECONDS)
                self.opened += 1
            self._socket.sendall(f"{head}\r\n".encode() + (b"" if pause else body))
            if pause:
                time.sleep(pause)
                self._socket.sendall(body)
            answer = self._answer(method)
        except OSError as error:
            self.close()
            raise ConnectionFault(f"{method} {path} after {self._last}: {error!r}") from None
        self._last = f"{method} {path} ({answer.status})"
        if answer.announced:
            self.close()
        return answer

    def check(self, seconds: float = 0) -> None:
        """See that the connection is still there, with nothing on it.

        Args:
            seconds: how long to watch it.

        Raises:
            ConnectionFault: it was closed, or bytes have come after the last answer.
        """
        if self._socket is None:
            return
        if self._received or select.select([self._socket], [], [], seconds)[0]:
            try:
                self._socket.setblocking(False)
                found = self._received or self._socket.recv(PIECE)
            except ssl.SSLWantReadError:
                # Something between the ends of TLS, such as a ticket for the next connection.
                self._socket.settimeout(ANSWER_SECONDS)
                return
            except OSError as error:
                found = repr(error).encode()
            self.close()
            raise ConnectionFault(f"after {self._last}: {found[:200]!r}" if found else f"closed after {self._last}")

    def _answer(self, method: str) -> Answer:
        """Read one answer: how long it is, see RFC 9112, section 6.3."""
        status = 100
        while status < 200:
            first, _, rest = self._until(b"\r\n\r\n").partition(b"\r\n")
            protocol, code = first.split()[:2]
            status, headers = int(code), parse_headers(io.BytesIO(rest))
        tokens = {token.strip().lower() for line in headers.get_all("Connection", []) for token in line.split(",")}
        announced = "close" in tokens or (protocol == b"HTTP/1.0" and "keep-alive" not in tokens)
        if method == "HEAD" or status in (204, 304):
            body = b""
        elif "chunked" in headers.get("Transfer-Encoding", "").lower():
            body = b"".join(iter(self._chunk, b""))
        elif "Content-Length" in headers:
            length = int(headers["Content-Length"])
            body = self._take(lambda: length if len(self._received) >= length else None)
        else:
            body, announced = self._rest(), True
        return Answer(status, headers, body, announced)

    def _chunk(self) -> bytes:
        size = int(self._until(b"\r\n").partition(b";")[0], 16)
        chunk = self._take(lambda: size + 2 if len(self._received) >= size + 2 else None)
        return chunk.removesuffix(b"\r\n")

    def _until(self, mark: bytes) -> bytes:
        """Return what comes until a mark, and the mark."""

        def length() -> int | None:
            found = self._received.find(mark)
            return None if found < 0 else found + len(mark)

        return self._take(length)

    def _take(self, length: Callable[[], int | None]) -> bytes:
        """Receive until it is known how many bytes to take, and take them."""
        while (size := length()) is None:
            if not self._more():
                raise ConnectionResetError(f"closed after {len(self._received)} bytes of an answer")
        taken, self._received = self._received[:size], self._received[size:]
        return taken

    def _rest(self) -> bytes:
        while self._more():
            pass
        taken, self._received = self._received, b""
        return taken

    def _more(self) -> bool:
        assert self._socket
        piece = self._socket.recv(PIECE)
        self._received += piece
        return bool(piece)
