"""What the Puppet server knows of a container."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from hostside import files
from hostside.operations.base import Operation, Record
from hostside.registration import NodeEntry

if TYPE_CHECKING:
    from hostside.inspection import Inspection


@dataclass(frozen=True)
class Register(NodeEntry, Operation):
    """The Puppet server has an entry for a container."""

    NAME = "register"
    UNDO = "withdraw"

    def run(self, directory: Path) -> None:
        self.register()

    def undo(self, directory: Path) -> None:
        self.withdraw()

    def record(self) -> Record:
        return {"files": {str(path): files.digest(text) for path, text in self.written().items()}}

    @classmethod
    def drift(cls, inspection: Inspection, record: Record) -> str:
        return files.changed(record["files"])


OPERATION = Register
