"""Redis: what OpenSDN's services keep in memory for each other."""

from __future__ import annotations

from components.configuration.environment import Container
from components.configuration.readers import OPENSDN
from components.services.role import Check, Hiera, Requirements, Role, SecretNames
from components.services.topology import REDIS_PORT, Topology

SECRET = "redis"
"""Name of the secret that clients log in with."""


def _hiera(_topology: Topology, container: Container) -> Hiera:
    return {"profile::redis::address": str(container.address)}


def _secrets(_requirements: Requirements) -> SecretNames:
    return {"profile::redis::password": SECRET}


ROLE = Role(
    name="redis",
    memory_mib=40,
    data={"data": "/var/lib/redis"},
    endpoints={"redis": f"redis://{{address}}:{REDIS_PORT}"},
    checks=(Check(port=REDIS_PORT), Check(command=("/etc/dockstack/bin/redis-ready",))),
    packages=("redis-server",),
    hiera=_hiera,
    secrets=_secrets,
    readers={"profile::redis::password": (OPENSDN,)},
)
