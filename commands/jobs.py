"""Programs that run at the same time for one purpose: all of them end well, or all are ended."""

from __future__ import annotations

import subprocess
import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import BinaryIO

from hostside.process import CommandFailed, tail

LOOK_SECONDS = 0.05
"""How often is looked whether one has ended."""


@dataclass(frozen=True)
class Job:
    """A program, what it reads, and where it writes to."""

    what: str
    """What it does, for the reader of its error."""
    arguments: Sequence[str]
    stdin: BinaryIO | None = None
    out: BinaryIO | None = None
    source: Job | None = None
    """An earlier one, whose output it reads."""


def together(jobs: Sequence[Job], seconds: float) -> None:
    """Run programs at the same time, and wait until all have ended; with the first that fails, all are ended.

    Raises:
        CommandFailed: with what each of those has said that have failed by themselves.
    """
    started: dict[int, tuple[Job, subprocess.Popen[bytes], BinaryIO]] = {}
    deadline = time.monotonic() + seconds
    with ExitStack() as held:
        try:
            for job in jobs:
                errors = held.enter_context(tempfile.TemporaryFile())
                started[id(job)] = job, _start(job, errors, jobs, started), errors
            while any(process.poll() is None for _, process, _ in started.values()):
                if faults := _faults(started):
                    raise CommandFailed(faults)
                if time.monotonic() > deadline:
                    raise CommandFailed(f"not all of it was done within {seconds:.0f} s")
                time.sleep(LOOK_SECONDS)
            if faults := _faults(started):
                raise CommandFailed(faults)
        finally:
            for _, process, _ in started.values():
                if process.poll() is None:
                    process.kill()
                process.wait()


def _start(
    job: Job,
    errors: BinaryIO,
    jobs: Sequence[Job],
    started: dict[int, tuple[Job, subprocess.Popen[bytes], BinaryIO]],
) -> subprocess.Popen[bytes]:
    is_read = any(other.source is job for other in jobs)
    source = started[id(job.source)][1].stdout if job.source else None
    process = subprocess.Popen(
        job.arguments,
        stdin=source or job.stdin or subprocess.DEVNULL,
        stdout=subprocess.PIPE if is_read else job.out or subprocess.DEVNULL,
        stderr=errors,
    )
    if source is not None:
        # Only the reader keeps the pipe open, so that its end reaches the writer.
        source.close()
    return process


def _faults(started: dict[int, tuple[Job, subprocess.Popen[bytes], BinaryIO]]) -> str:
    found = []
    for job, process, errors in started.values():
        if process.poll():
            errors.seek(0)
            said = tail(errors.read().decode(errors="replace"))
            found.append(f"{job.what}: {said or f'{job.arguments[0]} ended with status {process.returncode}'}")
    return "\n".join(found)
