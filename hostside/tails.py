"""The last lines of a container's logs, for those who may see them but have no access to the host.

The logs are a container's own files, which a program in it may have replaced by links to anything. None is followed: a
link is resolved where it is read, and that is the host.
"""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager

from hostside import docker_api

LOGS = ("var", "log", "supervisor")
LINES = 40
"""How many lines of each log are told."""
BLOCK_BYTES = 16 * 1024
ENGINE_SECONDS = 900
"""How far back the engine's own log of a container is read."""


def of(container: str) -> dict[str, list[str]]:
    """Return the last lines of each program's log, and under ``container`` what its first process has written.

    Raises:
        EngineError: when the engine can't be asked.
    """
    found = {"container": [_once(line) for line in docker_api.logs(container, time.time() - ENGINE_SECONDS)[-LINES:]]}
    pid = docker_api.pid(container)
    if pid:
        found |= programs(f"/proc/{pid}/root")
    return {name: lines for name, lines in found.items() if lines}


def _once(line: str) -> str:
    """Return a line of the engine's without its time, where the text has one of its own, as supervisord's has."""
    when, _, text = line.partition(" ")
    return text if text.startswith(when[:10]) else line


def programs(root: str) -> dict[str, list[str]]:
    """Return the last lines of the programs' logs below a container's root."""
    found: dict[str, list[str]] = {}
    try:
        with _beneath(root, *LOGS) as directory:
            for name in sorted(os.listdir(directory)):
                if name.endswith(".log"):
                    lines = _end(name, directory)
                    found.update({name.removesuffix(".log"): lines} if lines else {})
    except OSError:
        # It has no such logs, or has ended meanwhile.
        return found
    return found


def read(root: str, *path: str) -> str:
    """Return a small file below a container's root; nothing where there is none.

    Args:
        root: the root, as a path of the host.
        path: the names on the way to it.
    """
    try:
        with _beneath(root, *path[:-1]) as directory:
            return "\n".join(_end(path[-1], directory))
    except OSError:
        return ""


@contextmanager
def _beneath(root: str, *path: str) -> Iterator[int]:
    """Open a directory below a root, whose every step is a directory itself."""
    opened = os.open(root, os.O_RDONLY | os.O_DIRECTORY)
    try:
        for name in path:
            inner = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=opened)
            os.close(opened)
            opened = inner
        yield opened
    finally:
        os.close(opened)


def _end(name: str, directory: int) -> list[str]:
    try:
        # Nobody may ever write to a pipe of that name.
        file = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=directory)
    except OSError:
        return []
    with os.fdopen(file, "rb") as log:
        told = os.fstat(log.fileno())
        if not stat.S_ISREG(told.st_mode):
            return []
        start = max(0, told.st_size - BLOCK_BYTES)
        log.seek(start)
        lines = log.read(BLOCK_BYTES).decode(errors="replace").splitlines()
        return lines[1 if start else 0 :][-LINES:]
