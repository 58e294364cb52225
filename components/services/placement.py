"""Placement: what the computes have, and who uses it."""

from __future__ import annotations

from components.configuration.environment import Container
from components.services.role import UWSGI_FILES, Check, Demands, Frontend, Hiera, Identity, Role, SecretNames, Stage
from components.services.view import LabView

PORT = 8778


def _hiera(view: LabView, _container: Container) -> Hiera:
    return {
        "profile::placement::keystone_url": view.identity_url,
        "profile::placement::region": view.environment.region,
        "profile::placement::memcached_servers": view.memcached_servers,
        "profile::placement::database_host": view.vip_name,
    }


def _secrets(_demands: Demands) -> SecretNames:
    return {
        "profile::placement::database_password": "placement_database",
        "profile::placement::identity_password": "placement_identity",
    }


ROLE = Role(
    name="placement",
    memory_mib=120,
    shares=(UWSGI_FILES,),
    # Keystone is asked when the service is, so that it may come up at the same time.
    needs={"haproxy": Stage.HEALTHY, "galera": Stage.HEALTHY, "keystone": Stage.ATTACHED},
    wants={"memcached": Stage.HEALTHY},
    frontends=(Frontend(name="placement", port=PORT, check_path="/"),),
    identities=(
        Identity(name="placement", type="placement", description="OpenStack Placement Service", frontend="placement"),
    ),
    databases=("placement",),
    checks=(Check(port=PORT, path="/"),),
    packages=("placement-api",),
    hiera=_hiera,
    secrets=_secrets,
)
