"""Warnings in the text of a preview: what the change that it shows means to those who use the lab.

The engine doesn't tell the program what it plans, but it gives a container that is to be made or replaced no ID.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path

import pulumi

from components.configuration import names
from components.consequences import Change, warnings
from components.lab import Lab
from components.services.role import Role
from components.stages.volumes import Files
from hostside import applied, engine, files, labels
from hostside.operations.access_publish import AccessPublish
from hostside.operations.files_write import FilesWrite
from hostside.vip import HOLDER, is_held_by

SUPERVISOR = "supervisor/"
"""Below which a container's rendered files are what its supervisord reads."""


async def warn(stack: str, lab: Lab, roles: Mapping[str, Role], directory: Path, vip: str) -> None:
    """Tell what a change means, as soon as the engine has planned all containers; nothing where there are none yet.

    Containers on hosts behind ssh are not looked at.

    Args:
        stack: the stack.
        lab: the lab as declared.
        roles: its roles.
        directory: the stack's directory on this host.
        vip: the VIP as configured.
    """
    before = there(stack, roles)
    if not before:
        return
    known = await asyncio.gather(*(running.id.is_known() for running in lab.running.values()))
    unknown = {name for name, is_known in zip(lab.running, known, strict=True) if not is_known}
    change = planned(before, set(lab.running), unknown, roles, restarted(lab.files, directory))
    for sentence in [*moved(directory, vip), *warnings(change, before, roles, holder(before))]:
        pulumi.warn(f"This change {sentence}")


def there(stack: str, roles: Mapping[str, Role]) -> dict[str, str]:
    """Return the containers of a stack on this host, each with its role."""
    try:
        listed = engine.containers(stack)
    except engine.EngineError:
        # The configuration's check says that the engine doesn't answer, and what to do.
        return {}
    found = {engine.name(each): str((each["Labels"] or {}).get(labels.ROLE, "")) for each in listed}
    return {name: role for name, role in found.items() if role in roles}


def planned(
    before: Mapping[str, str],
    wanted: set[str],
    unknown: set[str],
    roles: Mapping[str, Role],
    changed: frozenset[str],
) -> Change:
    """Return the change from the containers that there are to those that are wanted.

    Args:
        before: the containers that there are, each with its role.
        wanted: the names of those that are wanted.
        unknown: those of them that the engine is going to make.
        roles: the roles.
        changed: those whose supervisord gets other files.
    """
    removed = frozenset(before.keys() - wanted)
    replaced = frozenset(unknown & before.keys())
    return Change(
        added=frozenset(unknown - before.keys()),
        removed=removed,
        replaced=replaced,
        restarted=changed - removed - replaced,
        lost=tuple(
            (names.volume(name, suffix), name)
            for name in sorted(removed)
            for suffix in sorted(roles[before[name]].data)
        ),
    )


def restarted(rendered: Mapping[str, Files], directory: Path) -> frozenset[str]:
    """Return the containers whose supervisord would get other files than it has, as recorded when they were written."""
    written = {
        each.subject: each.record["files"] for each in applied.everything(directory) if each.name == FilesWrite.NAME
    }
    return frozenset(
        name
        for name, told in rendered.items()
        if name in written
        and _read_by_supervisord(told) != _of_supervisord(written[name], f"{directory}/volumes/{name}/")
    )


def moved(directory: Path, vip: str) -> list[str]:
    """Return what another VIP means, by the record of the one that this host has been told; nothing for the same."""
    told = [each.record["line"].split()[0] for each in applied.everything(directory) if each.name == AccessPublish.NAME]
    return [
        f"moves the VIP: from {before} to {vip}; clients that have the old address lose the lab."
        for before in told
        if before != vip
    ]


def holder(before: Mapping[str, str]) -> str:
    """Return the container that holds the VIP; nothing where none says so."""
    for name in (name for name, role in before.items() if role == HOLDER):
        try:
            pid = engine.pid(name)
            if pid and is_held_by(pid):
                return name
        except OSError:
            continue
    return ""


def _read_by_supervisord(rendered: Files) -> dict[str, str]:
    return {path: files.digest(file["content"]) for path, file in rendered.items() if path.startswith(SUPERVISOR)}


def _of_supervisord(written: Mapping[str, str], root: str) -> dict[str, str]:
    found = {path.removeprefix(root): digest for path, digest in written.items()}
    return {path: digest for path, digest in found.items() if path.startswith(SUPERVISOR)}
