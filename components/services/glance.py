"""Glance: images. They are files on a volume of its own."""

from __future__ import annotations

from components.configuration.environment import Container
from components.services.role import UWSGI_FILES, Check, Demands, Frontend, Hiera, Identity, Role, SecretNames, Stage
from components.services.view import LabView

PORT = 9292


def _hiera(view: LabView, _container: Container) -> Hiera:
    return {
        "profile::glance::keystone_url": view.identity_url,
        "profile::glance::region": view.environment.region,
        "profile::glance::memcached_servers": view.memcached_servers,
        "profile::glance::database_host": view.vip_name,
    }


def _secrets(_demands: Demands) -> SecretNames:
    return {
        "profile::glance::database_password": "glance_database",
        "profile::glance::identity_password": "glance_identity",
    }


ROLE = Role(
    name="glance",
    memory_mib=170,
    shares=(UWSGI_FILES,),
    # Keystone is asked when the service is, so that it may come up at the same time.
    needs={"haproxy": Stage.HEALTHY, "galera": Stage.HEALTHY, "keystone": Stage.ATTACHED},
    wants={"memcached": Stage.HEALTHY},
    data={"images": "/var/lib/glance"},
    frontends=(Frontend(name="glance", port=PORT, check_path="/healthcheck"),),
    identities=(Identity(name="glance", type="image", description="OpenStack Image Service", frontend="glance"),),
    databases=("glance",),
    checks=(Check(port=PORT, path="/healthcheck"),),
    packages=("glance-api",),
    hiera=_hiera,
    secrets=_secrets,
)
