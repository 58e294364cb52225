"""What the commands beside Pulumi have the tool do for a whole stack, on a host that they reach through ssh."""

from __future__ import annotations

import json
import re
import signal
import sys
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from hostside import archive, capture, docker_api, impairment, logs, losses, present, process
from hostside.errors import Refused


def _given() -> Mapping[str, Any]:
    """Return what the command was given on its standard input, as JSON."""
    found: Mapping[str, Any] = json.loads(sys.stdin.read())
    return found


def _present(directory: Path, stack: str) -> Mapping[str, object]:
    return asdict(present.look(stack, directory))


def _containers(_directory: Path, stack: str) -> Mapping[str, object]:
    return {"containers": [docker_api.name(each) for each in docker_api.containers(stack)]}


def _logs(directory: Path, stack: str) -> Mapping[str, object]:
    given = _given()
    pattern = re.compile(given["pattern"])
    return asdict(logs.written(stack, directory, given["keeper"], given["names"], given["since"], pattern))


def _capture(_directory: Path, words: str) -> None:
    stack, container, interface, expression = words.split(" ", 3)
    command = capture.command(stack, container, interface, expression)
    if not capture.run(command, sys.stdout.buffer, until=sys.stdin.buffer):
        raise Refused("the capture ended before it was to.")


def _impair(directory: Path, stack: str) -> Mapping[str, object]:
    given = _given()
    impairment.impose(stack, directory, given["container"], impairment.Impairment(**given["wanted"]))
    return {}


def _act(directory: Path, stack: str) -> Mapping[str, object]:
    given = _given()
    losses.act(stack, directory, given["what"], given["containers"])
    return {}


def _impaired(directory: Path, _stack: str) -> Mapping[str, object]:
    return {"impaired": {name: str(each) for name, each in impairment.Impairments(directory).all().items()}}


def _relieve(directory: Path, _stack: str) -> Mapping[str, object]:
    return {"cleared": impairment.relieve(directory, _given()["container"])}


def _saved(directory: Path, stack: str) -> Mapping[str, object]:
    return asdict(archive.saved(stack, directory, _given()["beside"]))


def _stand_still(_directory: Path, stack: str) -> None:
    # Whoever ends this has the containers go on, too.
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.default_int_handler)
    archive.stand_still(stack, sys.stdin.fileno(), lambda word: print(word, flush=True))


def _pack(directory: Path, words: str) -> None:
    stack, *beside = words.split()
    command = archive.packing(docker_api.volumes(stack), [directory / name for name in beside])
    process.run(command, out=sys.stdout.buffer, timeout=archive.SECONDS)


def _unpack(directory: Path, words: str) -> None:
    stack, *beside = words.split()
    archive.unpack(sys.stdin.buffer, docker_api.volumes(stack), beside, directory)


def _discard(directory: Path, stack: str) -> Mapping[str, object]:
    archive.discard(docker_api.volumes(stack), directory)
    return {}


def _make_anew(directory: Path, stack: str) -> Mapping[str, object]:
    given = _given()
    archive.make_anew(stack, directory, given["beside"], given["keeper"])
    return {}


ALL: Mapping[str, Callable[[Path, str], Mapping[str, object] | None]] = {
    "act": _act,
    "capture": _capture,
    "containers": _containers,
    "discard": _discard,
    "impair": _impair,
    "impaired": _impaired,
    "logs": _logs,
    "make-anew": _make_anew,
    "pack": _pack,
    "present": _present,
    "relieve": _relieve,
    "saved": _saved,
    "stand-still": _stand_still,
    "unpack": _unpack,
}
"""By what the tool is called with, before the stack's name and other words; the rest is on standard input."""
