"""The tool on the host: carries out one operation, or undoes it, and is the keeper's program."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

from hostside import applied
from hostside.errors import Refused, StepError
from hostside.operations import UNDONE_BY, named
from hostside.process import CommandFailed, complete_path

OTHER_VERSION = "the tool of this version doesn't know it, or not its inputs"
"""What is told of an operation that another version of this program knows."""
DRIFT = "drift"
"""Key beside an operation's inputs: the counter by which it is planned again after drift (see hostside.drift)."""


def _keep(directory: Path, stack: str) -> None:
    from hostside.keeper import Keeper

    Keeper(stack, directory).run()


def _purge(directory: Path, stack: str) -> None:
    from hostside.purge import purge

    purge(stack, directory)


def _drift(directory: Path, stack: str) -> Mapping[str, object]:
    from hostside import drift

    found = ((*key, future.result()) for key, future in drift.detect(directory, stack).items())
    return {
        "found": [[name, subject, f.count, f.reason, f.remedy] for name, subject, f in found if f.count or f.reason]
    }


def _report(directory: Path, words: str) -> Mapping[str, object]:
    from hostside import report

    stack, *names = words.split()
    found = report.Report(stack, directory)
    broken = found.broken(names)
    failing = [] if broken else found.failing()
    return {
        kind: [[each.subject, each.reason, each.mend] for each in problems]
        for kind, problems in (("broken", broken), ("failing", failing))
    }


SERVICES: Mapping[str, Callable[[Path, str], Mapping[str, object] | None]] = {
    "keeper": _keep,
    "look": _drift,
    "report": _report,
    "purge": _purge,
}
"""Commands about the whole stack, whose name is their argument; they are given no input."""


ASKED = frozenset(
    {
        "act", "capture", "containers", "discard", "impair", "impaired", "logs", "make-anew", "pack", "present",
        "relieve", "saved", "stand-still", "unpack",
    }
)  # fmt: skip
"""What else there is about the whole stack: see :mod:`hostside.asked`, which is read when one of them is asked for."""


def main(arguments: list[str], directory: Path) -> int:
    """Run one command.

    Args:
        arguments: the command: an operation's name or what undoes it, which reads the operation from standard input, or
            one of :data:`SERVICES` or :data:`ASKED`; then words for the reader of a preview or a process list, or the
            stack's name.
        directory: the stack's directory on this host.

    Returns:
        The exit status: 0, or 1 with the error on standard error.
    """
    # What is mounted is read by users of the containers, however strict the umask is of who runs this.
    os.umask(0o022)
    complete_path()
    command, subject = arguments[0], " ".join(arguments[1:])
    if command in SERVICES:
        return told(lambda: SERVICES[command](directory, subject))
    if command in ASKED:
        from hostside import asked

        return told(lambda: asked.ALL[command](directory, subject))
    return told(lambda: carry_out(directory, command, subject, sys.stdin.read()))


def told(work: Callable[[], Mapping[str, object] | None]) -> int:
    """Do some work, and print what it returns, as JSON; an error that people can do something about, in its own words.

    Returns:
        The exit status: 0, or 1 with the error on standard error.
    """
    try:
        result = work()
    except (Refused, StepError, CommandFailed, OSError) as error:
        print(error, file=sys.stderr)
        return 1
    if result is not None:
        print(json.dumps(result, sort_keys=True))
    return 0


def carry_out(directory: Path, command: str, subject: str, text: str) -> Mapping[str, object] | None:
    """Run an operation, or undo it, and keep a record of that.

    Args:
        directory: the stack's directory on this host.
        command: the operation's name, or what undoes it.
        subject: what it is about.
        text: the operation as JSON.

    Returns:
        What the operation tells.

    Raises:
        StepError: it can't be carried out.
    """
    given = json.loads(text)
    count = given.pop(DRIFT, 0)
    try:
        operation = named(UNDONE_BY.get(command, command)).parse(given)
    except (KeyError, TypeError) as error:
        raise StepError(subject or command, command, f"{OTHER_VERSION}: {error}") from None
    if command in UNDONE_BY:
        applied.undo(directory, operation, subject)
        operation.undo(directory)
        return None
    if count > applied.count(directory, operation.NAME, subject):
        operation.repair()
    result = operation.run(directory)
    applied.write(directory, operation, subject, count)
    return result
