"""Glance: images. They are files on a volume of its own, or in the lab's Ceph, where all of its members have them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from components.configuration.environment import Container, Environment
from components.configuration.rules import OPENSDN, OneOnly, RawConfiguration
from components.services import ceph
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
    without_files,
)
from components.services.topology import Topology

PORT = 9292


def _hiera(topology: Topology, container: Container) -> Hiera:
    return {
        "profile::glance::keystone_url": topology.keystone_url,
        "profile::glance::region": topology.environment.region,
        "profile::glance::memcached_servers": topology.memcached_servers,
        "profile::glance::database_host": topology.vip_name,
        **({"profile::glance::lenient": True} if topology.environment.networking == OPENSDN else {}),
        **(_rbd_hiera(topology, container) if topology.environment.image_backend == "rbd" else {}),
    }


def _rbd_hiera(topology: Topology, container: Container) -> Hiera:
    several = len(topology.members("glance")) > 1
    return {
        "profile::glance::backend": "rbd",
        "profile::glance::ceph_monitors": ceph.monitors(topology),
        "profile::glance::rbd_pool": ceph.IMAGE_POOL,
        # An upload stays at the member that took it; the member that imports it fetches it there.
        **({"profile::glance::own_url": f"http://{container.fqdn}:{PORT}"} if several else {}),
    }


def _secrets(_requirements: Requirements) -> SecretNames:
    return {
        "profile::glance::database_password": "glance_database",
        "profile::glance::identity_password": "glance_identity",
    }


def _rbd_secrets(requirements: Requirements) -> SecretNames:
    return {**_secrets(requirements), "profile::glance::ceph_secret": ceph.IMAGE_SECRET}


def _overrides(environment: Environment) -> Mapping[str, Any]:
    """Return what images in Ceph need: its client, its key, and itself."""
    if environment.image_backend != "rbd":
        return {}
    return {
        "image": "glance-rbd",
        "secrets": _rbd_secrets,
        "wants": {**ROLE.wants, ceph.ROLE.name: Stage.HEALTHY},
        "packages": (*ROLE.packages, "python3-rbd"),
    }


def _alone(raw: RawConfiguration) -> OneOnly | None:
    # One that can't be read is a fault by itself.
    if raw.image_backend in ("rbd", None):
        return None
    because = "images are files on a volume that no other container has"
    return OneOnly(because, "Keep them in Ceph, by common.imageBackend: rbd.")


def _demo(_topology: Topology, disk: str) -> Mapping[str, Any]:
    """Return the image that a guest is booted from."""
    return {"image": {"name": "guest", "disk": disk, "min_disk": 0, "min_ram": 128}}


ROLE = Role(
    name="glance",
    memory_mib=170,
    most=None,
    alone=_alone,
    shares=(UWSGI_FILES,),
    # Keystone is asked when the service is, so that it may come up at the same time.
    needs={"haproxy": Stage.HEALTHY, "galera": Stage.HEALTHY, "keystone": Stage.ATTACHED},
    wants={"memcached": Stage.HEALTHY},
    data={"images": "/var/lib/glance"},
    vacant=without_files("/var/lib/glance/images", "/var/lib/glance/staging"),
    frontends=(Frontend(name="glance", port=PORT, check_path="/healthcheck"),),
    service_users=(ServiceUser(name="glance", type="image", description="OpenStack Image Service", frontend="glance"),),
    databases=("glance",),
    checks=(Check(port=PORT, path="/healthcheck"),),
    packages=("glance-api",),
    overrides=_overrides,
    choices=(ceph.backend("image", lambda raw: raw.image_backend == "rbd", "file"),),
    demo=_demo,
    keeps="images",
    hiera=_hiera,
    secrets=_secrets,
)
