"""What a role may know of the lab when it says what its profile's parameters are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from components import paths
from components.configuration.environment import Container, Environment
from components.services.role import Demands, Frontend, Role

IDENTITY_PORT = 5000
"""Port of Keystone, at the VIP and behind it."""
MEMCACHED_PORT = 11211


@dataclass(frozen=True)
class LabView:
    """The whole lab as configured: every member of every role is known before anything runs."""

    environment: Environment
    roles: Mapping[str, Role]

    def members(self, role: str) -> tuple[Container, ...]:
        """Return the containers of a role, in the order of the configuration."""
        return tuple(c for c in self.environment.containers if c.role == role)

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
    def demands(self) -> Demands:
        """Return what the lab's roles ask of its database and of its Keystone."""
        return Demands.of(self.used_roles)

    @property
    def tls(self) -> bool:
        """Return whether what haproxy serves by HTTP at the VIP is spoken to by TLS."""
        return self.environment.tls and bool(self.members("haproxy"))

    @property
    def authority(self) -> str:
        """Return the file on each host with the authority that certificates are checked against; empty without TLS."""
        return str(paths.authority(self.environment.stack)) if self.tls else ""

    def port(self, frontend: Frontend) -> int:
        """Return the port of a frontend at the VIP."""
        return frontend.tls_port if self.tls and frontend.tls_port else frontend.port

    def url(self, port: int) -> str:
        """Return the URL of a port at the VIP that speaks HTTP, without a path."""
        return f"{'https' if self.tls else 'http'}://{self.vip_name}:{port}"

    @property
    def identity_url(self) -> str:
        """Return the URL of Keystone, without a version."""
        return self.url(IDENTITY_PORT)

    @property
    def memcached_servers(self) -> list[str]:
        """Return the caches, ``host:port``; empty in a lab without any."""
        return [f"{member.fqdn}:{MEMCACHED_PORT}" for member in self.members("memcached")]

    def catalogue(self) -> dict[str, dict[str, str]]:
        """Return Keystone's service users by name, each with its service and endpoint if it has one."""
        found: dict[str, dict[str, str]] = {}
        for role in self.used_roles:
            ports = {frontend.name: self.port(frontend) for frontend in role.frontends}
            for identity in role.identities:
                found[identity.name] = {}
                if identity.type:
                    found[identity.name] = {
                        "type": identity.type,
                        "description": identity.description,
                        "url": f"{self.url(ports[identity.frontend])}{identity.path}",
                    }
        return found

    def endpoint(self, frontend: Frontend) -> str:
        """Return the URL at the VIP that users of a frontend are told."""
        port = self.port(frontend)
        return f"{self.url(port) if frontend.mode == 'http' else f'tcp://{self.vip_name}:{port}'}{frontend.url}"

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
