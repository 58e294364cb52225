"""The keeper's container, which a person may have stopped."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from hostside import docker_api
from hostside.operations.base import OnContainers, Record

if TYPE_CHECKING:
    from hostside.inspection import Inspection


@dataclass(frozen=True)
class KeeperStart(OnContainers):
    """The keeper's container runs."""

    NAME = "keeper-start"

    container: str
    id: str

    def run(self, directory: Path) -> None:
        docker_api.resume(self.container)

    def record(self) -> Record:
        return {"containers": {self.container: self.id}}

    @classmethod
    def drift(cls, inspection: Inspection, record: Record) -> str:
        return next(filter(None, (inspection.stop(*each) for each in sorted(record["containers"].items()))), "")


OPERATION = KeeperStart
