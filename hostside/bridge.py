"""The lab's bridge on a host: blackhole route, Open vSwitch bridge, the host's own address on it.

What a bridge carries is recorded in its external_ids. A subnet is on one bridge of a stack, so that one that moves to
another leaves its former behind, and a bridge has no other address and route than those on record.
"""

from __future__ import annotations

import ipaddress
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hostside import ovs, ways
from hostside.process import CommandFailed, run, succeeds

NETWORK_KEY, ADDRESS_KEY, MTU_KEY = "dockstack-network", "dockstack-address", "dockstack-mtu"
"""Keys of the external_ids that a bridge is recorded in, beside the stack's."""
BLACKHOLE_METRIC = 4096
ROUTE_PROTOCOL = "87"
"""Number that the kernel keeps with a route as its origin. https://man7.org/linux/man-pages/man8/ip-route.8.html"""
LOCK = ".bridges"
"""Name of the lock on a stack's bridges: two may be about to exchange subnets. No container is called so."""


@dataclass(frozen=True)
class Bridge:
    """A bridge and what the host has on it."""

    name: str
    stack: str
    network: str
    """Subnet of the lab, e.g. 10.87.0.0/24."""
    address: str
    """The host's address with prefix length, as a rule the containers' gateway; empty on a host that has none on it."""
    mtu: int

    def identifiers(self) -> dict[str, str]:
        """Return the external_ids that tell the keeper, and other stacks, all about the bridge."""
        return {
            ovs.STACK_KEY: self.stack,
            NETWORK_KEY: self.network,
            ADDRESS_KEY: self.address,
            MTU_KEY: str(self.mtu),
        }

    @classmethod
    def recorded(cls, name: str, identifiers: dict[str, str]) -> Bridge:
        """Read the bridge back from its external_ids."""
        return cls(
            name=name,
            stack=identifiers[ovs.STACK_KEY],
            network=identifiers[NETWORK_KEY],
            address=identifiers[ADDRESS_KEY],
            mtu=int(identifiers[MTU_KEY]),
        )


def up(bridge: Bridge) -> str:
    """Make the bridge, or what is missing of it, and remove what it had before; return the datapath type.

    The blackhole route comes first: while the bridge is down, a packet for the lab must not leave by the default route.

    Raises:
        CommandFailed: when Open vSwitch or the kernel refuses, or the bridge belongs to another stack.
    """
    present = {str(name): dict(ids) for name, ids in ovs.rows("bridge", "name,external_ids", f"name={bridge.name}")}
    if bridge.name in present and present[bridge.name].get(ovs.STACK_KEY) != bridge.stack:
        raise CommandFailed(f"bridge {bridge.name} is there and isn't of stack {bridge.stack}")
    known = _known(bridge.stack)
    left = [other for other in known.values() if other.name != bridge.name and _subnet(other).overlaps(_subnet(bridge))]
    _lay_blackhole(bridge.network)
    for other in left:
        # The host would go on looking for the subnet there. Its containers are about to be made anew.
        run(["ovs-vsctl", "--timeout=30", "--if-exists", "del-br", other.name])
    datapath = "system" if ovs.kernel_datapath() else "netdev"
    run(
        ["ovs-vsctl", "--timeout=30", "--may-exist", "add-br", bridge.name]
        + ["--", "set", "bridge", bridge.name, f"datapath_type={datapath}"]
        + [f"external_ids:{key}={json.dumps(value)}" for key, value in bridge.identifiers().items()]
        + ["--", "set", "interface", bridge.name, f"mtu_request={bridge.mtu}"]
    )
    before = known.get(bridge.name, bridge)
    for other in [*left, before] if before != bridge else left:
        _withdraw(other)
    restore(bridge)
    return datapath


def restore(bridge: Bridge) -> bool:
    """Put back what a restarted Open vSwitch or a rebooted host has lost; return whether anything was missing."""
    if is_up(bridge):
        return False
    try:
        _lay_blackhole(bridge.network)
        if ovs.is_userspace(bridge.name):
            run(["ethtool", "-K", bridge.name, "tx", "off"])
        if bridge.address:
            run(["ip", "address", "replace", bridge.address, "dev", bridge.name])
        run(["ip", "link", "set", bridge.name, "mtu", str(bridge.mtu), "up"])
    finally:
        # A change of the lab may have come in between.
        _withdraw(bridge)
    return True


def down(bridge: Bridge) -> None:
    """Remove the bridge with its ports, then the blackhole route; nothing there is no error."""
    marked = bridge.name not in ovs.bridges(bridge.stack)
    if not marked:
        run(["ovs-vsctl", "--timeout=30", "del-br", bridge.name])
    ways.remove_link(bridge.stack, bridge.name)
    _withdraw(bridge, marked=marked)


def _withdraw(bridge: Bridge, *, marked: bool = False) -> None:
    """Remove the address and the route of a bridge, as far as no record asks for them any more.

    Args:
        bridge: the bridge.
        marked: whether the route is removed only where it is marked as ours; that of a bridge on record is ours anyway.
    """
    known = _known(bridge.stack)
    now = known.get(bridge.name)
    if now is not None and bridge.address and now.address != bridge.address:
        succeeds(["ip", "address", "delete", bridge.address, "dev", bridge.name])
    if bridge.network not in {other.network for other in known.values()}:
        succeeds(["ip", "route", "delete", *_blackhole(bridge.network), *(("proto", ROUTE_PROTOCOL) if marked else ())])


def _known(stack: str) -> dict[str, Bridge]:
    """Return a stack's bridges on this host as recorded, by name."""
    return {
        name: Bridge.recorded(name, identifiers)
        for name, identifiers in ovs.bridges(stack).items()
        # Written in one go with the stack's name; what somebody took away of it is put back by `up`.
        if identifiers.keys() >= Bridge(name, stack, "", "", 0).identifiers().keys()
    }


def _subnet(bridge: Bridge) -> ipaddress.IPv4Network:
    return ipaddress.IPv4Network(bridge.network)


def _lay_blackhole(network: str) -> None:
    run(["ip", "route", "replace", *_blackhole(network), "proto", ROUTE_PROTOCOL])


def _blackhole(network: str) -> list[str]:
    return ["blackhole", network, "metric", str(BLACKHOLE_METRIC)]


def is_up(bridge: Bridge) -> bool:
    """Say whether the host has its address on the bridge, which takes packets as large as it is to."""
    if not Path("/sys/class/net", bridge.name).exists():
        return False
    link: list[dict[str, Any]] = json.loads(run(["ip", "-j", "address", "show", "dev", bridge.name]))
    held = [f"{a['local']}/{a['prefixlen']}" for a in link[0]["addr_info"] if a["family"] == "inet"]
    return (not bridge.address or bridge.address in held) and "UP" in link[0]["flags"] and link[0]["mtu"] == bridge.mtu
