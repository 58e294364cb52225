"""What a drill loses of a stack on this host, and what brings that back where the lab doesn't see to it itself."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from hostside import docker_api
from hostside.impairment import Impairment, Impairments

GRACE_SECONDS = 60
"""How long a container may take to stop before it is killed."""


def _kill(containers: Sequence[str]) -> None:
    # One that Docker is about to start again has none, and 0 would mean ourselves.
    pids = [pid for pid in map(docker_api.pid, containers) if pid]
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def act(stack: str, directory: Path, what: str, containers: Sequence[str]) -> None:
    """Do something to containers of a stack on this host.

    Args:
        stack: the stack.
        directory: its directory on this host.
        what: :data:`KILL` or one of :data:`ACTIONS`.
        containers: the containers; all that there are where none is named.

    Raises:
        StepError: when the kernel refuses.
        OSError: when the engine can't be asked.
    """
    names = containers or [docker_api.name(each) for each in docker_api.containers(stack)]
    if what == KILL:
        _kill(names)
        return
    for name in names:
        ACTIONS[what](Impairments(directory), name)


KILL = "kill"
"""Process 1 of all of them at once, ``kill -9``, behind Docker's back."""
ACTIONS: Mapping[str, Callable[[Impairments, str], None]] = {
    "stop": lambda _, name: docker_api.stop(name, GRACE_SECONDS),
    "start": lambda _, name: docker_api.start(name),
    "freeze": lambda _, name: docker_api.pause(name),
    "thaw": lambda _, name: docker_api.unpause(name),
    "cut off": lambda kept, name: kept.set(name, Impairment(loss="100%")),
    "join": lambda kept, name: kept.clear(name),
}
"""What is done to each of them: stopped, frozen and cut off until they are started, thawed and joined."""
