"""The plugins that runs of a stack left behind whose engine was killed.

A run is one `pulumi` command. It has the stack's directory in its environment (see prepare/bin/pulumi), which all that
it starts inherits. So what is left is known for the stack's, wherever it runs and however early its engine ended; the
plugins of a `pulumi` without it are nobody's to end.
"""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Iterator
from pathlib import Path

VARIABLE = "DOCKSTACK_RUN"
ENGINE = "pulumi"
PLUGINS = ("pulumi-language-python", "pulumi-resource-docker", "pulumi-resource-command")


def end_orphans(directory: Path) -> list[int]:
    """End the plugins that runs of a stack left behind; return their process numbers.

    Some plugins don't notice that their engine is gone, and would stay, with whatever they were in the middle of.

    Args:
        directory: the stack's directory on this host.
    """
    ended = []
    for process in _plugins(directory):
        if _is_orphan(process):
            with contextlib.suppress(ProcessLookupError):
                os.kill(int(process.name), signal.SIGTERM)
                ended.append(int(process.name))
    return ended


def _plugins(directory: Path) -> Iterator[Path]:
    """Tell each plugin of a run of a stack."""
    of_the_stack = f"{VARIABLE}={directory}".encode()
    for process in Path("/proc").glob("[0-9]*"):
        try:
            program = (process / "cmdline").read_bytes().split(b"\0")[0].decode(errors="replace")
            if Path(program).name in PLUGINS and of_the_stack in (process / "environ").read_bytes().split(b"\0"):
                yield process
        except OSError:
            continue


def _is_orphan(process: Path) -> bool:
    """Say whether a plugin's engine is gone: its parent is another program. One outside our namespace isn't shown."""
    try:
        # The fields after the name, which is in parentheses: the state and the parent's number.
        parent = (process / "stat").read_text().rpartition(")")[2].split()[1]
        return parent != "0" and Path("/proc", parent, "comm").read_text().strip() != ENGINE
    except OSError:
        return False
