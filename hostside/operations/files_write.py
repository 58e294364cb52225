"""The rendered files that are mounted into a container."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from hostside import files
from hostside.operations.base import File, Operation, Record

if TYPE_CHECKING:
    from hostside.inspection import Inspection


@dataclass(frozen=True)
class FilesWrite(Operation):
    """A directory holds these files."""

    NAME = "files-write"
    UNDO = "files-remove"
    # The files are removed after everything else of a container.
    ENDS = ("certificate-issue", "health-await", "port-attach", "provision")

    root: str
    files: Mapping[str, File]
    """By their paths below the root."""

    def run(self, directory: Path) -> None:
        files.write(Path(self.root), self.files)

    def undo(self, directory: Path) -> None:
        files.remove(Path(self.root))

    def record(self) -> Record:
        root = Path(self.root)
        return {"files": {str(root / path): files.digest(file["content"]) for path, file in self.files.items()}}

    @classmethod
    def drift(cls, inspection: Inspection, record: Record) -> str:
        return files.changed(record["files"])


OPERATION = FilesWrite
