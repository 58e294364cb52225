"""What an update would lose for good: previews tell it, and `up` refuses it before the first resource.

It is taken from the stack's state, by which the engine removes: what an `up` that failed has removed already is not in
it any more, and what is on a host that is no longer configured still is.
"""

from __future__ import annotations

import shlex
import subprocess
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

from components.configuration import names
from components.configuration.environment import Environment
from components.configuration.faults import Fault, Note, plain
from components.configuration.preflight import runner_for
from components.consequences import MAY_LOSE, Gone, Loss, dropped, listed, losses, majority
from components.recorded import Recorded
from components.services.role import Role
from hostside import process

RUNS = """[ "$(docker inspect --format '{{.State.Running}}' %s)" = true ]"""
"""Ends well where a container runs."""
ENDED_WELL = """[ "$(docker inspect --format '{{.State.ExitCode}}' %s)" = 0 ]"""
"""Ends well where a container runs, or has ended in order: as one does that is ended in the course of its leaving."""


def found(there: Recorded, lab: Environment, roles: Mapping[str, Role]) -> list[Loss]:
    """Return what the update of a stack to a configuration would lose for good.

    Args:
        there: what the stack has.
        lab: the lab as configured.
        roles: its roles.
    """
    before = {name: role for name, role in there.roles.items() if role in roles}
    going = gone(there, lab, roles)
    mute = {container.name for container in lab.containers if lab.hosts[container.host].silent}
    givers = _givers(going, before, roles)
    mute |= givers.keys() - _answering(givers, there, lab)
    lost = {name for each in losses(going, before, roles, mute) for name in each.containers}
    # Only those are asked that it depends on.
    asked = {name: roles[before[name]].vacant for name in lost if roles[before[name]].vacant}
    vacant = _answering({name: shlex.join(["docker", "exec", name, *asked[name]]) for name in asked}, there, lab)
    missed = tuple((volume, container) for volume, container in going.volumes if container not in vacant)
    return losses(replace(going, volumes=missed), before, roles, mute)


def gone(there: Recorded, lab: Environment, roles: Mapping[str, Role]) -> Gone:
    """Return what goes with the update of a stack to a configuration, whoever else has it.

    Args:
        there: what the stack has.
        lab: the lab as configured.
        roles: its roles.
    """
    wanted = {names.volume(c.name, suffix): c.host for c in lab.containers for suffix in roles[c.role].data}
    same = [container for container in lab.containers if there.roles.get(container.name) == container.role]
    after = {container.name: container.role for container in lab.containers}
    return Gone(
        # One whose container is gone has been given up before.
        volumes=tuple(
            (volume.name, volume.container)
            for volume in there.volumes
            if there.roles.get(volume.container) in roles and wanted.get(volume.name) != volume.host
        ),
        databases=dropped(there.roles, after, roles),
        staying=frozenset(c.name for c in same if there.hosts[c.name] == c.host),
        elsewhere=frozenset(c.name for c in same if there.hosts[c.name] != c.host),
    )


def _givers(going: Gone, before: Mapping[str, str], roles: Mapping[str, Role]) -> dict[str, str]:
    """Return the containers whose handing over it takes to have everything, each with the command that tells of it."""
    commands: dict[str, str] = {}
    for role in (role for role in roles.values() if role.hands_over):
        members = [name for name, of in before.items() if of == role.name]
        if len(going.staying.intersection(members)) < majority(len(members)):
            ends = any(each.role == role.name and each.stops and not each.entry for each in role.memberships)
            command = ENDED_WELL if ends else RUNS
            commands |= {name: command % name for name in members if name not in going.staying | going.elsewhere}
    return commands


def _answering(commands: Mapping[str, str], there: Recorded, lab: Environment) -> set[str]:
    """Return those of some containers for which a command on their host ends well, all asked at once."""

    def answers(name: str) -> bool:
        host = lab.hosts.get(there.hosts[name])
        if host is None or host.silent:
            return False
        try:
            runner_for(host)(f"export DOCKER_HOST=unix://{process.SOCKET}; {commands[name]}")
        except (OSError, subprocess.SubprocessError):
            return False
        return True

    if not commands:
        return set()
    with ThreadPoolExecutor(len(commands)) as pool:
        return {name for name, well in zip(commands, pool.map(answers, commands), strict=True) if well}


def faults(lost: Sequence[Loss], lab: Environment) -> list[Fault]:
    """Return a fault for each loss that the configuration doesn't allow; those of the same containers have one.

    Args:
        lost: what an update would lose.
        lab: the lab as configured.
    """
    refused = [each for each in lost if each.untold(lab.may_lose)]
    concerned = listed({name for each in refused for name in each.untold(lab.may_lose)}) if refused else ""
    hosts = {container.name: container.host for container in lab.containers}
    together: dict[tuple[str, ...], list[Loss]] = {}
    for each in refused:
        together.setdefault(each.containers, []).append(each)
    told = []
    for containers, group in together.items():
        name = next(name for name in containers if name not in lab.may_lose)
        what = f"{listed([each.what for each in group])} would be removed with all that is in {_them(group)}"
        if name in hosts:
            key = lab.keys.of("containers", name, "host")
            reason = f"moves it to host {plain(hosts[name])}, where it begins anew, and {what}"
        else:
            key = lab.keys.of("containers", name)
            reason = f"is no longer configured, and {what}"
        fix = f"{group[0].instead}; or keep what is needed by `make backup`, and name {concerned} in {MAY_LOSE}."
        told.append(Fault(key, f"{reason}: {group[0].because}", fix))
    return told


def unneeded(lost: Sequence[Loss], lab: Environment) -> list[Note]:
    """Return a note where the configuration names containers whose data nothing takes away.

    Args:
        lost: what an update would lose.
        lab: the lab as configured.
    """
    needless = lab.may_lose.difference(*(each.containers for each in lost))
    if not needless:
        return []
    text = f"nothing of {listed(needless)} would be lost; take them out, or a later update may lose it unasked"
    return [Note(MAY_LOSE, text)]


def _them(group: Sequence[Loss]) -> str:
    return "it" if len(group) == 1 else "them"
