"""The ports of one container."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from hostside import docker_api, passage, ports, ways
from hostside.errors import StepError
from hostside.operations.base import OnContainers, Record


@dataclass(frozen=True)
class PortAttach(OnContainers):
    """A container has its ports, and packets pass them."""

    NAME = "port-attach"
    UNDO = "port-detach"

    container: str
    id: str
    bridges: Sequence[str]
    """What the ports are on; with another bridge, they are attached again."""

    def run(self, directory: Path) -> None:
        done = ports.attach(self.container, directory / "locks")
        if done == "none":
            raise StepError(self.container, ports.STEP, "the container does not run")
        if done == "attached":
            ways.announce(ports.running(self.container)[1])
        passage.prove(directory.name, [self.container])

    def undo(self, directory: Path) -> None:
        ports.detach(self.container, directory.name, directory / "locks")

    def record(self) -> Record:
        return {"containers": {self.container: self.id}}

    def repair(self) -> None:
        docker_api.resume(self.container)


OPERATION = PortAttach
