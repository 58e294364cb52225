"""Cinder: volumes. API, scheduler, volume and backup service in one container, with the lab's choice of back end."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any

from components.configuration.environment import Container, Environment
from components.services import ceph, rabbitmq
from components.services.role import UWSGI_FILES, Check, Demands, Frontend, Hiera, Identity, Role, SecretNames, Stage
from components.services.view import LabView


def volume_secret(view: LabView) -> str:
    """Return the name under which libvirt on every compute keeps Ceph's key; Cinder hands it out with each volume."""
    return str(uuid.uuid5(uuid.NAMESPACE_DNS, f"cinder.{view.environment.domain}"))


def _hiera(view: LabView, container: Container) -> Hiera:
    return {
        "profile::cinder::vip_name": view.vip_name,
        "profile::cinder::address": str(container.address),
        "profile::cinder::region": view.environment.region,
        "profile::cinder::memcached_servers": view.memcached_servers,
        "profile::cinder::database_host": view.vip_name,
        "profile::cinder::rabbit_hosts": [m.fqdn for m in view.members("rabbitmq")],
        "profile::cinder::backend": view.environment.volume_backend,
        "profile::cinder::ceph_monitors": ceph.monitors(view),
        "profile::cinder::rbd_pool": ceph.POOL,
        "profile::cinder::backup_pool": ceph.BACKUP_POOL,
        "profile::cinder::rbd_secret_uuid": volume_secret(view),
    }


def _secrets(_demands: Demands) -> SecretNames:
    return {
        "profile::cinder::identity_password": "cinder_identity",
        "profile::cinder::nova_password": "nova_identity",
        "profile::cinder::database_password": "cinder_database",
        "profile::cinder::rabbit_password": "rabbitmq_openstack",
        "profile::cinder::ceph_secret": ceph.SECRET,
        "profile::cinder::ceph_backup_secret": ceph.BACKUP_SECRET,
    }


def _variant(environment: Environment) -> Mapping[str, Any]:
    """Return what the back end needs: an NFS server opens files by their handles, and its share is mounted."""
    if environment.volume_backend != "nfs":
        return {}
    return {"capabilities": ("DAC_READ_SEARCH", "SYS_ADMIN"), "mounts_filesystems": True}


def compute_hiera(view: LabView) -> Hiera:
    """Return what a compute has to know to give guests their volumes: parameters of ``profile::compute::volumes``."""
    return {
        "profile::compute::volumes::backend": view.environment.volume_backend,
        "profile::compute::volumes::ceph_monitors": ceph.monitors(view),
        "profile::compute::volumes::secret_uuid": volume_secret(view),
    }


COMPUTE_SECRETS: SecretNames = {"profile::compute::volumes::ceph_secret": ceph.SECRET}
"""The secret parameter that goes with :func:`compute_hiera`."""


ROLE = Role(
    name="cinder",
    memory_mib=570,
    shares=(UWSGI_FILES,),
    needs={
        "haproxy": Stage.HEALTHY,
        "galera": Stage.HEALTHY,
        "rabbitmq": Stage.HEALTHY,
        # Asked when Cinder is, so that it may come up at the same time.
        "keystone": Stage.ATTACHED,
    },
    wants={"memcached": Stage.HEALTHY, "ceph": Stage.HEALTHY},
    # One volume service owns the volumes; a second would need a lock manager to share them.
    most=1,
    data={"data": "/var/lib/cinder"},
    identities=(Identity(name="cinder", type="volumev3", description="Block storage", frontend="cinder", path="/v3"),),
    frontends=(Frontend(name="cinder", port=8776, check_path="/healthcheck", url="/v3"),),
    databases=("cinder",),
    checks=(Check(port=8776, path="/healthcheck"), Check(command=("/etc/dockstack/bin/cinder-ready",))),
    # Its profile calls the host so, wherever its programs run: volumes belong to a host.
    memberships=(rabbitmq.queues("cinder"),),
    packages=("cinder-api", "cinder-scheduler", "cinder-volume", "cinder-backup"),
    variant=_variant,
    hiera=_hiera,
    secrets=_secrets,
)
