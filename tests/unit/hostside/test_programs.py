"""Programs that supervisord gave up, with a supervisord that is played behind a real socket."""

from __future__ import annotations

import socket
import socketserver
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from xmlrpc.client import Fault
from xmlrpc.server import SimpleXMLRPCDispatcher, SimpleXMLRPCRequestHandler

import pytest

from hostside import programs
from hostside.errors import StepError
from hostside.programs import Program


class _Handler(SimpleXMLRPCRequestHandler):
    disable_nagle_algorithm = False

    def address_string(self) -> str:
        return "unix"

    def log_request(self, code: Any = "-", size: Any = "-") -> None:
        pass


class _Supervisor(socketserver.ThreadingUnixStreamServer, SimpleXMLRPCDispatcher):
    def __init__(self, path: str, states: dict[str, str]) -> None:
        SimpleXMLRPCDispatcher.__init__(self, allow_none=True, encoding=None)
        socketserver.ThreadingUnixStreamServer.__init__(self, path, _Handler)
        self.states = states
        self.register_function(self._all, "supervisor.getAllProcessInfo")
        self.register_function(self._start, "supervisor.startProcess")
        self.changes: tuple[list[str], list[str], list[str]] = ([], [], [])
        self.done: list[tuple[str, str]] = []
        self.register_function(lambda: [self.changes], "supervisor.reloadConfig")
        for method in ("stopProcessGroup", "removeProcessGroup", "addProcessGroup"):
            self.register_function(self._noting(method), f"supervisor.{method}")

    def _noting(self, method: str) -> Callable[[Any], bool]:
        def note(name: Any) -> bool:
            self.done.append((method, name))
            return True

        return note

    def _all(self) -> list[dict[str, str]]:
        return [{"name": name, "statename": state, "spawnerr": ""} for name, state in self.states.items()]

    def _start(self, name: Any, wait: Any) -> bool:
        assert not wait
        if name == "lost":
            raise Fault(20, "NO_FILE: /usr/bin/lost")
        self.states[name] = "STARTING"
        return True


@contextmanager
def supervisor(directory: Path, **states: str) -> Iterator[tuple[str, dict[str, str]]]:
    """Play a supervisord with programs in these states."""
    with played(directory, states) as (path, _):
        yield path, states


@contextmanager
def played(directory: Path, states: dict[str, str]) -> Iterator[tuple[str, _Supervisor]]:
    """Play a supervisord that notes what it is told."""
    path = str(directory / "supervisor.sock")
    with _Supervisor(path, states) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield path, server
        server.shutdown()
        thread.join()


def test_its_files_are_followed_what_has_gone_first(tmp_path: Path) -> None:
    with played(tmp_path, {}) as (path, server):
        server.changes = (["new"], ["other"], ["old"])
        programs.follow_files("nova1", path)
    assert server.done == [
        ("stopProcessGroup", "old"),
        ("removeProcessGroup", "old"),
        ("stopProcessGroup", "other"),
        ("removeProcessGroup", "other"),
        ("addProcessGroup", "new"),
        ("addProcessGroup", "other"),
    ]


def test_where_no_file_has_changed_nothing_is_touched(tmp_path: Path) -> None:
    with played(tmp_path, {"nova-api": "RUNNING"}) as (path, server):
        programs.follow_files("nova1", path)
    assert server.done == []


def test_what_was_given_up_is_started_and_nothing_else(tmp_path: Path) -> None:
    with supervisor(tmp_path, mariadb="FATAL", one="RUNNING", two="STOPPED", three="BACKOFF") as (path, states):
        assert programs.start_given_up("galera1", path) == ["mariadb"]
    assert states == {"mariadb": "STARTING", "one": "RUNNING", "two": "STOPPED", "three": "BACKOFF"}


def test_a_refusal_names_container_and_reason(tmp_path: Path) -> None:
    with supervisor(tmp_path, lost="FATAL") as (path, _), pytest.raises(StepError, match="NO_FILE") as caught:
        programs.start_given_up("galera1", path)
    assert caught.value.container == "galera1"


def test_all_programs_are_listed_with_their_states(tmp_path: Path) -> None:
    with supervisor(tmp_path, mariadb="FATAL", one="RUNNING") as (path, _):
        found = programs.listed("galera1", path)
    assert found == [Program("mariadb", "FATAL", ""), Program("one", "RUNNING", "")]
    assert [(program.runs, program.ended) for program in found] == [(False, True), (True, False)]


def test_nobody_at_the_socket_is_told_with_the_container(tmp_path: Path) -> None:
    with pytest.raises(StepError, match=r"supervisord does not answer: .*No such file") as caught:
        programs.listed("galera1", str(tmp_path / "none.sock"))
    assert caught.value.container == "galera1"


def test_what_answers_and_is_no_supervisord_is_told(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "other.sock"))
        listener.listen()

        def answer() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.recv(4096)
                connection.sendall(b"I am no supervisord\n")

        thread = threading.Thread(target=answer)
        thread.start()
        with pytest.raises(StepError):
            programs.listed("galera1", str(tmp_path / "other.sock"))
        thread.join()
