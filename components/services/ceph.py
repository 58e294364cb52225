"""Ceph, all in user space: one monitor, one manager and one OSD in a container, for volumes on any host."""

from __future__ import annotations

import uuid

from components.configuration.environment import Container
from components.services.role import Check, Demands, Hiera, Role, SecretNames
from components.services.view import LabView

POOL, BACKUP_POOL = "volumes", "backups"
SECRET, BACKUP_SECRET = "ceph_cinder", "ceph_cinder_backup"
"""Names of the secrets that the keys of client.cinder and client.cinder-backup are made from."""


def cluster_id(view: LabView) -> str:
    """Return the cluster's id: the same whenever the lab is built, another for each lab."""
    return str(uuid.uuid5(uuid.NAMESPACE_DNS, f"ceph.{view.environment.domain}"))


def monitors(view: LabView) -> list[str]:
    """Return the addresses of the monitors."""
    return [str(member.address) for member in view.members("ceph")]


def _hiera(view: LabView, container: Container) -> Hiera:
    return {
        "profile::ceph::address": str(container.address),
        "profile::ceph::network": str(container.network),
        "profile::ceph::fsid": cluster_id(view),
        "profile::ceph::volume_pool": POOL,
        "profile::ceph::backup_pool": BACKUP_POOL,
    }


def _secrets(_demands: Demands) -> SecretNames:
    return {"profile::ceph::cinder_secret": SECRET, "profile::ceph::backup_secret": BACKUP_SECRET}


ROLE = Role(
    name="ceph",
    memory_mib=400,
    # The keys of the cluster's own programs are made in the container: a second monitor would need them, and a quorum.
    most=1,
    data={"data": "/var/lib/ceph"},
    endpoints={"ceph": "tcp://{address}:3300"},
    checks=(Check(port=3300), Check(command=("/etc/dockstack/bin/ceph-settle", "check"))),
    packages=("ceph-mon", "ceph-osd"),
    hiera=_hiera,
    secrets=_secrets,
)
