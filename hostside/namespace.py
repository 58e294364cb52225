"""What a container's network namespace holds, read from the kernel's files about its first process.

Starting `nsenter` and `ip` for it costs ten times as much, and every port is looked at each time.
"""

from __future__ import annotations

import ipaddress
import re
import sys
from dataclasses import dataclass
from pathlib import Path

IFF_UP = 1
_LOCAL = re.compile(r"\|-- (\S+)\n\s+/32 host LOCAL")


@dataclass(frozen=True)
class Link:
    """An interface in a namespace."""

    mac: str
    mtu: int
    up: bool
    addresses: frozenset[str]
    """IPv4 addresses with the prefix length of their connected network."""
    gateways: frozenset[str]
    """Gateways of the default routes through it."""


def mtu(interface: str) -> int | None:
    """Return the MTU of an interface of this host's own; None when there is no such interface."""
    try:
        return int(Path("/sys/class/net", interface, "mtu").read_text())
    except OSError:
        return None


def names(pid: int) -> set[str]:
    """Return the names of the interfaces in a process's namespace."""
    return {path.name for path in _directory(pid, "").iterdir() if path.is_dir()}


def has(pid: int, interface: str) -> bool:
    """Say whether a process's namespace has an interface of that name."""
    return _directory(pid, interface).exists()


def read(pid: int, interface: str) -> Link | None:
    """Return an interface of a process's namespace; None when there is no such interface or process."""
    try:
        directory = _directory(pid, interface)
        mac, mtu, flags = ((directory / name).read_text().strip() for name in ("address", "mtu", "flags"))
        routes = [line.split() for line in Path(f"/proc/{pid}/net/route").read_text().splitlines()[1:]]
        local = _LOCAL.findall(Path(f"/proc/{pid}/net/fib_trie").read_text())
    except OSError:
        return None
    networks, gateways = [], set()
    for name, destination, gateway, *_, mask in (route[:8] for route in routes):
        if name != interface:
            continue
        if gateway != "00000000":
            gateways.update([str(_address(gateway))] if mask == "00000000" else [])
        else:
            networks.append(ipaddress.IPv4Network(f"{_address(destination)}/{_address(mask)}"))
    held = frozenset(
        f"{address}/{network.prefixlen}"
        for address in local
        for network in networks
        if ipaddress.IPv4Address(address) in network
    )
    return Link(mac, int(mtu), bool(int(flags, 16) & IFF_UP), held, frozenset(gateways))


def _directory(pid: int, interface: str) -> Path:
    # The container's own /sys, which shows its own namespace.
    return Path(f"/proc/{pid}/root/sys/class/net") / interface


def _address(text: str) -> ipaddress.IPv4Address:
    """Read an address as /proc/net/route has it: the number that its bytes are on this machine, in hexadecimal."""
    return ipaddress.IPv4Address(int(text, 16).to_bytes(4, sys.byteorder))
