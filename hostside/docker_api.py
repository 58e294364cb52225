"""The few calls of the Docker Engine API that wiring needs, straight over its socket.

The command line client takes 40 ms of processor time a call, which is most of what wiring a container costs.
API: https://docs.docker.com/engine/api/, unversioned paths, so that any engine from 20.10 on answers.
"""

from __future__ import annotations

import json
import socket
import time
import urllib.parse
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from hostside import labels, process
from hostside.errors import Refused

STDERR = 2
"""Number of standard error in the engine's stream of a command's output."""


class EngineError(OSError):
    """The engine can't be reached or refuses a call."""


class EngineGone(EngineError):
    """Nobody listens on the engine's socket."""


def _open(
    method: str,
    path: str,
    query: Mapping[str, str],
    timeout: float | None,
    given: object = None,
    stdin: bytes | None = None,
) -> tuple[int, Any]:
    """Send a request and return the status and a file object at the start of the body.

    Args:
        method: the method.
        path: what is asked for.
        query: the parameters in the URL.
        timeout: seconds that a step of it may take.
        given: the request's own body, sent as JSON; None for none.
        stdin: what a command that the request starts reads.
    """
    target = path + ("?" + urllib.parse.urlencode(query) if query else "")
    body = b"" if given is None else json.dumps(given).encode()
    # HTTP/1.0 makes the engine send the body as it is, unchunked, up to the end of the connection.
    head = f"{method} {target} HTTP/1.0\r\nHost: docker\r\nContent-Length: {len(body)}\r\n"
    head += "Content-Type: application/json\r\n\r\n" if body else "\r\n"
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    connection.settimeout(timeout)
    try:
        connection.connect(str(process.SOCKET))
        connection.sendall(head.encode() + body)
        stream = connection.makefile("rb")
        status = stream.readline().split()
        while stream.readline().strip():
            pass
        if stdin is not None:
            # Only now is the connection the command's: what came with the request, the engine would drop.
            connection.sendall(stdin)
            connection.shutdown(socket.SHUT_WR)
    except (ConnectionRefusedError, FileNotFoundError) as error:
        raise EngineGone(f"the Docker engine is gone: {error}") from error
    except OSError as error:
        raise EngineError(f"the Docker engine does not answer: {error}") from error
    finally:
        # The file object keeps the connection open until it is closed itself.
        connection.close()
    if len(status) < 2:
        raise EngineError("the Docker engine closed the connection")
    return int(status[1]), stream


def call(
    method: str, path: str, query: Mapping[str, str] | None = None, timeout: float = 30, given: object = None
) -> tuple[int, Any]:
    """Call the engine and return the status and the decoded JSON body (None when there is none).

    Raises:
        EngineError: when the engine can't be reached.
    """
    status, stream = _open(method, path, query or {}, timeout, given)
    with stream:
        try:
            body = stream.read()
        except OSError as error:
            raise EngineError(f"the Docker engine stopped answering: {error}") from error
    try:
        return status, json.loads(body) if body.strip() else None
    except ValueError as error:
        raise EngineError(f"the Docker engine stopped in the middle of an answer: {error}") from error


def inspect(container: str) -> dict[str, Any] | None:
    """Return what the engine knows of a container, or None when there is no such container."""
    status, body = call("GET", f"/containers/{urllib.parse.quote(container)}/json")
    if status == 404:
        return None
    if status != 200:
        raise EngineError(f"inspecting {container}: {body}")
    return dict(body)


def pid(container: str) -> int | None:
    """Return the first process of a container; None when it doesn't run or there is none."""
    found = inspect(container)
    return int(found["State"]["Pid"]) if found and found["State"]["Running"] else None


def process_of(stack: str, container: str) -> int:
    """Return the first process of a container of a stack.

    Raises:
        Refused: when it doesn't run here.
        EngineError: when the engine can't be asked.
    """
    found = inspect(container)
    if found is None or (found["Config"]["Labels"] or {}).get(labels.STACK) != stack:
        raise Refused(f"stack {stack} has no container {container} on this host.")
    if not found["State"]["Running"]:
        raise Refused(f"{container} does not run. Fix: docker start {container}")
    return int(found["State"]["Pid"])


def containers(stack: str) -> list[dict[str, Any]]:
    """List the containers of a stack, stopped ones too, as the engine's summary records."""
    status, body = call(
        "GET", "/containers/json", {"all": "1", "filters": json.dumps({"label": [f"{labels.STACK}={stack}"]})}
    )
    if status != 200:
        raise EngineError(f"listing containers: {body}")
    return list(body)


def name(summary: Mapping[str, Any]) -> str:
    """Return the container's name in one of the engine's summary records."""
    return str(summary["Names"][0]).lstrip("/")


def volumes(stack: str) -> dict[str, Path]:
    """Return the directories of a stack's volumes on this host, by name."""
    status, body = call("GET", "/volumes", {"filters": json.dumps({"label": [f"{labels.STACK}={stack}"]})})
    if status != 200:
        raise EngineError(f"listing volumes: {body}")
    return {volume["Name"]: Path(volume["Mountpoint"]) for volume in body["Volumes"] or ()}


def images() -> set[str]:
    """Return the names, with tags, of the images that the engine has.

    Raises:
        EngineError: when the engine doesn't tell.
    """
    status, body = call("GET", "/images/json")
    if status != 200:
        raise EngineError(f"listing images: {body}")
    return {tag for image in body for tag in image["RepoTags"] or ()}


def logs(container: str, since: float) -> list[str]:
    """Return what the first process of a container has written since, each line behind the time it was written.

    Args:
        container: the container, which need not run.
        since: seconds since the epoch.

    Raises:
        EngineError: when the engine can't be reached, or keeps no logs of the container.
    """
    query = {"stdout": "1", "stderr": "1", "timestamps": "1", "since": f"{since:.3f}"}
    status, stream = _open("GET", f"/containers/{urllib.parse.quote(container)}/logs", query, 30)
    with stream:
        if status != 200:
            raise EngineError(f"the logs of {container}: {stream.read().decode(errors='replace').strip()}")
        return sorted(line for written in _output(stream, time.monotonic() + 60) for line in written.splitlines())


def archive(container: str, path: str) -> bytes:
    """Return a directory of a container, which need not run, as a tar file; nothing where there is no such directory.

    Raises:
        EngineError: when the engine can't be reached, or refuses.
    """
    status, stream = _open("GET", f"/containers/{urllib.parse.quote(container)}/archive", {"path": path}, 60)
    with stream:
        try:
            body = stream.read()
        except OSError as error:
            raise EngineError(f"the Docker engine stopped answering: {error}") from error
    if status not in (200, 404):
        raise EngineError(f"{path} of {container}: {body.decode(errors='replace').strip()}")
    return bytes(body) if status == 200 else b""


def start(container: str) -> None:
    """Start a container; one that runs already, is being removed or is gone is left as it is."""
    call("POST", f"/containers/{urllib.parse.quote(container)}/start")


def pause(container: str) -> None:
    """Freeze a container; one that is frozen already or doesn't run is left as it is."""
    call("POST", f"/containers/{urllib.parse.quote(container)}/pause")


def unpause(container: str) -> None:
    """Let a frozen container go on; one that isn't frozen is left as it is."""
    call("POST", f"/containers/{urllib.parse.quote(container)}/unpause")


def resume(container: str) -> None:
    """Start a container, whether it was stopped or paused; one that runs is no error."""
    unpause(container)
    start(container)


def stop(container: str, seconds: int) -> None:
    """Stop a container, by force after some seconds; one that is stopped or gone is left as it is."""
    path = f"/containers/{urllib.parse.quote(container)}/stop"
    call("POST", path, {"t": str(seconds)}, timeout=seconds + 30)


@dataclass(frozen=True)
class Ended:
    """How a command in a container ended, and what it wrote."""

    status: int
    stdout: str
    stderr: str


def execute(container: str, command: Sequence[str], *, stdin: str | None = None, timeout: float) -> Ended:
    """Run a command in a container as root, and wait for its end.

    Args:
        container: the container.
        command: the command and its arguments.
        stdin: text for its standard input.
        timeout: seconds after which nobody waits for it any more; the command goes on.

    Raises:
        TimeoutError: when it has not ended by then.
        EngineError: when the engine can't be reached, or refuses, as it does where the container doesn't run.
    """
    deadline = time.monotonic() + timeout
    order = {"AttachStdin": stdin is not None, "AttachStdout": True, "AttachStderr": True, "Cmd": list(command)}
    status, made = call("POST", f"/containers/{urllib.parse.quote(container)}/exec", given=order)
    if status != 201:
        raise EngineError(f"running {command[0]} in {container}: {_message(made)}")
    attached = {"Detach": False, "Tty": False}
    given = None if stdin is None else stdin.encode()
    status, stream = _open("POST", f"/exec/{made['Id']}/start", {}, timeout, attached, given)
    with stream:
        if status != 200:
            raise EngineError(f"running {command[0]} in {container}: {stream.read().decode(errors='replace').strip()}")
        stdout, stderr = _output(stream, deadline)
    while True:
        _, told = call("GET", f"/exec/{made['Id']}/json")
        if not told["Running"]:
            return Ended(int(told["ExitCode"]), stdout, stderr)
        # Its output may be at its end before the engine has heard of its own.
        if time.monotonic() > deadline:
            raise TimeoutError
        time.sleep(0.01)


def _output(stream: BinaryIO, deadline: float) -> tuple[str, str]:
    """Read standard output and standard error, which come in one stream: number, three zeros, length, bytes."""
    parts: tuple[list[bytes], list[bytes]] = ([], [])
    try:
        while head := stream.read(8):
            parts[head[0] == STDERR].append(stream.read(int.from_bytes(head[4:], "big")))
            if time.monotonic() > deadline:
                raise TimeoutError
    except TimeoutError:
        raise
    except OSError as error:
        raise EngineError(f"the Docker engine stopped answering: {error}") from error
    stdout, stderr = (b"".join(written).decode(errors="replace") for written in parts)
    return stdout, stderr


def _message(body: Any) -> str:
    return str(body.get("message", body)) if isinstance(body, dict) else str(body)


def events(stack: str) -> Iterator[dict[str, Any]]:
    """Follow the start, stop and end of a stack's containers.

    Yields nothing before the engine has accepted the subscription; the first item is an empty dictionary that says so.

    Raises:
        EngineError: when the engine goes away.
    """
    filters = {
        "type": ["container"],
        "label": [f"{labels.STACK}={stack}"],
        "event": ["start", "die", "stop", "destroy"],
    }
    status, stream = _open("GET", "/events", {"filters": json.dumps(filters)}, None)
    if status != 200:
        raise EngineError(f"following events: status {status}")
    with stream:
        yield {}
        try:
            for line in stream:
                if line.strip():
                    yield json.loads(line)
        except (OSError, ValueError) as error:
            # Killed in the middle of a line, it leaves half an event.
            raise EngineError(f"the Docker engine went away: {error}") from error
    raise EngineError("the Docker engine closed the stream of events")


def remove(container: str) -> None:
    """Remove a container, running or not, with its anonymous volumes; none there is no error."""
    status, body = call("DELETE", f"/containers/{urllib.parse.quote(container)}", {"force": "1", "v": "1"}, timeout=90)
    if status not in (204, 404, 409):
        raise EngineError(f"removing {container}: {body}")
