"""What of a stack is still on a host when its resources are gone: made by a run that was cut off."""

from __future__ import annotations

import sys
from pathlib import Path

from hostside import access, bridge, docker_api, ovs, ports, runs, ways
from hostside.process import run, succeeds


def is_ours(directory: Path) -> bool:
    """Say whether a stack's directory is one that we have made."""
    return any((directory / name).exists() for name in ("backend", "tool"))


def is_hollow(directory: Path) -> bool:
    """Say whether a stack's directory holds directories alone.

    Docker makes those that a container mounts when it starts the container again and they are gone.
    """
    return directory.is_dir() and all(path.is_dir() and not path.is_symlink() for path in directory.rglob("*"))


def purge(stack: str, directory: Path) -> None:
    """Remove whatever carries the stack's name on this host: containers, volumes, bridges, the line in /etc/hosts.

    Before that, the plugins of killed runs, which may still be making such things, are ended.

    Args:
        stack: the stack's name.
        directory: the stack's directory on this host.

    Raises:
        CommandFailed: when something can't be removed.
        EngineError: when the engine doesn't answer.
    """
    runs.end_orphans(directory)
    for summary in docker_api.containers(stack):
        name = docker_api.name(summary)
        print(f"{name}: removing a container that no state knows", file=sys.stderr, flush=True)
        docker_api.remove(summary["Id"])
    volumes = docker_api.volumes(stack)
    if volumes:
        run(["docker", "volume", "rm", "--force", *volumes])
    for name, identifiers in ovs.bridges(stack).items():
        bridge.down(bridge.Bridge.recorded(name, identifiers))
    # An attachment that was cut off half-way leaves a pair of links that no bridge knows.
    for link in [*ports.loose_links(stack), *ways.loose_links(stack)] if is_ours(directory) else ():
        succeeds(["ip", "link", "delete", link])
    access.forget(stack)
