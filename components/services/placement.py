"""Placement: what the computes have, and who uses it."""

from __future__ import annotations

from components.configuration.environment import Container
from components.services.role import (
    UWSGI_FILES,
    Check,
    Frontend,
    Hiera,
    Requirements,
    Role,
    SecretNames,
    ServiceUser,
    Stage,
)
from components.services.topology import Topology

PORT = 8778


def _hiera(topology: Topology, _container: Container) -> Hiera:
    return {
        "profile::placement::keystone_url": topology.keystone_url,
        "profile::placement::region": topology.environment.region,
        "profile::placement::memcached_servers": topology.memcached_servers,
        "profile::placement::database_host": topology.vip_name,
    }


def _secrets(_requirements: Requirements) -> SecretNames:
    return {
        "profile::placement::database_password": "placement_database",
        "profile::placement::identity_password": "placement_identity",
    }


ROLE = Role(
    name="placement",
    memory_mib=120,
    most=None,
    shares=(UWSGI_FILES,),
    # Keystone is asked when the service is, so that it may come up at the same time.
    needs={"haproxy": Stage.HEALTHY, "galera": Stage.HEALTHY, "keystone": Stage.ATTACHED},
    wants={"memcached": Stage.HEALTHY},
    frontends=(Frontend(name="placement", port=PORT, check_path="/"),),
    service_users=(
        ServiceUser(
            name="placement", type="placement", description="OpenStack Placement Service", frontend="placement"
        ),
    ),
    databases=("placement",),
    checks=(Check(port=PORT, path="/"),),
    packages=("placement-api",),
    hiera=_hiera,
    secrets=_secrets,
)
