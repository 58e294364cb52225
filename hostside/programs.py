"""The programs of a container, by its supervisord's own socket: a keeper needs no command inside for it."""

from __future__ import annotations

import contextlib
import http.client
import socket
import xmlrpc.client
from collections.abc import Iterator
from typing import Any

from hostside.errors import StepError

STEP = "its programs"
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
        StepError: when supervisord refuses, as it does with a file that it can't read.
        OSError: when it doesn't answer.
    """
    with _supervisor(container, path, STOP_SECONDS) as supervisor:
        ((added, changed, removed),) = supervisor.reloadConfig()
        for name in (*removed, *changed):
            supervisor.stopProcessGroup(name)
            supervisor.removeProcessGroup(name)
        for name in (*added, *changed):
            supervisor.addProcessGroup(name)


def start_given_up(container: str, path: str) -> list[str]:
    """Start the programs again that supervisord has given up, and return their names.

    It gives up after some tries, which a fault that lasts, such as a full disk, outlives.

    Args:
        container: the container, for what is said of it.
        path: its supervisord's socket.

    Raises:
        StepError: when supervisord refuses.
        OSError: when it doesn't answer.
    """
    with _supervisor(container, path) as supervisor:
        given_up = [str(each["name"]) for each in supervisor.getAllProcessInfo() if each["statename"] == "FATAL"]
        for name in given_up:
            supervisor.startProcess(name, False)
    return given_up


@contextlib.contextmanager
def _supervisor(container: str, path: str, timeout: float = TIMEOUT_SECONDS) -> Iterator[Any]:
    """Give supervisord's own methods, http://supervisord.org/api.html, in what has to be well with it."""
    try:
        with xmlrpc.client.ServerProxy("http://localhost", transport=_Transport(path, timeout)) as server:
            yield server.supervisor
    except (xmlrpc.client.Error, http.client.HTTPException) as error:
        raise StepError(container, STEP, str(error)) from error
