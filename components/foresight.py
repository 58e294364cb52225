"""Warnings in the text of a preview: what the change that it shows means to those who use the lab.

The engine doesn't tell the program what it plans, but it gives a container that is to be made or replaced no ID.
"""

from __future__ import annotations

import asyncio
import subprocess
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pulumi

from commands import cleanup
from components import refusal
from components.configuration.environment import ConfiguredHost, Environment
from components.consequences import Change, warnings
from components.host import distance
from components.lab import Lab
from components.recorded import Recorded, read
from components.services.role import Role
from components.stages.volumes import Files
from hostside import files, present
from hostside.present import Present, read_by_supervisord


@dataclass(frozen=True)
class There:
    """What a stack has on all its hosts."""

    present: Present
    recorded: Recorded
    """The same as its state has it."""


async def warn(stack: str, made: Lab, roles: Mapping[str, Role], directory: Path, lab: Environment) -> None:
    """Tell what a change means, as soon as the engine has planned all containers; nothing where there are none yet.

    Args:
        stack: the stack.
        made: the lab as declared.
        roles: its roles.
        directory: the stack's directory on this host.
        lab: the lab as configured.
    """
    there = await asyncio.to_thread(everywhere, stack, directory, lab)
    before = {name: role for name, role in there.present.roles.items() if role in roles}
    lost = await asyncio.to_thread(refusal.found, there.recorded, lab, roles)
    told: list[str] = []
    if before:
        known = await asyncio.gather(*(running.id.is_known() for running in made.running.values()))
        unknown = {name for name, is_known in zip(made.running, known, strict=True) if not is_known}
        change = planned(before, set(made.running), unknown, restarted(made.files, there.present.supervised))
        told = [*moved(there.present.vips, str(lab.vip)), *warnings(change, before, roles, there.present.holder)]
    for sentence in [*told, *(each.sentence(lab.may_lose) for each in lost)]:
        pulumi.warn(f"This change {sentence}")
    for note in refusal.unneeded(lost, lab):
        pulumi.info(str(note))


def everywhere(stack: str, directory: Path, lab: Environment) -> There:
    """Look at what a stack has on all its hosts, at once.

    What can't be looked at, on a host that doesn't answer or is no longer configured, is as the state has it.

    Args:
        stack: the stack.
        directory: its directory on this host.
        lab: the lab as configured.
    """
    far = [host for host in lab.used_hosts if host.ssh is not None and not host.silent]
    with ThreadPoolExecutor(len(far) + 2) as pool:
        here = pool.submit(present.look, stack, directory)
        state = pool.submit(_recorded, stack)
        answers = zip(far, pool.map(partial(_look, stack), far), strict=True)
        told = {host.name: found for host, found in answers if found}
        recorded = state.result()
    seen = {*told, *(host.name for host in lab.hosts.values() if host.ssh is None)}
    unseen = [Present(roles) for host, roles in recorded.roles_on().items() if host not in seen]
    return There(present.together([here.result(), *told.values(), *unseen]), recorded)


def _look(stack: str, host: ConfiguredHost) -> Present | None:
    try:
        return Present(**distance.tool(host, stack, "present"))
    except (OSError, subprocess.SubprocessError, ValueError, TypeError):
        # It has nothing of the stack, or its tool is an earlier one.
        return None


def _recorded(stack: str) -> Recorded:
    try:
        return read(cleanup.resources(stack))
    except subprocess.CalledProcessError:
        # The next step will tell.
        return Recorded()


def planned(before: Mapping[str, str], wanted: set[str], unknown: set[str], changed: frozenset[str]) -> Change:
    """Return the change from the containers that there are to those that are wanted.

    Args:
        before: the containers that there are, each with its role.
        wanted: the names of those that are wanted.
        unknown: those of them that the engine is going to make.
        changed: those whose supervisord gets other files.
    """
    removed = frozenset(before.keys() - wanted)
    replaced = frozenset(unknown & before.keys())
    return Change(
        added=frozenset(unknown - before.keys()),
        removed=removed,
        replaced=replaced,
        restarted=changed - removed - replaced,
    )


def restarted(rendered: Mapping[str, Files], written: Mapping[str, Mapping[str, str]]) -> frozenset[str]:
    """Return the containers whose supervisord would get other files than it has.

    Args:
        rendered: the files of each container, as the configuration makes them.
        written: those of them that supervisord was given, by their digests.
    """
    return frozenset(name for name, told in rendered.items() if name in written and _digests(told) != written[name])


def moved(told: Sequence[str], vip: str) -> list[str]:
    """Return what another VIP means, where the hosts have been told one; nothing for the same."""
    return [
        f"moves the VIP: from {before} to {vip}; clients that have the old address lose the lab."
        for before in told
        if before != vip
    ]


def _digests(rendered: Files) -> dict[str, str]:
    return {path: files.digest(file["content"]) for path, file in read_by_supervisord(rendered).items()}
