"""A backup gives a lab, the same or one built anew with other secrets, the data that there were."""

from __future__ import annotations

import io
import os
import subprocess
from pathlib import Path

import pytest

from tests.lab import cloud as clouds
from tests.lab.conftest import Lab
from tests.lab.harness import HOME, PROJECT, inside, long_drill, run, started_at
from tests.lab.rbd import read, write
from tests.lab.secrets_of_lab import generated

pytestmark = [pytest.mark.lab, pytest.mark.drill]

NAME = "test-backup"
LATER = "test-later"
TEXT = "what was acknowledged before"
IMAGE = os.urandom(1 << 20)
RESTORE_SECONDS = 1200


def make(*arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
    """Run one of the README's commands."""
    return run("make", *arguments, cwd=PROJECT, timeout=RESTORE_SECONDS, check=check)


def authority(lab: Lab) -> str:
    """Return what the certificate of the Puppet CA is told from another one by."""
    return inside(lab.of_role("puppet"), "sha256sum", "/var/lib/puppet/ca/ca_crt.pem")


@long_drill
@pytest.mark.parametrize(
    "anew", [False, pytest.param(True, marks=pytest.mark.alone)], ids=["itself", "a lab built anew"]
)
def test_a_restored_lab_has_all_that_was_there_and_nothing_else(lab: Lab, tmp_path: Path, anew: bool) -> None:
    lab.await_healthy()
    on = f"STACK={lab.stack}"
    file = f"FILE={tmp_path / 'lab.tar.zst'}"
    cloud = clouds.connect(lab.openrc)
    clouds.needs(cloud, "compute", "image", "network", "volumev3")
    cloud.identity.create_user(name=NAME, password=TEXT, default_project_id=cloud.current_project_id)
    image = cloud.create_image(NAME, data=io.BytesIO(IMAGE), disk_format="raw", container_format="bare", wait=True)
    disk = cloud.block_storage.create_volume(name=NAME, size=1)
    cloud.block_storage.wait_for_status(disk, "available", failures=["error"], interval=1, wait=120)
    write(lab, disk, TEXT)
    machine = clouds.boot(cloud, NAME, tmp_path, floating=True)
    machine.await_ssh()
    before = started_at(lab.stack)
    demo_key = HOME / "stacks" / lab.stack / "demo-key"
    key = demo_key.read_text()
    secrets, certificate = generated(lab.stack), authority(lab)

    said = make("backup", on, file).stdout
    print(said.splitlines()[0])
    assert (tmp_path / "lab.tar.zst").stat().st_mode & 0o777 == 0o600
    # Nothing of it was restarted, and all goes on.
    assert started_at(lab.stack) == before
    machine.await_ssh()
    cloud.identity.create_user(name=LATER)

    if anew:
        make("destroy", on)
        make("lab", on)
        assert not set(secrets.values()) & set(generated(lab.stack).values())
        assert authority(lab) != certificate
        assert demo_key.read_text() != key
        assert clouds.connect(lab.openrc).identity.find_user(NAME) is None
    fresh = generated(lab.stack)

    make("restore", on, file)
    lab.await_healthy()
    assert generated(lab.stack) == fresh
    assert authority(lab) == certificate
    cloud = clouds.connect(lab.openrc)
    try:
        assert demo_key.read_text() == key
        assert cloud.identity.find_user(NAME) is not None
        assert cloud.identity.find_user(LATER) is None
        assert cloud.image.download_image(image.id).content == IMAGE
        assert read(lab, cloud.block_storage.get_volume(disk.id), len(TEXT)) == TEXT
        machine.cloud = cloud
        machine.await_ssh(300)
        with clouds.attached(cloud, machine, disk) as device:
            assert machine.ssh(f"head -c {len(TEXT)} {device}") == TEXT
        lab.await_healthy()
        lab.pulumi("preview", "--expect-no-changes")
    finally:
        clouds.forget(cloud, NAME)
        cloud.block_storage.delete_volume(disk)
        cloud.image.delete_image(image.id)
        cloud.identity.delete_user(cloud.identity.find_user(NAME))


def test_what_is_no_backup_is_refused_and_changes_nothing(lab: Lab, tmp_path: Path) -> None:
    before = started_at(lab.stack)
    file = tmp_path / "other.tar.zst"
    file.write_text("something else")
    refused = make("restore", f"STACK={lab.stack}", f"FILE={file}", check=False)
    assert refused.returncode != 0 and "make restore: " in refused.stderr
    assert started_at(lab.stack) == before
