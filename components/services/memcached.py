"""memcached: Keystone's cache."""

from __future__ import annotations

from components.configuration.environment import Container
from components.services.role import Check, Hiera, Role
from components.services.topology import MEMCACHED_PORT, Topology

CACHE_MIB = 64


def _hiera(_topology: Topology, container: Container) -> Hiera:
    return {"profile::memcached::address": str(container.address), "profile::memcached::memory": CACHE_MIB}


ROLE = Role(
    name="memcached",
    memory_mib=60,
    # All clients have the members in the same order, so a key is at one member for all of them.
    most=None,
    endpoints={"memcached": f"memcached://{{address}}:{MEMCACHED_PORT}"},
    checks=(Check(port=MEMCACHED_PORT),),
    packages=("memcached",),
    hiera=_hiera,
)
