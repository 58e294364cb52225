"""Where things are: in the checkout, and on a container host."""

from __future__ import annotations

import os
from pathlib import Path, PurePosixPath

PROJECT = Path(__file__).resolve().parent.parent
DOCKERFILES = PROJECT / "Dockerfiles"
DOCKERVOLUMES = PROJECT / "dockervolumes"
HOSTSIDE = PROJECT / "hostside"

DEFAULT_HOME = PurePosixPath("/var/lib/dockstack")
HOME = PurePosixPath(os.environ.get("DOCKSTACK_HOME", DEFAULT_HOME))
"""Everything generated lives below this directory on this machine, outside every checkout."""

DEMO_KEY = "demo-key"
"""Name of the demo's key pair, in a stack's directory and in OpenStack."""


def stack_directory(stack: str, home: PurePosixPath = HOME) -> PurePosixPath:
    """Return a stack's directory on each of its hosts: made by ``pulumi up`` (mode 0700), removed by ``destroy``.

    Args:
        stack: the stack's name.
        home: what is the host's :data:`HOME`.

    Raises:
        ValueError: without a name, for which it would be the directory of all stacks.
    """
    if not stack:
        raise ValueError("the stack's name is empty")
    return home / "stacks" / stack


def authority(stack: str, home: PurePosixPath = HOME) -> PurePosixPath:
    """Return the file with a stack's certificate authority on each of its hosts, where it has TLS at the VIP."""
    return stack_directory(stack, home) / "ca.pem"
