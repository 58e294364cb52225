"""What our verbs have brought about on this host, noted for those who look later whether it still is so.

A note holds nothing secret: of files, digests.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from hostside import files

DIRECTORY = "done"
Parameters = Mapping[str, Any]


@dataclass(frozen=True)
class Note:
    """What a verb has done."""

    verb: str
    subject: str
    count: int
    """How often its effect was found changed, and was mended."""
    done: Parameters


def keep(directory: Path, verb: str, subject: str, given: Parameters, count: int) -> None:
    """Note what a verb has done, or forget what it has undone; a verb that nobody looks after leaves no note.

    Args:
        directory: the stack's directory on this host.
        verb: the verb.
        subject: what it was about; verb and subject are one resource.
        given: the verb's parameters.
        count: what the note is to tell as its count.
    """
    if verb in _KEPT:
        note = Note(verb, subject, count, _KEPT[verb](given))
        if verb in _OF_ALL:
            _forget((directory / DIRECTORY).glob(f"{verb} *.json"))
        files.put(_path(directory, verb, subject), json.dumps(asdict(note), sort_keys=True), 0o600)
    _forget(_path(directory, undone, subject) for undone in _UNDOES.get(verb, ()))


def count(directory: Path, verb: str, subject: str) -> int:
    """Return the count of a verb's note; 0 without one."""
    note = _read(_path(directory, verb, subject))
    return note.count if note else 0


def everything(directory: Path) -> list[Note]:
    """Return all notes of a stack."""
    found = [_read(path) for path in sorted((directory / DIRECTORY).glob("*.json"))]
    return [note for note in found if note]


def _forget(paths: Iterable[Path]) -> None:
    for path in paths:
        path.unlink(missing_ok=True)


def _read(path: Path) -> Note | None:
    try:
        return Note(**json.loads(path.read_text()))
    except (FileNotFoundError, ValueError, TypeError):
        # What a power cut left of one is as good as none: the verb that wrote it may be repeated.
        return None


def digest(content: bytes) -> str:
    """Return what is noted of a file's content."""
    return hashlib.sha256(content).hexdigest()[:16]


def _path(directory: Path, verb: str, subject: str) -> Path:
    return directory / DIRECTORY / f"{verb} {subject}.json"


def _all(given: Parameters) -> Parameters:
    return given


def _health(given: Parameters) -> Parameters:
    return {key: given[key] for key in ("container", "id", "checks")}


def _certificate(given: Parameters) -> Parameters:
    return {key: given[key] for key in ("container", "id", "fqdn", "server")}


def _port(given: Parameters) -> Parameters:
    return {"containers": {given["container"]: given["id"]}}


def _databases(given: Parameters) -> Parameters:
    return {"databases": given["databases"]}


def _files(given: Parameters) -> Parameters:
    root = Path(given["root"])
    return {"files": {str(root / path): digest(file["content"].encode()) for path, file in given["files"].items()}}


def _entry(given: Parameters) -> Parameters:
    # Imported here, as every verb imports this module and only this one needs that.
    from hostside.registration import Registration

    return {"files": {str(path): digest(text.encode()) for path, text in Registration(**given).written().items()}}


_KEPT: Mapping[str, Callable[[Parameters], Parameters]] = {
    "bridge-up": _all,
    "certificate-issue": _certificate,
    "files-write": _files,
    "health-await": _health,
    "port-attach": _port,
    "ports-attach": _all,
    "provision": _databases,
    "register": _entry,
}
_OF_ALL = ("ports-attach",)
"""Verbs that are about all that there is, however many these are: the last note is the only one that holds."""
_UNDOES = {
    "bridge-down": ("bridge-up",),
    # The last that happens to a container that is removed: nothing that was done to it is there any more.
    "files-remove": ("files-write", "certificate-issue", "health-await", "port-attach", "provision"),
    "port-detach": ("port-attach",),
    "ports-detach": ("ports-attach",),
    "withdraw": ("register",),
}
