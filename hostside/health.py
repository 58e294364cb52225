"""A service's health: its programs under supervisord, and its own checks through the network."""

from __future__ import annotations

import contextlib
import http.client
import json
import socket
import time
import urllib.error
from collections.abc import Mapping, Sequence
from typing import Any

from hostside import containers, docker_api, programs, web
from hostside.errors import StepError
from hostside.inspection import Inspected, inspect
from hostside.process import CommandFailed

STEP = "becoming healthy"
INTERVAL_SECONDS = 0.5
LONGEST_INTERVAL_SECONDS = 2.0
ANSWER_BYTES = 1 << 20
"""How much of an answer is looked at."""


def await_healthy(container: str, checks: Sequence[Mapping[str, Any]], seconds: float) -> None:
    """Wait until every program runs and every check succeeds.

    Args:
        container: the container.
        checks: ``{"kind": "tcp", "address", "port"}``, ``{"kind": "http", "url", "status": [codes]}``, with
            ``"authority"`` or ``"unchecked"`` beside an https URL, and ``"contains"`` for what has to be in the answer,
            or ``{"kind": "exec", "command": [...]}`` (inside the container).
        seconds: how long that may take.

    Raises:
        StepError: with the check that failed last and the programs' logs.
    """
    _take_in_changes(container)
    begun = time.monotonic()
    while True:
        failure = first_failure(container, checks)
        if failure is None:
            return
        waited = time.monotonic() - begun
        if waited > seconds:
            raise StepError(container, STEP, f"after {seconds:.0f} s: {failure}", containers.program_logs(container))
        # Each look takes processor time from the service that starts: the longer it takes, the fewer looks.
        time.sleep(min(INTERVAL_SECONDS * (1 + waited / 10), LONGEST_INTERVAL_SECONDS))


def _take_in_changes(container: str) -> None:
    """Have supervisord restart the programs whose files say something else than when they were started."""
    pid = docker_api.pid(container)
    # The checks will tell what is wrong with it.
    if pid is not None:
        with contextlib.suppress(StepError, OSError):
            programs.follow_files(container, programs.SOCKET.format(pid=pid))


def first_failure(container: str, checks: Sequence[Mapping[str, Any]]) -> str | None:
    """Return what doesn't work in a container right now, in one line, or None; the checks are as above."""
    try:
        return failure(inspect(container), checks)
    except docker_api.EngineError as error:
        return _line(str(error))


def failure(found: Inspected, checks: Sequence[Mapping[str, Any]]) -> str | None:
    """Return what doesn't work in a container as it was found, in one line, or None; the checks are made now."""
    if not found.runs:
        return "it does not run"
    if found.silence:
        return _line(found.silence)
    if waiting := [str(program) for program in found.programs if not program.runs]:
        return _line(f"not every program runs: {', '.join(waiting)}")
    for check in checks:
        try:
            _KINDS[check["kind"]](found.name, check)
        except (OSError, http.client.HTTPException, CommandFailed, ValueError) as error:
            return _line(f"{json.dumps(check)}: {error}")
    return None


def _line(text: str) -> str:
    return " ".join(text.split())


def _tcp(_container: str, check: Mapping[str, Any]) -> None:
    socket.create_connection((check["address"], check["port"]), timeout=5).close()


def _http(_container: str, check: Mapping[str, Any]) -> None:
    try:
        opener = web.opener(check.get("authority", ""), checked=not check.get("unchecked"))
        with opener.open(check["url"], timeout=10) as answer:
            status, wanted = answer.status, check.get("contains", "").encode()
            if wanted and wanted not in answer.read(ANSWER_BYTES):
                raise ValueError(f"answered without {check['contains']}")
    except urllib.error.HTTPError as error:
        status = error.code
    if status not in check["status"]:
        raise ValueError(f"answered with status {status}")


def _exec(container: str, check: Mapping[str, Any]) -> None:
    containers.execute(container, check["command"], timeout=30)


_KINDS = {"tcp": _tcp, "http": _http, "exec": _exec}
