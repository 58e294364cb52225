"""One Puppet run in a container."""

from __future__ import annotations

import re
import sys
import time
from pathlib import Path
from typing import TextIO

from hostside import certificate, containers
from hostside.errors import StepError

STEP = "its Puppet run"
AGENT = [
    "puppet", "agent", "--onetime", "--no-daemonize", "--no-usecacheonfailure", "--detailed-exitcodes",
    "--waitforlock", "300", "--color", "false", "--logdest", "console", "--environment", "production",
]  # fmt: skip
"""The agent, once; a run that an interrupted ``up`` left behind is waited for.

The environment is named, or the agent would ask the server for it first.
"""
_ENDED_WELL = (0, 2)
_UNREACHED = "No more routes to"
"""What the agent says when it can't reach its server."""
PROGRESS_SECONDS = 10.0
LIMIT_SECONDS = 1800.0
"""No role's run takes a tenth of this; one that hangs has to end."""
_NOTICE = re.compile(r"^Notice: (?:/Stage\[main\]/)?(.*?)(?:/(?:returns|ensure|content|value))?: ")
_ERROR = re.compile(r"^(?:Error|Warning: .*dependencies|Critical)")


class _Progress:
    """What the run has printed so far: its log file, and now and then a line for the person who waits."""

    def __init__(self, container: str, log: TextIO) -> None:
        self.lines: list[str] = []
        self._container, self._log = container, log
        self._started = self._told = time.monotonic()
        self._changes = 0
        self._at = ""

    @property
    def seconds(self) -> float:
        return time.monotonic() - self._started

    def take(self, line: str) -> None:
        self.lines.append(line)
        self._log.write(line + "\n")
        self._log.flush()
        notice = _NOTICE.match(line)
        if notice:
            self._changes += 1
            self._at = f", at {notice[1]}"
        self.tell()

    def tell(self) -> None:
        """Say how far the run is, at most once in a while."""
        if self.seconds > LIMIT_SECONDS:
            raise TimeoutError
        if time.monotonic() - self._told >= PROGRESS_SECONDS:
            self._told = time.monotonic()
            _say(f"{self._container}: Puppet, {self.seconds:.0f} s, {self._changes} changes{self._at}")


def provision(container: str, logs: Path) -> int:
    """Run the agent and return its detailed exit code: 0 when nothing was to do, 2 when it changed something.

    Where the Puppet server got out of reach, as while DNS is started anew, it is run again. All output goes to
    ``<logs>/<container>.puppet.log``; a line of progress is printed every ten seconds.

    Raises:
        StepError: with the failing resources and the end of the log.
    """
    server = containers.execute(container, ["sed", "-n", "s/^server = //p", "/etc/puppet/puppet.conf"]).strip()
    logs.mkdir(mode=0o700, parents=True, exist_ok=True)
    path = logs / f"{container}.puppet.log"
    with path.open("w") as log:
        path.chmod(0o600)
        status, progress = _run(container, server, log)
        if status not in _ENDED_WELL and any(_UNREACHED in line for line in progress.lines):
            status, progress = _run(container, server, log)
    if status not in _ENDED_WELL:
        errors = [line for line in progress.lines if _ERROR.match(line)][:6]
        tail = [line for line in progress.lines[-containers.LOG_LINES :] if line not in errors]
        reason = f"puppet agent ended with status {status} after {progress.seconds:.0f} s (log: {path})"
        raise StepError(container, STEP, reason, [*errors, *tail])
    _say(f"{container}: Puppet, {progress.seconds:.0f} s, {'changed' if status else 'nothing to do'}")
    return status


def _run(container: str, server: str, log: TextIO) -> tuple[int, _Progress]:
    """Run the agent once, as soon as its server is there: after a power cut, all come up at once."""
    certificate.await_server(container, server, STEP)
    progress = _Progress(container, log)
    try:
        return containers.stream(container, AGENT, progress.take, progress.tell, PROGRESS_SECONDS), progress
    except TimeoutError:
        # Or the next run would wait for this one.
        containers.execute(container, ["pkill", "--full", "puppet agent"])
        reason = f"puppet agent did not end within {LIMIT_SECONDS:.0f} s (log: {log.name})"
        raise StepError(container, STEP, reason, progress.lines[-containers.LOG_LINES :]) from None


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
