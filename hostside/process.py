"""Running other programs: one place for time limits and for what an error says."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping, Sequence
from typing import BinaryIO

ADMINISTRATORS = ("/usr/local/sbin", "/usr/sbin", "/sbin")
"""Directories of the programs that configure a host: ip, iptables, ethtool."""
SOCKET = "/var/run/docker.sock"
"""The Docker engine of a host: the same for the Docker provider, for our tool and for the keeper."""
_OF_DOCKER = ("CONTEXT", "TLS", "TLS_VERIFY", "CERT_PATH", "API_VERSION", "DEFAULT_PLATFORM")
"""Ends of further variables that point Docker's client to another engine, or change how it works."""


class CommandFailed(Exception):
    """A program ended with a status other than 0, or did not end in time."""


def own_environment() -> dict[str, str]:
    """Return our environment with this host's Docker engine, whichever a person has chosen."""
    elsewhere = {f"DOCKER_{name}" for name in _OF_DOCKER}
    kept = {name: value for name, value in os.environ.items() if name not in elsewhere}
    return {**kept, "DOCKER_HOST": f"unix://{SOCKET}"}


def complete_path() -> None:
    """Put the administrator's programs on PATH: root by ``su`` keeps the former user's."""
    known = os.environ.get("PATH", os.defpath).split(os.pathsep)
    os.environ["PATH"] = os.pathsep.join([*known, *(each for each in ADMINISTRATORS if each not in known)])


def run(
    arguments: Sequence[str],
    *,
    stdin: str | BinaryIO | None = None,
    timeout: float = 60,
    environment: Mapping[str, str] | None = None,
    out: BinaryIO | None = None,
) -> str:
    """Run a program and return its standard output.

    Args:
        arguments: the program and its arguments; never a secret, as every user of the host can read them.
        stdin: text for its standard input, or a file that it is.
        timeout: seconds after which it is killed.
        environment: its whole environment; :func:`own_environment` when not given.
        out: a file that its standard output goes to, of which nothing is returned then.

    Raises:
        CommandFailed: with the program, its status and the end of its standard error.
    """
    try:
        done = subprocess.run(
            arguments, text=True, stdout=out or subprocess.PIPE, stderr=subprocess.PIPE, timeout=timeout, check=False,
            env=own_environment() if environment is None else environment,
            **({"input": stdin} if isinstance(stdin, str) else {"stdin": stdin or subprocess.DEVNULL}),
        )  # fmt: skip
    except FileNotFoundError as error:
        raise CommandFailed(f"{arguments[0]} is not installed on this host") from error
    except subprocess.TimeoutExpired as error:
        raise CommandFailed(f"{' '.join(arguments[:4])} did not end within {timeout:.0f} s") from error
    if done.returncode != 0:
        raise CommandFailed(
            f"{' '.join(arguments[:4])} ended with status {done.returncode}: {tail(done.stderr or done.stdout)}"
        )
    return done.stdout or ""


def tail(output: str) -> str:
    """Return the end of what a program has written, for an error."""
    return output.strip()[-2000:]


def succeeds(arguments: Sequence[str], *, stdin: str | None = None, timeout: float = 60) -> bool:
    """Say whether a program ends with status 0."""
    try:
        run(arguments, stdin=stdin, timeout=timeout)
    except CommandFailed:
        return False
    return True
