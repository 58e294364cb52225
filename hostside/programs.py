"""The programs of a container, by its supervisord's own socket: no command inside is needed for it."""

from __future__ import annotations

import http.client
import socket
import xmlrpc.client
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from hostside.errors import StepError

STEP = "its programs"
ENDED = ("STOPPED", "EXITED", "FATAL")
"""States of a program that supervisord doesn't start again by itself."""
SOCKET = "/proc/{pid}/root/run/supervisor.sock"
TIMEOUT_SECONDS = 10
STOP_SECONDS = 120
"""How long supervisord may take to answer where it first ends programs."""


class _Connection(http.client.HTTPConnection):
    def __init__(self, path: str, timeout: float) -> None:
        super().__init__("localhost", timeout=timeout)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


class _Transport(xmlrpc.client.Transport):
    def __init__(self, path: str, timeout: float) -> None:
        super().__init__()
        self._path, self._timeout = path, timeout

    def make_connection(self, host: Any) -> http.client.HTTPConnection:
        return _Connection(self._path, self._timeout)


def follow_files(container: str, path: str) -> None:
    """Have supervisord follow its files: end what has gone, start what has come, and start anew what has changed.

    Args:
        container: the container, for what is said of it.
        path: its supervisord's socket.

    Raises:
        StepError: when supervisord doesn't answer, or refuses, as it does with a file that it can't read.
    """
    with _asked(container, path, STOP_SECONDS) as supervisor:
        ((added, changed, removed),) = supervisor.reloadConfig()
        for name in (*removed, *changed):
            supervisor.stopProcessGroup(name)
            supervisor.removeProcessGroup(name)
        for name in (*added, *changed):
            supervisor.addProcessGroup(name)


@dataclass(frozen=True)
class Program:
    """A program as its supervisord sees it."""

    name: str
    state: str
    """One of supervisord's: RUNNING, STARTING, BACKOFF, STOPPED, EXITED, FATAL."""
    reason: str
    """Why it could not be started; mostly empty."""

    @property
    def runs(self) -> bool:
        """Whether it runs, for as long as it has to until it is taken for started."""
        return self.state == "RUNNING"

    @property
    def ended(self) -> bool:
        """Whether it stays down until somebody starts it."""
        return self.state in ENDED

    def __str__(self) -> str:
        return f"{self.name} is {self.state}" + (f" ({self.reason})" if self.reason else "")


def listed(container: str, path: str) -> list[Program]:
    """Return the programs of a container.

    Args:
        container: the container, for what is said of it.
        path: its supervisord's socket.

    Raises:
        StepError: when its supervisord doesn't answer.
    """
    with _asked(container, path) as supervisor:
        return [
            Program(str(told["name"]), str(told["statename"]), str(told["spawnerr"]))
            for told in supervisor.getAllProcessInfo()
        ]


def start_given_up(container: str, path: str) -> list[str]:
    """Start the programs again that supervisord has given up, and return their names.

    It gives up after some tries, which a fault that lasts, such as a full disk, outlives.

    Args:
        container: the container, for what is said of it.
        path: its supervisord's socket.

    Raises:
        StepError: when supervisord refuses, or doesn't answer.
    """
    given_up = [program.name for program in listed(container, path) if program.state == "FATAL"]
    with _asked(container, path) as supervisor:
        for name in given_up:
            supervisor.startProcess(name, False)
    return given_up


@contextmanager
def _asked(container: str, path: str, timeout: float = TIMEOUT_SECONDS) -> Iterator[Any]:
    """Give supervisord's own methods, http://supervisord.org/api.html; its refusals become the container's error."""
    try:
        with xmlrpc.client.ServerProxy("http://localhost", transport=_Transport(path, timeout)) as server:
            yield server.supervisor
    except (xmlrpc.client.Error, http.client.HTTPException) as error:
        raise StepError(container, STEP, str(error)) from error
    except OSError as error:
        raise StepError(container, STEP, f"supervisord does not answer: {error}") from error
