"""Running commands inside a container, and reading why one of its programs does not run."""

from __future__ import annotations

import queue
import subprocess
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from hostside.process import CommandFailed, own_environment, run, succeeds

ENDED = ("STOPPED", "EXITED", "FATAL")
"""States of a program that supervisord doesn't start again by itself."""
LOG_LINES = 15
"""How many lines of a log an error shows."""


def execute(container: str, arguments: Sequence[str], *, stdin: str | None = None, timeout: float = 120) -> str:
    """Run a command in a container as root and return its standard output.

    Raises:
        CommandFailed: when it ends with a status other than 0.
    """
    return run(["docker", "exec", "-i", container, *arguments], stdin=stdin, timeout=timeout)


def stream(
    container: str, arguments: Sequence[str], line: Callable[[str], None], tick: Callable[[], None], interval: float
) -> int:
    """Run a command in a container, hand over each line that it prints, and return its status.

    Args:
        container: the container.
        arguments: the command and its arguments.
        line: takes each line, without its end.
        tick: called whenever nothing was printed for a while; what it raises ends the wait, not the command.
        interval: that while, in seconds.
    """
    lines: queue.Queue[str | None] = queue.Queue()
    process = subprocess.Popen(
        ["docker", "exec", container, *arguments],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace",
        env=own_environment(),
    )  # fmt: skip

    def read() -> None:
        assert process.stdout is not None
        for text in process.stdout:
            lines.put(text.rstrip("\n"))
        lines.put(None)

    threading.Thread(target=read, daemon=True).start()
    try:
        while True:
            try:
                text = lines.get(timeout=interval)
            except queue.Empty:
                tick()
                continue
            if text is None:
                return process.wait()
            line(text)
    finally:
        process.kill()


@dataclass(frozen=True)
class Program:
    """A program as its supervisord sees it."""

    name: str
    state: str
    """One of supervisord's: RUNNING, STARTING, BACKOFF, STOPPED, EXITED, FATAL."""
    reason: str
    """Why it could not be started, in parentheses; mostly empty."""


def programs(told: str) -> list[Program]:
    """Return what the base image's script ``health`` tells: a line ``NAME STATE uptime Ns (REASON)`` for each."""
    lines = [words for line in told.splitlines() if len(words := line.split(maxsplit=4)) > 1]
    return [Program(name, state, "".join(rest[2:])) for name, state, *rest in lines]


def changes(container: str) -> list[str]:
    """Return what was changed in a running container by hand: programs that were stopped, and what ``kept`` tells.

    ``kept`` is a script that a role may have: it prints what isn't as it was set up, and ``kept --mend`` puts it back.
    """
    script = "/etc/dockstack/bin/health; echo --; [ ! -x /etc/dockstack/bin/kept ] || /etc/dockstack/bin/kept"
    try:
        done = subprocess.run(
            ["docker", "exec", container, "sh", "-c", script],
            capture_output=True, text=True, timeout=20, check=False, env=own_environment(),
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        return []
    states, _, told = done.stdout.partition("--\n")
    ended = [program.name for program in programs(states) if program.state in ENDED]
    return [f"its program {name} was stopped" for name in ended] + told.splitlines()


def undo_changes(container: str) -> None:
    """Put back what :func:`changes` tells; what does not start is for the checks to tell, with its log."""
    script = "supervisorctl start all; [ ! -x /etc/dockstack/bin/kept ] || /etc/dockstack/bin/kept --mend"
    succeeds(["docker", "exec", container, "sh", "-c", script])


def program_logs(container: str) -> list[str]:
    """Return what explains a container's state: its programs' states, and the log of each that doesn't run."""
    script = """
        /etc/dockstack/bin/health || true
        for program in $(/etc/dockstack/bin/health | awk '$2 != "RUNNING" {print $1}'); do
            echo "-- /var/log/supervisor/$program.log"
            tail -n "$0" "/var/log/supervisor/$program.log"
        done
    """
    try:
        text = run(["docker", "exec", container, "sh", "-c", script, str(LOG_LINES)], timeout=30)
    except CommandFailed as error:
        try:
            text = run(["docker", "logs", "--tail", str(LOG_LINES), container], timeout=30)
        except CommandFailed:
            text = str(error)
    return text.splitlines()
