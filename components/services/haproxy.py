"""haproxy in front of every API, and keepalived, which holds the VIP."""

from __future__ import annotations

from components.configuration.environment import Container
from components.configuration.readers import KEEPALIVED
from components.services.role import Check, Demands, Hiera, Role, SecretNames
from components.services.view import LabView

VIRTUAL_ROUTER_ID = 51
HIGHEST_PRIORITY = 150
CERTIFICATE = "/etc/haproxy/vip.pem"
"""What the program vip-certificate keeps: the VIP's certificate with its key."""


def _hiera(view: LabView, container: Container) -> Hiera:
    members = view.members("haproxy")
    return {
        "profile::haproxy::frontends": {
            frontend.name: {
                "port": view.port(frontend),
                "mode": frontend.mode,
                **({"server_port": frontend.port} if view.port(frontend) != frontend.port else {}),
                **({"check_path": frontend.check_path} if frontend.check_path else {}),
                "backends": [{"name": m.name, "address": str(m.address)} for m in view.members(role.name)],
            }
            for role, frontend in view.frontends
        },
        **({"profile::haproxy::certificate": CERTIFICATE} if view.tls else {}),
        "profile::haproxy::vip_address": str(view.environment.vip),
        "profile::haproxy::prefix": container.prefix,
        "profile::haproxy::router_id": VIRTUAL_ROUTER_ID,
        "profile::haproxy::priority": HIGHEST_PRIORITY - members.index(container),
        "profile::haproxy::peers": [str(m.address) for m in members if m != container],
    }


def _secrets(_demands: Demands) -> SecretNames:
    return {"profile::haproxy::vrrp_password": "vrrp"}


ROLE = Role(
    name="haproxy",
    aliases=("vip", "keepalived", "lb"),
    memory_mib=60,
    capabilities=("NET_ADMIN", "NET_BROADCAST"),
    # haproxy binds the VIP, which keepalived brings only once haproxy runs.
    sysctls={"net.ipv4.ip_nonlocal_bind": "1"},
    packages=("haproxy", "keepalived"),
    hiera=_hiera,
    secrets=_secrets,
    readers={"profile::haproxy::vrrp_password": (KEEPALIVED,)},
    checks=(Check(command=("grep", "--quiet", "--extended-regexp", "MASTER|BACKUP", "/run/vrrp-state")),),
)
