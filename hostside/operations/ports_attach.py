"""The ports of all plain containers of a host."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from hostside import batch, docker_api, leaving, passage
from hostside.operations.base import OnContainers, Record


@dataclass(frozen=True)
class PortsAttach(OnContainers):
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
        leaving.mark(directory, self.containers.values())
        batch.release(list(self.containers), directory.name, directory / "locks")

    def record(self) -> Record:
        return {"containers": self.containers}

    def repair(self) -> None:
        for container in self.containers:
            docker_api.resume(container)


OPERATION = PortsAttach
