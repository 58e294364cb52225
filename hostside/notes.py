"""What our verbs have brought about on this host, noted for those who look later whether it still is so.

A note holds nothing secret: of files, digests. Before something is undone, a mark takes its note's place: an engine
that dies before it has recorded the end takes the thing for standing.
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
        _mark(directory, verb, subject).unlink(missing_ok=True)
    undo(directory, verb, subject)


def undo(directory: Path, verb: str, subject: str) -> None:
    """Forget what a verb is about to undo, and mark it; nothing where the verb undoes nothing."""
    for undone in _UNDOES.get(verb, ()):
        mark, note = _mark(directory, undone, subject), _path(directory, undone, subject)
        if not mark.exists():
            files.put(mark, str(count(directory, undone, subject) + 1), 0o600)
        note.unlink(missing_ok=True)


def count(directory: Path, verb: str, subject: str) -> int:
    """Return the count of a verb's note, or of the mark in its place; 0 without either."""
    note = _read(_path(directory, verb, subject))
    return note.count if note else _number(_mark(directory, verb, subject))


def undone(directory: Path) -> dict[tuple[str, str], int]:
    """Return the verbs and subjects that have been undone since they were last done, each with the next count."""
    found = {}
    for path in (directory / DIRECTORY).glob("*.undone"):
        verb, _, subject = path.stem.partition(" ")
        found[verb, subject] = _number(path)
    return found


def everything(directory: Path) -> list[Note]:
    """Return all notes of a stack."""
    found = [_read(path) for path in sorted((directory / DIRECTORY).glob("*.json"))]
    return [note for note in found if note]


def _forget(paths: Iterable[Path]) -> None:
    for path in paths:
        path.unlink(missing_ok=True)


def _number(mark: Path) -> int:
    try:
        return int(mark.read_text())
    except (FileNotFoundError, ValueError):
        return 0


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


def _mark(directory: Path, verb: str, subject: str) -> Path:
    return directory / DIRECTORY / f"{verb} {subject}.undone"


def _all(given: Parameters) -> Parameters:
    return given


def _health(given: Parameters) -> Parameters:
    return {key: given[key] for key in ("container", "id", "checks")}


def _certificate(given: Parameters) -> Parameters:
    return {key: given[key] for key in ("container", "id", "fqdn", "server")}


def _member(given: Parameters) -> Parameters:
    return {key: given[key] for key in ("container", "id", "fqdn", "other", "joined")}


def _access(given: Parameters) -> Parameters:
    # Imported here, as below.
    from hostside import access

    texts = access.texts(Path(given["openrc"]), given["text"], given["clouds"])
    line = access.line(given["stack"], given["address"], given["name"])
    return {"files": {str(path): digest(text.encode()) for path, text in texts.items()}, "line": line}


def _authority(given: Parameters) -> Parameters:
    return {"files": {given["path"]: digest(Path(given["path"]).read_bytes())}}


def _grant(given: Parameters) -> Parameters:
    # Imported here, as above.
    from hostside.grant import Grant

    return {"files": {str(Grant(**given).path): digest(given["text"].encode())}}


def _port(given: Parameters) -> Parameters:
    return {"containers": {given["container"]: given["id"]}}


def _image(given: Parameters) -> Parameters:
    return {"tag": given["tag"]}


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
    "access-publish": _access,
    "authority-publish": _authority,
    "bridge-up": _all,
    "certificate-issue": _certificate,
    "files-write": _files,
    "grant-write": _grant,
    "health-await": _health,
    "image-build": _image,
    "keeper-start": _port,
    "member-join": _member,
    "port-attach": _port,
    "ports-attach": _all,
    "provision": _databases,
    "register": _entry,
    "tls-issue": _certificate,
}
_OF_ALL = ("ports-attach",)
"""Verbs that are about all that there is, however many these are: the last note is the only one that holds."""
_UNDOES = {
    "access-withdraw": ("access-publish",),
    "authority-withdraw": ("authority-publish",),
    "bridge-down": ("bridge-up",),
    # The last that happens to a container that is removed: nothing that was done to it is there any more.
    "files-remove": ("files-write", "certificate-issue", "health-await", "port-attach", "provision"),
    "grant-withdraw": ("grant-write",),
    "member-leave": ("member-join",),
    "port-detach": ("port-attach",),
    "ports-detach": ("ports-attach",),
    "tls-withdraw": ("tls-issue",),
    "withdraw": ("register",),
}
