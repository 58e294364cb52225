"""haproxy in front of every API, and keepalived, which holds the VIP."""

from __future__ import annotations

from components.configuration.environment import Container
from components.configuration.readers import KEEPALIVED
from components.services.role import Check, Frontend, Hiera, Requirements, Role, SecretNames
from components.services.topology import Topology
from hostside.vip import HOLDER

VIRTUAL_ROUTER_ID = 51
HIGHEST_PRIORITY = 150
METRICS_PORT = 8405
"""Port of haproxy's own metrics, at each container's address, not at the VIP."""
CERTIFICATE = "/etc/haproxy/vip.pem"
"""What the program vip-certificate keeps: the VIP's certificate with its key."""


def _frontend(topology: Topology, role: Role, frontend: Frontend) -> Hiera:
    members = topology.members(role.name)
    return {
        "port": topology.port(frontend),
        # In a lab without TLS, haproxy passes the members' TLS through, and checks them by TLS.
        "mode": "tcp" if frontend.members_speak_tls and not topology.tls else frontend.mode,
        **({"servers_speak_tls": True} if frontend.members_speak_tls else {}),
        **({"server_port": frontend.port} if topology.port(frontend) != frontend.port else {}),
        **({"check_path": frontend.check_path} if frontend.check_path else {}),
        **({"reads_only": True} if frontend.reads_only else {}),
        **({"health_port": frontend.health_port} if frontend.health_port and len(members) > 1 else {}),
        "backends": [{"name": m.name, "address": str(m.address)} for m in members],
    }


def _hiera(topology: Topology, container: Container) -> Hiera:
    members = topology.proxies
    frontends = {frontend.name: _frontend(topology, role, frontend) for role, frontend in topology.frontends}
    chosen = any("health_port" in frontend for frontend in frontends.values())
    return {
        "profile::haproxy::frontends": frontends,
        **({"profile::haproxy::proxies": {m.name: str(m.address) for m in members}} if chosen else {}),
        **({"profile::haproxy::certificate": CERTIFICATE} if topology.tls else {}),
        "profile::haproxy::metrics": {"address": str(container.address), "port": METRICS_PORT},
        "profile::haproxy::vip_address": str(topology.environment.vip),
        "profile::haproxy::prefix": container.prefix,
        "profile::haproxy::router_id": VIRTUAL_ROUTER_ID,
        "profile::haproxy::priority": HIGHEST_PRIORITY - members.index(container),
        "profile::haproxy::peers": [str(m.address) for m in members if m != container],
    }


def _secrets(_requirements: Requirements) -> SecretNames:
    return {"profile::haproxy::vrrp_password": "vrrp"}


ROLE = Role(
    # The tool on the hosts knows its containers by this.
    name=HOLDER,
    most=None,
    aliases=("vip", "keepalived", "lb"),
    memory_mib=60,
    capabilities=("NET_ADMIN", "NET_BROADCAST"),
    # haproxy binds the VIP, which keepalived brings only once haproxy runs.
    sysctls={"net.ipv4.ip_nonlocal_bind": "1"},
    packages=("haproxy", "keepalived"),
    ends_tls=True,
    holds_vip=True,
    hiera=_hiera,
    secrets=_secrets,
    readers={"profile::haproxy::vrrp_password": (KEEPALIVED,)},
    checks=(
        Check(command=("grep", "--quiet", "--extended-regexp", "MASTER|BACKUP", "/run/vrrp-state")),
        Check(port=METRICS_PORT, path="/metrics"),
    ),
)
