"""The bridges of a lab on its hosts: where each is, which address the host has on it, and what it is joined with.

A bridge of one name is one bridge, on however many hosts. The first host that has containers of a gateway holds that
address; every other host has one of its own, so that its checks reach the containers of all. It is the highest of the
subnet that nobody else has, and may change with the configuration: nobody but the host uses it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network
from typing import TYPE_CHECKING, Protocol

from components.configuration.faults import Fault, one_of, plain

if TYPE_CHECKING:
    from components.configuration.environment import ConfiguredHost, Container, Environment

OVERHEAD = 50
"""Bytes that VXLAN over IPv4 puts around a packet: https://datatracker.ietf.org/doc/html/rfc7348, section 5."""


class Ported(Protocol):
    """What has to be known of a role."""

    @property
    def provider_port(self) -> bool:
        """Return whether its containers have a port on the provider bridge."""


@dataclass(frozen=True)
class Span:
    """A bridge on one host.

    Attributes:
        bridge: its name.
        network: the subnet that it carries.
        address: the host's own address on it; None on a host that needs none there, or for which none is left.
        mtu: the largest packet of any container on it, on whatever host, in bytes.
        others: the other hosts that have it.
        uplink: the host's interface to the others; empty where there are none, or where tunnels lead to them.
    """

    bridge: str
    network: IPv4Network
    address: IPv4Address | None
    mtu: int
    others: tuple[str, ...]
    uplink: str = ""

    @property
    def tunnelled(self) -> bool:
        """Return whether tunnels join it with the other hosts' parts."""
        return bool(self.others) and not self.uplink


def spans(environment: Environment, roles: Mapping[str, Ported]) -> dict[str, list[Span]]:
    """Return the bridges of each used host, the one that most containers are on by default first."""
    hosts = sorted(environment.used_hosts, key=lambda host: host.ssh is not None)
    found: dict[str, list[Span]] = {host.name: [] for host in hosts}
    for bridge in dict.fromkeys(c.bridge for c in environment.containers):
        containers = [c for c in environment.containers if c.bridge == bridge]
        for name, span in _own(environment, bridge, containers, hosts):
            found[name].append(span)
    for name, span in _provider(environment, roles, hosts):
        found[name].append(span)
    return found


def _own(
    environment: Environment, bridge: str, containers: list[Container], hosts: list[ConfiguredHost]
) -> Iterator[tuple[str, Span]]:
    """Tell a bridge of containers on each host that has it."""
    network, mtu = containers[0].network, max(c.mtu for c in containers)
    having = [host for host in hosts if any(c.host == host.name for c in containers)]
    gateways = {host.name: next(c.gateway for c in containers if c.host == host.name) for host in having}
    free, held = _free(environment, network, gateways.values()), set()
    for host in having:
        gateway = gateways[host.name]
        address = next(free, None) if gateway in held else gateway
        held.add(gateway)
        others = tuple(other.name for other in having if other is not host)
        uplink = (host.uplink or "") if others and network == environment.network else ""
        yield host.name, Span(bridge, network, address, mtu, others, uplink)


def _provider(
    environment: Environment, roles: Mapping[str, Ported], hosts: list[ConfiguredHost]
) -> Iterator[tuple[str, Span]]:
    """Tell the provider bridge on each host that has it.

    The containers' gateway is the way from them to floating addresses, so the host that holds it has the provider
    network's as well, and the other hosts have no address there.
    """
    provider = environment.provider
    ported = [c for c in environment.containers if roles[c.role].provider_port]
    if provider is None or not ported:
        return
    of_the_lab = [
        h for h in hosts if any(c.host == h.name and c.network == environment.network for c in environment.containers)
    ]
    holder = next(iter(of_the_lab), next(h for h in hosts if h.name == ported[0].host))
    having = [host for host in hosts if host is holder or any(c.host == host.name for c in ported)]
    for host in having:
        others = tuple(other.name for other in having if other is not host)
        address = provider.gateway if host is holder else None
        yield host.name, Span(provider.bridge, provider.network, address, max(c.mtu for c in ported), others)


def _free(environment: Environment, network: IPv4Network, taken: Iterable[IPv4Address]) -> Iterator[IPv4Address]:
    """Yield the addresses of a subnet that nobody has, the highest first."""
    owned = {c.address for c in environment.containers} | {environment.vip, environment.gateway, *taken}
    pool = environment.dhcp
    address = network.broadcast_address - 1
    while address > network.network_address:
        if address not in owned and not (pool and pool[0] <= address <= pool[1]):
            yield address
        address -= 1


def check(environment: Environment, roles: Mapping[str, Ported]) -> Iterator[Fault]:
    """Tell what keeps the bridges of several hosts from being one."""
    keys = environment.keys
    for name, mine in spans(environment, roles).items():
        for span in mine:
            provided = environment.provider and span.bridge == environment.provider.bridge
            if span.address is None and not provided:
                reason = f"{span.network} has no address left for host {plain(name)} on bridge {span.bridge}"
                yield Fault(keys.of("containerDefaults", "mask"), reason, "Choose a wider subnet.")
            without = [other for other in span.others if not environment.hosts[other].uplink]
            if span.uplink and without:
                reason = f"bridge {span.bridge} is joined by uplinks, and {one_of(without)} has none"
                yield Fault(keys.of("containerHosts", name, "uplink"), reason, "Give all hosts one, or none.")
