"""What has changed on this host behind our back since operations brought it about.

The records of the operations are compared with the host. Where they differ, drift raises a counter in the operation's
inputs: so the engine plans an update, as it would after a change of the configuration, and the next ``up`` mends it.

Each record is looked into by itself, so that nobody waits for all of them: a service that is asked how it is may think
for a second, and the engine has enough to plan meanwhile.
"""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from hostside import applied
from hostside.applied import Applied
from hostside.inspection import Inspection
from hostside.operations import NAMES, named
from hostside.process import CommandFailed

AT_ONCE = 16
"""How many records are looked into at a time: most wait for an answer."""
UP, REFRESH = "pulumi up", "pulumi up --refresh"


@dataclass(frozen=True)
class Finding:
    """What was found for one operation."""

    count: int
    """What the operation's inputs have to hold."""
    reason: str
    """What is different, for people; empty when nothing is."""
    remedy: str = UP
    """The command that mends it."""


Found = Mapping[tuple[str, str], Future[Finding]]
"""Name and subject of an operation to what will be found."""


def detect(directory: Path, stack: str) -> Found:
    """Begin to compare the records of a stack with the host.

    Where the host can't be asked, nothing will be found: the next step will tell.

    Args:
        directory: the stack's directory on this host.
        stack: its name.
    """
    # An engine that died in a destroy still has undone operations in its state: they get another counter, and are
    # planned again where they are declared.
    undone = {key: _known(Finding(number, "")) for key, number in applied.undone(directory).items()}
    kept = applied.everything(directory)
    if not kept:
        return undone
    pool = ThreadPoolExecutor(AT_ONCE)
    inspection = pool.submit(Inspection, stack)
    in_order = sorted(kept, key=lambda each: NAMES.index(each.name))
    found = {(each.name, each.subject): pool.submit(_judge, inspection, each) for each in in_order}
    pool.shutdown(wait=False)
    return {**found, **undone}


def _known(finding: Finding) -> Future[Finding]:
    known: Future[Finding] = Future()
    known.set_result(finding)
    return known


def _judge(inspection: Future[Inspection], each: Applied) -> Finding:
    operation = named(each.name)
    try:
        host = inspection.result()
        reason = operation.drift(host, each.record)
        gone = () if reason else operation.gone(host, each.record)
    except (CommandFailed, OSError):
        return Finding(each.count, "")
    if gone:
        # Its resource is Docker's, and the engine sees that it is gone when it refreshes its state.
        return Finding(each.count, f"container {', '.join(gone)} is gone", REFRESH)
    return Finding(each.count + bool(reason), reason)
