"""A container joins a role, or leaves it, by a command in one of that role's other containers."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from hostside import containers, docker_api, health
from hostside.errors import StepError
from hostside.process import CommandFailed

SECONDS = 300.0
ASK_SECONDS = 30.0
STOP_SECONDS = 10
RETIRE_SECONDS = 900.0


def join(container: str, fqdn: str, others: Sequence[str], command: Sequence[str]) -> None:
    """Run the command that makes a container a member.

    Args:
        container: the one that comes.
        fqdn: its full name.
        others: the containers that the command may run in; the first that works is taken.
        command: the command; it is given both names. Nothing is run where there is none, or nobody to run it in.

    Raises:
        StepError: when the command fails.
    """
    if not command or not others:
        return
    # Where none works, the first one's words are the reason.
    other = _working(others) or others[0]
    try:
        containers.execute(other, [*command, container, fqdn], timeout=SECONDS)
    except CommandFailed as error:
        reason = f"{command[0]} in {other} ended badly: {error}"
        raise StepError(container, "joining", reason, containers.program_logs(other)) from error


def absence(container: str, fqdn: str, others: Sequence[str], command: Sequence[str]) -> str:
    """Return why a container isn't a member, as the command tells; nothing where it is, or nobody can be asked."""
    if not command:
        return ""
    for other in others:
        try:
            return containers.execute(other, [*command, container, fqdn], timeout=ASK_SECONDS).strip()
        except CommandFailed:
            continue
    return ""


def leave(
    container: str,
    fqdn: str,
    others: Sequence[str],
    command: Sequence[str],
    retire: Sequence[str] = (),
    *,
    stops: bool = True,
) -> None:
    """Run the command that makes a container a member no more.

    Before that its programs are ended, which would say that they are there, unless they take part in its leaving.

    Where none of the others works, there is nobody to tell: that is said, and the removal goes on.

    Args:
        container: the one that goes.
        fqdn: its full name.
        others: the containers that the command may run in; the first that works is taken.
        command: the command; it is given both names.
        retire: what runs in the one that goes before, while its programs still work; nothing more is done where it
            prints why the container stays a member.
        stops: whether its programs are ended before, as they would say that they are there.

    Raises:
        StepError: when the command fails in one that still works.
    """
    running = [other for other in others if _runs(other)]
    if not running:
        return
    if retire:
        try:
            stays = containers.execute(container, [*retire, container, fqdn], timeout=RETIRE_SECONDS).strip()
        except CommandFailed as error:
            print(f"{container}: it goes without handing over: {error}", file=sys.stderr, flush=True)
        else:
            if stays:
                return
    # A container on another host isn't found here: its programs go on, and may report once more after it has left.
    if stops:
        docker_api.stop(container, STOP_SECONDS)
    other = _working(running) or running[0]
    try:
        containers.execute(other, [*command, container, fqdn], timeout=SECONDS)
    except CommandFailed as error:
        if health.first_failure(other, ()):
            print(f"{container}: {other} doesn't work and can't be told of its removal", file=sys.stderr, flush=True)
            return
        reason = f"{command[0]} in {other} ended badly: {error}"
        raise StepError(container, "leaving", reason, containers.program_logs(other)) from error


def _runs(container: str) -> bool:
    found = docker_api.inspect(container)
    return found is not None and bool(found["State"]["Running"])


def _working(others: Sequence[str]) -> str | None:
    """Return the first container of some all of whose programs run."""
    if len(others) == 1:
        return others[0]
    return next((other for other in others if health.first_failure(other, ()) is None), None)
