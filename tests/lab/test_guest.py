"""A guest: it boots, is reached, shows its screen, keeps bytes on a volume; and what a user does wrong is said."""

from __future__ import annotations

import re
import signal
import subprocess
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.lab import cloud as clouds
from tests.lab.cloud import Cloud, Guest
from tests.lab.conftest import Lab
from tests.lab.harness import Make, eventually, inside, plain, run

pytestmark = [pytest.mark.lab, pytest.mark.shares]

PING_SECONDS = 0.2


@pytest.fixture(scope="module")
def cloud(lab: Lab) -> Cloud:
    """Connect to the lab's OpenStack."""
    connection = clouds.connect(lab.openrc)
    clouds.needs(connection, "compute", "image", "network")
    return connection


@pytest.fixture(scope="module")
def guest(cloud: Cloud, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Guest]:
    """Boot one guest with a floating address for all these tests."""
    name = f"test-{uuid.uuid4().hex[:8]}"
    with clouds.guest(cloud, name, tmp_path_factory.mktemp("keys"), floating=True) as booted:
        yield booted


def test_the_guest_runs_on_a_compute_of_the_lab(lab: Lab, guest: Guest) -> None:
    assert guest.server.status == "ACTIVE"
    assert lab.services[guest.server.compute_host]["role"] == "compute"


def test_the_console_log_shows_address_and_metadata(guest: Guest) -> None:
    log = guest.await_console(f"instance {guest.server.id}")
    assert f"name {guest.server.name}" in log
    assert f"address {guest.address()}" in log


def test_the_floating_address_is_pinged_from_the_host(guest: Guest) -> None:
    guest.await_console("guest: ready")
    eventually(f"{guest.floating} answers", lambda: answers(guest), interval=1)


def test_a_guest_whose_port_was_taken_down_is_heard_again(lab: Lab, guest: Guest, cloud: Cloud) -> None:
    port = next(iter(cloud.network.ports(device_id=guest.server.id)))
    inside(guest.server.compute_host, "ip", "link", "set", f"tap{port.id[:11]}", "down")
    eventually(f"{guest.floating} answers", lambda: answers(guest), interval=1)


def answers(guest: Guest) -> bool:
    return run("ping", "-c", "1", "-W", "2", guest.floating, check=False).returncode == 0


def test_the_guest_is_logged_in_to_by_its_key_and_has_its_own_name(guest: Guest) -> None:
    guest.await_ssh()
    assert guest.ssh("hostname").strip() == guest.server.name


def test_a_guest_reaches_its_metadata_and_nothing_of_the_labs_own_network(lab: Lab, guest: Guest) -> None:
    guest.await_ssh()
    assert reaches(guest, "169.254.169.254", 80)
    own = {
        "rabbitmq": 5672,
        "galera": 3306,
        "memcached": 11211,
        "puppet": 8140,
        "keystone": 5000,
        "nova": 8775,
        "ceph": 3300,
        "redis": 6379,
        "cassandra": 9042,
        "config": 8082,
        "analytics": 8081,
        "control": 8083,
        "webui": 8143,
    }
    for role, port in own.items():
        container = next((name for name, service in lab.services.items() if service["role"] == role), None)
        if container:
            assert not reaches(guest, lab.addresses[container], port), f"{container}:{port}"


def reaches(guest: Guest, address: str, port: int) -> bool:
    return "yes" in guest.ssh(f"nc -w 2 {address} {port} -e /bin/true && echo yes", check=False)


def test_another_stacks_coming_and_going_does_not_touch_the_guest(guest: Guest, stack: Make) -> None:
    since = time.monotonic()
    ping = ["ping", "-q", "-i", str(PING_SECONDS), guest.floating]
    with subprocess.Popen(ping, stdout=subprocess.PIPE, text=True) as pinging:
        made = stack("t25", plain(25, 3))
        made.up()
        made.destroy()
        pinging.send_signal(signal.SIGINT)
        said = pinging.communicate()[0]
    counted = re.search(r"(\d+) packets transmitted, (\d+) received", said)
    assert counted, said
    sent, received = map(int, counted.groups())
    # It went on all the while; where the processors are busy, it sends fewer.
    assert sent > (time.monotonic() - since) / PING_SECONDS / 2
    # Replies may be on their way when ping ends; an interruption of more than a second would cost more.
    assert sent - received <= 5, said


def test_the_screen_is_shown_through_the_vip(lab: Lab, cloud: Cloud, guest: Guest) -> None:
    console = cloud.compute.create_console(guest.server.id, console_type="novnc")
    url = str(console["url"])
    assert url.startswith(lab.endpoints["novncproxy"])
    trusted = ("--cacert", lab.authority) if lab.authority else ()
    page = run("curl", "--silent", "--noproxy", "*", "--fail", "--max-time", "20", *trusted, url).stdout
    assert "noVNC" in page
    status, said = clouds.screen(url, lab.authority)
    assert " 101 " in f"{status} "
    assert b"RFB 003.008\n" in said


def test_a_screen_is_not_shown_without_its_token(lab: Lab) -> None:
    page = f"{lab.endpoints['novncproxy']}/vnc_lite.html?path=%3Ftoken%3D{uuid.uuid4()}"
    status, said = clouds.screen(page, lab.authority)
    assert b"RFB" not in said, status


def test_a_volume_keeps_its_bytes_from_one_guest_to_the_next(cloud: Cloud, guest: Guest, tmp_path: Path) -> None:
    clouds.needs(cloud, "volumev3")
    name = f"test-{uuid.uuid4().hex[:8]}"
    guest.await_ssh()
    with clouds.volume(cloud, name) as disk, clouds.guest(cloud, name, tmp_path, floating=True) as other:
        with clouds.attached(cloud, guest, disk) as device:
            written = guest.fill(device)
        other.await_ssh(clouds.BOOT_SECONDS)
        with clouds.attached(cloud, other, disk) as device:
            assert other.sum(device) == written


def test_a_flavor_that_there_is_not_is_named(lab: Lab, cloud: Cloud) -> None:
    said = _refused(lab, "--flavor", "no-such-flavor", "--image", "guest", "--network", "demo")
    assert "no-such-flavor" in said and "Traceback" not in said


def test_an_image_that_there_is_not_is_named(lab: Lab, cloud: Cloud) -> None:
    said = _refused(lab, "--flavor", "tiny", "--image", "no-such-image", "--network", "demo")
    assert "no-such-image" in said and "Traceback" not in said


def _refused(lab: Lab, *arguments: str) -> str:
    command = ("openstack", "server", "create", *arguments, "test-refused")
    done = run(*command, check=False, env=clouds.environment(lab.openrc))
    assert done.returncode != 0
    return done.stdout + done.stderr


@pytest.fixture
def huge(cloud: Cloud) -> Iterator[Any]:
    """Make a flavor that no host has the disk for; unlike memory, disks have no quota."""
    flavor = cloud.compute.create_flavor(name=f"test-{uuid.uuid4().hex[:8]}", ram=128, vcpus=1, disk=1_000_000)
    yield flavor
    cloud.compute.delete_flavor(flavor)


def test_a_guest_too_big_for_every_host_says_so(cloud: Cloud, huge: Any) -> None:
    server = cloud.compute.create_server(
        name=huge.name,
        flavor_id=huge.id,
        image_id=cloud.image.find_image("guest", ignore_missing=False).id,
        networks=[{"uuid": cloud.network.find_network("demo", ignore_missing=False).id}],
    )
    try:
        eventually("it is given up", lambda: cloud.compute.get_server(server.id).status == "ERROR", interval=1)
        assert "No valid host was found" in cloud.compute.get_server(server.id).fault["message"]
    finally:
        clouds.remove_server(cloud, server.id)
