"""Volumes as Ceph keeps them, read and written past Cinder and without a guest."""

from __future__ import annotations

from typing import Any

from tests.lab.conftest import Lab
from tests.lab.harness import inside


def in_ceph(lab: Lab, code: str, *, user: str = "cinder", pool: str = "volumes") -> str:
    """Run Python in the volume service's container with a pool open as `pool`, by default as QEMU has it."""
    opening = (
        "import rados, rbd\n"
        f"cluster = rados.Rados(conffile='/etc/ceph/ceph.conf', name='client.{user}',"
        f" conf={{'client_mount_timeout': '30', 'keyring': '/etc/ceph/ceph.client.{user}.keyring'}})\n"
        f"cluster.connect(timeout=30)\npool = cluster.open_ioctx('{pool}')\n"
    )
    return inside(lab.of_role("cinder"), "python3", "-", stdin=opening + code).strip()


def write(lab: Lab, disk: Any, text: str) -> None:
    """Write at the beginning of a volume."""
    in_ceph(lab, f"with rbd.Image(pool, 'volume-{disk.id}') as image:\n    image.write({text.encode()!r}, 0)\n")


def read(lab: Lab, disk: Any, count: int) -> str:
    """Read the beginning of a volume."""
    code = f"with rbd.Image(pool, 'volume-{disk.id}') as image:\n    print(image.read(0, {count}).decode())\n"
    return in_ceph(lab, code)
