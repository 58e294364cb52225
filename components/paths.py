"""Where things are: in the checkout, and on a container host."""

from __future__ import annotations

import os
from pathlib import Path, PurePosixPath

PROJECT = Path(__file__).resolve().parent.parent
DOCKERFILES = PROJECT / "Dockerfiles"
DOCKERVOLUMES = PROJECT / "dockervolumes"
HOSTSIDE = PROJECT / "hostside"

HOME = PurePosixPath(os.environ.get("DOCKSTACK_HOME", "/var/lib/dockstack"))
"""Everything generated lives below this directory, outside every checkout."""


def stack_directory(stack: str) -> PurePosixPath:
    """Return a stack's directory on each of its hosts: made by ``pulumi up`` (mode 0700), removed by ``destroy``.

    Raises:
        ValueError: without a name, for which it would be the directory of all stacks.
    """
    if not stack:
        raise ValueError("the stack's name is empty")
    return HOME / "stacks" / stack


def authority(stack: str) -> PurePosixPath:
    """Return the file with a stack's certificate authority on each of its hosts, where it has TLS at the VIP."""
    return stack_directory(stack) / "ca.pem"
