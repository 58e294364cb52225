"""What the programs speak: just enough of each protocol to log in, to ask something, and to see the other side go."""

from __future__ import annotations

import http.client
import select
import socket
import struct
from collections.abc import Sequence
from typing import Protocol

SECONDS = 5.0
TIMEOUT_MS = 10_000


class Refused(OSError):
    """The other side answers, and not as wanted."""


class Client(Protocol):
    """A connection that is kept."""

    def ping(self) -> None:
        """Raise OSError where the other side is gone."""

    def close(self) -> None:
        """End it."""


def dial(server: str) -> socket.socket:
    """Connect to ``host:port``."""
    host, _, port = server.rpartition(":")
    return socket.create_connection((host, int(port)), timeout=SECONDS)


class Stream:
    """A connection by TCP."""

    def __init__(self, server: str) -> None:
        self.socket = dial(server)

    def take(self, length: int) -> bytes:
        """Read exactly so many bytes."""
        taken = b""
        while len(taken) < length:
            part = self.socket.recv(length - len(taken))
            if not part:
                raise Refused("closed by the other side")
            taken += part
        return taken

    def ping(self) -> None:
        """Raise where the other side has closed it."""
        if select.select([self.socket], [], [], 0)[0] and not self.socket.recv(4096):
            raise Refused("closed by the other side")

    def close(self) -> None:
        """End it."""
        self.socket.close()


class Redis(Stream):
    """https://redis.io/docs/latest/develop/reference/protocol-spec/."""

    def __init__(self, server: str, password: str) -> None:
        super().__init__(server)
        if password:
            self.ask("AUTH", password)
        self.ping()

    def ask(self, *words: str) -> str:
        """Give a command, and return the one line that it is answered with."""
        parts = [f"${len(word.encode())}\r\n{word}\r\n" for word in words]
        self.socket.sendall(f"*{len(parts)}\r\n{''.join(parts)}".encode())
        line = b""
        while not line.endswith(b"\r\n"):
            line += self.take(1)
        if line.startswith(b"-"):
            raise Refused(line[1:].decode(errors="replace").strip())
        return line[1:].decode().strip()

    def ping(self) -> None:
        """Raise where it doesn't answer."""
        self.ask("PING")


class Cassandra(Stream):
    """https://cassandra.apache.org/doc/latest/cassandra/reference/native-protocol.html, version 4."""

    QUORUM = 4

    def __init__(self, server: str, user: str, password: str) -> None:
        super().__init__(server)
        kind, _ = self._call(1, struct.pack(">H", 1) + _string("CQL_VERSION") + _string("3.0.0"))
        if kind == 3:
            token = f"\0{user}\0{password}".encode()
            self._call(15, struct.pack(">i", len(token)) + token)

    def _call(self, code: int, body: bytes) -> tuple[int, bytes]:
        self.socket.sendall(struct.pack(">BBhBI", 4, 0, 0, code, len(body)) + body)
        _, _, _, kind, length = struct.unpack(">BBhBI", self.take(9))
        answer = self.take(length)
        if kind == 0:
            raise Refused(answer[6:].decode(errors="replace"))
        return kind, answer

    def query(self, text: str, *values: str, consistency: int = QUORUM) -> list[tuple[str, ...]]:
        """Run a statement whose values and columns are texts."""
        code = text.encode()
        body = struct.pack(">I", len(code)) + code + struct.pack(">HB", consistency, 1 if values else 0)
        if values:
            body += struct.pack(">H", len(values))
            for each in (value.encode() for value in values):
                body += struct.pack(">i", len(each)) + each
        _, answer = self._call(7, body)
        return _rows(answer)

    def ping(self) -> None:
        """Raise where it doesn't answer."""
        self.query("SELECT key FROM system.local", consistency=1)


def _string(text: str) -> bytes:
    code = text.encode()
    return struct.pack(">H", len(code)) + code


def _rows(answer: bytes) -> list[tuple[str, ...]]:
    kind, flags, columns = struct.unpack_from(">iii", answer + bytes(8))
    if kind != 2:
        return []
    at = 12

    def text() -> str:
        nonlocal at
        (length,) = struct.unpack_from(">H", answer, at)
        at += 2 + length
        return answer[at - length : at].decode()

    if flags & 1:
        text(), text()
    for _ in range(columns):
        if not flags & 1:
            text(), text()
        text()
        at += 2
    (count,) = struct.unpack_from(">i", answer, at)
    at += 4
    rows = []
    for _ in range(count):
        row = []
        for _ in range(columns):
            (length,) = struct.unpack_from(">i", answer, at)
            at += 4
            row.append(answer[at : at + max(length, 0)].decode(errors="replace"))
            at += max(length, 0)
        rows.append(tuple(row))
    return rows


class ZooKeeper(Stream):
    """https://zookeeper.apache.org/doc/r3.9.3/zookeeperInternals.html, and its jute records."""

    def __init__(self, server: str) -> None:
        super().__init__(server)
        self._number = 0
        self._send(struct.pack(">iqiqi16s", 0, 0, TIMEOUT_MS, 0, 16, bytes(16)))
        _, timeout, session = struct.unpack_from(">iiq", self._receive())
        if not timeout or not session:
            raise Refused("no session")

    def _send(self, body: bytes) -> None:
        self.socket.sendall(struct.pack(">i", len(body)) + body)

    def _receive(self) -> bytes:
        return self.take(struct.unpack(">i", self.take(4))[0])

    def _call(self, kind: int, body: bytes, number: int | None = None) -> tuple[int, bytes]:
        if number is None:
            self._number += 1
            number = self._number
        self._send(struct.pack(">ii", number, kind) + body)
        while True:
            answer = self._receive()
            told, _, error = struct.unpack_from(">iqi", answer)
            if told == number:
                return error, answer[16:]

    def ping(self) -> None:
        """Keep the session."""
        self._call(11, b"", -2)

    def make(self, path: str, *, ephemeral: bool = False) -> None:
        """Make a node; one that is there is no error."""
        acl = struct.pack(">ii", 1, 31) + _buffer("world") + _buffer("anyone")
        error, _ = self._call(1, _buffer(path) + _buffer("") + acl + struct.pack(">i", 1 if ephemeral else 0))
        if error not in (0, -110):
            raise Refused(f"making {path}: error {error}")

    def children(self, path: str) -> list[str]:
        """Return the names of a node's children; none where there is no node."""
        error, body = self._call(8, _buffer(path) + b"\0")
        if error:
            return []
        (count,) = struct.unpack_from(">i", body)
        at, found = 4, []
        for _ in range(count):
            (length,) = struct.unpack_from(">i", body, at)
            found.append(body[at + 4 : at + 4 + length].decode())
            at += 4 + length
        return found


def _buffer(text: str) -> bytes:
    code = text.encode()
    return struct.pack(">i", len(code)) + code


class Kafka(Stream):
    """https://kafka.apache.org/39/protocol.html."""

    def __init__(self, server: str) -> None:
        super().__init__(server)
        self.ping()

    def ping(self) -> None:
        """Ask for the versions of its API."""
        body = struct.pack(">hhi", 18, 0, 1) + _string("standin")
        self.socket.sendall(struct.pack(">i", len(body)) + body)
        answer = self.take(struct.unpack(">i", self.take(4))[0])
        if struct.unpack_from(">ih", answer) != (1, 0):
            raise Refused("an answer to another question")


class RabbitMQ(Stream):
    """AMQP 0-9-1: https://www.rabbitmq.com/amqp-0-9-1-reference.html."""

    def __init__(self, server: str, user: str, password: str, vhost: str) -> None:
        super().__init__(server)
        self.socket.sendall(b"AMQP\0\0\x09\x01")
        self._method(10, 10)
        login = f"\0{user}\0{password}".encode()
        self._say(10, 11, struct.pack(">I", 0) + b"\x05PLAIN" + struct.pack(">I", len(login)) + login + b"\x05en_US")
        tune = self._method(10, 30)
        channels, frame = struct.unpack_from(">HI", tune)
        self._say(10, 31, struct.pack(">HIH", channels, frame, 0))
        name = vhost.encode()
        self._say(10, 40, bytes([len(name)]) + name + b"\0\0")
        self._method(10, 41)

    def _say(self, of: int, method: int, body: bytes) -> None:
        body = struct.pack(">HH", of, method) + body
        self.socket.sendall(struct.pack(">BHI", 1, 0, len(body)) + body + b"\xce")

    def _method(self, of: int, method: int) -> bytes:
        kind, _, length = struct.unpack(">BHI", self.take(7))
        body = self.take(length + 1)[:-1]
        if kind != 1 or struct.unpack_from(">HH", body) != (of, method):
            raise Refused(f"refused: {body[7:].decode(errors='replace')}")
        return body[4:]

    def ping(self) -> None:
        """Send a heartbeat."""
        super().ping()
        self.socket.sendall(struct.pack(">BHI", 8, 0, 0) + b"\xce")


class Api:
    """An HTTP server that answers without a login."""

    def __init__(self, server: str) -> None:
        self._server = server
        self.ping()

    def ping(self) -> None:
        """Raise where it doesn't answer as wanted."""
        connection = http.client.HTTPConnection(self._server, timeout=SECONDS)
        try:
            connection.request("GET", "/")
            if (status := connection.getresponse().status) != 200:
                raise Refused(f"answers {status}")
        except http.client.HTTPException as error:
            raise Refused(str(error)) from error
        finally:
            connection.close()

    def close(self) -> None:
        """Nothing is kept."""


def any_of(servers: Sequence[str]) -> str:
    """Return the first server that takes a connection; the last one's error where none does."""
    for server in servers[:-1]:
        try:
            dial(server).close()
            return server
        except OSError:
            continue
    return servers[-1]
