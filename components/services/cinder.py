"""Cinder: volumes. API, scheduler, volume and backup service in one container, with the lab's choice of back end.

Several members work on the same volumes in Ceph, each on any of them, as one cluster of Cinder's. What one works on, it
locks for the others in Redis: MariaDB's GET_LOCK is known to one member of Galera only, and memcached forgets.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any

from components.configuration.environment import Container, Environment
from components.configuration.rules import OneOnly, RawConfiguration
from components.services import ceph, rabbitmq, redis
from components.services.role import (
    UWSGI_FILES,
    Agents,
    Check,
    Frontend,
    Hiera,
    Membership,
    Requirements,
    Role,
    SecretNames,
    ServiceUser,
    Stage,
    without_files,
)
from components.services.topology import REDIS_PORT, Topology

HOST = "cinder"
"""What a single member calls its host, wherever its programs run: volumes belong to a host."""
CLUSTER = "volumes"
"""What several members call what volumes belong to then; no host is called so."""


def volume_secret(topology: Topology) -> str:
    """Return the name under which libvirt on every compute keeps Ceph's key; Cinder hands it out with each volume."""
    return str(uuid.uuid5(uuid.NAMESPACE_DNS, f"cinder.{topology.environment.domain}"))


def _hiera(topology: Topology, container: Container) -> Hiera:
    return {
        "profile::cinder::vip_name": topology.vip_name,
        "profile::cinder::keystone_url": topology.keystone_url,
        "profile::cinder::address": str(container.address),
        "profile::cinder::region": topology.environment.region,
        "profile::cinder::memcached_servers": topology.memcached_servers,
        "profile::cinder::database_host": topology.vip_name,
        "profile::cinder::rabbit_hosts": [m.fqdn for m in topology.members("rabbitmq")],
        "profile::cinder::backend": topology.environment.volume_backend,
        "profile::cinder::ceph_monitors": ceph.monitors(topology),
        "profile::cinder::rbd_pool": ceph.POOL,
        "profile::cinder::backup_pool": ceph.BACKUP_POOL,
        "profile::cinder::rbd_secret_uuid": volume_secret(topology),
        **(_cluster_hiera(topology, container) if len(topology.members("cinder")) > 1 else {}),
    }


def _cluster_hiera(topology: Topology, container: Container) -> Hiera:
    # There is one Redis, or the check of the configuration would have said so.
    return {
        "profile::cinder::host": container.fqdn,
        "profile::cinder::cluster": CLUSTER,
        "profile::cinder::lock_server": f"{topology.members('redis')[0].address}:{REDIS_PORT}",
    }


def _secrets(_requirements: Requirements) -> SecretNames:
    return {
        "profile::cinder::identity_password": "cinder_identity",
        "profile::cinder::nova_password": "nova_identity",
        "profile::cinder::database_password": "cinder_database",
        "profile::cinder::rabbit_password": "rabbitmq_openstack",
        "profile::cinder::ceph_secret": ceph.SECRET,
        "profile::cinder::ceph_backup_secret": ceph.BACKUP_SECRET,
    }


SERVICES = Membership(name="services", role="cinder", leave=("/etc/dockstack/bin/cinder-members", "leave"))
"""What a member's programs are to the others."""


def _cluster_secrets(requirements: Requirements) -> SecretNames:
    return {**_secrets(requirements), "profile::cinder::lock_password": redis.SECRET}


def _overrides(environment: Environment) -> Mapping[str, Any]:
    """Return what the back end needs, and what several members have in common.

    An NFS server opens files by their handles, and its share is mounted.
    """
    if environment.volume_backend == "nfs":
        return {"capabilities": ("DAC_READ_SEARCH", "SYS_ADMIN"), "mounts_filesystems": True}
    members = environment.members("cinder")
    if len(members) > 1:
        return {
            "secrets": _cluster_secrets,
            "wants": {**ROLE.wants, redis.ROLE.name: Stage.HEALTHY},
            "memberships": (
                SERVICES,
                # A Cinder that stays alone has another host name, and leaves the cluster's queues unread.
                rabbitmq.queues(HOST, CLUSTER, *(member.fqdn for member in members)),
            ),
        }
    return {}


def _alone(raw: RawConfiguration) -> OneOnly | None:
    # One that can't be read is a fault by itself.
    if raw.volume_backend not in ("rbd", None):
        return OneOnly("volumes are its own container's", "Keep them in Ceph, by common.volumeBackend: rbd.")
    if not raw.members("redis") and not raw.unsure_of("redis"):
        because = "they lock for each other what they work on in Redis, and no container has role redis"
        return OneOnly(because, "Add a container of role redis.")
    return None


def compute_hiera(topology: Topology) -> Hiera:
    """Return what a compute has to know to give guests their volumes: parameters of ``profile::compute::volumes``."""
    return {
        "profile::compute::volumes::backend": topology.environment.volume_backend,
        "profile::compute::volumes::ceph_monitors": ceph.monitors(topology),
        "profile::compute::volumes::secret_uuid": volume_secret(topology),
    }


COMPUTE_SECRETS: SecretNames = {"profile::compute::volumes::ceph_secret": ceph.SECRET}
"""The secret parameter that goes with :func:`compute_hiera`."""


ROLE = Role(
    name="cinder",
    memory_mib=570,
    most=None,
    alone=_alone,
    handles_volumes=True,
    keeps="volumes",
    logins="/etc/cinder/cinder.conf",
    agents=Agents("block_storage", "services"),
    choices=(ceph.backend("volume", lambda raw: raw.volume_backend == "rbd", "lvm or nfs"),),
    shares=(UWSGI_FILES,),
    needs={
        "haproxy": Stage.HEALTHY,
        "galera": Stage.HEALTHY,
        "rabbitmq": Stage.HEALTHY,
        # Asked when Cinder is, so that it may come up at the same time.
        "keystone": Stage.ATTACHED,
    },
    wants={"memcached": Stage.HEALTHY, "ceph": Stage.HEALTHY},
    data={"data": "/var/lib/cinder"},
    vacant=without_files("/var/lib/cinder/nfs", "/var/lib/cinder/backups"),
    service_users=(
        ServiceUser(name="cinder", type="volumev3", description="Block storage", frontend="cinder", path="/v3"),
    ),
    frontends=(Frontend(name="cinder", port=8776, check_path="/healthcheck", url="/v3"),),
    databases=("cinder",),
    checks=(Check(port=8776, path="/healthcheck"), Check(command=("/etc/dockstack/bin/cinder-ready",))),
    memberships=(SERVICES, rabbitmq.queues(HOST)),
    packages=("cinder-api", "cinder-scheduler", "cinder-volume", "cinder-backup"),
    overrides=_overrides,
    hiera=_hiera,
    secrets=_secrets,
)
