"""What a container's coming and going means to another role, told by a command in one of that role's containers."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from hostside import containers, engine, health
from hostside.errors import StepError
from hostside.process import CommandFailed

SECONDS = 180.0
ASK_SECONDS = 30.0
STOP_SECONDS = 10


def join(container: str, fqdn: str, other: str, command: Sequence[str]) -> None:
    """Run the command that makes a container a member.

    Args:
        container: the one that comes.
        fqdn: its full name.
        other: the container that the command runs in.
        command: the command; it is given both names. Nothing is run where there is none.

    Raises:
        StepError: when the command fails.
    """
    if not command:
        return
    try:
        containers.execute(other, [*command, container, fqdn], timeout=SECONDS)
    except CommandFailed as error:
        reason = f"{command[0]} in {other} ended badly: {error}"
        raise StepError(container, "joining", reason, containers.program_logs(other)) from error


def absence(container: str, fqdn: str, other: str, command: Sequence[str]) -> str:
    """Return why a container isn't a member, as the command tells; nothing where it is, or nobody can be asked."""
    if not command:
        return ""
    try:
        return containers.execute(other, [*command, container, fqdn], timeout=ASK_SECONDS).strip()
    except CommandFailed:
        return ""


def leave(container: str, fqdn: str, other: str, command: Sequence[str]) -> None:
    """Run the command that makes a container a member no more, after its programs, which would say that they are there.

    Where the other container doesn't run, or not all of its programs do, there is nobody to tell: that is said, and
    the removal goes on.

    Raises:
        StepError: when the command fails although all of the other container's programs run.
    """
    found = engine.inspect(other)
    if found is None or not found["State"]["Running"]:
        return
    # On another host than this one, it isn't found and goes on: the programs' last words may then come too late.
    engine.stop(container, STOP_SECONDS)
    try:
        containers.execute(other, [*command, container, fqdn], timeout=SECONDS)
    except CommandFailed as error:
        if health.first_failure(other, ()):
            print(f"{container}: {other} doesn't work and can't be told of its removal", file=sys.stderr, flush=True)
            return
        reason = f"{command[0]} in {other} ended badly: {error}"
        raise StepError(container, "leaving", reason, containers.program_logs(other)) from error
