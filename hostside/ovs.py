"""Questions to Open vSwitch's database."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from hostside.process import CommandFailed, run

STACK_KEY = "dockstack-stack"
"""Key in a bridge's external_ids that names the stack it belongs to."""

Held = dict[str, list[str]]
"""The ports that a container holds: interface inside to names on the bridges."""


def rows(table: str, columns: str, *conditions: str) -> list[list[Any]]:
    """Return the chosen columns of a table's rows, maps as dictionaries."""
    found = json.loads(
        run(["ovs-vsctl", "--timeout=30", "--format=json", f"--columns={columns}", "find", table, *conditions])
    )
    return [[_plain(value) for value in row] for row in found["data"]]


def change(commands: Iterable[Sequence[str]]) -> None:
    """Make changes to the database in one transaction, so that the switch looks at all its ports once.

    Args:
        commands: what stands between the ``--`` of ovs-vsctl; its own options come first in each.

    Raises:
        CommandFailed: when one of them can't be done; then none is.
    """
    words = [word for command in commands for word in ("--", *command)]
    run(["ovs-vsctl", "--timeout=30", *words])


def ports_of(container: str) -> Held:
    """Return the names of the ports that ovs-docker attached for a container, by the interface that they serve."""
    return _by_container(f"external_ids:container_id={container}").get(container, {})


def ports_by_container() -> dict[str, Held]:
    """Return the names of the ports that ovs-docker attached, by container."""
    return _by_container()


def _by_container(*conditions: str) -> dict[str, Held]:
    found: dict[str, Held] = {}
    for name, ids in rows("interface", "name,external_ids", *conditions):
        if "container_id" in ids:
            names = found.setdefault(ids["container_id"], {}).setdefault(ids.get("container_iface", ""), [])
            names.append(str(name))
    return found


def bridges(stack: str) -> dict[str, dict[str, str]]:
    """Return the external_ids of each bridge of a stack, by the bridge's name."""
    return {
        str(name): dict(ids) for name, ids in rows("bridge", "name,external_ids", f"external_ids:{STACK_KEY}={stack}")
    }


@cache
def is_userspace(bridge: str) -> bool:
    """Say whether a bridge runs on the userspace datapath."""
    return run(["ovs-vsctl", "--timeout=30", "get", "bridge", bridge, "datapath_type"]).strip().strip('"') == "netdev"


def kernel_datapath() -> bool:
    """Say whether this kernel has Open vSwitch's datapath, loaded or loadable."""
    if Path("/sys/module/openvswitch").exists():
        return True
    try:
        run(["modprobe", "openvswitch"])
    except CommandFailed:
        return False
    return True


def _plain(value: Any) -> Any:
    if isinstance(value, list) and len(value) == 2 and value[0] == "map":
        return dict(value[1])
    if isinstance(value, list) and len(value) == 2 and value[0] == "set":
        return list(value[1])
    return value
