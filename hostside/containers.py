"""Running commands inside a container, and reading why one of its programs does not run."""

from __future__ import annotations

import queue
import subprocess
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from hostside import docker_api
from hostside.process import CommandFailed, own_environment, run, succeeds, tail

if TYPE_CHECKING:
    # Most operations that run commands inspect nothing, and start without what that takes.
    from hostside.inspection import Inspected

MOUNT_POINT = "/etc/dockstack"
"""Where a container finds its rendered files, its role's scripts among them."""
KEPT = f"{MOUNT_POINT}/bin/kept"
"""Where a role's script is that tells what isn't as it was set up."""
LOG_LINES = 15
"""How many lines of a log an error shows."""


def execute(container: str, arguments: Sequence[str], *, stdin: str | None = None, timeout: float = 120) -> str:
    """Run a command in a container as root and return its standard output.

    Raises:
        CommandFailed: when it ends with a status other than 0, does not end in time, or can't be run.
    """
    said = f"{' '.join(arguments[:2])} in {container}"
    try:
        ended = docker_api.execute(container, arguments, stdin=stdin, timeout=timeout)
    except TimeoutError as error:
        raise CommandFailed(f"{said} did not end within {timeout:.0f} s") from error
    except docker_api.EngineError as error:
        raise CommandFailed(str(error)) from error
    if ended.status != 0:
        raise CommandFailed(f"{said} ended with status {ended.status}: {tail(ended.stderr or ended.stdout)}")
    return ended.stdout


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


def changes(found: Inspected) -> list[str]:
    """Return what was changed in a running container by hand: programs that were stopped, and what isn't kept."""
    stopped = [f"its program {program.name} was stopped" for program in found.programs if program.ended]
    return stopped + not_kept(found.name, found.pid)


def not_kept(container: str, pid: int) -> list[str]:
    """Return what the script ``kept`` tells, which a role may have.

    It prints what isn't as it was set up, and ``kept --mend`` puts it back.
    """
    if not Path(f"/proc/{pid}/root{KEPT}").exists():
        return []
    try:
        return execute(container, [KEPT], timeout=20).splitlines()
    except CommandFailed:
        # What can't be asked is found by the checks.
        return []


def undo_changes(container: str) -> None:
    """Put back what :func:`changes` tells; what does not start is for the checks to tell, with its log."""
    script = f"supervisorctl start all; [ ! -x {KEPT} ] || {KEPT} --mend"
    succeeds(["docker", "exec", container, "sh", "-c", script])


def program_logs(container: str) -> list[str]:
    """Return what explains a container's state: its programs' states, and the log of each that doesn't run."""
    script = """
        "$1/bin/health" || true
        for program in $("$1/bin/health" | awk '$2 != "RUNNING" {print $1}'); do
            echo "-- /var/log/supervisor/$program.log"
            tail -n "$0" "/var/log/supervisor/$program.log"
        done
    """
    try:
        text = run(["docker", "exec", container, "sh", "-c", script, str(LOG_LINES), MOUNT_POINT], timeout=30)
    except CommandFailed as error:
        try:
            text = run(["docker", "logs", "--tail", str(LOG_LINES), container], timeout=30)
        except CommandFailed:
            text = str(error)
    return text.splitlines()
