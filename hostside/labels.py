"""The labels that the program gives to containers and volumes, and that the tool and the keeper read.

Those of a port are written and read in :mod:`hostside.ports`.
"""

from __future__ import annotations

STACK = "dockstack.stack"
ROLE = "dockstack.role"
FQDN = "dockstack.fqdn"
TOOL = "dockstack.tool"
"""Digest of the tool that is mounted into the keeper: another one needs a new process."""
FILES = "dockstack.files"
"""Digest of the rendered files that are mounted into the keeper, likewise."""

BRIDGE = "dockstack.bridge"
ADDRESS = "dockstack.address"
GATEWAY = "dockstack.gateway"
MAC = "dockstack.mac"
MTU = "dockstack.mtu"
PORTS = "dockstack.ports"
"""Further ports beside the one with the address: ``INTERFACE|BRIDGE|MAC``, separated by blanks."""
