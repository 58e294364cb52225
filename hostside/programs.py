"""The programs of a container, by its supervisord's own socket: a keeper needs no command inside for it."""

from __future__ import annotations

import http.client
import socket
import xmlrpc.client
from typing import Any

from hostside.errors import StepError

STEP = "its programs"
SOCKET = "/proc/{pid}/root/run/supervisor.sock"
TIMEOUT_SECONDS = 10


class _Connection(http.client.HTTPConnection):
    def __init__(self, path: str) -> None:
        super().__init__("localhost", timeout=TIMEOUT_SECONDS)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


class _Transport(xmlrpc.client.Transport):
    def __init__(self, path: str) -> None:
        super().__init__()
        self._path = path

    def make_connection(self, host: Any) -> http.client.HTTPConnection:
        return _Connection(self._path)


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
    try:
        with xmlrpc.client.ServerProxy("http://localhost", transport=_Transport(path)) as supervisor:
            listed: Any = supervisor.supervisor.getAllProcessInfo()
            given_up = [str(program["name"]) for program in listed if program["statename"] == "FATAL"]
            for name in given_up:
                supervisor.supervisor.startProcess(name, False)
    except (xmlrpc.client.Error, http.client.HTTPException) as error:
        raise StepError(container, STEP, str(error)) from error
    return given_up
