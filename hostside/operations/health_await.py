"""A container's health."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hostside import containers, health
from hostside.operations.base import Operation, Record

if TYPE_CHECKING:
    from hostside.inspection import Inspection


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
    def drift(cls, inspection: Inspection, record: Record) -> str:
        """Tell what was changed in a container, or doesn't work there: later steps of ``up`` rely on it."""
        name = record["container"]
        absent = inspection.absence(name, record["id"])
        if absent or not inspection.runs(name, record["id"]):
            return absent
        found = inspection.container(name)
        if not found.runs:
            return f"container {name} has ended"
        if found.silence:
            return f"{name} does not work: {found.silence}"
        if changed := containers.changes(found):
            return f"{name}: {', '.join(changed)}"
        if "checks" not in record:
            return f"{name} was last checked by an earlier Dockstack"
        failure = health.failure(found, record["checks"])
        return f"{name} does not work: {failure}" if failure else ""

    @classmethod
    def failure(cls, inspection: Inspection, record: Record) -> str | None:
        return health.failure(inspection.container(record["container"]), record.get("checks", ()))

    def repair(self) -> None:
        containers.undo_changes(self.container)


OPERATION = HealthAwait
