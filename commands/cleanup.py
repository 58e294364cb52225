"""What an interrupted ``up`` or a lost state left behind: containers that the next one would stumble over.

Docker refuses a second container of the same name, so one that the engine made but Pulumi didn't get to record has
to go first. Everything else that a stage makes can be made again over what is there.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Collection, Iterable, Mapping
from pathlib import Path
from typing import Any

from components import paths
from hostside import docker_api, runs
from hostside.purge import is_hollow, is_ours, purge

CONTAINER = "docker:index/container:Container"
VOLUME = "docker:index/volume:Volume"


class ForeignStack(Exception):
    """The stack's part on this host belongs to a state in another backend."""


def claim(stack: str, *, note: bool) -> None:
    """Make sure that what carries the stack's name on this host is ours to change.

    Two backends can both have a stack of one name; the first to bring it up on a host has it there until it is
    destroyed. Without this, the second would take the first one's containers for leftovers.

    Args:
        stack: the stack's name.
        note: whether to note that it is ours now; not in a preview.

    Raises:
        ForeignStack: with the backend that has it, and the ways out.
    """
    owner = Path(paths.stack_directory(stack)) / "backend"
    mine = backend()
    if owner.exists() and owner.read_text() != mine:
        raise ForeignStack(
            f"stack {stack} on this host belongs to the state in {owner.read_text()}, and this one is in {mine}. "
            f"Fix: Work with that backend, choose another stack name, or, if that state is lost, remove what is "
            f"left with `python3 -m commands.cleanup clear {stack}`."
        )
    if note and not owner.exists():
        owner.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        owner.write_text(mine)


def clear_unrecorded(stack: str, recorded: Collection[str] | None = None) -> list[str]:
    """Remove this host's containers of a stack that the stack's state doesn't know; return their names.

    Args:
        stack: the stack's name.
        recorded: the IDs of the containers in the state; the state is asked when not given, where there are containers.

    Raises:
        subprocess.CalledProcessError: when Pulumi can't tell the state.
    """
    try:
        listed = docker_api.containers(stack)
    except docker_api.EngineError:
        # The configuration's check says that the engine doesn't answer, and what to do.
        return []
    if listed and recorded is None:
        recorded = ids_of_containers(resources(stack))
    return [_remove(summary) for summary in listed if summary["Id"] not in (recorded or ())]


def ids_of_containers(found: Iterable[Mapping[str, Any]]) -> frozenset[str]:
    """Return the IDs of the containers among the resources of a state."""
    return frozenset(r["id"] for r in found if r.get("type") == CONTAINER and "id" in r)


def resources(stack: str, *, secrets: bool = False) -> list[dict[str, Any]]:
    """Return the resources of a stack's state.

    Args:
        stack: the stack's name.
        secrets: whether to have what is encrypted in plain text.

    Raises:
        subprocess.CalledProcessError: when Pulumi can't tell the state.
    """
    exported = subprocess.run(
        ["pulumi", "stack", "export", "--stack", stack, *(["--show-secrets"] if secrets else [])],
        cwd=paths.PROJECT, capture_output=True, text=True, check=True,
    )  # fmt: skip
    state: dict[str, Any] = json.loads(exported.stdout)
    return list(state.get("deployment", {}).get("resources") or [])


def _remove(summary: dict[str, Any]) -> str:
    name = docker_api.name(summary)
    say_left(name)
    docker_api.remove(summary["Id"])
    return name


def say_left(name: str) -> None:
    """Tell that a container is removed, and why."""
    print(f"{name}: a container that an interrupted run left behind; removing it", file=sys.stderr, flush=True)


def backend() -> str:
    """Return where the state is, the way Pulumi finds it: environment, then the login."""
    url = os.environ.get("PULUMI_BACKEND_URL")
    if url:
        return url
    home = os.environ.get("PULUMI_CREDENTIALS_PATH") or os.environ.get("PULUMI_HOME") or Path.home() / ".pulumi"
    try:
        return str(json.loads((Path(home) / "credentials.json").read_text())["current"])
    except (OSError, ValueError, KeyError):
        return "https://api.pulumi.com"


def clear_after_destroy(stack: str) -> None:
    """Remove all that carries the stack's name on this host, if the state holds nothing any more.

    Raises:
        ForeignStack: when it is another backend's.
        subprocess.CalledProcessError: when Pulumi can't tell the state.
    """
    claim(stack, note=False)
    runs.end_orphans(Path(paths.stack_directory(stack)))
    if not resources(stack):
        clear(stack)


def clear(stack: str) -> None:
    """Remove all that carries the stack's name on this host, whatever any state says."""
    directory = Path(paths.stack_directory(stack))
    purge(stack, directory)
    if is_ours(directory) or is_hollow(directory):
        shutil.rmtree(directory, ignore_errors=True)


if __name__ == "__main__":
    COMMANDS: dict[str, Callable[[str], object]] = {
        "before": clear_unrecorded,
        "after": clear_after_destroy,
        "clear": clear,
    }
    try:
        COMMANDS[sys.argv[1]](sys.argv[2])
    except ForeignStack as error:
        sys.exit(str(error))
