"""A container's health."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hostside import containers, engine, health, programs
from hostside.errors import StepError
from hostside.operations.base import Operation, Record

if TYPE_CHECKING:
    from hostside.reality import Reality


@dataclass(frozen=True)
class HealthAwait(Operation):
    """A container's programs run, and its checks succeed."""

    NAME = "health-await"

    container: str
    id: str
    reads: str
    """Digest of what made its Puppet run necessary: after another, the checks are made again."""
    checks: Sequence[Mapping[str, Any]]
    """See :func:`hostside.health.await_healthy`."""
    seconds: float
    """How long it may take."""

    def run(self, directory: Path) -> None:
        health.await_healthy(self.container, self.checks, self.seconds)

    def record(self) -> Record:
        return {"container": self.container, "id": self.id, "checks": self.checks}

    @classmethod
    def drift(cls, reality: Reality, record: Record) -> str:
        """Tell what was changed in a container, or doesn't work there: what ``up`` does after it must not meet that."""
        name = record["container"]
        absent = reality.absence(name, record["id"])
        if absent or not reality.runs(name, record["id"]):
            return absent
        pid = engine.pid(name)
        if pid is None:
            return f"container {name} has ended"
        try:
            listed = programs.listed(name, programs.SOCKET.format(pid=pid))
        except StepError as error:
            return f"{name} does not work: {error.reason}"
        if changed := containers.changes(name, pid, listed):
            return f"{name}: {', '.join(changed)}"
        if "checks" not in record:
            return f"{name} was last checked by an earlier Dockstack"
        failure = health.failure(name, listed, record["checks"])
        return f"{name} does not work: {failure}" if failure else ""

    @classmethod
    def failure(cls, record: Record) -> str | None:
        return health.first_failure(record["container"], record.get("checks", ()))

    def repair(self) -> None:
        containers.undo_changes(self.container)


OPERATION = HealthAwait
