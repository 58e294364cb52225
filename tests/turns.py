"""How tests that run at the same time, in one run or in several, keep out of each other's way on this host."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path
from typing import TextIO

LOCKS = Path(os.environ.get("DOCKSTACK_HOME", "/var/lib/dockstack")) / "cache" / "tests"
RUNNING = LOCKS / f"running-{os.environ.get('PYTEST_XDIST_WORKER', 'main')}"
"""Holds the name of the test that this process runs, for .ci/run to tell."""


def take(what: str, *, alone: bool) -> TextIO:
    """Take a share of what tests use, or all of it once nobody else has a share.

    Returns:
        What holds it until it is closed.
    """
    held = _file(what)
    with _file(f"{what}-door") as door:
        # Who waits for all of it stands in the door, or there would always be somebody inside.
        fcntl.flock(door, fcntl.LOCK_EX)
        fcntl.flock(held, fcntl.LOCK_EX if alone else fcntl.LOCK_SH)
    return held


def is_first(what: str) -> bool:
    """Say whether nobody of this run of the tests has asked for this before; to be asked by one process at a time."""
    LOCKS.mkdir(parents=True, exist_ok=True)
    mark, run = LOCKS / what, os.environ.get("PYTEST_XDIST_TESTRUNUID", str(os.getpid()))
    if mark.exists() and mark.read_text() == run:
        return False
    mark.write_text(run)
    return True


def take_name(stack: str, *, wait: bool) -> TextIO | None:
    """Take the name of a throwaway stack, so that nobody else uses or removes it.

    Returns:
        What holds it until it is closed; None when somebody else has the name and isn't waited for.
    """
    held = _file(stack)
    try:
        fcntl.flock(held, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
    except BlockingIOError:
        held.close()
        return None
    return held


def _file(name: str) -> TextIO:
    LOCKS.mkdir(parents=True, exist_ok=True)
    return (LOCKS / name).open("w")
