"""Where a stack's containers are: here, or on a host behind ssh, whose tool is asked."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

from commands.hosts import behind_ssh
from components.configuration.environment import ConfiguredHost
from components.host import distance
from components.outputs import outputs_of
from hostside import docker_api, report
from hostside.cli import OTHER_VERSION
from hostside.errors import Refused

OF_TOOL = 1
"""The exit status by which the tool tells that it can't do something, in its own words; ssh's own is another."""


@dataclass(frozen=True)
class Answers:
    """What the hosts behind ssh that were asked have told."""

    told: dict[str, dict[str, Any]] = field(default_factory=dict)
    """By the host's name. Those that have nothing of the stack are not among them."""
    faults: list[str] = field(default_factory=list)
    """Those that didn't answer: key, reason and fix of each."""


def others(stack: str) -> list[ConfiguredHost]:
    """Return the hosts behind ssh of a stack, as its file has them.

    Raises:
        Refused: when the file can't be read, and the stack has containers on other hosts.
    """
    try:
        return behind_ssh(stack)
    except ValueError as error:
        if not placed(outputs_of(stack)):
            return []
        raise Refused(f"{error}. Fix: Put it back; it tells how the other hosts are reached.") from error


def placed(outputs: Mapping[str, Any] | None) -> dict[str, str]:
    """Return the host of each container by a stack's outputs; nothing for a stack of one host."""
    services = outputs["services"] if outputs else {}
    return {name: each["host"] for name, each in services.items() if "host" in each}


def elsewhere(stack: str, outputs: Mapping[str, Any]) -> list[ConfiguredHost]:
    """Return the hosts behind ssh of a stack that is on several hosts by its outputs; none for one of one host.

    Raises:
        Refused: when its file can't be read.
    """
    return others(stack) if placed(outputs) else []


def ask(
    hosts: Sequence[ConfiguredHost], stack: str, service: str, given: Mapping[str, object] | None = None
) -> Answers:
    """Ask hosts behind ssh something of a stack, all at once.

    Args:
        hosts: the hosts.
        stack: the stack's name.
        service: what the tool is to do there.
        given: what it is given for that.
    """
    answers = Answers()
    if not hosts:
        return answers
    with ThreadPoolExecutor(len(hosts)) as pool:
        asked = {host.name: pool.submit(distance.tool, host, stack, service, (), given) for host in hosts}
        for name, future in asked.items():
            try:
                answers.told[name] = future.result()
            except distance.NoTool:
                continue
            except (OSError, subprocess.SubprocessError, ValueError) as error:
                answers.faults.append(silent(stack, name, distance.told_of(error)))
    return answers


def have(
    host: ConfiguredHost,
    stack: str,
    service: str,
    given: Mapping[str, object],
    seconds: float = distance.SECONDS,
) -> dict[str, Any]:
    """Have a host behind ssh do something that it may refuse; return what it tells.

    Args:
        host: the host.
        stack: the stack's name.
        service: what the tool is to do there.
        given: what it is given for that.
        seconds: how long it may take.

    Raises:
        Refused: with the words of the tool there, or what keeps the host from being asked.
    """
    try:
        return distance.tool(host, stack, service, (), given, seconds)
    except (OSError, subprocess.SubprocessError, ValueError) as error:
        if getattr(error, "returncode", None) == OF_TOOL:
            said = str(getattr(error, "stderr", "")).strip()
            fix = f". Fix: `{report.again(stack)}` puts the one of this version there" if OTHER_VERSION in said else ""
            raise Refused(f"on host {host.name}: {said}{fix}") from error
        raise Refused(silent(stack, host.name, distance.told_of(error))) from error


def silent(stack: str, name: str, reason: str) -> str:
    """Return the fault of a host behind ssh that can't be asked."""
    return (
        f"containerHosts.{name}: the host can't be asked: {reason}. Fix: Bring it back; what is not as it should be "
        f"there, `make hosts` and `{report.again(stack)}` mend."
    )


def host_of(stack: str, container: str, command: str) -> ConfiguredHost | None:
    """Return the host behind ssh that a container of a stack is on; None where it is here.

    Args:
        stack: the stack.
        container: the container's name, as it was given.
        command: who asks.

    Raises:
        Refused: when none of the hosts has it, with those that there are.
        OSError: when the engine here can't be asked.
    """
    if not container:
        raise Refused(f"say of which container: make {command} CONTAINER=...")
    known = {docker_api.name(each) for each in docker_api.containers(stack)}
    if container in known:
        return None
    hosts = {host.name: host for host in others(stack)}
    answers = ask(list(hosts.values()), stack, "containers")
    for name, told in answers.told.items():
        if container in told["containers"]:
            return hosts[name]
        known.update(told["containers"])
    listed = f"stack {stack} has no container {container}; it has {' '.join(sorted(known)) or 'none'}."
    raise Refused("\n".join([listed, *answers.faults]))
