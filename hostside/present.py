"""What a stack has on a host, as far as a change of it may mean something to those who use the lab."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from hostside import applied, docker_api, labels
from hostside.operations.access_publish import AccessPublish
from hostside.operations.files_write import FilesWrite
from hostside.vip import HOLDER, is_held_by

SUPERVISOR = "supervisor/"
"""Below which a container's rendered files are what its supervisord reads."""
_File = TypeVar("_File")


@dataclass(frozen=True)
class Present:
    """What a stack has on a host, or on several."""

    roles: Mapping[str, str] = field(default_factory=dict)
    """The role of each container, and of whatever else carries the stack's label."""
    supervised: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    """For each container the files that its supervisord reads, as paths in its volume, each with its digest."""
    vips: Sequence[str] = ()
    """The VIP, as the hosts have been told it."""
    holder: str = ""
    """The container that holds the VIP; empty where none says so."""


def read_by_supervisord(files: Mapping[str, _File]) -> dict[str, _File]:
    """Return those of a container's files, by their paths in its volume, that its supervisord reads."""
    return {path: file for path, file in files.items() if path.startswith(SUPERVISOR)}


def look(stack: str, directory: Path) -> Present:
    """Look at what a stack has on this host.

    Args:
        stack: the stack.
        directory: its directory.
    """
    roles = _roles(stack)
    return Present(roles, *_told(directory), _holder(roles))


def together(found: Iterable[Present]) -> Present:
    """Return what there is on several hosts."""
    roles: dict[str, str] = {}
    supervised: dict[str, Mapping[str, str]] = {}
    vips: dict[str, None] = {}
    holder = ""
    for each in found:
        roles |= each.roles
        supervised |= each.supervised
        vips |= dict.fromkeys(each.vips)
        holder = holder or each.holder
    return Present(roles, supervised, tuple(vips), holder)


def _roles(stack: str) -> dict[str, str]:
    try:
        listed = docker_api.containers(stack)
    except docker_api.EngineError:
        # The configuration's check says that the engine doesn't answer, and what to do.
        return {}
    return {docker_api.name(each): str((each["Labels"] or {}).get(labels.ROLE, "")) for each in listed}


def _told(directory: Path) -> tuple[dict[str, dict[str, str]], tuple[str, ...]]:
    """Return what supervisord was given to read in each container, and the VIP: by the records of both."""
    supervised: dict[str, dict[str, str]] = {}
    vips = []
    for each in applied.everything(directory):
        if each.name == AccessPublish.NAME:
            vips.append(each.record["line"].split()[0])
        elif each.name == FilesWrite.NAME:
            root = f"{directory}/volumes/{each.subject}/"
            files = {path.removeprefix(root): digest for path, digest in each.record["files"].items()}
            supervised[each.subject] = read_by_supervisord(files)
    return supervised, tuple(vips)


def _holder(roles: Mapping[str, str]) -> str:
    for name in (name for name, role in roles.items() if role == HOLDER):
        try:
            pid = docker_api.pid(name)
            if pid and is_held_by(pid):
                return name
        except OSError:
            continue
    return ""
