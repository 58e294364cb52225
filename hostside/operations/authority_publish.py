"""The certificate of the lab's authority as a file of the host."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from hostside import authority
from hostside.operations.base import Operation, Record

if TYPE_CHECKING:
    from hostside.inspection import Inspection


@dataclass(frozen=True)
class AuthorityPublish(Operation):
    """Clients on the host can verify the VIP's certificate."""

    NAME = "authority-publish"
    UNDO = "authority-withdraw"

    path: str
    """Path of the file."""
    server: str
    """Name of the Puppet server's container."""
    id: str
    """ID of that container; a new one may have another authority."""
    certificate: str
    """The certificate, on a host that the server isn't on; else empty."""

    def run(self, directory: Path) -> dict[str, object]:
        return {"certificate": authority.publish(Path(self.path), self.server, self.certificate)}

    def undo(self, directory: Path) -> None:
        Path(self.path).unlink(missing_ok=True)

    def record(self) -> Record:
        return {"path": self.path, "server": self.server}

    @classmethod
    def drift(cls, inspection: Inspection, record: Record) -> str:
        path, told = Path(record["path"]), inspection.authority(record["server"])
        if not path.is_file():
            return f"{path} is gone"
        return f"{path} was edited" if told is not None and told != set(path.read_text().split()) else ""


OPERATION = AuthorityPublish
