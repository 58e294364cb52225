"""Which operations have been applied on this host: a record of each, for the detection of drift.

A record holds nothing secret: of files, digests. Before something is undone, a mark takes its record's place: an engine
that dies before it has recorded the removal still has the resource in its state.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from hostside import files
from hostside.operations import NAMES
from hostside.operations.base import Operation, Record

DIRECTORY = "done"


@dataclass(frozen=True)
class Applied:
    """An operation that has been applied."""

    name: str
    """The operation's."""
    subject: str
    """What it was about; name and subject are one resource."""
    count: int
    """How often its effect was found changed, and was repaired."""
    record: Record


def write(directory: Path, operation: Operation, subject: str, count: int) -> None:
    """Write the record of an operation that has been applied; one whose drift isn't detected has none.

    Args:
        directory: the stack's directory on this host.
        operation: the operation.
        subject: what it was about.
        count: what the record is to tell as its count.
    """
    record = operation.record()
    if record is None:
        return
    if operation.OF_ALL:
        _forget((directory / DIRECTORY).glob(f"{operation.NAME} *.json"))
    # Keys of records that labs have which are up: "verb" is the operation's name.
    text = json.dumps({"verb": operation.NAME, "subject": subject, "count": count, "done": record}, sort_keys=True)
    files.put(_path(directory, operation.NAME, subject), text, 0o600)
    _mark(directory, operation.NAME, subject).unlink(missing_ok=True)


def undo(directory: Path, operation: Operation, subject: str) -> None:
    """Forget an operation that is about to be undone, and mark it."""
    for name in (operation.NAME, *operation.ENDS):
        mark = _mark(directory, name, subject)
        if not mark.exists():
            files.put(mark, str(count(directory, name, subject) + 1), 0o600)
        _path(directory, name, subject).unlink(missing_ok=True)


def count(directory: Path, name: str, subject: str) -> int:
    """Return the count of an operation's record, or of the mark in its place; 0 without either."""
    applied = _read(_path(directory, name, subject))
    return applied.count if applied else _number(_mark(directory, name, subject))


def undone(directory: Path) -> dict[tuple[str, str], int]:
    """Return names and subjects of the operations that have been undone since, each with the next count."""
    found = {}
    for path in (directory / DIRECTORY).glob("*.undone"):
        name, _, subject = path.stem.partition(" ")
        found[name, subject] = _number(path)
    return found


def everything(directory: Path) -> list[Applied]:
    """Return all records of a stack, but for those of operations that only another version of this program knows."""
    found = [_read(path) for path in sorted((directory / DIRECTORY).glob("*.json"))]
    return [applied for applied in found if applied and applied.name in NAMES]


def _forget(paths: Iterable[Path]) -> None:
    for path in paths:
        path.unlink(missing_ok=True)


def _number(mark: Path) -> int:
    try:
        return int(mark.read_text())
    except (FileNotFoundError, ValueError):
        return 0


def _read(path: Path) -> Applied | None:
    try:
        kept = json.loads(path.read_text())
        return Applied(kept["verb"], kept["subject"], kept["count"], kept["done"])
    except (FileNotFoundError, ValueError, KeyError):
        # What a power cut left of one is as good as none: the operation may be repeated.
        return None


def _path(directory: Path, name: str, subject: str) -> Path:
    return directory / DIRECTORY / f"{name} {subject}.json"


def _mark(directory: Path, name: str, subject: str) -> Path:
    return directory / DIRECTORY / f"{name} {subject}.undone"
