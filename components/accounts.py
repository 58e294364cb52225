"""The program's part in runs whose state is written at their end only; prepare/accounts.sh has the whole of it."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from components import paths
from hostside import files

ACCOUNT, LOST = "DOCKSTACK_ACCOUNT", "DOCKSTACK_LOST"
"""Variables by which prepare/bin/pulumi tells the engine's process and this run's file, and a lost run's number."""
AGAIN = "DOCKSTACK_AGAIN"
"""Variable of the first step, which holds that number: it tells that the state is that of a run after the lost one."""


def begin(stack: str) -> None:
    """Record that a run begins that changes resources, which a preview doesn't.

    Raises:
        OSError: when that can't be recorded.
    """
    if lost := os.environ.get(LOST):
        directory = Path(paths.stack_directory(stack))
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        files.put(directory / "again", lost, 0o600)
    if run := os.environ.get(ACCOUNT):
        process, _, name = run.partition(" ")
        files.put(Path(name), f"open {process} {_state_file(Path(name))}\n", 0o600)


def again(stack: str) -> int:
    """Return the number that all steps carry which were repeated after a lost run; 0 where none was."""
    if lost := os.environ.get(LOST):
        return int(lost)
    try:
        return int((Path(paths.stack_directory(stack)) / "again").read_text())
    except (FileNotFoundError, ValueError):
        return 0


def _state_file(run: Path) -> str:
    """Identify the state file: each write makes another one."""
    try:
        found = (run.parent.parent / ".pulumi/stacks/dockstack" / f"{run.name}.json").stat()
    except FileNotFoundError:
        return "none"
    return f"{found.st_ino} {found.st_mtime_ns // 10**9}.{found.st_mtime_ns % 10**9:09}"


if __name__ == "__main__":
    from components.host.container_host import install_tool

    install_tool(sys.argv[1])
