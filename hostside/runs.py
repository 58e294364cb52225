"""The runs of a stack, and the plugins that those of them left behind whose engine was killed.

A run is one `pulumi` command. It has a number in its environment (see prepare/bin/pulumi), which all that it starts
inherits, and which whatever of it works on the stack notes in the stack's directory. So the plugins that are left are
known for the stack's, wherever they run; those of a `pulumi` without such a number are nobody's to end.
"""

from __future__ import annotations

import contextlib
import os
import re
import signal
from collections.abc import Iterator
from pathlib import Path

VARIABLE = "DOCKSTACK_RUN"
DIRECTORY = "runs"
ENGINE = "pulumi"
PLUGINS = ("pulumi-language-python", "pulumi-resource-docker", "pulumi-resource-command")
_NUMBER = re.compile(r"[0-9a-f-]{36}")


def note(directory: Path) -> None:
    """Note in a stack's directory that the run that we are part of works on the stack."""
    number = os.environ.get(VARIABLE, "")
    if _NUMBER.fullmatch(number):
        kept = directory / DIRECTORY
        kept.mkdir(mode=0o700, parents=True, exist_ok=True)
        (kept / number).touch()


def end_orphans(directory: Path) -> list[int]:
    """End the plugins that the noted runs of a stack left behind; return their process numbers.

    Some plugins don't notice that their engine is gone, and would stay, with whatever they were in the middle of. A run
    of which nothing is left is forgotten.

    Args:
        directory: the stack's directory on this host.
    """
    noted = {path.name: path for path in (directory / DIRECTORY).glob("*") if _NUMBER.fullmatch(path.name)}
    if not noted:
        return []
    ended, alive = [], {os.environ.get(VARIABLE, "")}
    for process, number in _plugins():
        alive.add(number)
        if number in noted and _is_orphan(process):
            with contextlib.suppress(ProcessLookupError):
                os.kill(int(process.name), signal.SIGTERM)
                ended.append(int(process.name))
    for number in noted.keys() - alive:
        noted[number].unlink(missing_ok=True)
    return ended


def _plugins() -> Iterator[tuple[Path, str]]:
    """Tell each plugin that runs, with the number of its run."""
    for process in Path("/proc").glob("[0-9]*"):
        try:
            program = (process / "cmdline").read_bytes().split(b"\0")[0].decode(errors="replace")
            if Path(program).name not in PLUGINS:
                continue
            environment = (process / "environ").read_bytes().split(b"\0")
        except OSError:
            continue
        name = f"{VARIABLE}=".encode()
        for number in (each.removeprefix(name) for each in environment if each.startswith(name)):
            yield process, number.decode(errors="replace")


def _is_orphan(process: Path) -> bool:
    """Say whether a plugin's engine is gone: its parent is another program. One outside our namespace isn't shown."""
    try:
        # The fields after the name, which is in parentheses: the state and the parent's number.
        parent = (process / "stat").read_text().rpartition(")")[2].split()[1]
        return parent != "0" and Path("/proc", parent, "comm").read_text().strip() != ENGINE
    except OSError:
        return False
