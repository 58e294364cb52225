"""The lab's bridge on a host: blackhole route, Open vSwitch bridge, the host's own address on it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hostside import ovs
from hostside.process import CommandFailed, run, succeeds

BLACKHOLE_METRIC = 4096
ROUTE_PROTOCOL = "87"
"""What the kernel keeps with a route as its maker. https://man7.org/linux/man-pages/man8/ip-route.8.html"""


@dataclass(frozen=True)
class Bridge:
    """A bridge and what the host has on it."""

    name: str
    stack: str
    network: str
    """Subnet of the lab, e.g. 10.87.0.0/24."""
    address: str
    """The host's address with prefix length: the containers' gateway."""
    mtu: int

    def identifiers(self) -> dict[str, str]:
        """Return the external_ids that tell the keeper, and other stacks, all about the bridge."""
        return {
            ovs.STACK_KEY: self.stack,
            "dockstack-network": self.network,
            "dockstack-address": self.address,
            "dockstack-mtu": str(self.mtu),
        }

    @classmethod
    def recorded(cls, name: str, identifiers: dict[str, str]) -> Bridge:
        """Read the bridge back from its external_ids."""
        return cls(
            name=name,
            stack=identifiers[ovs.STACK_KEY],
            network=identifiers["dockstack-network"],
            address=identifiers["dockstack-address"],
            mtu=int(identifiers["dockstack-mtu"]),
        )


def up(bridge: Bridge) -> str:
    """Make the bridge, or mend what is missing of it; return the datapath type.

    The blackhole route comes first: while the bridge is down, a packet for the lab must not leave by the default route.

    Raises:
        CommandFailed: when Open vSwitch or the kernel refuses, or the bridge belongs to another stack.
    """
    present = {str(name): dict(ids) for name, ids in ovs.rows("bridge", "name,external_ids", f"name={bridge.name}")}
    if bridge.name in present and present[bridge.name].get(ovs.STACK_KEY) != bridge.stack:
        raise CommandFailed(f"bridge {bridge.name} is there and isn't of stack {bridge.stack}")
    run(["ip", "route", "replace", *_blackhole(bridge.network), "proto", ROUTE_PROTOCOL])
    datapath = "system" if ovs.kernel_datapath() else "netdev"
    run(
        ["ovs-vsctl", "--timeout=30", "--may-exist", "add-br", bridge.name]
        + ["--", "set", "bridge", bridge.name, f"datapath_type={datapath}"]
        + [f"external_ids:{key}={json.dumps(value)}" for key, value in bridge.identifiers().items()]
        + ["--", "set", "interface", bridge.name, f"mtu_request={bridge.mtu}"]
    )
    restore(bridge)
    return datapath


def restore(bridge: Bridge) -> bool:
    """Put back what a restarted Open vSwitch or a rebooted host has lost; return whether anything was missing."""
    if is_up(bridge):
        return False
    run(["ip", "route", "replace", *_blackhole(bridge.network), "proto", ROUTE_PROTOCOL])
    if ovs.is_userspace(bridge.name):
        run(["ethtool", "-K", bridge.name, "tx", "off"])
    run(["ip", "address", "replace", bridge.address, "dev", bridge.name])
    run(["ip", "link", "set", bridge.name, "up"])
    return True


def down(bridge: Bridge) -> None:
    """Remove the bridge with its ports, then the blackhole route; nothing there is no error."""
    route = [*_blackhole(bridge.network), "proto", ROUTE_PROTOCOL]
    if bridge.name in ovs.bridges(bridge.stack):
        # The route of a bridge of ours is ours, also without the mark.
        route = _blackhole(bridge.network)
        run(["ovs-vsctl", "--timeout=30", "del-br", bridge.name])
    succeeds(["ip", "route", "delete", *route])


def _blackhole(network: str) -> list[str]:
    return ["blackhole", network, "metric", str(BLACKHOLE_METRIC)]


def is_up(bridge: Bridge) -> bool:
    """Say whether the host has its address on the bridge."""
    if not Path("/sys/class/net", bridge.name).exists():
        return False
    link: list[dict[str, Any]] = json.loads(run(["ip", "-j", "address", "show", "dev", bridge.name]))
    held = [f"{a['local']}/{a['prefixlen']}" for a in link[0]["addr_info"] if a["family"] == "inet"]
    return bridge.address in held and "UP" in link[0]["flags"]
