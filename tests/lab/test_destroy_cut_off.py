"""A destroy of the whole lab that lost its power leaves it half taken down; `make lab` makes it whole again."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.lab import cloud as clouds
from tests.lab.conftest import Lab
from tests.lab.harness import PROJECT, eventually, inside, kill_all, kill_host, run

pytestmark = [pytest.mark.lab, pytest.mark.long_drill, pytest.mark.alone]

SECONDS = 1200
NAME = "test-destroy-cut-off"


@pytest.fixture
def volume(lab: Lab, tmp_path: Path) -> Iterator[Any]:
    """Give a guest a volume, and forget of both what is left in the end."""
    cloud = clouds.connect(lab.openrc)
    clouds.needs(cloud, "compute", "image", "network", "volumev3")
    disk = cloud.block_storage.create_volume(name=NAME, size=1)
    try:
        cloud.block_storage.wait_for_status(disk, "available", failures=["error"], interval=1, wait=120)
        guest = clouds.boot(cloud, NAME, tmp_path, floating=True)
        cloud.compute.create_volume_attachment(guest.server.id, volume_id=disk.id)
        cloud.block_storage.wait_for_status(disk, "in-use", failures=["error"], interval=1, wait=120)
        yield disk
    finally:
        cloud = clouds.connect(lab.openrc)
        clouds.forget(cloud, NAME)
        cloud.block_storage.delete_volume(disk)
        cloud.block_storage.wait_for_delete(disk, interval=1, wait=120)


@pytest.fixture
def destroying(lab: Lab, volume: Any) -> Iterator[subprocess.Popen[str]]:
    """Start taking the lab down; whatever the test comes to, the others find it up."""
    command = ["pulumi", "destroy", "--yes", "--skip-preview", "--non-interactive", "--stack", lab.stack]
    with subprocess.Popen(
        command, cwd=PROJECT, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True
    ) as process:
        try:
            yield process
        finally:
            kill_all(process)
            run("make", "lab", f"STACK={lab.stack}", check=False, timeout=SECONDS)


def test_make_lab_makes_whole_what_a_destroy_that_lost_its_power_left(
    lab: Lab, destroying: subprocess.Popen[str], volume: Any, tmp_path: Path
) -> None:
    """The compute has left Nova by then, with its guest; its container, which remembers the guest, is stopped."""
    compute, galera = lab.of_role("compute"), lab.of_role("galera")
    mappings = ("mariadb", "--batch", "--skip-column-names", "--execute", "SELECT host FROM nova_api.host_mappings")
    assert compute in inside(galera, *mappings).split()
    eventually("the compute has left", lambda: compute not in inside(galera, *mappings).split(), interval=0.2)
    kill_all(destroying)
    kill_host()

    since = time.monotonic()
    done = run("make", "lab", f"STACK={lab.stack}", check=False, timeout=SECONDS)
    assert done.returncode == 0, done.stdout[-6000:]
    print(f"power cut in the lab's destroy: `make lab` took {time.monotonic() - since:.1f} s")

    # Nothing is waited for: `make lab` says that it works.
    assert lab.works()
    lab.pulumi("preview", "--expect-no-changes")
    cloud = clouds.connect(lab.openrc)
    assert cloud.compute.find_server(NAME) is None
    assert cloud.block_storage.get_volume(volume.id).status == "available"
    with clouds.guest(cloud, f"{NAME}-after", tmp_path, floating=False) as guest:
        assert guest.server.compute_host == compute
