"""What is said to a node of Cassandra's and understood of it; the node is played."""

from __future__ import annotations

import socket
import struct
import threading
import uuid
from collections.abc import Iterator, Sequence
from typing import Any

import pytest

from tests.unit.scripts import load

USER, PASSWORD = "somebody", "of-the-node"
READY, ERROR, AUTHENTICATE, SUCCESS, RESULT = 0x02, 0x00, 0x03, 0x10, 0x08
VOID = struct.pack(">i", 1)


def text(value: str) -> bytes:
    return struct.pack(">H", len(value.encode())) + value.encode()


def value(content: bytes | None) -> bytes:
    return struct.pack(">i", -1) if content is None else struct.pack(">i", len(content)) + content


def rows(columns: list[tuple[str, bytes]], *given: Sequence[bytes | None]) -> bytes:
    """Return a result of rows: columns with the bytes of their types, and each row's values."""
    head = struct.pack(">iii", 2, 1, len(columns)) + text("system") + text("local")
    described = b"".join(text(name) + kind for name, kind in columns)
    return head + described + struct.pack(">i", len(given)) + b"".join(value(each) for row in given for each in row)


def refusal(code: int, message: str) -> bytes:
    return struct.pack(">i", code) + text(message)


class Node:
    """Plays a node that answers each request with the next of its answers, and keeps what it was asked."""

    def __init__(self, answers: list[tuple[int, bytes]]) -> None:
        self.asked: list[tuple[int, bytes]] = []
        self.answers = answers
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.thread = threading.Thread(target=self._serve)
        self.thread.start()

    def _serve(self) -> None:
        connection, _ = self.listener.accept()
        with connection, connection.makefile("rb") as stream:
            for opcode, body in self.answers:
                header = stream.read(9)
                if not header:
                    return
                _, _, _, asked, length = struct.unpack(">BBhBi", header)
                self.asked.append((asked, stream.read(length)))
                connection.sendall(struct.pack(">BBhBi", 0x84, 0, 0, opcode, len(body)) + body)

    def end(self) -> None:
        self.thread.join(5)
        self.listener.close()


@pytest.fixture
def cql(monkeypatch: pytest.MonkeyPatch) -> Any:
    return load("cassandra/bin/cql.py", monkeypatch)


@pytest.fixture
def play(cql: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    nodes: list[Node] = []

    def start(*answers: tuple[int, bytes]) -> Node:
        nodes.append(Node(list(answers)))
        monkeypatch.setattr(cql, "PORT", nodes[-1].port)
        return nodes[-1]

    yield start
    for node in nodes:
        node.end()


LOGIN = ((AUTHENTICATE, text("PasswordAuthenticator")), (SUCCESS, b""))


def test_it_logs_in_by_a_password_and_asks_with_a_consistency(cql: Any, play: Any) -> None:
    node = play(*LOGIN, (RESULT, VOID))
    with cql.Connection("127.0.0.1", USER, PASSWORD) as connection:
        assert connection.run("INSERT", cql.QUORUM) == []
    token = f"\0{USER}\0{PASSWORD}".encode()
    assert node.asked[1:] == [
        (0x0F, struct.pack(">i", len(token)) + token),
        (0x07, struct.pack(">i", 6) + b"INSERT" + struct.pack(">HB", 4, 0)),
    ]


def test_a_node_that_wants_no_login_is_given_none(cql: Any, play: Any) -> None:
    node = play((READY, b""), (RESULT, VOID))
    with cql.Connection("127.0.0.1") as connection:
        connection.run("USE system")
    assert [opcode for opcode, _ in node.asked] == [0x01, 0x07]


def test_rows_are_read_by_the_types_of_their_columns(cql: Any, play: Any) -> None:
    identifier = uuid.uuid4()
    a_text, a_set, a_map = (
        struct.pack(">H", 0x0D),
        struct.pack(">HH", 0x22, 0x0D),
        struct.pack(">HHH", 0x21, 0x0D, 0x0D),
    )
    columns = [
        ("name", a_text), ("number", struct.pack(">H", 0x09)), ("yes", struct.pack(">H", 0x04)),
        ("id", struct.pack(">H", 0x0C)), ("peer", struct.pack(">H", 0x10)), ("tokens", a_set), ("options", a_map),
    ]  # fmt: skip
    row = [
        "Größe".encode(), struct.pack(">i", -7), b"\1", identifier.bytes, socket.inet_aton("10.87.0.9"),
        struct.pack(">i", 2) + value(b"a") + value(b"b"), struct.pack(">i", 1) + value(b"class") + value(b"Simple"),
    ]  # fmt: skip
    play(*LOGIN, (RESULT, rows(columns, row, [None] * len(row))))
    with cql.Connection("127.0.0.1", USER, PASSWORD) as connection:
        first, second = connection.run("SELECT")
    assert first == {
        "name": "Größe", "number": -7, "yes": True, "id": identifier, "peer": "10.87.0.9", "tokens": ["a", "b"],
        "options": {"class": "Simple"},
    }  # fmt: skip
    assert set(second.values()) == {None}


@pytest.mark.parametrize(
    ("message", "kind"),
    [
        ("Provided username somebody and/or password are incorrect", "BadCredentials"),
        ("Unable to perform authentication: Cannot achieve consistency level QUORUM", "Refused"),
    ],
)
def test_a_wrong_password_is_told_from_a_login_that_nobody_can_check(
    cql: Any, play: Any, message: str, kind: str
) -> None:
    play(LOGIN[0], (ERROR, refusal(0x0100, message)))
    with pytest.raises(cql.Refused) as caught:
        cql.Connection("127.0.0.1", USER, PASSWORD)
    assert type(caught.value).__name__ == kind
    assert str(caught.value) == message


def test_a_refused_statement_is_told_in_the_nodes_words(cql: Any, play: Any) -> None:
    play(*LOGIN, (ERROR, refusal(0x2200, "no such keyspace")))
    with (
        cql.Connection("127.0.0.1", USER, PASSWORD) as connection,
        pytest.raises(cql.Refused, match="no such keyspace"),
    ):
        connection.run("USE nothing")


def test_a_node_that_ends_the_connection_is_an_error_of_the_network(cql: Any, play: Any) -> None:
    play(*LOGIN)
    with cql.Connection("127.0.0.1", USER, PASSWORD) as connection, pytest.raises(OSError, match=r"(?i)connection"):
        connection.run("SELECT")


def test_a_quote_ends_no_constant(cql: Any) -> None:
    assert cql.quoted("it's") == "'it''s'"
