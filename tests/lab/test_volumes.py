"""Volumes without a guest: made, copied, grown and deleted through the API, and kept in Ceph."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.lab.cloud import Cloud, connect, environment, volume
from tests.lab.conftest import Lab
from tests.lab.harness import eventually, inside, run
from tests.lab.rbd import in_ceph, read, write

pytestmark = [pytest.mark.lab, pytest.mark.shares]

SERVICES = ("cinder-backup", "cinder-scheduler", "cinder-volume")
POOLS = ("volumes", "backups")
OLD, NEW = "what was written first", "what was written after that"


@pytest.fixture(scope="module")
def cloud(lab: Lab) -> Cloud:
    if "cinder" not in lab.endpoints:
        pytest.skip("this lab has no volumes")
    return connect(lab.openrc)


@pytest.fixture
def undo(cloud: Cloud) -> Iterator[list[Any]]:
    """Volumes and snapshots to delete afterwards, the last one first."""
    made: list[Any] = []
    yield made
    for each in reversed(made):
        kind = "snapshot" if hasattr(each, "volume_id") else "volume"
        getattr(cloud.block_storage, f"delete_{kind}")(each, ignore_missing=True)
        cloud.block_storage.wait_for_delete(each, interval=1, wait=120)


def made_from(cloud: Cloud, undo: list[Any], name: str, **source: Any) -> Any:
    """Make a volume from something else, to be deleted afterwards."""
    made = cloud.block_storage.create_volume(name=name, **source)
    undo.append(made)
    return cloud.block_storage.wait_for_status(made, "available", failures=["error"], interval=1, wait=120)


def kept(lab: Lab, **where: str) -> set[str]:
    """Return what Ceph keeps in the pool, the deleted included."""
    code = "print([*rbd.RBD().list(pool), *(found['name'] for found in rbd.RBD().trash_list(pool))])"
    return {str(name) for name in json.loads(in_ceph(lab, code, **where).replace("'", '"'))}


def backed_up(cloud: Cloud, disk: Any, *, incremental: bool = False) -> Any:
    """Make a backup of a volume."""
    made = cloud.block_storage.create_backup(volume_id=disk.id, name=disk.name, is_incremental=incremental)
    return cloud.block_storage.wait_for_status(made, "available", failures=["error"], interval=1, wait=120)


def restored(cloud: Cloud, undo: list[Any], backup: Any) -> Any:
    """Make a volume from a backup, to be deleted afterwards."""
    order = cloud.block_storage.restore_backup(backup, name=f"restored-{backup.id}")
    made = cloud.block_storage.get_volume(order.volume_id)
    undo.append(made)
    for each in (cloud.block_storage.get_backup(backup.id), made):
        cloud.block_storage.wait_for_status(each, "available", failures=["error"], interval=1, wait=120)
    return made


def openstack(lab: Lab, *arguments: str, check: bool = True) -> Any:
    """Run the command that users run."""
    return run("openstack", *arguments, check=check, env=environment(lab.openrc))


@pytest.fixture
def in_rbd(lab: Lab) -> None:
    """Only volumes in Ceph can be looked into from here."""
    if not any(service["role"] == "ceph" for service in lab.services.values()):
        pytest.skip("this lab keeps its volumes elsewhere")


def test_every_volume_service_is_up(cloud: Cloud) -> None:
    services = list(cloud.block_storage.services())
    assert sorted((service.binary, service.state) for service in services) == [(name, "up") for name in SERVICES]


@pytest.mark.usefixtures("in_rbd")
def test_a_snapshot_keeps_what_was_there_and_a_clone_what_is(lab: Lab, cloud: Cloud, undo: list[Any]) -> None:
    with volume(cloud, "original") as original:
        write(lab, original, OLD)
        shot = cloud.block_storage.create_snapshot(name="shot", volume_id=original.id)
        undo.append(shot)
        cloud.block_storage.wait_for_status(shot, "available", failures=["error"], interval=1, wait=120)
        write(lab, original, NEW)

        restored = made_from(cloud, undo, "restored", size=1, snapshot_id=shot.id)
        assert read(lab, restored, len(OLD)) == OLD
        clone = made_from(cloud, undo, "clone", size=1, source_volume_id=original.id)
        assert read(lab, clone, len(NEW)) == NEW

        write(lab, clone, OLD)
        assert read(lab, original, len(NEW)) == NEW

        while undo:
            each = undo.pop()
            delete = cloud.block_storage.delete_snapshot if each is shot else cloud.block_storage.delete_volume
            delete(each)
            cloud.block_storage.wait_for_delete(each, interval=1, wait=120)


@pytest.mark.usefixtures("in_rbd")
def test_a_volume_made_from_an_image_can_be_booted_from(lab: Lab, cloud: Cloud, undo: list[Any]) -> None:
    image = cloud.image.find_image("guest")
    if image is None:
        pytest.skip("this lab has no guest's image")
    bootable = made_from(cloud, undo, "bootable", size=1, image_id=image.id)
    assert cloud.block_storage.get_volume(bootable.id).is_bootable
    code = f"with rbd.Image(pool, 'volume-{bootable.id}') as image:\n    print(image.read(510, 2).hex())\n"
    # A boot sector's last bytes.
    assert in_ceph(lab, code) == "55aa"


@pytest.mark.usefixtures("in_rbd")
def test_a_clone_outlives_its_source_and_nothing_stays_when_it_goes_too(lab: Lab, cloud: Cloud) -> None:
    source = cloud.block_storage.create_volume(name="source", size=1)
    cloud.block_storage.wait_for_status(source, "available", failures=["error"], interval=1, wait=120)
    write(lab, source, OLD)
    clone = cloud.block_storage.create_volume(name="clone", size=1, source_volume_id=source.id)
    cloud.block_storage.wait_for_status(clone, "available", failures=["error"], interval=1, wait=120)
    cloud.block_storage.delete_volume(source)
    cloud.block_storage.wait_for_delete(source, interval=1, wait=120)
    assert read(lab, clone, len(OLD)) == OLD
    cloud.block_storage.delete_volume(clone)
    cloud.block_storage.wait_for_delete(clone, interval=1, wait=120)
    ids = (source.id, clone.id)
    eventually("the pool has neither", lambda: not any(id in name for id in ids for name in kept(lab)), interval=1)


@pytest.mark.usefixtures("in_rbd")
def test_a_grown_volume_keeps_its_content(lab: Lab, cloud: Cloud) -> None:
    with volume(cloud, "growing") as disk:
        write(lab, disk, OLD)
        cloud.block_storage.extend_volume(disk, 2)
        eventually("the volume has grown", lambda: cloud.block_storage.get_volume(disk.id).size == 2, interval=1)
        assert in_ceph(lab, f"print(rbd.Image(pool, 'volume-{disk.id}').size())") == str(2 * 1024**3)
        assert read(lab, disk, len(OLD)) == OLD


@pytest.mark.usefixtures("in_rbd")
def test_backups_bring_back_what_was_there_and_nothing_stays_when_they_are_deleted(
    lab: Lab, cloud: Cloud, undo: list[Any]
) -> None:
    place = {"user": "cinder-backup", "pool": "backups"}
    with volume(cloud, "backed-up") as source:
        write(lab, source, OLD)
        whole = backed_up(cloud, source)
        write(lab, source, NEW)
        later = backed_up(cloud, source, incremental=True)
        assert any(source.id in name for name in kept(lab, **place))
    # Neither needs the volume that it was made of.
    assert not any(source.id in name for name in kept(lab))
    assert read(lab, restored(cloud, undo, later), len(NEW)) == NEW
    assert read(lab, restored(cloud, undo, whole), len(OLD)) == OLD
    for each in (later, whole):
        cloud.block_storage.delete_backup(each)
        cloud.block_storage.wait_for_delete(each, interval=1, wait=120)
    assert not any(source.id in name for name in kept(lab, **place))


@pytest.mark.usefixtures("cloud")
def test_a_user_who_asks_for_what_there_is_not_gets_cinders_own_words(lab: Lab) -> None:
    refused = openstack(lab, "volume", "create", "--size", "5000", "huge", check=False)
    assert refused.returncode != 0
    assert "VolumeSizeExceedsAvailableQuota: Requested volume or snapshot exceeds allowed gigabytes quota" in (
        refused.stderr
    )
    assert "Traceback" not in refused.stderr

    unknown = openstack(lab, "volume", "create", "--size", "1", "--type", "nonsuch", "odd", check=False)
    assert unknown.returncode != 0
    assert "Volume type with name nonsuch could not be found" in unknown.stderr
    assert "Traceback" not in unknown.stderr


@pytest.mark.usefixtures("in_rbd")
@pytest.mark.parametrize(("user", "own", "other"), [("cinder", *POOLS), ("cinder-backup", *reversed(POOLS))])
def test_the_key_of_a_pool_opens_nothing_else(lab: Lab, user: str, own: str, other: str) -> None:
    tried = in_ceph(
        lab,
        "import json\n"
        "def said(**command):\n    return cluster.mon_command(json.dumps(command), b'')[0]\n"
        "print(said(prefix='auth get', entity='client.admin'), said(prefix='osd pool create', pool='mine', pg_num=1))\n"
        f"try:\n    rbd.RBD().list(cluster.open_ioctx('{other}'))\n"
        "except rbd.PermissionError:\n    print('kept out')",
        user=user,
        pool=own,
    )
    assert tried.split("\n") == ["-13 -13", "kept out"]
    keyring = inside(lab.of_role("cinder"), "stat", "-c", "%U:%G %a", f"/etc/ceph/ceph.client.{user}.keyring")
    assert keyring.strip() == "root:cinder 640"
