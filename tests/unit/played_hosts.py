"""Two hosts of a stack that are played: engines with containers and volumes, and the tool of one of them behind ssh.

The engines answer on sockets of the test's own, and the tool is the real one in a process of its own; ssh is a shell of
this machine.
"""

from __future__ import annotations

import json
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from pathlib import Path, PurePosixPath
from socketserver import ThreadingUnixStreamServer
from typing import Any
from urllib.parse import unquote, urlsplit

import pytest

from components import paths, ssh
from components.configuration.environment import ConfiguredHost, Ssh
from components.host.container_host import installation, packed_tool
from hostside import process

STACK = "lab"


class Engine:
    """A Docker engine with containers in one state or another, and their volumes."""

    def __init__(self, name: str, directory: Path, events: list[tuple[str, str, str]]) -> None:
        """Take the host's name, a directory for its socket and volumes, and where what happens there is told."""
        self.name, self.events = name, events
        self.socket, self.root = directory / "docker.sock", directory / "volumes"
        self.containers: dict[str, dict[str, Any]] = {}
        self.volumes: dict[str, Path] = {}
        self.freezes = True

    def add(self, name: str, volume: str = "", *, state: str = "running", pid: int = 1) -> None:
        """Add a container, and a volume of it."""
        mounts = [{"Name": volume, "Destination": "/data"}] if volume else []
        if volume:
            self.volumes[volume] = self.root / volume / "_data"
            self.volumes[volume].mkdir(parents=True)
        self.containers[name] = {"state": state, "pid": pid, "mounts": mounts}

    @property
    def states(self) -> dict[str, str]:
        """Return the state of each container."""
        return {name: each["state"] for name, each in self.containers.items()}

    def answer(self, method: str, path: str) -> tuple[int, Any]:
        """Return the status and the body that a request gets."""
        what, _, rest = path.strip("/").partition("/")
        name, _, verb = unquote(rest).partition("/")
        if (what, name) == ("containers", "json"):
            return 200, [{"Names": [f"/{each}"], "State": state} for each, state in self.states.items()]
        if what == "volumes":
            return 200, {"Volumes": [{"Name": each, "Mountpoint": str(at)} for each, at in self.volumes.items()]}
        if name not in self.containers or verb == "archive":
            return 404, None
        found = self.containers[name]
        if method == "POST":
            found["state"] = "running" if verb == "unpause" else "paused" if self.freezes else found["state"]
        if method == "DELETE":
            del self.containers[name]
        if method != "GET":
            self.events.append((self.name, verb or "remove", name))
            return 204, None
        if verb == "logs":
            return 200, None
        return 200, {
            "Config": {"Labels": {"dockstack.stack": STACK}, "Hostname": name, "Domainname": "lab"},
            "State": {"Running": found["state"] != "exited", "Pid": found["pid"]},
            "Mounts": found["mounts"],
        }

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Answer on the socket."""
        played = self

        class Handler(BaseHTTPRequestHandler):
            def address_string(self) -> str:
                return played.name

            def log_message(self, *_: object) -> None:
                """Say nothing of it."""

            def _any(self) -> None:
                status, body = played.answer(self.command, urlsplit(self.path).path)
                self.send_response(status)
                self.end_headers()
                self.wfile.write(b"" if body is None else json.dumps(body).encode())

            do_GET = do_POST = do_DELETE = _any

        with ThreadingUnixStreamServer(str(self.socket), Handler) as server:
            serving = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
            serving.start()
            try:
                yield
            finally:
                server.shutdown()


class Hosts:
    """This host and one that is called ``far``, with the engine of each and the stack's directory."""

    def __init__(self, directory: Path) -> None:
        """Lay them out below a directory."""
        self.events: list[tuple[str, str, str]] = []
        """What was done to containers: host, verb, container."""
        for name in ("here", "far"):
            (directory / name / "stacks" / STACK).mkdir(parents=True)
        self.here, self.far = (Engine(name, directory / name, self.events) for name in ("here", "far"))
        self.directory, self.far_directory = (directory / name / "stacks" / STACK for name in ("here", "far"))
        self.host = ConfiguredHost(name="far", ssh=Ssh(host="192.0.2.20"), home=str(directory / "far"))

    @property
    def states(self) -> dict[str, str]:
        """Return the states of all containers."""
        return {f"{each.name} {name}": state for each in (self.here, self.far) for name, state in each.states.items()}

    def install(self) -> None:
        """Put the tool where it is on the far host, for the engine there."""
        subprocess.run(
            ["sh", "-c", installation(PurePosixPath(self.far_directory))], input=packed_tool(), text=True, check=True
        )
        program = self.far_directory / "tool/hostside/process.py"
        program.write_text(program.read_text().replace(process.SOCKET, str(self.far.socket)))


@contextmanager
def played(directory: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hosts]:
    """Play the two hosts."""
    hosts = Hosts(directory)
    hosts.install()
    monkeypatch.setattr(ssh, "command", lambda _ssh, words, **_: ["sh", "-c", " ".join(words)])
    monkeypatch.setattr(process, "SOCKET", str(hosts.here.socket))
    real = paths.stack_directory
    monkeypatch.setattr(paths, "stack_directory", lambda stack, *home: real(stack, *home) if home else hosts.directory)
    with hosts.here.listening(), hosts.far.listening():
        yield hosts
