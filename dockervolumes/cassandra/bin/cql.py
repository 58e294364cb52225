"""A client of Cassandra for a few statements: one connection to one node, by version 4 of CQL's protocol.

https://github.com/apache/cassandra/blob/trunk/doc/native_protocol_v4.spec
"""

import ipaddress
import socket
import struct
import uuid
from types import TracebackType
from typing import Any, BinaryIO

PORT = 9042
ONE, QUORUM = 1, 4
_REQUEST, _STARTUP, _QUERY, _AUTH_RESPONSE = 0x04, 0x01, 0x07, 0x0F
_ERROR, _AUTHENTICATE, _RESULT = 0x00, 0x03, 0x08
_ROWS = 2
_GLOBAL_TABLE, _MORE_PAGES = 1, 2
_BAD_CREDENTIALS = 0x0100
_INCORRECT = "incorrect"
"""What the node says of a password that isn't the role's, and not where it could ask too few others for the role's."""


class Refused(Exception):
    """The node said no, or nothing that can be understood."""


class BadCredentials(Refused):
    """The node knows no such role, or not by this password."""


class Connection:
    """A login at a node."""

    def __init__(self, address: str, user: str = "", password: str = "", seconds: float = 10) -> None:
        """Log in.

        Raises:
            OSError: when the node doesn't answer.
            BadCredentials, Refused: when it doesn't let one in.
        """
        self._socket = socket.create_connection((address, PORT), timeout=seconds)
        self._stream: BinaryIO = self._socket.makefile("rb")
        try:
            options = {"CQL_VERSION": "3.4.5"}
            body = struct.pack(">H", len(options)) + b"".join(_text(k) + _text(v) for k, v in options.items())
            opcode, _ = self._ask(_STARTUP, body)
            if opcode == _AUTHENTICATE:
                token = f"\0{user}\0{password}".encode()
                self._ask(_AUTH_RESPONSE, struct.pack(">i", len(token)) + token)
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> "Connection":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the connection."""
        self._stream.close()
        self._socket.close()

    def run(self, statement: str, consistency: int = ONE) -> list[dict[str, Any]]:
        """Run a statement and return its rows, all of them on one page.

        Raises:
            OSError: when the node goes.
            Refused: when it refuses, in its own words.
        """
        text = statement.encode()
        opcode, body = self._ask(_QUERY, struct.pack(">i", len(text)) + text + struct.pack(">HB", consistency, 0))
        if opcode != _RESULT:
            raise Refused(f"answered with opcode {opcode}")
        reader = _Reader(body)
        return reader.rows() if reader.number() == _ROWS else []

    def _ask(self, opcode: int, body: bytes) -> tuple[int, bytes]:
        self._socket.sendall(struct.pack(">BBhBi", _REQUEST, 0, 0, opcode, len(body)) + body)
        header = self._stream.read(9)
        if len(header) < 9:
            raise ConnectionResetError("the node ended the connection")
        _, _, _, answer, length = struct.unpack(">BBhBi", header)
        told = self._stream.read(length)
        if len(told) < length:
            raise ConnectionResetError("the node ended the connection")
        if answer == _ERROR:
            reader = _Reader(told)
            code, message = reader.number(), reader.text()
            wrong = code == _BAD_CREDENTIALS and _INCORRECT in message
            raise (BadCredentials if wrong else Refused)(message)
        return answer, told


class _Reader:
    """Takes the values from the body of an answer, one after the other."""

    def __init__(self, body: bytes) -> None:
        self._body, self._at = body, 0

    def take(self, length: int) -> bytes:
        self._at += length
        return self._body[self._at - length : self._at]

    def number(self) -> int:
        return int.from_bytes(self.take(4), signed=True)

    def short(self) -> int:
        return int.from_bytes(self.take(2))

    def text(self) -> str:
        return self.take(self.short()).decode()

    def value(self) -> bytes | None:
        length = self.number()
        return None if length < 0 else self.take(length)

    def rows(self) -> list[dict[str, Any]]:
        flags, columns = self.number(), self.number()
        if flags & _MORE_PAGES:
            self.value()
        if flags & _GLOBAL_TABLE:
            self.text(), self.text()
        named = []
        for _ in range(columns):
            if not flags & _GLOBAL_TABLE:
                self.text(), self.text()
            named.append((self.text(), self.type()))
        return [{name: _value(kind, self.value()) for name, kind in named} for _ in range(self.number())]

    def type(self) -> Any:
        """Return a column's type: its number, with the types inside it where there are any."""
        kind = self.short()
        if kind == 0x00:
            return kind, self.text()
        if kind in (0x20, 0x22):
            return kind, self.type()
        if kind == 0x21:
            return kind, self.type(), self.type()
        if kind in (0x30, 0x31):
            raise Refused("a column has a type of a user's own, or is a tuple")
        return (kind,)


def _text(text: str) -> bytes:
    encoded = text.encode()
    return struct.pack(">H", len(encoded)) + encoded


def _value(kind: Any, raw: bytes | None) -> Any:
    """Return a column's value in Python's terms; of types that nothing here asks for, its bytes."""
    if raw is None:
        return None
    match kind[0]:
        case 0x01 | 0x0D:
            return raw.decode()
        case 0x02 | 0x09 | 0x13 | 0x14:
            return int.from_bytes(raw, signed=True)
        case 0x04:
            return raw != b"\0"
        case 0x0C | 0x0F:
            return uuid.UUID(bytes=raw)
        case 0x10:
            return str(ipaddress.ip_address(raw))
        case 0x20 | 0x22:
            reader = _Reader(raw)
            return [_value(kind[1], reader.value()) for _ in range(reader.number())]
        case 0x21:
            reader = _Reader(raw)
            return {_value(kind[1], reader.value()): _value(kind[2], reader.value()) for _ in range(reader.number())}
    return raw


def quoted(text: str) -> str:
    """Return a text as a constant of CQL."""
    return "'" + text.replace("'", "''") + "'"
