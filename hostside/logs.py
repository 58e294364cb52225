"""What the programs of a stack's containers on this host have written, and what our tool has done here, with times.

That is each program's own log, what supervisord and the keeper write to Docker's, the output of each Puppet run, and
what of the lab was brought up when, as the tool has recorded it. It reads, and changes nothing.
"""

from __future__ import annotations

import io
import re
import tarfile
from collections.abc import Collection, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from hostside import applied, docker_api, stamps

LOGS = "/var/log/supervisor"
"""Where supervisord keeps the output of each program, in every container."""
BLOCK_BYTES = 1 << 16
"""How much of a log's end is read first; as much again and again where that doesn't reach back far enough."""
_SECOND_TIME = re.compile(r"^(\S+ )(?:[\d-]+ )?\d\d:\d\d:\d\d(?:,\d+)? ")
"""Docker's time before a line, and the writer's own behind it."""


@dataclass(frozen=True)
class Entry:
    """A line that says when it was written, with those after it that don't."""

    time: float
    """Seconds since the epoch."""
    container: str
    program: str
    lines: tuple[str, ...]

    def __str__(self) -> str:
        when = datetime.fromtimestamp(self.time, UTC).strftime("%Y-%m-%d %H:%M:%S.%f")[:-3]
        return "\n".join(f"{when} {self.container} {self.program}: {line}" for line in self.lines)


@dataclass(frozen=True)
class Written:
    """What was found on a host."""

    containers: list[str]
    """All that the stack has here, whether or not something of them was asked for."""
    entries: list[Entry]
    faults: list[str]
    """What could not be read."""


def written(
    stack: str, directory: Path, keeper: str, names: Collection[str], since: float, pattern: re.Pattern[str]
) -> Written:
    """Return what was written since a time, in no order.

    Args:
        stack: the stack.
        directory: its directory on this host.
        keeper: the name of its keeper.
        names: of which containers; of all, where there is no name.
        since: seconds since the epoch.
        pattern: what one of an entry's lines has to match.

    Raises:
        OSError: when the engine can't be asked.
    """
    states = {docker_api.name(each): each["State"] for each in docker_api.containers(stack)}
    wanted = [name for name in states if name in names or not names]
    faults: list[str] = []

    def of(name: str) -> list[Entry]:
        found: list[Entry] = []
        try:
            found += _of_container(name, "keeper" if name == keeper else "supervisord", states[name], since)
        except OSError as error:
            faults.append(f"not all of {name}: {error}")
        return found

    with ThreadPoolExecutor(max_workers=8) as pool:
        entries = [entry for found in pool.map(of, wanted) for entry in found]
    entries += [entry for entry in _of_tool(directory) if entry.container in wanted]
    chosen = [e for e in entries if e.time >= since and any(pattern.search(line) for line in e.lines)]
    return Written(list(states), chosen, faults)


def entries_of(container: str, program: str, lines: Iterable[str], otherwise: float) -> Iterator[Entry]:
    """Gather the lines of a log to entries.

    Args:
        container: whose log it is.
        program: the program.
        lines: its lines, in their order.
        otherwise: when those lines were written at the latest that come before any that says when.
    """
    now = datetime.now(UTC)
    when: float | None = None
    gathered: list[str] = []
    for line in lines:
        told, rest = stamps.split(line, now)
        if told is None:
            gathered.append(line)
            continue
        if gathered:
            yield Entry(told if when is None else when, container, program, tuple(gathered))
        when, gathered = told, [rest]
    if gathered:
        yield Entry(otherwise if when is None else when, container, program, tuple(gathered))


def end_of(log: BinaryIO, since: float) -> list[str]:
    """Return the lines at the end of a log, as many as it takes to reach back to a time; all, where none tells one."""
    size = log.seek(0, io.SEEK_END)
    length = BLOCK_BYTES
    now = datetime.now(UTC)
    while True:
        start = max(0, size - length)
        log.seek(start)
        lines = log.read(size - start).decode(errors="replace").splitlines()[1 if start else 0 :]
        first = next((told for told, _ in (stamps.split(line, now) for line in lines) if told is not None), None)
        if start == 0 or (first is not None and first < since):
            return lines
        length *= 4


def _of_container(name: str, own: str, state: str, since: float) -> Iterator[Entry]:
    yield from entries_of(name, own, (_SECOND_TIME.sub(r"\1", line) for line in docker_api.logs(name, since)), since)
    pid = docker_api.pid(name) if state == "running" else None
    for program, changed, lines in _running(pid, since) if pid else _stopped(name, since):
        yield from entries_of(name, program, lines, changed)


def _running(pid: int, since: float) -> Iterator[tuple[str, float, list[str]]]:
    """Read the logs of a container that runs: program, time of the last change, lines."""
    for path in sorted(Path(f"/proc/{pid}/root{LOGS}").glob("*.log*"), reverse=True):
        # Turned over when it is full: program.log, program.log.1, ...; the highest number is the oldest.
        try:
            changed = path.stat().st_mtime
            if changed >= since:
                with path.open("rb") as log:
                    yield path.name.partition(".log")[0], changed, end_of(log, since)
        except FileNotFoundError:
            continue


def _stopped(name: str, since: float) -> Iterator[tuple[str, float, list[str]]]:
    """Read the logs of a container that doesn't run, the same way."""
    packed = docker_api.archive(name, LOGS)
    if not packed:
        return
    with tarfile.open(fileobj=io.BytesIO(packed)) as archive:
        for member in archive:
            log = archive.extractfile(member) if member.isfile() and ".log" in member.name else None
            if log and member.mtime >= since:
                program = PurePosixPath(member.name).name.partition(".log")[0]
                yield program, member.mtime, end_of(io.BytesIO(log.read()), since)


def _of_tool(directory: Path) -> Iterator[Entry]:
    """Read what the tool has kept of Puppet runs and of what it brought up."""
    for log in (directory / "logs").glob("*.puppet.log"):
        # Puppet writes no times here; its run ended when the file was changed last.
        yield from entries_of(log.name.removesuffix(".puppet.log"), "puppet", _text(log), log.stat().st_mtime)
    for record in (directory / applied.DIRECTORY).glob("*.json"):
        operation, _, subject = record.stem.partition(" ")
        yield Entry(record.stat().st_mtime, subject.partition(" ")[0], "tool", (f"{operation} {subject}: done",))


def _text(log: Path) -> list[str]:
    return log.read_text(errors="replace").splitlines()
