"""The ports of all plain containers of a host."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from hostside import batch, engine, leaving, passage
from hostside.operations.base import Operation, Record

if TYPE_CHECKING:
    from hostside.reality import Reality


@dataclass(frozen=True)
class PortsAttach(Operation):
    """The containers have their ports, and packets pass them."""

    NAME = "ports-attach"
    UNDO = "ports-detach"
    OF_ALL = True

    containers: Mapping[str, str]
    """Their IDs by name."""

    def run(self, directory: Path) -> None:
        leaving.forget(directory)
        batch.attach_all(list(self.containers), directory / "locks")
        passage.prove(directory.name, self.containers)

    def undo(self, directory: Path) -> None:
        leaving.note(directory, self.containers.values())
        batch.release(list(self.containers), directory.name, directory / "locks")

    def record(self) -> Record:
        return {"containers": self.containers}

    @classmethod
    def drift(cls, reality: Reality, record: Record) -> str:
        return next(filter(None, (reality.absence(*each) for each in sorted(record["containers"].items()))), "")

    @classmethod
    def gone(cls, reality: Reality, record: Record) -> Sequence[str]:
        return reality.lacking(record["containers"])

    def repair(self) -> None:
        for container in self.containers:
            engine.resume(container)


OPERATION = PortsAttach
