"""What goes together in a lab: every rule that needs no look at a host.

The rules work on drafts, whose fields are None where the configuration had nothing usable; a rule skips these,
as the schema has reported them.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv4Network
from itertools import islice, pairwise
from typing import TYPE_CHECKING, NamedTuple

from components.configuration import derived
from components.configuration.duties import Duties
from components.configuration.faults import Fault, Keys, closest, one_of, plain, show, suggest
from components.configuration.readers import Reader
from components.configuration.schema import is_container_name
from hostside.containers import MOUNT_POINT

if TYPE_CHECKING:
    from components.configuration.environment import Environment

OPENSDN = "opensdn"
"""The networking that isn't done by Neutron's own agents."""

PUPPET = "puppet"
"""What agents call their Puppet server that are told no other name."""

_LONGEST_FQDN = 64
"""The common name of an X.509 certificate holds no more."""

_REFERENCE = re.compile(r"[a-z0-9]+([._/:@-][A-Za-z0-9_][A-Za-z0-9_-]*)*", re.ASCII)
_RESERVED_NAMES = {
    "vip": "the VIP's own name",
    "localhost": "every machine's name for itself",
    **dict.fromkeys(
        ("ip6-localhost", "ip6-loopback", "ip6-localnet", "ip6-mcastprefix", "ip6-allnodes", "ip6-allrouters"),
        "a name that every container has for something else",
    ),
}


@dataclass(frozen=True)
class RawVolume:
    """A volume before it is known to be sound; an optional one is left out where the host lacks its source."""

    source: str | None
    target: str | None
    read_only: bool = False
    optional: bool = False


USUAL_DISK_MIB = 150
"""Disk that one running container takes beside its image: logs, volumes and its writable layer."""


class OneOnly(NamedTuple):
    """Why a lab can't have several containers of a role, and what to do about it."""

    because: str
    fix: str


def any_number(_draft: RawConfiguration) -> OneOnly | None:
    """The answer of a role whose members need nothing special of the lab."""
    return None


@dataclass(frozen=True)
class RoleSpec(Duties):
    """What has to be known of a role to check a configuration, besides its duties.

    `memory_mib`: resident memory of one container.  `disk_mib`: its disk beside the image.  `needs`: roles that must
    be there and come first.  `wants`: roles that come first where a lab has them.  `images`: directories under
    Dockerfiles/ that can run it, the default first.  `aliases`: what the 2015 system called it.  `mounts`: paths that
    the role mounts itself.  `secrets`: names that `passwords` may give, with their names in 2015.  `readers`: what
    reads these and can't be given all printable text.  `at_most`: how many containers of it a lab can have today, and
    `at_most_because`: why.
    `unfit`: numbers of them that it can't have, each with the reason.  `in_turn`: whether one comes after the other.
    `volumes`: short names of its Docker volumes.  `devices`: those of the host that it takes where there are any.
    `alone`: why a lab as it is drafted can have one of it only.  `image_in`: the image that it has in a lab, where
    that depends on it.  `in_demo`: whether the demo makes something in it.
    """

    name: str
    memory_mib: int
    images: tuple[str, ...]
    aliases: frozenset[str] = frozenset()
    needs: tuple[str, ...] = ()
    wants: tuple[str, ...] = ()
    mounts: frozenset[str] = frozenset()
    secrets: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    readers: Mapping[str, tuple[Reader, ...]] = field(default_factory=dict)
    at_most: int | None = None
    unfit: Mapping[int, str] = field(default_factory=dict)
    in_turn: bool = False
    at_most_because: str = ""
    volumes: tuple[str, ...] = ()
    devices: tuple[str, ...] = ()
    disk_mib: int = USUAL_DISK_MIB
    in_demo: bool = False
    alone: Callable[[RawConfiguration], OneOnly | None] = any_number
    image_in: Callable[[Environment], str] | None = None

    def image(self, environment: Environment) -> str:
        """The directory of the image that it has in a lab, as what the lab is set to may need another."""
        return self.image_in(environment) if self.image_in else self.images[0]


@dataclass
class RawContainer:
    """A container with the defaults filled in, before it is known to be sound.

    `own` names the keys that it gives itself; a fault in the others is reported once, where the default is.
    """

    name: str
    own: frozenset[str]
    role: str | None = None
    address: IPv4Address | None = None
    prefix: int | None = None
    gateway: IPv4Address | None = None
    bridge: str | None = None
    mtu: int | None = None
    host: str | None = None
    domain: str | None = None
    dns: tuple[IPv4Address, ...] | None = None
    image: str | None = None
    volumes: tuple[RawVolume, ...] = ()
    needs: tuple[str, ...] = ()

    @property
    def network(self) -> IPv4Network | None:
        """The subnet that this container's bridge carries, by the container's own account."""
        if self.gateway is None or self.prefix is None:
            return None
        return IPv4Network((self.gateway, self.prefix), strict=False)

    @property
    def segment(self) -> tuple[str, str] | None:
        """Host and bridge: those who share it reach one another."""
        return (self.host, self.bridge) if self.host is not None and self.bridge is not None else None


class RawProvider(NamedTuple):
    """The provider network, each of its values sound by itself."""

    bridge: str
    network: IPv4Network
    gateway: IPv4Address


@dataclass
class RawConfiguration:
    """A whole lab before it is known to be sound."""

    keys: Keys
    roles: Mapping[str, RoleSpec]
    hosts: Mapping[str, object]
    containers: list[RawContainer] = field(default_factory=list)
    domain: str | None = None
    gateway: IPv4Address | None = None
    prefix: int | None = None
    vip: IPv4Address | None = None
    dhcp_start: IPv4Address | None = None
    dhcp_end: IPv4Address | None = None
    volume_backend: str | None = None
    image_backend: str | None = None
    networking: str | None = None
    provider: RawProvider | None = None
    demo: bool = False
    bridge: str | None = None
    uplinks: Mapping[str, str] = field(default_factory=dict)

    @property
    def network(self) -> IPv4Network | None:
        """The lab's subnet, from the defaults' gateway and mask."""
        if self.gateway is None or self.prefix is None:
            return None
        return IPv4Network((self.gateway, self.prefix), strict=False)

    def members(self, role: str) -> list[RawContainer]:
        """The containers of a role."""
        return [c for c in self.containers if c.role == role]

    def members_that(self, duty: Callable[[RoleSpec], bool]) -> list[RawContainer]:
        """The containers whose role has a duty."""
        return [c for c in self.containers if (role := self.roles.get(c.role or "")) and duty(role)]

    def roles_that(self, duty: Callable[[RoleSpec], bool]) -> list[str]:
        """The names of the roles that have a duty."""
        return [role.name for role in self.roles.values() if duty(role)]

    def has(self, role: str) -> bool:
        """Whether a container has this role, or may be meant to."""
        return bool(self.members(role)) or self.unsure_of(role)

    def unsure_of(self, role: str) -> bool:
        """Whether a container may be meant to have this role, but what it says can't be read or is misspelt."""
        return any(
            c.role is None or (c.role not in self.roles and _meant(c.role, self.roles) == role) for c in self.containers
        )

    def key(self, container: RawContainer, name: str, *rest: str | int) -> str:
        """The place that `container` has the value of `name` from."""
        if name in container.own:
            return self.keys.of("containers", container.name, name, *rest)
        return self.keys.of("containerDefaults", name, *rest)


def check(raw: RawConfiguration) -> list[Fault]:
    """Every fault of `raw`, in no special order; one place may have several."""
    free = _free_addresses(raw)
    rules: list[Iterable[Fault]] = [
        _networks(raw),
        _tunnels(raw),
        _vip(raw),
        _dhcp(raw),
        _provider(raw),
        _provider_addresses(raw),
        _demo(raw),
        _served(raw),
        _names(raw),
        _roles(raw),
        _choices(raw),
        _networking(raw),
        _addresses(raw, free),
        _numbers(raw),
        _segments(raw),
        _dns(raw),
        _images(raw),
        _volumes(raw),
        _needs(raw),
        _reach(raw),
        _cycles(raw),
    ]
    return [fault for rule in rules for fault in rule]


def find_role(name: str, roles: Mapping[str, RoleSpec]) -> str | None:
    """The role of this name or with this 2015 name."""
    if name in roles:
        return name
    for role in roles.values():
        if name in role.aliases:
            return role.name
    return None


def _meant(name: str, roles: Mapping[str, RoleSpec]) -> str | None:
    """The role that a name that is none most likely stands for."""
    return find_role(name, roles) or closest(name, roles)


def dependencies(raw: RawConfiguration) -> dict[str, list[str]]:
    """For each container those that have to be up before it, by its role and by its own `needs`."""
    names = {c.name for c in raw.containers}
    result: dict[str, list[str]] = {}
    for container in raw.containers:
        role = raw.roles.get(container.role or "")
        after = [m.name for need in (*role.needs, *role.wants) for m in raw.members(need)] if role else []
        after += [need for need in container.needs if need in names]
        result[container.name] = sorted(set(after))
    return result


def _networks(raw: RawConfiguration) -> Iterator[Fault]:
    """The lab's subnet, those that containers have of their own, and that of the provider, each as the others."""
    if raw.network is not None and raw.gateway is not None:
        yield from _gateway(raw.keys.of("containerDefaults", "gateway"), raw.network, raw.gateway)
    for container in raw.containers:
        own = next((name for name in ("gateway", "mask") if name in container.own), None)
        if own and container.network is not None and container.gateway is not None:
            key = raw.keys.of("containers", container.name, own)
            yield from _gateway(key, container.network, container.gateway)
    if raw.provider is not None:
        yield from _private(raw.keys.of("provider", "network"), raw.provider.network)


def _gateway(key: str, network: IPv4Network, gateway: IPv4Address) -> Iterator[Fault]:
    yield from _private(key, network)
    if edge := _edge(gateway, network):
        yield Fault(key, f"{gateway} is {edge}", f"Choose an address between, e.g. {network[1]}.")


def _private(key: str, network: IPv4Network) -> Iterator[Fault]:
    if network.is_global or network.is_multicast or network.is_loopback or network.is_link_local or network.is_reserved:
        fix = "Choose one from 10.0.0.0/8, 172.16.0.0/12 or 192.168.0.0/16."
        yield Fault(key, f"{network} is no private range", fix)


def _tunnels(raw: RawConfiguration) -> Iterator[Fault]:
    """The ends of tunnels have a network of their own, with an address for each that follows from the container's."""
    ends: dict[IPv4Address, str] = {}
    for container in raw.containers:
        role = raw.roles.get(container.role or "")
        if role is None or not role.tenant_port or container.address is None:
            continue
        if role.makes_networks and raw.networking == OPENSDN:
            continue
        key = raw.keys.of("containers", container.name, "address")
        end = derived.tunnel_address(container.address)
        if container.network is not None and container.network.overlaps(derived.TUNNELS):
            reason = f"{container.network} overlaps {derived.TUNNELS}, where the tunnels between containers end"
            yield Fault(raw.key(container, "gateway"), reason, "Choose another subnet.")
        elif edge := _edge(end, derived.TUNNELS):
            reason = f"the end of its tunnels is {end} by this, {edge}"
            yield Fault(key, reason, "Choose an address with other last two numbers.")
        elif end in ends:
            reason = f"the end of its tunnels is {end} by this, as that of {plain(ends[end])} is"
            yield Fault(key, reason, "Choose an address with other last two numbers.")
        ends.setdefault(end, container.name)


def _edge(address: IPv4Address, network: IPv4Network) -> str | None:
    if address == network.network_address:
        return f"the network address of {network}"
    return f"the broadcast address of {network}" if address == network.broadcast_address else None


def _vip(raw: RawConfiguration) -> Iterator[Fault]:
    network, vip = raw.network, raw.vip
    if network is None or vip is None:
        return
    key = raw.keys.of("common", "vip")
    fix = "Choose a free address of the lab's subnet."
    if vip not in network:
        yield Fault(key, f"{vip} is outside {network}", fix)
    elif edge := _edge(vip, network):
        yield Fault(key, f"{vip} is {edge}", fix)
    elif vip == raw.gateway:
        yield Fault(key, f"{vip} is the gateway", fix)
    elif _in_pool(raw, vip):
        yield Fault(key, f"{vip} is inside the DHCP pool {_pool(raw)}", "Move the VIP or the pool.")


def _provider(raw: RawConfiguration) -> Iterator[Fault]:
    if raw.provider is None:
        return
    bridge, network, gateway = raw.provider
    key = raw.keys.of("provider", "network")
    others = {c.network for c in raw.containers} - {raw.network}
    if raw.network is not None and network.overlaps(raw.network):
        yield Fault(key, f"{network} overlaps the lab's subnet {raw.network}", "Choose a subnet of its own.")
    for other in sorted(other for other in others if other is not None and network.overlaps(other)):
        yield Fault(key, f"{network} overlaps {other}, which containers have", "Choose a subnet of its own.")
    key = raw.keys.of("provider", "gateway")
    if gateway not in network:
        yield Fault(key, f"{gateway} is outside {network}", "Choose an address of the provider network.")
    elif edge := _edge(gateway, network):
        yield Fault(key, f"{gateway} is {edge}", f"Choose an address between, e.g. {network[1]}.")
    taken = next((c for c in raw.containers if c.bridge == bridge), None)
    if taken is not None:
        reason = f"bridge {bridge} carries {taken.network} already"
        yield Fault(raw.keys.of("provider", "bridge"), reason, "Give each subnet a bridge of its own.")


def _provider_addresses(raw: RawConfiguration) -> Iterator[Fault]:
    """What takes addresses from the provider network without being given any: the demo, and some containers."""
    if raw.provider is None or not raw.members_that(lambda role: role.makes_networks):
        return
    _, network, gateway = raw.provider
    key = raw.keys.of("provider", "network")
    fix = f"Choose a wider one, e.g. a /{max(network.prefixlen - 2, 8)}."
    if raw.demo and not derived.pools(network, gateway):
        yield Fault(key, f"the upper half of {network} has no address for the demo's floating ones", fix)
    taking = raw.members_that(lambda role: role.provider_address)
    left = len(list(islice(derived.left_by_pools(network, gateway), len(taking))))
    for container in taking[left:]:
        yield Fault(key, f"the lower half of {network} has no address left for {plain(container.name)}", fix)


def _demo(raw: RawConfiguration) -> Iterator[Fault]:
    if not raw.demo:
        return
    key = raw.keys.of("demo")
    # Its network is one that a guest is reached in from outside, by Neutron's own routers.
    makers = raw.roles_that(lambda role: role.in_demo and not (role.makes_networks and raw.networking == OPENSDN))
    if not any(raw.has(role) for role in makers):
        reason = f"there is nothing to make: no container has one of the roles {one_of(makers)}"
        yield Fault(key, reason, "Add these services, or write false.")
    if not any(raw.roles[role].makes_networks and raw.members(role) for role in makers):
        return
    theirs = [c.network for c in raw.containers] + [raw.network, raw.provider and raw.provider.network]
    for network in sorted({network for network in theirs if network is not None}):
        if network.overlaps(derived.TENANT_NETWORK):
            reason = f"its own subnet {derived.TENANT_NETWORK} overlaps {network}"
            yield Fault(key, reason, "Choose another subnet for the lab, or write false.")


def _served(raw: RawConfiguration) -> Iterator[Fault]:
    """The VIP and the pool are of the lab's subnet: who has them has to be there."""
    served = [(raw.members_that(lambda role: role.holds_vip), raw.vip, "the VIP")]
    if raw.dhcp_start is not None:
        served.append((raw.members_that(lambda role: role.serves_dns), raw.dhcp_start, "the DHCP pool"))
    for members, address, what in served:
        for container in members:
            apart = container.network is not None and container.network != raw.network
            if apart and address is not None and raw.network is not None:
                own = next((n for n in ("gateway", "mask") if n in container.own), "address")
                reason = f"it serves {what} in {raw.network}, and is in {container.network}"
                yield Fault(raw.keys.of("containers", container.name, own), reason, "Put it in the lab's subnet.")


def _in_pool(raw: RawConfiguration, address: IPv4Address) -> bool:
    if raw.dhcp_start is None or raw.dhcp_end is None:
        return False
    return raw.dhcp_start <= address <= raw.dhcp_end


def _pool(raw: RawConfiguration) -> str:
    return f"{raw.dhcp_start}-{raw.dhcp_end}"


def _dhcp(raw: RawConfiguration) -> Iterator[Fault]:
    network, start, end = raw.network, raw.dhcp_start, raw.dhcp_end
    key = raw.keys.of("common", "dhcp")
    if start is not None and end is not None and start > end:
        yield Fault(key, f"the pool starts at {start} and ends before, at {end}", "Swap the two.")
    if network is not None:
        for name, address in (("start", start), ("end", end)):
            if address is None:
                continue
            if address not in network:
                where = raw.keys.of("common", "dhcp", name)
                yield Fault(where, f"{address} is outside {network}", "Choose an address of the lab's subnet.")
            elif edge := _edge(address, network):
                where = raw.keys.of("common", "dhcp", name)
                yield Fault(where, f"{address} is {edge}", "Choose an address between.")
    if raw.gateway is not None and _in_pool(raw, raw.gateway):
        yield Fault(key, f"the pool {_pool(raw)} holds the gateway {raw.gateway}", "Move the pool.")
    serving = raw.roles_that(lambda role: role.serves_dns)
    nobody = raw.containers and not any(raw.has(role) for role in serving)
    if (start or end) and serving and nobody:
        fix = f"Add a container of role {serving[0]}, or leave the pool out."
        yield Fault(key, "no container serves DHCP", fix)


def _names(raw: RawConfiguration) -> Iterator[Fault]:
    servers = raw.members_that(lambda role: role.serves_catalogs)
    for container in raw.containers:
        key = raw.keys.of("containers", container.name)
        if not is_container_name(container.name):
            fix = "Use lower-case letters, digits and hyphens, starting with a letter, at most 63 in all."
            yield Fault(key, f"{show(container.name)} is not a host name", fix)
        if container.name in _RESERVED_NAMES:
            yield Fault(key, f"`{container.name}` is {_RESERVED_NAMES[container.name]}", "Choose another name.")
        elif container.name == PUPPET and servers and container not in servers:
            yield Fault(key, f"`{PUPPET}` is everybody's name for the Puppet server", "Choose another name.")
        if len(container.name) == 1:
            yield Fault(key, f"{show(container.name)} is too short a name for Docker", "Use at least two characters.")
        if container.domain is None:
            continue
        fqdn = f"{container.name}.{container.domain}"
        if len(fqdn) > _LONGEST_FQDN:
            reason = f"{show(fqdn)} has {len(fqdn)} characters; a certificate's name has at most {_LONGEST_FQDN}"
            yield Fault(key, reason, "Shorten the name or the domain.")
    for where, domain in _each(raw, "domain"):
        if raw.domain and domain != raw.domain and not str(domain).endswith("." + raw.domain):
            fix = "Leave it out, or give a domain below the lab's."
            yield Fault(where, f"{show(domain)} is neither the lab's domain {raw.domain} nor below it", fix)


def _each(raw: RawConfiguration, name: str) -> Iterator[tuple[str, object]]:
    """Every value of `name` with the place it stands at, a default once."""
    seen = set()
    for container in raw.containers:
        value = getattr(container, name)
        if value is not None and (where := raw.key(container, name)) not in seen:
            seen.add(where)
            yield where, value


def _roles(raw: RawConfiguration) -> Iterator[Fault]:
    today = one_of(raw.roles)
    for container in raw.containers:
        if container.role is None:
            continue
        key = raw.keys.of("containers", container.name, "role")
        role = raw.roles.get(container.role)
        if role is None:
            found = find_role(container.role, raw.roles)
            hint = f"Did you mean `{found}`? " if found else suggest(container.role, raw.roles)
            yield Fault(key, f"unknown role {show(container.role)}", f"{hint}Roles: {today}.")
            continue
        members = raw.members(role.name)
        if role.at_most is not None and container in members[role.at_most :]:
            taken = ", ".join(m.name for m in members[: role.at_most])
            because = f": {role.at_most_because}" if role.at_most_because else ""
            reason = f"a lab has at most {role.at_most} {role.name} today, and {taken} is there{because}"
            yield Fault(key, reason, "Leave one of them out.")
        if container in members[1:] and (alone := role.alone(raw)):
            reason = f"this lab can't have several {role.name}, and {members[0].name} is there: {alone.because}"
            yield Fault(key, reason, f"{alone.fix} Or leave one of them out.")
        if container == members[-1] and len(members) in role.unfit and not raw.unsure_of(role.name):
            reason = f"a lab can't have {len(members)} {role.name}: {role.unfit[len(members)]}"
            yield Fault(key, reason, "Add another one, or leave one out.")
        if missing := _missing(raw, role.needs):
            yield Fault(key, f"role {role.name} needs {missing.told}", f"Add a container of {missing.named}.")


class _Missing(NamedTuple):
    """Roles that no container has, by name, and as the fault tells it."""

    named: str
    told: str


def _missing(raw: RawConfiguration, needs: Iterable[str]) -> _Missing | None:
    """Those of the roles that nobody has, nor may be meant to have; None where that is none of them."""
    missing = sorted(need for need in needs if not raw.has(need))
    if not missing:
        return None
    several = len(missing) > 1
    named = f"role{'s' if several else ''} {' and '.join(missing)}"
    return _Missing(named, f"{named}, and no container has {'them' if several else 'it'}")


def _choices(raw: RawConfiguration) -> Iterator[Fault]:
    """What a lab chooses for a role may need further ones."""
    for role in raw.roles.values():
        for choice in role.choices if raw.members(role.name) else ():
            if choice.made(raw) and (missing := _missing(raw, choice.needs)):
                fix = f"Add a container of {missing.named}, or {choice.otherwise}."
                yield Fault(raw.keys.of("common", choice.key), f"{choice.why} {missing.told}", fix)


def _networking(raw: RawConfiguration) -> Iterator[Fault]:
    """Networks that OpenSDN makes know nothing of Neutron's own agents."""
    if raw.networking == OPENSDN and raw.provider is not None:
        reason = "the provider network is reached by routers of Neutron's own agents, and OpenSDN has none of these"
        yield Fault(raw.keys.of("provider"), reason, "Leave it out, or choose ovs by common.networking.")


def _free_addresses(raw: RawConfiguration) -> Iterator[IPv4Address]:
    """Addresses that nothing in the configuration takes, the lowest first."""
    network = raw.network
    taken = {c.address for c in raw.containers} | {raw.gateway, raw.vip}
    address = network[1] if network else None
    while network is not None and address is not None and address < network.broadcast_address:
        if _in_pool(raw, address) and raw.dhcp_end is not None:
            address = raw.dhcp_end + 1
            continue
        if address not in taken:
            yield address
        address += 1


def _addresses(raw: RawConfiguration, free: Iterator[IPv4Address]) -> Iterator[Fault]:
    first: dict[IPv4Address, str] = {}
    for container in raw.containers:
        address, network = container.address, container.network
        if address is None:
            continue
        reason = None
        if address in first:
            reason = f"{address} is already the address of {plain(first[address])}"
        elif address == raw.vip:
            reason = f"{address} is the VIP"
        elif address in (container.gateway, raw.gateway):
            reason = f"{address} is the gateway"
        elif _in_pool(raw, address):
            reason = f"{address} is inside the DHCP pool {_pool(raw)}"
        elif network is not None and address not in network:
            reason = f"{address} is outside {network}"
        elif network is not None and (edge := _edge(address, network)):
            reason = f"{address} is {edge}"
        first.setdefault(address, container.name)
        if reason:
            example = next(free, None) if network == raw.network else None
            fix = f"Choose a free address{f', e.g. {example}' if example else ' of the subnet'}."
            yield Fault(raw.keys.of("containers", container.name, "address"), reason, fix)


def _numbers(raw: RawConfiguration) -> Iterator[Fault]:
    """Members that know each other by a number have one, each its own."""
    for role in raw.roles.values():
        first: dict[int, str] = {}
        for container in raw.members(role.name) if role.numbered else ():
            if container.address is None:
                continue
            number = container.address.packed[-1]
            other = first.setdefault(number, container.name)
            if number == 0 or other != container.name:
                reason = f"{container.address} ends in {number}, which "
                reason += "is no member's number" if number == 0 else f"is the number of {plain(other)}"
                fix = f"Choose an address whose last part no other member of role {role.name} has."
                yield Fault(raw.keys.of("containers", container.name, "address"), reason, fix)


def _segments(raw: RawConfiguration) -> Iterator[Fault]:
    """One bridge carries one subnet, on all hosts, with one gateway each, and one subnet is on one bridge of a host."""
    carries: dict[tuple[str, str], tuple[IPv4Network, IPv4Address | None]] = {}
    everywhere: dict[str, tuple[IPv4Network, str]] = {}
    for container in raw.containers:
        segment, network = container.segment, container.network
        if segment is None or network is None:
            continue
        host, bridge = segment
        own = next((n for n in ("bridge", "gateway", "mask") if n in container.own), "bridge")
        key = raw.key(container, own)
        known = carries.setdefault(segment, (network, container.gateway))
        first, first_host = everywhere.setdefault(bridge, (network, host))
        if first != network and first_host != host:
            reason = (
                f"bridge {bridge} joins the hosts and carries {first} on {plain(first_host)}, and {network} by this"
            )
            yield Fault(key, reason, "Give each subnet a bridge of its own.")
        elif known[0] != network:
            reason = f"bridge {bridge} of host {plain(host)} carries {known[0]} already, and {network} too by this"
            yield Fault(key, reason, "Give each subnet a bridge of its own.")
        elif known[1] != container.gateway:
            reason = (
                f"bridge {bridge} of host {plain(host)} has the gateway {known[1]}, and {container.gateway} by this"
            )
            yield Fault(key, reason, "Give all containers of a bridge the same gateway.")
        for (other_host, other), (theirs, _) in carries.items():
            if other_host == host and other != bridge and theirs.overlaps(network):
                reason = f"{network} on bridge {bridge} overlaps {theirs} on bridge {other} of host {plain(host)}"
                yield Fault(key, reason, "Give each bridge a subnet of its own.")


def _dns(raw: RawConfiguration) -> Iterator[Fault]:
    serving = raw.roles_that(lambda role: role.serves_dns)
    servers = raw.members_that(lambda role: role.serves_dns)
    known = {c.address: c.name for c in servers if c.address is not None}
    if len(known) < len(servers) or (not servers and any(raw.unsure_of(role) for role in serving)):
        return
    seen = set()
    for container in raw.containers:
        for index, address in enumerate(container.dns or ()):
            key = raw.key(container, "dns", index)
            if address in known or key in seen:
                continue
            seen.add(key)
            if known:
                fix = (
                    "Use " + " or ".join(f"{a} ({plain(n)})" for a, n in sorted(known.items())) + ", or leave dns out."
                )
            else:
                fix = f"Add a container of role {' or '.join(serving)}, or leave dns out."
            yield Fault(key, f"unknown DNS server: no container that serves DNS has {address}", fix)


def _images(raw: RawConfiguration) -> Iterator[Fault]:
    everything = {image for role in raw.roles.values() for image in role.images}
    for container in raw.containers:
        image = container.image
        if image is None:
            continue
        key = raw.keys.of("containers", container.name, "image")
        if any(mark in image for mark in "/:@"):
            if len(image) > 255 or not _REFERENCE.fullmatch(image):
                fix = "Write it as REGISTRY/NAME:TAG, or name a directory under Dockerfiles/."
                yield Fault(key, f"{show(image)} is not an image reference", fix)
            continue
        role = raw.roles.get(container.role or "")
        if image not in everything:
            hint = suggest(image, everything)
            fix = f"{hint}Images: {one_of(everything)}; or a full reference with registry or tag."
            yield Fault(key, f"unknown image {show(image)}", fix)
        elif role is not None and image not in role.images:
            fix = f"Leave image out, or use {' or '.join(role.images)}."
            yield Fault(key, f"image {image} can't run role {role.name}", fix)


def _volumes(raw: RawConfiguration) -> Iterator[Fault]:
    for container in raw.containers:
        role = raw.roles.get(container.role or "")
        targets: set[str] = set()
        for index, volume in enumerate(container.volumes):
            target = volume.target
            key = raw.key(container, "volumes", index)
            for name, value in (("source", volume.source), ("target", target)):
                if value is None:
                    yield Fault(f"{key}.{name}", "is missing", "Give both source and target.")
            if target is None:
                continue
            if target in targets:
                yield Fault(key, f"{show(target)} is the target of two volumes", "Leave one of them out.")
            targets.add(target)
            if not volume.optional and (fault := mounted_already(key, target, role)):
                yield fault


def mounted_already(key: str, target: str, role: RoleSpec | None) -> Fault | None:
    """The fault of a volume at a path that a container of `role` has a mount of its own at."""
    if role is not None and target in role.mounts:
        return Fault(key, f"{show(target)} is mounted by role {role.name} itself", "Leave this volume out.")
    if target == MOUNT_POINT or target.startswith(MOUNT_POINT + "/"):
        return Fault(key, f"{show(target)} is mounted by the lab itself", "Leave this volume out.")
    return None


def _needs(raw: RawConfiguration) -> Iterator[Fault]:
    names = {c.name for c in raw.containers}
    for container in raw.containers:
        for index, need in enumerate(container.needs):
            if need not in names:
                fix = f"{suggest(need, names)}Name a container of this lab, or leave it out."
                key = raw.keys.of("containers", container.name, "needs", index)
                yield Fault(key, f"no container is named {show(need)}", fix)


def _reach(raw: RawConfiguration) -> Iterator[Fault]:
    """Nothing routes between two bridges; one bridge joins the hosts that have it."""
    by_name = {c.name: c for c in raw.containers}
    for name, needed in dependencies(raw).items():
        container = by_name[name]
        servers = {other.name for other in raw.containers if other.address in (container.dns or ())}
        apart: dict[str, list[str]] = {}
        for other in (by_name[n] for n in sorted({*needed, *servers})):
            if other.bridge is not None and other.bridge != container.bridge:
                apart.setdefault(other.bridge, []).append(plain(other.name))
        if container.bridge is None:
            continue
        key = raw.keys.of("containers", name, *(["bridge"] if "bridge" in container.own else []))
        for bridge, others in apart.items():
            reason = (
                f"{plain(name)} needs {' and '.join(others)}, and nothing joins bridge {container.bridge} with bridge"
                f" {bridge}"
            )
            yield Fault(key, reason, "Put them on the same bridge.")


def _turns(raw: RawConfiguration) -> Iterator[tuple[str, str]]:
    """Each container whose turn comes after that of another member of its role, with that member."""
    for role in raw.roles.values():
        members = raw.members(role.name) if role.in_turn else []
        yield from ((after.name, before.name) for before, after in pairwise(members))


def _cycles(raw: RawConfiguration) -> Iterator[Fault]:
    graph = dependencies(raw)
    turns_of_roles = set(_turns(raw)) - {(after, before) for after, needed in graph.items() for before in needed}
    for after, before in turns_of_roles:
        graph[after] = sorted({*graph[after], before})
    explicit = {c.name: set(c.needs) for c in raw.containers}
    for cycle in cycles(graph):
        # The fault stands where the user wrote something: at a `needs` that is part of the cycle.
        turns = list(zip(cycle, [*cycle[1:], cycle[0]], strict=True))
        start = next((i for i, (a, b) in enumerate(turns) if b in explicit[a]), 0)
        names = [*cycle[start:], *cycle[:start], cycle[start]]
        key = raw.keys.of("containers", names[0], "needs")
        path = " -> ".join(plain(name) for name in names)
        fix = "Leave one of these needs out."
        if turns_of_roles.intersection(turns):
            fix += " Members of a role come one after the other, as they are written."
        yield Fault(key, f"a dependency cycle: {path}", fix)


def cycles(graph: Mapping[str, Sequence[str]]) -> list[list[str]]:
    """One shortest cycle of each strongly connected part of `graph`, each starting at its first name."""
    result = []
    remaining = set(graph)
    for name in sorted(graph):
        if name not in remaining:
            continue
        cycle = _shortest_cycle(graph, name, remaining)
        if cycle is None:
            remaining.discard(name)
            continue
        result.append(cycle)
        remaining -= _reachable(graph, name, remaining) & _reaching(graph, name, remaining)
    return result


def _shortest_cycle(graph: Mapping[str, Sequence[str]], start: str, within: set[str]) -> list[str] | None:
    before: dict[str, str] = {}
    queue = [start]
    for node in queue:
        for after in graph[node]:
            if after == start:
                path = [node]
                while path[-1] != start:
                    path.append(before[path[-1]])
                return path[::-1]
            if after in within and after not in before:
                before[after] = node
                queue.append(after)
    return None


def _reachable(graph: Mapping[str, Sequence[str]], start: str, within: set[str]) -> set[str]:
    seen, queue = {start}, [start]
    for node in queue:
        new = [n for n in graph[node] if n in within and n not in seen]
        seen.update(new)
        queue += new
    return seen


def _reaching(graph: Mapping[str, Sequence[str]], end: str, within: set[str]) -> set[str]:
    backwards: dict[str, list[str]] = {node: [] for node in graph}
    for node, needed in graph.items():
        for other in needed:
            backwards[other].append(node)
    return _reachable(backwards, end, within)
