"""What a role may know of the lab when it says what its profile's parameters are."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from ipaddress import IPv4Address
from pathlib import PurePosixPath

from components import paths
from components.configuration import spans
from components.configuration.environment import Container, Environment
from components.services.role import Frontend, Requirements, Role

IDENTITY_PORT = 5000
"""Port of Keystone, at the VIP and behind it."""
MEMCACHED_PORT = 11211
REDIS_PORT = 6379
CASSANDRA_PORT = 9042
"""Port of CQL."""
ZOOKEEPER_PORT = 2181
KAFKA_PORT = 9092


@dataclass(frozen=True)
class Topology:
    """The whole lab as configured: every member of every role is known before anything runs."""

    environment: Environment
    roles: Mapping[str, Role]

    def members(self, role: str) -> tuple[Container, ...]:
        """Return the containers of a role, in the order of the configuration."""
        return tuple(c for c in self.environment.containers if c.role == role)

    def members_that(self, duty: Callable[[Role], bool]) -> tuple[Container, ...]:
        """Return the containers whose role has a duty, in the order of the configuration."""
        return self.environment.members_that(duty, self.roles)

    @property
    def catalog_servers(self) -> tuple[Container, ...]:
        """Return what the others' catalogs come from; empty in a lab that Puppet provisions nothing in."""
        return self.members_that(lambda role: role.serves_catalogs)

    def others(self, role: str, container: Container) -> tuple[Container, ...]:
        """Return the containers of a role but for one."""
        return tuple(member for member in self.members(role) if member != container)

    def before(self, container: Container, standing: Collection[str] = ()) -> Container | None:
        """Return the member of a container's role whose turn is before its own; None for the first one.

        Args:
            container: the container.
            standing: names of containers that there are already. Those that come are last, when the others know them.
        """
        members = list(self.members(container.role)) if self.roles[container.role].in_turn else [container]
        if not any(other.name in member.needs for member in members for other in members):
            members.sort(key=lambda member: member.name not in standing)
        place = members.index(container)
        return members[place - 1] if place else None

    @property
    def name_servers(self) -> tuple[Container, ...]:
        """Return the lab's own name servers."""
        return self.members_that(lambda role: role.serves_dns)

    def pool(self, container: Container) -> tuple[IPv4Address, IPv4Address] | None:
        """Return a dnsmasq container's part of the DHCP pool, first and last address; None where it has none.

        No two of them may give the same address away, as they don't know of each other's leases.
        """
        if self.environment.dhcp is None:
            return None
        start, end = self.environment.dhcp
        members = self.members(container.role)
        size = int(end) - int(start) + 1
        place = members.index(container)
        first, after = (start + size * number // len(members) for number in (place, place + 1))
        return (first, after - 1) if first < after else None

    @property
    def used_roles(self) -> tuple[Role, ...]:
        """Return the roles that have a container, in the registry's order."""
        return tuple(role for name, role in self.roles.items() if self.members(name))

    @property
    def vip_name(self) -> str:
        """Return the name of the VIP, e.g. vip.dockstack.lab."""
        return f"vip.{self.environment.domain}"

    @property
    def frontends(self) -> tuple[tuple[Role, Frontend], ...]:
        """Return what haproxy serves at the VIP, with the role behind each frontend."""
        return tuple((role, frontend) for role in self.used_roles for frontend in role.frontends)

    @property
    def requirements(self) -> Requirements:
        """Return what the lab's roles ask of its database and of its Keystone."""
        return Requirements.of(self.used_roles)

    @property
    def proxies(self) -> tuple[Container, ...]:
        """Return the containers of which one has the VIP; empty where nobody is reached there."""
        return self.members_that(lambda role: role.holds_vip)

    @property
    def tls(self) -> bool:
        """Return whether what haproxy serves by HTTP at the VIP is spoken to by TLS."""
        return self.environment.tls and bool(self.proxies)

    @property
    def authority(self) -> str:
        """Return the file here with the authority that certificates are checked against; empty without TLS."""
        return str(paths.authority(self.environment.stack)) if self.tls else ""

    def authority_on(self, host: str) -> str:
        """Return that file on a host."""
        home = PurePosixPath(self.environment.hosts[host].home)
        return str(paths.authority(self.environment.stack, home)) if self.tls else ""

    def port(self, frontend: Frontend) -> int:
        """Return the port of a frontend at the VIP."""
        return frontend.tls_port if self.tls and frontend.tls_port else frontend.port

    def url(self, port: int) -> str:
        """Return the URL of a port at the VIP that speaks HTTP, without a path."""
        return f"{'https' if self.tls else 'http'}://{self.vip_name}:{port}"

    @property
    def identity_servers(self) -> tuple[Container, ...]:
        """Return what people and services log in to; empty in a lab without."""
        return self.members_that(lambda role: role.issues_tokens)

    @property
    def keystone_url(self) -> str:
        """Return the URL of Keystone at the VIP, without a version."""
        return self.url(IDENTITY_PORT)

    @property
    def identity_api(self) -> str:
        """Return the URL of Keystone's API, which people and programs log in by."""
        return f"{self.keystone_url}/v3"

    @property
    def memcached_servers(self) -> list[str]:
        """Return the caches, ``host:port``; empty in a lab without any."""
        return [f"{member.fqdn}:{MEMCACHED_PORT}" for member in self.members("memcached")]

    @property
    def cassandra_servers(self) -> list[str]:
        """Return where CQL is spoken, ``address:port``; empty in a lab without Cassandra."""
        return self._of_cassandra(CASSANDRA_PORT)

    @property
    def zookeeper_servers(self) -> list[str]:
        """Return ZooKeeper's servers, ``address:port``."""
        return self._of_cassandra(ZOOKEEPER_PORT)

    @property
    def kafka_brokers(self) -> list[str]:
        """Return Kafka's brokers, ``address:port``."""
        return self._of_cassandra(KAFKA_PORT)

    def _of_cassandra(self, port: int) -> list[str]:
        return [f"{member.address}:{port}" for member in self.members("cassandra")]

    def catalogue(self) -> dict[str, dict[str, str]]:
        """Return Keystone's service users by name, each with its service and endpoint if it has one."""
        found: dict[str, dict[str, str]] = {}
        for role in self.used_roles:
            ports = {frontend.name: self.port(frontend) for frontend in role.frontends}
            for user in role.service_users:
                found[user.name] = {}
                if user.type:
                    found[user.name] = {
                        "type": user.type,
                        "description": user.description,
                        "url": f"{self.url(ports[user.frontend])}{user.path}",
                    }
        return found

    def endpoint(self, frontend: Frontend) -> str:
        """Return the URL at the VIP that users of a frontend are told."""
        port = self.port(frontend)
        if frontend.members_speak_tls:
            return f"https://{self.vip_name}:{port}{frontend.url}"
        return f"{self.url(port) if frontend.mode == 'http' else f'tcp://{self.vip_name}:{port}'}{frontend.url}"

    def host_address(self, host: str) -> str:
        """Return the address that a host has for itself on the lab's bridge, or on its first where it lacks that."""
        mine = sorted(
            spans.spans(self.environment, self.roles)[host], key=lambda span: span.network != self.environment.network
        )
        return str(mine[0].address)

    def common_data(self) -> dict[str, object]:
        """Return the Hiera data that every node reads."""
        lab = self.environment
        return {
            "dockstack::domain": lab.domain,
            "dockstack::vip_address": str(lab.vip),
            "dockstack::vip_name": self.vip_name,
            "dockstack::prefix": lab.network.prefixlen,
            "dockstack::gateway": str(lab.gateway),
            "dockstack::region": lab.region,
            **({"dockstack::tls::enabled": True} if self.tls else {}),
        }
