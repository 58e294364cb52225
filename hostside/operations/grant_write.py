"""What the policy of the Puppet server's authority signs under a name."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from hostside import files, grant
from hostside.operations.base import Operation, Record

if TYPE_CHECKING:
    from hostside.inspection import Inspection


@dataclass(frozen=True)
class GrantWrite(grant.Grant, Operation):
    """The policy signs a request under a name if it carries the secret."""

    NAME = "grant-write"
    UNDO = "grant-withdraw"

    def run(self, directory: Path) -> None:
        self.write()

    def undo(self, directory: Path) -> None:
        self.withdraw()

    def record(self) -> Record:
        return {"files": {str(self.path): files.digest(self.text)}}

    @classmethod
    def drift(cls, inspection: Inspection, record: Record) -> str:
        return files.changed(record["files"])


OPERATION = GrantWrite
