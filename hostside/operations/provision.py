"""A container's Puppet run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hostside import provisioning
from hostside.operations.base import Operation, Record

if TYPE_CHECKING:
    from hostside.inspection import Inspection


@dataclass(frozen=True)
class Provision(Operation):
    """A container is as its catalog says."""

    NAME = "provision"

    container: str
    id: str
    reads: Mapping[str, Any]
    """What the catalog is made from, for the reader of a preview: after a change of it, Puppet runs again."""
    databases: Mapping[str, Sequence[str]]
    """By the container that has them, the databases that the run makes or fills."""

    def run(self, directory: Path) -> None:
        provisioning.provision(self.container, directory / "logs")

    def record(self) -> Record:
        return {"databases": self.databases}

    @classmethod
    def drift(cls, inspection: Inspection, record: Record) -> str:
        for server, names in sorted(record["databases"].items()):
            there = inspection.databases(server)
            gone = [name for name in names if there is not None and name not in there]
            if gone:
                return f"database {', '.join(gone)} of {server} is gone"
        return ""


OPERATION = Provision
