"""Images through the VIP: the bytes that come back, and what a user's mistakes are answered with."""

from __future__ import annotations

import hashlib
import json
import os
import urllib.request
import uuid
from collections.abc import Iterator
from http import HTTPStatus
from pathlib import Path

import pytest

from hostside import web
from tests.lab.cloud import environment
from tests.lab.conftest import Lab
from tests.lab.harness import inside, run

pytestmark = [pytest.mark.lab, pytest.mark.shares]

BYTES = 64 * 1024 * 1024
"""More than haproxy and uwsgi hold in their buffers."""


@pytest.fixture
def cloud(lab: Lab) -> dict[str, str]:
    """Return the environment of the administrator's shell."""
    if not any(service["role"] == "glance" for service in lab.services.values()):
        pytest.skip("this lab has no Glance")
    return environment(lab.openrc)


@pytest.fixture
def name(cloud: dict[str, str]) -> Iterator[str]:
    """Return a name for an image, which is deleted afterwards."""
    chosen = f"test-{uuid.uuid4().hex[:8]}"
    yield chosen
    run("openstack", "image", "delete", chosen, env=cloud, check=False)


def upload(name: str, path: Path, cloud: dict[str, str], disk_format: str = "raw") -> str:
    """Upload a file and return the image's status."""
    shown = run(
        "openstack", "image", "create", name, "--file", str(path), "--disk-format", disk_format,
        "--container-format", "bare", "-f", "json", env=cloud,
    )  # fmt: skip
    return str(json.loads(shown.stdout)["status"])


def test_an_image_comes_back_as_it_was_uploaded_and_is_gone_once_deleted(
    tmp_path: Path, name: str, cloud: dict[str, str]
) -> None:
    path, back = tmp_path / "disk", tmp_path / "back"
    path.write_bytes(os.urandom(BYTES))
    upload(name, path, cloud)
    shown = json.loads(run("openstack", "image", "show", name, "-f", "json", env=cloud).stdout)
    assert (shown["status"], shown["size"]) == ("active", BYTES)
    run("openstack", "image", "save", name, "--file", str(back), env=cloud)
    assert back.read_bytes() == path.read_bytes()
    run("openstack", "image", "delete", name, env=cloud)
    listed = json.loads(run("openstack", "image", "list", "-f", "json", env=cloud).stdout)
    assert name not in {image["Name"] for image in listed}


def test_an_image_lies_on_the_volume_of_its_own_and_leaves_it(
    tmp_path: Path, lab: Lab, name: str, cloud: dict[str, str]
) -> None:
    glance = lab.of_role("glance")
    path = tmp_path / "disk"
    path.write_bytes(os.urandom(1024))
    upload(name, path, cloud)
    stored = json.loads(run("openstack", "image", "show", name, "-f", "json", env=cloud).stdout)["id"]
    assert stored in inside(glance, "ls", "/var/lib/glance/images")
    run("openstack", "image", "delete", name, env=cloud)
    assert stored not in inside(glance, "ls", "/var/lib/glance/images")


@pytest.mark.parametrize("piece", [64 * 1024, 1024 * 1024, 8 * 1024 * 1024])
def test_an_image_may_come_in_pieces_of_any_size(lab: Lab, name: str, cloud: dict[str, str], piece: int) -> None:
    """As Cinder sends a volume: a file's length is known to few who read it to its end."""
    headers = {"X-Auth-Token": run("openstack", "token", "issue", "-f", "value", "-c", "id", env=cloud).stdout.strip()}
    opener, images = web.opener(cloud.get("OS_CACERT", "")), f"{lab.endpoints['glance']}/v2/images"
    # The command line would give it what comes from its standard input.
    new = json.dumps({"name": name, "disk_format": "raw", "container_format": "bare"}).encode()
    as_json = {**headers, "Content-Type": "application/json"}
    with opener.open(urllib.request.Request(images, new, as_json), timeout=60) as answer:
        image = json.load(answer)["id"]
    pieces = [os.urandom(piece) for _ in range(3)]
    as_bytes = {**headers, "Content-Type": "application/octet-stream"}
    upload_in_pieces = urllib.request.Request(f"{images}/{image}/file", iter(pieces), as_bytes, method="PUT")
    with opener.open(upload_in_pieces, timeout=60) as answer:
        assert answer.status == HTTPStatus.NO_CONTENT
    with opener.open(urllib.request.Request(f"{images}/{image}", headers=headers), timeout=60) as answer:
        found = json.load(answer)["os_hash_value"]
    assert found == hashlib.sha512(b"".join(pieces)).hexdigest()


def test_an_image_that_isnt_there_is_named_without_a_traceback(cloud: dict[str, str]) -> None:
    done = run("openstack", "image", "show", "no-such-image", env=cloud, check=False)
    assert done.returncode != 0
    assert "no-such-image" in done.stderr
    assert "Traceback" not in done.stderr


def test_content_that_isnt_of_the_format_is_refused_in_glances_words(
    tmp_path: Path, lab: Lab, name: str, cloud: dict[str, str]
) -> None:
    log = "/var/log/supervisor/glance-api.log"
    before = int(inside(lab.of_role("glance"), "sh", "-c", f"wc -c < {log}"))
    path = tmp_path / "disk"
    path.write_bytes(b"this is no disk in that format" * 4096)
    done = run(
        "openstack", "image", "create", name, "--file", str(path), "--disk-format", "qcow2",
        "--container-format", "bare", env=cloud, check=False,
    )  # fmt: skip
    assert done.returncode != 0
    assert "Unsupported Media Type" in done.stderr
    assert "Traceback" not in done.stderr
    said = inside(lab.of_role("glance"), "tail", "-c", f"+{before + 1}", log)
    assert "Traceback" not in said
