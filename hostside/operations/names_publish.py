"""The names of another host's containers, for the DNS server of this one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from hostside import files, records
from hostside.operations.base import Operation, Record

if TYPE_CHECKING:
    from hostside.inspection import Inspection


@dataclass(frozen=True)
class NamesPublish(Operation):
    """The containers of another host have their names here, whether or not they run."""

    NAME = "names-publish"
    UNDO = "names-withdraw"

    records: str
    """Directory of the records that the DNS server reads."""
    host: str
    names: Mapping[str, str]
    """Addresses by full name."""

    @property
    def _path(self) -> Path:
        return Path(self.records) / f"{records.OF_HOST}{self.host}"

    @property
    def _text(self) -> str:
        return "".join(records.line(address, name) for name, address in sorted(self.names.items()))

    def run(self, directory: Path) -> None:
        files.put(self._path, self._text, 0o644)

    def undo(self, directory: Path) -> None:
        if self._path.exists():
            # The server forgets what a file held when it is written anew, and not when it goes.
            files.put(self._path, "", 0o644)
            self._path.unlink(missing_ok=True)

    def record(self) -> Record:
        return {"files": {str(self._path): files.digest(self._text)}}

    @classmethod
    def drift(cls, inspection: Inspection, record: Record) -> str:
        return files.changed(record["files"])


OPERATION = NamesPublish
