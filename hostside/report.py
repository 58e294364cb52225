"""What of a stack is broken on this host, why, and the command that mends it."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from hostside import applied, bridge, ways
from hostside.applied import Applied
from hostside.inspection import Inspected, Inspection
from hostside.operations import named
from hostside.process import CommandFailed


@dataclass(frozen=True)
class Problem:
    """Something that doesn't work: what, why, and the command that mends it."""

    subject: str
    """A container, a bridge, an endpoint, or ``host``."""
    reason: str
    mend: str


class Report:
    """What of a stack is broken on this host, by one inspection of it."""

    def __init__(self, stack: str, directory: Path) -> None:
        """Look at nothing yet.

        Args:
            stack: the stack.
            directory: its directory on this host.
        """
        self._stack, self._directory = stack, directory
        self._inspected: Inspection | None = None

    def broken(self, names: Sequence[str]) -> list[Problem]:
        """Return what is seen from the outside.

        Args:
            names: the containers that are to be here, the keeper first.
        """
        try:
            inspection = self._inspection()
            bridges = inspection.bridges
        except (CommandFailed, OSError) as error:
            return [self._silence(error)]
        problems = [each for name, ids in bridges.items() for each in of_bridge(name, ids, names[0])]
        with ThreadPoolExecutor(max_workers=8) as pool:
            for seen in pool.map(lambda name: look_at(inspection, self._stack, name), names):
                problems += seen.problems
        told = {each.subject for each in problems}
        blocked = {name: reason for name, reason in inspection.blocked().items() if name not in told}
        return problems + [Problem(name, reason, again(self._stack)) for name, reason in blocked.items()]

    def failing(self) -> list[Problem]:
        """Repeat the checks by which the last ``up`` took each container for healthy and for a member.

        They tell of what no list has: a compute that Nova has forgotten, a program that ends again and again.
        """
        kept = applied.everything(self._directory)
        if not kept:
            return []
        try:
            inspection = self._inspection()
        except (CommandFailed, OSError) as error:
            return [self._silence(error)]
        with ThreadPoolExecutor(max_workers=8) as pool:
            failures = list(pool.map(lambda each: _failure(inspection, each), kept))
        return [
            Problem(each.record["container"], f"it does not work: {failure}", again(self._stack))
            for each, failure in zip(kept, failures, strict=True)
            if failure
        ]

    def _inspection(self) -> Inspection:
        if self._inspected is None:
            self._inspected = Inspection(self._stack)
        return self._inspected

    def _silence(self, error: Exception) -> Problem:
        return Problem("host", str(error).splitlines()[0], again(self._stack))


def of_bridge(name: str, identifiers: dict[str, str], keeper: str) -> list[Problem]:
    """Return what is wrong with a bridge.

    Args:
        name: the bridge.
        identifiers: what is recorded of it, its external_ids.
        keeper: the keeper's container, whose restart mends it.
    """
    recorded, way = bridge.Bridge.recorded(name, identifiers), ways.recorded(identifiers)
    reasons = [
        "" if bridge.is_up(recorded) else "the host's address is not on the bridge",
        ways.lack(way) if way else "",
    ]
    return [Problem(name, reason, f"docker restart {keeper}") for reason in reasons if reason]


@dataclass(frozen=True)
class Seen:
    """A container, and what is wrong with it as far as that is seen from the outside."""

    container: Inspected
    problems: tuple[Problem, ...] = ()

    @property
    def starting(self) -> bool:
        """Whether nothing is wrong with it but that programs haven't run for long enough yet."""
        awaited = [program for program in self.container.programs if program.state == "STARTING"]
        return bool(awaited) and len(awaited) == len(self.problems)


def look_at(inspection: Inspection, stack: str, name: str) -> Seen:
    """Look at a container.

    Args:
        inspection: what there is of its stack.
        stack: the stack.
        name: the container.
    """
    found = inspection.container(name)
    if found.status == "gone":
        return Seen(found, (Problem(name, "the container is gone", again(stack)),))
    if not found.runs:
        how = "unpause" if found.status == "paused" else "start"
        return Seen(found, (Problem(name, f"the container is {found.status}", f"docker {how} {name}"),))
    problems = []
    if inspection.lacks_port(name):
        problems.append(Problem(name, "it lacks its port, or has another address", again(stack)))
    if found.silence:
        problems.append(Problem(name, found.silence, f"docker restart {name}"))
    problems += [
        Problem(name, f"its program {program}", f"docker exec {name} supervisorctl restart {program.name}")
        for program in found.programs
        if not program.runs
    ]
    return Seen(found, tuple(problems))


def _failure(inspection: Inspection, each: Applied) -> str | None:
    try:
        return named(each.name).failure(inspection, each.record)
    except OSError as error:
        return str(error)


def again(stack: str) -> str:
    """Return the command that mends what is gone: a look at what there is, and an ``up``."""
    return "make lab" if stack == "lab" else f"make lab STACK={stack}"
