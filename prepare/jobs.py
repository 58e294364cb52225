"""Commands that run at the same time as far as they don't need each other: a bounded number, the longest chain first.

Of the commands that may run, the one begins first whose chain of commands that wait for it takes longest, itself
included: the whole is never done sooner than that.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import tempfile
import time
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from typing import Any

LINES = 25
"""How much of a failed job's output is repeated after those of all others."""
END_SECONDS = 10.0
"""How long an interrupted job may take to end before it is killed."""
OUTPUT_SECONDS = 2.0
"""How long the rest of an ended job's output is waited for, as something that it left running may keep it open."""
LINE_BYTES = 1 << 24


@dataclass(frozen=True)
class Job:
    """One command, and when it may run.

    Attributes:
        name: its name, for other jobs and for who reads the console.
        command: the program and its arguments; all that it writes goes to the console, line by line.
        needs: names of the jobs that have to be done before.
        seconds: about how long it takes where there is everything to do; only the ratios matter.
        stdin: text for its standard input.
        answer: what to make of its standard output, which then doesn't go to the console: further jobs.
    """

    name: str
    command: Sequence[str]
    needs: tuple[str, ...] = ()
    seconds: float = 1.0
    stdin: str = ""
    answer: Callable[[str], Iterable[Job]] | None = None


class JobFailed(Exception):
    """A job ended with another status than 0."""

    def __init__(self, job: Job, status: int, seconds: float, lines: Sequence[str]) -> None:
        """Keep the job, its status, how long it ran, and the end of what it wrote."""
        said = "".join(f"\n    {line}" for line in lines)
        how = f"by signal {signal.Signals(-status).name}" if status < 0 else f"with status {status}"
        super().__init__(f"{job.name} ended {how} after {seconds:.0f} s{': it said' if said else ''}{said}")
        self.job = job
        self.status = status


class Interrupted(Exception):
    """A signal came before all was done."""

    def __init__(self, number: int) -> None:
        """Keep the signal's number."""
        super().__init__(f"interrupted by {signal.Signals(number).name}")
        self.number = number


class Board:
    """The jobs that are to be done, those that run, and those that are done."""

    def __init__(self, jobs: Iterable[Job]) -> None:
        """Put the first jobs on the board; see :meth:`add`."""
        self._waiting: dict[str, Job] = {}
        self._running: dict[str, Job] = {}
        self._done: set[str] = set()
        self._chains: dict[str, float] = {}
        self.add(jobs)

    def add(self, jobs: Iterable[Job]) -> None:
        """Put more jobs on the board.

        Raises:
            ValueError: when two have one name, one needs another that isn't there, or some wait for each other.
        """
        for job in jobs:
            if job.name in self._waiting or job.name in self._running or job.name in self._done:
                raise ValueError(f"there are two jobs {job.name}")
            self._waiting[job.name] = job
        there = {**self._waiting, **self._running}
        for job in self._waiting.values():
            for need in job.needs:
                if need not in there and need not in self._done:
                    raise ValueError(f"job {job.name} needs {need}, which isn't there")
        try:
            order = list(TopologicalSorter({job.name: job.needs for job in there.values()}).static_order())
        except CycleError as error:
            raise ValueError(f"jobs wait for each other: {' -> '.join(error.args[1])}") from None
        self._chains = {}
        for name in reversed(order):
            if name in there:
                after = [self._chains[job.name] for job in there.values() if name in job.needs]
                self._chains[name] = there[name].seconds + max(after, default=0.0)

    def begin(self) -> Job | None:
        """Take the job that is to begin next; None when there is none that may, or none left."""
        ready = [job for job in self._waiting.values() if self._done.issuperset(job.needs)]
        if not ready:
            return None
        chosen = max(ready, key=lambda job: self._chains[job.name])
        self._running[chosen.name] = self._waiting.pop(chosen.name)
        return chosen

    def finish(self, job: Job) -> None:
        """Note that a job is done."""
        del self._running[job.name]
        self._done.add(job.name)


def run(jobs: Iterable[Job], at_once: int, say: Callable[[str], None] = print) -> None:
    """Run jobs until all are done. What one failed or was interrupted in, is its own to go on with when it runs again.

    Each job is a process group. At the first that fails, or at SIGINT or SIGTERM, no further one begins, and those that
    run are ended: what they have made so far is there when they run again.

    Args:
        jobs: the jobs; more may come from their answers.
        at_once: how many run at the same time, at most.
        say: takes each line for the console.

    Raises:
        JobFailed: when one failed.
        Interrupted: by SIGINT or SIGTERM.
        ValueError: when the jobs don't fit together.
    """
    asyncio.run(_run(Board(jobs), at_once, say))


async def _run(board: Board, at_once: int, say: Callable[[str], None]) -> None:
    running = set[asyncio.Task[Job]]()
    stopped: asyncio.Future[int] = asyncio.get_running_loop().create_future()

    def stop(number: int) -> None:
        if not stopped.done():
            stopped.set_result(number)

    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop, number)
    try:
        while True:
            while len(running) < at_once and (job := board.begin()):
                running.add(asyncio.create_task(_execute(board, job, say)))
            if not running:
                return
            awaited: set[asyncio.Future[Any]] = {stopped, *running}
            await asyncio.wait(awaited, return_when=asyncio.FIRST_COMPLETED)
            if stopped.done():
                raise Interrupted(stopped.result())
            for task in [task for task in running if task.done()]:
                running.remove(task)
                board.finish(task.result())
    finally:
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)


async def _execute(board: Board, job: Job, say: Callable[[str], None]) -> Job:
    """Run one job, put what it finds out on the board, and return it."""
    begin, last, told = time.monotonic(), deque[str](maxlen=LINES), list[str]()

    def pass_on(line: str) -> None:
        last.append(line)
        say(line)

    with tempfile.TemporaryFile() as given:
        given.write(job.stdin.encode())
        given.seek(0)
        async with contextlib.AsyncExitStack() as stack:
            shown = await stack.enter_async_context(_lines(pass_on))
            kept = await stack.enter_async_context(_lines(told.append)) if job.answer else shown
            process = await asyncio.create_subprocess_exec(
                *job.command, stdin=given, stdout=kept, stderr=shown, start_new_session=True
            )
            try:
                status = await process.wait()
            finally:
                await _end(process)
    if status != 0:
        raise JobFailed(job, status, time.monotonic() - begin, last)
    if job.answer:
        board.add(job.answer("\n".join(told)))
    return job


@contextlib.asynccontextmanager
async def _lines(take: Callable[[str], None]) -> AsyncIterator[int]:
    """Give a file descriptor to write to, and hand on each line until all who have it are gone, or soon after."""
    read, write = os.pipe()
    stream = asyncio.StreamReader(limit=LINE_BYTES)
    transport, _ = await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(stream), os.fdopen(read, "rb")
    )

    async def hand_on() -> None:
        async for raw in stream:
            take(raw.decode(errors="replace").rstrip())

    reader = asyncio.create_task(hand_on())
    try:
        yield write
    finally:
        os.close(write)
        await asyncio.wait({reader}, timeout=OUTPUT_SECONDS)
        reader.cancel()
        transport.close()


async def _end(process: asyncio.subprocess.Process) -> None:
    """End a job that still runs, and its children."""
    if process.returncode is not None:
        return
    _signal(process, signal.SIGTERM)
    try:
        await asyncio.wait_for(process.wait(), END_SECONDS)
    except TimeoutError:
        _signal(process, signal.SIGKILL)
        await process.wait()


def _signal(process: asyncio.subprocess.Process, number: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, number)
