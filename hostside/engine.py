"""The few calls of the Docker Engine API that wiring needs, straight over its socket.

The command line client takes 40 ms of processor time a call, which is most of what wiring a container costs.
API: https://docs.docker.com/engine/api/, unversioned paths, so that any engine from 20.10 on answers.
"""

from __future__ import annotations

import json
import socket
import urllib.parse
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from hostside import process

STACK_LABEL = "dockstack.stack"


class EngineError(OSError):
    """The engine can't be reached or refuses a call."""


class EngineGone(EngineError):
    """Nobody listens on the engine's socket."""


def _open(method: str, path: str, query: dict[str, str], timeout: float | None) -> tuple[int, Any]:
    """Send a request and return the status and a file object at the start of the body."""
    target = path + ("?" + urllib.parse.urlencode(query) if query else "")
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    connection.settimeout(timeout)
    try:
        connection.connect(str(process.SOCKET))
        # HTTP/1.0 makes the engine send the body as it is, unchunked, up to the end of the connection.
        connection.sendall(f"{method} {target} HTTP/1.0\r\nHost: docker\r\nContent-Length: 0\r\n\r\n".encode())
        stream = connection.makefile("rb")
        status = stream.readline().split()
        while stream.readline().strip():
            pass
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


def call(method: str, path: str, query: dict[str, str] | None = None, timeout: float = 30) -> tuple[int, Any]:
    """Call the engine and return the status and the decoded JSON body (None when there is none).

    Raises:
        EngineError: when the engine can't be reached.
    """
    status, stream = _open(method, path, query or {}, timeout)
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


def containers(stack: str) -> list[dict[str, Any]]:
    """List the containers of a stack, stopped ones too, as the engine's summary records."""
    status, body = call(
        "GET", "/containers/json", {"all": "1", "filters": json.dumps({"label": [f"{STACK_LABEL}={stack}"]})}
    )
    if status != 200:
        raise EngineError(f"listing containers: {body}")
    return list(body)


def name(summary: Mapping[str, Any]) -> str:
    """Return the container's name in one of the engine's summary records."""
    return str(summary["Names"][0]).lstrip("/")


def volumes(stack: str) -> dict[str, Path]:
    """Return the directories of a stack's volumes on this host, by name."""
    status, body = call("GET", "/volumes", {"filters": json.dumps({"label": [f"{STACK_LABEL}={stack}"]})})
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


def start(container: str) -> None:
    """Start a container; one that runs already, is being removed or is gone is left as it is."""
    call("POST", f"/containers/{urllib.parse.quote(container)}/start")


def pause(container: str) -> None:
    """Freeze a container; one that is frozen already or doesn't run is left as it is."""
    call("POST", f"/containers/{urllib.parse.quote(container)}/pause")


def unpause(container: str) -> None:
    """Let a frozen container go on; one that isn't frozen is left as it is."""
    call("POST", f"/containers/{urllib.parse.quote(container)}/unpause")


def stop(container: str, seconds: int) -> None:
    """Stop a container, by force after some seconds; one that is stopped or gone is left as it is."""
    path = f"/containers/{urllib.parse.quote(container)}/stop"
    call("POST", path, {"t": str(seconds)}, timeout=seconds + 30)


def events(stack: str) -> Iterator[dict[str, Any]]:
    """Follow the start, stop and end of a stack's containers.

    Yields nothing before the engine has accepted the subscription; the first item is an empty dictionary that says so.

    Raises:
        EngineError: when the engine goes away.
    """
    filters = {"type": ["container"], "label": [f"{STACK_LABEL}={stack}"], "event": ["start", "die", "stop", "destroy"]}
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
