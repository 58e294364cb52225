"""What ``pulumi up`` does on a host: one operation a module, called like the command that carries it out.

The program makes an operation (see :meth:`components.host.container_host.ContainerHost.declare`), and the tool on the
host reads it from standard input and runs it. A new one is a module here and its name in :data:`NAMES`.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module

from hostside.operations.base import Operation

NAMES = (
    "bridge-up",
    "bridge-join",
    "names-publish",
    "image-build",
    "keeper-start",
    "files-write",
    "access-publish",
    "register",
    "authority-publish",
    "grant-write",
    "port-attach",
    "ports-attach",
    "cluster-birth",
    "provision",
    "demo",
    "health-await",
    "member-join",
    "certificate-issue",
    "tls-issue",
)
"""All operations, in the order in which their drift is detected: quick ones first, and last those that share one slow
answer."""
UNDONE_BY: Mapping[str, str] = {
    "access-withdraw": "access-publish",
    "authority-withdraw": "authority-publish",
    "bridge-down": "bridge-up",
    "bridge-part": "bridge-join",
    "files-remove": "files-write",
    "grant-withdraw": "grant-write",
    "member-leave": "member-join",
    "names-withdraw": "names-publish",
    "port-detach": "port-attach",
    "ports-detach": "ports-attach",
    "tls-withdraw": "tls-issue",
    "withdraw": "register",
}
"""By the command that undoes it: the operation."""


def named(name: str) -> type[Operation]:
    """Return an operation by its name. Only its module is imported: a hundred ports are a hundred starts of the tool.

    Raises:
        KeyError: there is none of this name.
    """
    if name not in NAMES:
        raise KeyError(name)
    operation: type[Operation] = import_module(f"{__name__}.{name.replace('-', '_')}").OPERATION
    return operation
