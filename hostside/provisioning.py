"""One Puppet run in a container."""

from __future__ import annotations

import re
import sys
import time
from pathlib import Path

from hostside import containers
from hostside.errors import StepError

STEP = "its Puppet run"
AGENT = [
    "puppet", "agent", "--onetime", "--no-daemonize", "--no-usecacheonfailure", "--detailed-exitcodes",
    "--waitforlock", "300", "--color", "false", "--logdest", "console",
]  # fmt: skip
"""The agent, once; a run that an interrupted ``up`` left behind is waited for."""
CHANGED = 2
PROGRESS_SECONDS = 10.0
_NOTICE = re.compile(r"^Notice: (?:/Stage\[main\]/)?(.*?)(?:/(?:returns|ensure|content|value))?: ")
_ERROR = re.compile(r"^(?:Error|Warning: .*dependencies|Critical)")


def provision(container: str, logs: Path) -> int:
    """Run the agent once and return its detailed exit code: 0 when nothing was to do, 2 when it changed something.

    The whole output goes to ``<logs>/<container>.puppet.log``; a line of progress is printed every ten seconds.

    Raises:
        StepError: with the failing resources and the end of the log.
    """
    logs.mkdir(mode=0o700, parents=True, exist_ok=True)
    path = logs / f"{container}.puppet.log"
    lines: list[str] = []
    started = last = time.monotonic()
    changes = 0
    with path.open("w") as log:
        path.chmod(0o600)

        def take(line: str) -> None:
            nonlocal last, changes
            lines.append(line)
            log.write(line + "\n")
            log.flush()
            notice = _NOTICE.match(line)
            if notice:
                changes += 1
            now = time.monotonic()
            if now - last >= PROGRESS_SECONDS:
                last = now
                at = f", at {notice[1]}" if notice else ""
                _say(f"{container}: Puppet, {now - started:.0f} s, {changes} changes{at}")

        status = containers.stream(container, AGENT, take)
    if status not in (0, CHANGED):
        errors = [line for line in lines if _ERROR.match(line)][:6]
        tail = [line for line in lines[-containers.LOG_LINES :] if line not in errors]
        reason = f"puppet agent ended with status {status} after {time.monotonic() - started:.0f} s (log: {path})"
        raise StepError(container, STEP, reason, [*errors, *tail])
    _say(f"{container}: Puppet, {time.monotonic() - started:.0f} s, {'changed' if status else 'nothing to do'}")
    return status


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
