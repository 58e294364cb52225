"""Two each of Glance and Cinder on one Ceph: one does what the other did, and a member that goes leaves nothing."""

from __future__ import annotations

import hashlib
import json
import subprocess
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Collection, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import requests

from hostside import web
from tests.lab.attempts import Attempts
from tests.lab.cloud import Cloud, connect
from tests.lab.harness import (
    OF_LABS,
    Stack,
    brought_up,
    eventually,
    inside,
    kill_container,
    left_since,
    long_drill,
    puppet_runs,
    started_at,
)

pytestmark = [pytest.mark.lab, pytest.mark.drill, long_drill]

STACK = "t176"
SUBNET = "10.86.176"
GLANCES = [f"{STACK}-glance{number}" for number in (1, 2)]
CINDERS = [f"{STACK}-cinder{number}" for number in (1, 2)]
ONE_EACH = {
    "dnsmasq": 53, "puppet": 10, "haproxy": 20, "galera": 30, "rabbitmq": 40, "redis": 43, "memcached": 45,
    "keystone": 50, "ceph": 70,
}  # fmt: skip
DATA = bytes(range(256)) * 4096


def configuration(members: int = 2) -> dict[str, Any]:
    """Return a lab that has images and volumes, with so many members of these two roles."""
    several = {
        **{name: {"role": "glance", "address": f"{SUBNET}.{60 + at}"} for at, name in enumerate(GLANCES[:members])},
        **{name: {"role": "cinder", "address": f"{SUBNET}.{75 + at}"} for at, name in enumerate(CINDERS[:members])},
    }
    one_each = {f"{STACK}-{role}1": {"role": role, "address": f"{SUBNET}.{last}"} for role, last in ONE_EACH.items()}
    return {
        "common": {"domain": f"{STACK}.lab", "vip": f"{SUBNET}.250", "imageBackend": "rbd"},
        "containerDefaults": {"mask": 24, "gateway": f"{SUBNET}.1", "bridge": f"br-{STACK}"},
        "containers": one_each | several,
    }


@pytest.fixture(scope="module")
def made(before: dict[str, list[str]], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """Bring the lab up with one member each; a test makes them two."""
    with brought_up(STACK, tmp_path_factory.mktemp("stacks"), configuration(members=1)) as made:
        yield made


@pytest.fixture
def cloud(made: Stack) -> Cloud:
    """The lab's OpenStack as its administrator sees it."""
    return connect(made.outputs()["openrc"])


def measured(what: str, work: Callable[[], object], fault: Callable[[], object]) -> None:
    """Bring a fault about while requests are made; tell what failed, and see that all succeeds again within 10 s."""
    made = Attempts()
    with made.making(lambda _number: work(), 0.1):
        eventually("a request succeeds", lambda: bool(made.succeeded()), interval=0.1)
        begun = time.monotonic()
        fault()
        eventually(f"all succeeds after: {what}", lambda: made.is_steady(begun), 180, 0.2)
    failures = [(each.ended - begun, each.failure) for each in made.failed(begun)]
    last = max((at for at, _ in failures), default=0.0)
    print(f"\n{what}: {len(failures)} of {len(made.since(0))} failed, all well after {last:.1f} s", flush=True)
    for at, error in failures[:5]:
        print(f"  after {at:.1f} s: {error[:160]}", flush=True)
    assert last <= 10, failures


def upload(cloud: Cloud, name: str = "bytes") -> Any:
    """Make an image of the test's bytes through the VIP."""
    image = cloud.image.create_image(
        name, data=DATA, disk_format="raw", container_format="bare", validate_checksum=False
    )
    return cloud.image.get_image(image.id)


def asked(cloud: Cloud, number: int, path: str, data: bytes | None = None, method: str = "", **headers: str) -> bytes:
    """Ask one of the Glances, at its own address."""
    given = {"X-Auth-Token": cloud.auth_token, "Content-Type": "application/json"}
    given |= {name.replace("_", "-"): value for name, value in headers.items()}
    url = f"http://{SUBNET}.{59 + number}:9292/v2{path}"
    request = urllib.request.Request(url, data, given, method=method or None)
    with web.opener().open(request, timeout=60) as told:
        return bytes(told.read())


BYTES = "application/octet-stream"


def imported(cloud: Cloud, number: int, image: str, method: str, *stores: str) -> None:
    """Have one of the Glances import an image, and wait until that is done."""
    body = {"method": {"name": method}, **({"stores": stores} if stores else {})}
    asked(cloud, number, f"/images/{image}/import", json.dumps(body).encode())
    eventually("it is imported", lambda: is_complete(cloud.image.get_image(image), stores), interval=0.5)


def is_complete(image: Any, stores: Collection[str]) -> bool:
    """Say whether an image is there, in all of some stores."""
    return image.status == "active" and set(stores) <= set((image.properties or {}).get("stores", "").split(","))


def volume(cloud: Cloud, **how: Any) -> Any:
    """Make a volume, and wait until it can be used."""
    made = cloud.block_storage.create_volume(size=1, **how)
    return cloud.block_storage.wait_for_status(made, status="available", failures=["error"], interval=0.5, wait=120)


def remove(cloud: Cloud, made: Any) -> None:
    """Delete a volume, and wait until it's gone."""
    cloud.block_storage.delete_volume(made)
    cloud.block_storage.wait_for_delete(made, interval=0.5, wait=120)


def services(cloud: Cloud) -> set[tuple[str, str]]:
    """Return the services that Cinder knows: program and host."""
    return {(each.binary, each.host) for each in cloud.block_storage.services()}


def belongings() -> set[str]:
    """Return what Cinder's volumes belong to: host, and cluster."""
    query = "SELECT DISTINCT CONCAT(host, ' ', COALESCE(cluster_name, '-')) FROM cinder.volumes WHERE deleted = 0"
    return set(inside(f"{STACK}-galera1", "mariadb", "--batch", "--skip-column-names", stdin=query).splitlines())


def clusters() -> set[str]:
    """Return the clusters that Cinder knows."""
    query = "SELECT name FROM cinder.clusters WHERE deleted = 0"
    return set(inside(f"{STACK}-galera1", "mariadb", "--batch", "--skip-column-names", stdin=query).split())


def queues() -> set[str]:
    """Return the names of all queues."""
    listing = ("rabbitmqctl", "list_queues", "--silent", "--formatter=json", "name")
    return {each["name"] for each in json.loads(inside(f"{STACK}-rabbitmq1", *listing))}


def of_several() -> set[tuple[str, str]]:
    """Return the services of two members."""
    hosts = [f"{name}.{STACK}.lab" for name in CINDERS]
    return {
        *((binary, host) for host in hosts for binary in ("cinder-backup", "cinder-scheduler")),
        *(("cinder-volume", f"{host}@rbd") for host in hosts),
    }


def of_one() -> set[tuple[str, str]]:
    """Return the services of a single member."""
    return {("cinder-backup", "cinder"), ("cinder-scheduler", "cinder"), ("cinder-volume", "cinder@rbd")}


def test_an_image_that_is_a_file_is_copied_to_ceph(made: Stack, cloud: Cloud) -> None:
    image = cloud.image.create_image("file", disk_format="raw", container_format="bare", allow_duplicates=True)
    asked(cloud, 1, f"/images/{image.id}/file", DATA, "PUT", Content_Type=BYTES, X_Image_Meta_Store="default")
    path = f"/var/lib/glance/images/{image.id}"
    assert inside(GLANCES[0], "stat", "--format=%s", path).strip() == str(len(DATA))
    imported(cloud, 1, image.id, "copy-image", "rbd")
    inside(GLANCES[0], "rm", path)
    assert asked(cloud, 1, f"/images/{image.id}/file") == DATA
    cloud.image.delete_image(image.id)


def test_what_a_single_member_had_belongs_to_both_once_there_are_two(made: Stack, cloud: Cloud) -> None:
    assert services(cloud) == of_one()
    image, disk = upload(cloud, "from-one"), volume(cloud, name="from-one")
    assert belongings() == {"cinder@rbd#rbd -"}
    started = started_at(STACK)

    made.configure(configuration())
    made.up()

    stayed = [name for name in started if name not in (*GLANCES, *CINDERS)]
    assert [started_at(STACK)[name] for name in stayed] == [started[name] for name in stayed]
    eventually("both volume services are known", lambda: services(cloud) == of_several(), interval=1)
    assert clusters() == {"volumes@rbd"}
    assert {line.split()[1] for line in belongings()} == {"volumes@rbd#rbd"}
    assert all(hashlib.sha256(asked(cloud, each, f"/images/{image.id}/file")).digest() == digest() for each in (1, 2))
    remove(cloud, disk)
    cloud.image.delete_image(image)


def digest() -> bytes:
    """Return what tells the test's bytes."""
    return hashlib.sha256(DATA).digest()


def test_a_second_update_and_a_second_run_of_puppet_change_nothing(made: Stack) -> None:
    made.preview("--expect-no-changes")
    ended = puppet_runs([*GLANCES, *CINDERS], "--test")
    assert {name: done.stdout + done.stderr for name, done in ended.items() if done.returncode} == {}


def test_an_image_of_one_glance_is_the_others_and_what_one_was_sent_another_imports(cloud: Cloud) -> None:
    image = upload(cloud)
    assert all(asked(cloud, each, f"/images/{image.id}/file") == DATA for each in (1, 2))
    cloud.image.delete_image(image)
    staged = cloud.image.create_image("staged", disk_format="raw", container_format="bare", allow_duplicates=True)
    asked(cloud, 1, f"/images/{staged.id}/stage", DATA, "PUT", Content_Type=BYTES)
    imported(cloud, 2, staged.id, "glance-direct")
    assert asked(cloud, 2, f"/images/{staged.id}/file") == DATA
    cloud.image.delete_image(staged.id)
    left = [inside(name, "sh", "-c", "ls /var/lib/glance/staging /var/lib/glance/tasks").split() for name in GLANCES]
    assert [name for names in left for name in names if staged.id in name] == []


@pytest.mark.parametrize("number", [1, 2])
def test_images_are_taken_and_given_while_a_glance_is_killed(cloud: Cloud, number: int) -> None:
    kept: list[str] = []

    def exchange() -> None:
        image = upload(cloud)
        kept.append(image.id)
        assert bytes(cloud.image.download_image(image.id).content) == DATA

    measured(f"glance{number} killed", exchange, lambda: kill_container(GLANCES[number - 1]))
    assert all(asked(cloud, 3 - number, f"/images/{name}/file") == DATA for name in kept)
    for image in list(cloud.image.images(name="bytes")):
        cloud.image.delete_image(image)
    eventually("it is back", lambda: answers(cloud, number), interval=1)


def test_an_upload_that_its_member_dies_of_is_told_so_and_the_other_one_goes_on(cloud: Cloud) -> None:
    begun, dead = threading.Barrier(3), threading.Event()

    def pieces() -> Iterator[bytes]:
        yield DATA
        begun.wait(60)
        assert dead.wait(60)
        yield DATA

    def send(image: str) -> int:
        url = f"{cloud.session.get_endpoint(service_type='image')}/v2/images/{image}/file"
        headers = {"X-Auth-Token": cloud.auth_token, "Content-Type": BYTES}
        try:
            return int(requests.put(url, data=pieces(), headers=headers, timeout=60).status_code)
        except requests.ConnectionError:
            return 0

    images = [cloud.image.create_image("cut", disk_format="raw", container_format="bare", allow_duplicates=True)]
    images += [cloud.image.create_image("cut", disk_format="raw", container_format="bare", allow_duplicates=True)]
    with ThreadPoolExecutor(2) as pool:
        # haproxy gives each member one of them.
        sent = [pool.submit(send, image.id) for image in images]
        begun.wait(60)
        kill_container(GLANCES[1])
        dead.set()
        status = [each.result() for each in sent]
    assert sorted(done == 204 for done in status) == [False, True], status
    (whole,) = [image.id for image, done in zip(images, status, strict=True) if done == 204]
    assert asked(cloud, 1, f"/images/{whole}/file") == DATA * 2
    for image in images:
        cloud.image.delete_image(image.id)
    cloud.image.delete_image(upload(cloud, "sent-again").id)
    eventually("it is back", lambda: answers(cloud, 2), interval=1)


def answers(cloud: Cloud, number: int) -> bool:
    """Say whether one of the Glances answers."""
    try:
        return bool(asked(cloud, number, "/images"))
    except OSError:
        return False


@pytest.mark.parametrize("number", [1, 2])
def test_volumes_are_made_and_removed_while_a_cinder_is_killed(cloud: Cloud, number: int) -> None:
    first = volume(cloud, name="kept")
    measured(
        f"cinder{number} killed",
        lambda: list(cloud.block_storage.volumes()),
        lambda: kill_container(CINDERS[number - 1]),
    )
    begun = time.monotonic()
    copy = volume(cloud, source_volume_id=first.id)
    snapshot = cloud.block_storage.create_snapshot(volume_id=copy.id)
    cloud.block_storage.wait_for_status(snapshot, status="available", interval=0.5, wait=120)
    cloud.block_storage.delete_snapshot(snapshot)
    cloud.block_storage.wait_for_delete(snapshot, interval=0.5, wait=120)
    for each in (copy, first):
        remove(cloud, each)
    print(f"\na copy, its snapshot and both gone: {time.monotonic() - begun:.1f} s", flush=True)
    eventually("all services are up", lambda: all(s.state == "up" for s in cloud.block_storage.services()), interval=1)


LOCK = """
import sys
from cinder import coordination
from oslo_config import cfg

cfg.CONF([], project="cinder", default_config_files=["/etc/cinder/cinder.conf"])
coordination.COORDINATOR.start()
lock = coordination.COORDINATOR.get_lock("of-the-test")
taken = lock.acquire(blocking=False)
print(taken, flush=True)
sys.stdin.read()
if taken:
    lock.release()
coordination.COORDINATOR.stop()
"""


def test_what_one_has_locked_is_locked_for_the_other() -> None:
    command = ["docker", "exec", "-i", CINDERS[0], "python3", "-c", LOCK]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline().strip() == "True"
        assert inside(CINDERS[1], "python3", "-c", LOCK, stdin="").strip() == "False"
        holder.communicate("")
    assert inside(CINDERS[1], "python3", "-c", LOCK, stdin="").strip() == "True"


def test_a_member_that_goes_leaves_nothing_in_the_other_and_comes_again(made: Stack, cloud: Cloud) -> None:
    image, disk = upload(cloud, "stays"), volume(cloud, name="stays")
    made.configure(configuration(members=1))
    made.up()
    assert services(cloud) == of_one()
    assert clusters() == set()
    assert belongings() == {"cinder@rbd#rbd -"}
    assert [name for name in queues() if any(word in name for word in ("cinder1", "cinder2", "volumes"))] == []
    assert asked(cloud, 1, f"/images/{image.id}/file") == DATA
    made.configure(configuration())
    made.up()
    eventually("both are known", lambda: services(cloud) == of_several(), interval=1)
    assert asked(cloud, 2, f"/images/{image.id}/file") == DATA
    remove(cloud, disk)


def test_nothing_is_left_of_it(made: Stack, before: dict[str, list[str]]) -> None:
    made.destroy()
    assert left_since(before, OF_LABS) == {}
