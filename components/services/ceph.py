"""Ceph, all in user space: a monitor, a manager and an OSD in each container, for volumes and images on any host."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping
from typing import Any

from components.configuration.duties import Choice
from components.configuration.environment import Container, Environment
from components.configuration.rules import RawConfiguration
from components.services.role import Check, Hiera, Membership, Requirements, Role, SecretNames
from components.services.topology import Topology

POOL, BACKUP_POOL, IMAGE_POOL = "volumes", "backups", "images"
SECRET, BACKUP_SECRET, IMAGE_SECRET = "ceph_cinder", "ceph_cinder_backup", "ceph_glance"
"""Names of the secrets that the keys of client.cinder, client.cinder-backup and client.glance are made from."""
ADMIN_SECRET = "ceph_admin"
"""Name of the secret that the administrator's key is made from, which the members have in common."""
MEMBER = "/etc/dockstack/bin/ceph-member"


def cluster_id(topology: Topology) -> str:
    """Return the cluster's id: the same whenever the lab is built, another for each lab."""
    return str(uuid.uuid5(uuid.NAMESPACE_DNS, f"ceph.{topology.environment.domain}"))


def monitors(topology: Topology) -> list[str]:
    """Return the addresses of the monitors."""
    return [str(member.address) for member in topology.members("ceph")]


def backend(kind: str, chosen: Callable[[RawConfiguration], bool], others: str) -> Choice:
    """Return what a back end in Ceph needs: this.

    Args:
        kind: what is kept there, as in the key that chooses it.
        chosen: whether a lab has chosen it.
        others: what may be chosen instead, for people.
    """
    return Choice(f"{kind}Backend", chosen, (ROLE.name,), f"the {kind} back end rbd needs", f"choose {others}")


def _places(topology: Topology) -> dict[str, str]:
    """Return the container host of each member, where they are on several."""
    found = {member.name: member.host for member in topology.members("ceph")}
    return found if len(set(found.values())) > 1 else {}


def _hiera(topology: Topology, container: Container) -> Hiera:
    return {
        "profile::ceph::address": str(container.address),
        "profile::ceph::monitors": monitors(topology),
        "profile::ceph::network": str(container.network),
        "profile::ceph::fsid": cluster_id(topology),
        "profile::ceph::volume_pool": POOL,
        "profile::ceph::backup_pool": BACKUP_POOL,
        **({"profile::ceph::image_pool": IMAGE_POOL} if topology.environment.image_backend == "rbd" else {}),
        **({"profile::ceph::places": places} if (places := _places(topology)) else {}),
    }


def _secrets(_requirements: Requirements) -> SecretNames:
    return {
        "profile::ceph::admin_secret": ADMIN_SECRET,
        "profile::ceph::cinder_secret": SECRET,
        "profile::ceph::backup_secret": BACKUP_SECRET,
    }


def _secrets_with_images(requirements: Requirements) -> SecretNames:
    return {**_secrets(requirements), "profile::ceph::image_secret": IMAGE_SECRET}


def _overrides(environment: Environment) -> Mapping[str, Any]:
    """Return what a pool for images needs, where the lab keeps them here."""
    return {"secrets": _secrets_with_images} if environment.image_backend == "rbd" else {}


ROLE = Role(
    name="ceph",
    memory_mib=400,
    quorum=True,
    # Everything is kept by three of them.
    most=None,
    unfit={2: "of two monitors, neither works without the other"},
    birth=(MEMBER, "birth"),
    data={"data": "/var/lib/ceph"},
    endpoints={"ceph": "tcp://{address}:3300"},
    checks=(Check(port=3300), Check(command=("/etc/dockstack/bin/ceph-settle", "check"))),
    memberships=(Membership(name="cluster", role="ceph", leave=(MEMBER, "leave"), stops=False),),
    packages=("ceph-mon", "ceph-osd"),
    overrides=_overrides,
    hiera=_hiera,
    secrets=_secrets,
)
