"""Networks and addresses that nobody gives: they follow from the configuration, and have to suit it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from ipaddress import IPv4Address, IPv4Network

TUNNELS = IPv4Network("198.18.0.0/16")
"""One for laboratories (RFC 2544), which nothing routes to: only the lab's bridge carries the ends of tunnels."""
TENANT_NETWORK = IPv4Network("192.168.77.0/24")
"""The demo's own subnet, behind its router."""


def tunnel_address(address: IPv4Address) -> IPv4Address:
    """Return the address of a container's tunnels, which has the last two bytes of the container's own."""
    return TUNNELS[int(address) & 0xFFFF]


def pools(network: IPv4Network, gateway: IPv4Address) -> Sequence[tuple[IPv4Address, IPv4Address]]:
    """Return the upper half of a provider network without its gateway and its broadcast address, as ranges.

    The demo gives floating addresses from there. The lower half is left to whatever else is on the provider network.
    """
    first, last = network[network.num_addresses // 2], network[-2]
    if not first <= gateway <= last:
        return [(first, last)]
    ranges = [(first, gateway - 1), (gateway + 1, last)]
    return [(start, end) for start, end in ranges if start <= end]


def left_by_pools(network: IPv4Network, gateway: IPv4Address) -> Iterator[IPv4Address]:
    """Tell the addresses of a provider network that the demo's pools leave free, downwards."""
    last = network.num_addresses // 2 - 1
    return (address for n in range(last, 0, -1) if (address := network[n]) != gateway)
