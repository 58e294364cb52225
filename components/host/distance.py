"""Questions to hosts behind ssh, and work on them, beside the resources there."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
from collections.abc import Collection, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import PurePosixPath
from typing import Any

from commands import cleanup
from components import paths, ssh
from components.configuration.environment import ConfiguredHost
from components.configuration.preflight import HostFacts, runner_for
from components.host.container_host import PYTHON
from hostside.drift import Finding

SECONDS = 120.0
"""How long an answer may take: drift detection makes each check of each service there, on a machine that is busy."""

Key = tuple[str, str]


class Findings(Mapping[Key, Future[Finding]]):
    """The drift of a host behind ssh, as :data:`hostside.drift.Found`; detection begins with the constructor.

    Which operations have records there is known only when it answers, so there is something to wait for under each key.
    """

    def __init__(self, host: ConfiguredHost, stack: str) -> None:
        """Begin to detect drift; a host that can't be asked has none, and the next step will tell."""
        pool = ThreadPoolExecutor(1)
        self._all = pool.submit(_detect, host, stack)
        pool.shutdown(wait=False)

    def __getitem__(self, key: Key) -> Future[Finding]:
        finding: Future[Finding] = Future()
        self._all.add_done_callback(lambda done: finding.set_result(done.result().get(key, Finding(0, ""))))
        return finding

    def __iter__(self) -> Iterator[Key]:
        return iter(self._all.result())

    def __len__(self) -> int:
        return len(self._all.result())


class NoTool(ValueError):
    """A host behind ssh has nothing of the stack, not even our tool."""


def tool(
    host: ConfiguredHost,
    stack: str,
    service: str,
    words: Sequence[str] = (),
    given: Mapping[str, object] | None = None,
    seconds: float = SECONDS,
) -> dict[str, Any]:
    """Have the tool that a host behind ssh has of a stack do something; return what it tells.

    Args:
        host: the host.
        stack: the stack's name.
        service: what is to be done.
        words: words that it needs beside the stack's name; every user of the host can read them.
        given: what it is given on its standard input.
        seconds: how long it may take.

    Raises:
        OSError, subprocess.SubprocessError: when the host can't be reached, or the tool fails.
        NoTool: when the host has nothing of the stack.
        ValueError: when the tool there can't do that.
    """
    assert host.ssh is not None
    done = subprocess.run(
        ssh.command(host.ssh, [line(host, stack, service, words)]),
        input=json.dumps(given or {}),
        capture_output=True,
        text=True,
        timeout=seconds,
        check=True,
    )
    if not done.stdout:
        raise NoTool(f"it has nothing of stack {stack}")
    told: dict[str, Any] = json.loads(done.stdout)
    return told


def line(host: ConfiguredHost, stack: str, service: str, words: Sequence[str] = ()) -> str:
    """Return the shell command that runs the stack's tool on a host, and does nothing where there is none."""
    place = paths.stack_directory(stack, PurePosixPath(host.home)) / "tool"
    return f"[ ! -e {place} ] || exec {PYTHON} {place} {service} {shlex.join([stack, *words])}"


def told_of(error: Exception) -> str:
    """Return what a failure of :func:`tool` tells: the last line of the tool's own words, or of ssh's."""
    said = str(getattr(error, "stderr", "") or error).strip().splitlines()
    return said[-1] if said else str(error)


def _detect(host: ConfiguredHost, stack: str) -> dict[Key, Finding]:
    try:
        found = tool(host, stack, "look")["found"]
    except (OSError, subprocess.SubprocessError, ValueError, KeyError):
        # The tool there may be an earlier one, which can't detect drift.
        return {}
    return {(name, subject): Finding(count, reason, remedy) for name, subject, count, reason, remedy in found}


def owner() -> str:
    """Return the name of our state's place, as hosts behind ssh record it; a directory is named with this machine."""
    backend = cleanup.backend()
    return f"{backend} on {os.uname().nodename}" if backend.startswith("file:") else backend


def claim(stack: str, host: ConfiguredHost, found: HostFacts) -> None:
    """Make sure that what carries the stack's name on a host behind ssh is ours to change, by what it answered.

    Raises:
        ForeignStack: with whom it belongs to.
    """
    if found.backend and found.backend != owner():
        raise cleanup.ForeignStack(
            f"stack {stack} on host {host.name} belongs to the state in {found.backend}, and this one is in"
            f" {owner()}. Fix: Work with that backend, or choose another stack name."
        )


def clear_unrecorded(stack: str, host: ConfiguredHost, found: HostFacts, recorded: Collection[str]) -> None:
    """Note on a host behind ssh that the stack is ours, and remove its containers that the stack's state doesn't know.

    Args:
        stack: the stack's name.
        host: the host.
        found: what it answered.
        recorded: the IDs of the containers in the state.

    Raises:
        OSError, subprocess.SubprocessError: when it can't be done.
    """
    ours = {name: found.ids[name] for name, (of, _) in found.containers.items() if of == stack}
    left = {name: identifier for name, identifier in ours.items() if identifier not in recorded}
    if found.backend == owner() and not left:
        return
    for name in sorted(left):
        cleanup.say_left(f"{name} on {host.name}")
    directory = shlex.quote(str(paths.stack_directory(stack, PurePosixPath(host.home))))
    lines = ["set -e", f"install -d -m 0700 {directory}", f"printf %s {shlex.quote(owner())} >{directory}/backend"]
    if left:
        lines.append(f"docker rm --force --volumes {' '.join(left.values())} >/dev/null")
    runner_for(host)("\n".join(lines))
