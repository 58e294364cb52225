"""The files of a login, and the VIP's name in the host's /etc/hosts."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from hostside import access, files
from hostside.operations.base import Operation, Record

if TYPE_CHECKING:
    from hostside.inspection import Inspection


@dataclass(frozen=True)
class AccessPublish(Operation):
    """The administrator can log in from the host."""

    NAME = "access-publish"
    UNDO = "access-withdraw"

    stack: str
    openrc: str
    """Path of the openrc file; clouds.yaml is beside it."""
    text: str
    """Text of the openrc file."""
    clouds: str
    """Text of clouds.yaml."""
    address: str
    """The VIP."""
    name: str
    """The VIP's name."""

    def run(self, directory: Path) -> None:
        access.publish(self.stack, Path(self.openrc), self.text, self.address, self.name, self.clouds)

    def undo(self, directory: Path) -> None:
        access.withdraw(self.stack, Path(self.openrc))

    def record(self) -> Record:
        texts = access.texts(Path(self.openrc), self.text, self.clouds)
        return {
            "files": {str(path): files.digest(text) for path, text in texts.items()},
            "line": access.line(self.stack, self.address, self.name),
        }

    @classmethod
    def drift(cls, inspection: Inspection, record: Record) -> str:
        changed = files.changed(record["files"])
        return changed or ("" if access.is_known(record["line"]) else f"{access.HOSTS} lacks the VIP's name")


OPERATION = AccessPublish
