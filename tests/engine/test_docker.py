"""docker.Container and docker.Volume as far as the lab leans on them, with a tiny image that is never pulled."""

import io
import json
import os
import shutil
import subprocess
import tarfile
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.engine.harness import PREFIX, Project, Resource, Result

pytestmark = pytest.mark.engine

BASE = "debian:trixie-slim"


def docker(*arguments: str, data: bytes | None = None) -> str:
    """Run the docker client and return what it prints."""
    done = subprocess.run(["docker", *arguments], input=data, capture_output=True, timeout=120, check=True)
    return done.stdout.decode().strip()


def exists(kind: str, name: str) -> bool:
    """Say whether Docker has a `kind` (container, image or volume) of this name."""
    command = ["docker", kind, "inspect", name]
    return subprocess.run(command, capture_output=True, timeout=60, check=False).returncode == 0


def inspect(name: str) -> dict[str, Any]:
    """Return what Docker knows of a container."""
    found: list[dict[str, Any]] = json.loads(docker("container", "inspect", name))
    return found[0]


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The ID of a local image with a shell: the lab's base where it is there, else one made of a static busybox."""
    if (
        shutil.which("docker") is None
        or subprocess.run(["docker", "info"], capture_output=True, check=False).returncode
    ):
        pytest.skip("no Docker engine answers")
    if exists("image", BASE):
        yield docker("image", "inspect", "--format", "{{.Id}}", BASE)
        return
    directory = tmp_path_factory.mktemp("busybox")
    subprocess.run(["apt-get", "download", "-q", "busybox-static"], cwd=directory, check=True, capture_output=True)
    (package,) = directory.glob("*.deb")
    subprocess.run(["dpkg", "-x", str(package), str(directory / "root")], check=True)
    (busybox,) = (path for path in (directory / "root").rglob("busybox") if path.is_file() and os.access(path, os.X_OK))
    layer = io.BytesIO()
    with tarfile.open(fileobj=layer, mode="w") as archive:
        archive.add(busybox, "bin/busybox")
        for name in ("sh", "sleep"):
            link = tarfile.TarInfo(f"bin/{name}")
            link.type, link.linkname = tarfile.SYMTYPE, "busybox"
            archive.addfile(link)
    tag = f"{PREFIX}busybox:{uuid.uuid4().hex[:8]}"
    identity = docker("import", "-", tag, data=layer.getvalue())
    try:
        yield identity
    finally:
        docker("image", "rm", tag)


@dataclass
class Story:
    """What each stage showed."""

    name: str
    volume: str
    created: dict[str, Any] = field(default_factory=dict)
    no_changes: Result = field(default_factory=lambda: Result(1, ""))
    updated: dict[str, Any] = field(default_factory=dict)
    drift: Result = field(default_factory=lambda: Result(1, ""))
    restarted: dict[str, Any] = field(default_factory=dict)
    missing: Result = field(default_factory=lambda: Result(1, ""))
    replaced: dict[str, Any] = field(default_factory=dict)
    volume_kept: bool = False
    left: list[str] = field(default_factory=list)


@pytest.fixture(scope="module")
def story(
    new_project: Callable[[str], Project], image: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Story]:
    """Create, change in place, stop from outside, replace, remove from outside, destroy."""
    mounted: Path = tmp_path_factory.mktemp("mounted")
    token = uuid.uuid4().hex[:8]
    told = Story(f"{PREFIX}{token}", f"{PREFIX}{token}")
    project = new_project("docker")

    def program(memory: int, restart: str, path: str) -> list[Resource]:
        return [
            Resource("volume", {"name": told.volume}, type="docker.Volume"),
            Resource(
                "container",
                {
                    "name": told.name,
                    "image": image,
                    "command": ["/bin/sh", "-c", "trap 'exit 0' TERM; while :; do sleep 1; done"],
                    "hostname": "contract",
                    "network_mode": "none",
                    "labels": [{"label": "dockstack.contract", "value": token}],
                    "volumes": [
                        {"volume_name": told.volume, "container_path": "/kept"},
                        {"host_path": str(mounted), "container_path": path, "read_only": True},
                    ],
                    "memory": memory,
                    "memory_swap": memory,
                    "restart": restart,
                    "must_run": True,
                },
                type="docker.Container",
            ),
        ]

    try:
        project.up(*program(64, "no", "/first")).require()
        told.created = inspect(told.name)
        told.no_changes = project.run("preview", "--expect-no-changes")
        project.up(*program(96, "unless-stopped", "/first")).require()
        told.updated = inspect(told.name)
        docker("stop", "--time", "5", told.name)
        told.drift = project.run("refresh", "--yes", "--skip-preview", "--diff")
        project.up().require()
        told.restarted = inspect(told.name)
        docker("exec", told.name, "/bin/sh", "-c", "echo here >/kept/mark")
        project.up(*program(96, "unless-stopped", "/second")).require()
        told.replaced = inspect(told.name)
        told.volume_kept = docker("exec", told.name, "/bin/sh", "-c", "read x </kept/mark; echo $x") == "here"
        docker("rm", "--force", told.name)
        told.missing = project.run("refresh", "--yes", "--skip-preview", "--diff")
        project.up().require()
        project.run("destroy", "--yes", "--skip-preview").require()
        told.left = [kind for kind in ("container", "volume") if exists(kind, told.name)]
        yield told
    finally:
        for kind, options in (("container", ["--force"]), ("volume", [])):
            if exists(kind, told.name):
                docker(kind, "rm", *options, told.name)


def test_create(story: Story) -> None:
    host = story.created["HostConfig"]
    assert host["NetworkMode"] == "none"
    assert host["Memory"] == 64 * 1024 * 1024
    assert host["RestartPolicy"]["Name"] == "no"
    assert story.created["Config"]["Hostname"] == "contract"
    assert story.created["State"]["Running"]
    assert story.created["Config"]["Labels"]["dockstack.contract"] in story.name
    mounts = {mount["Destination"]: mount for mount in story.created["Mounts"]}
    assert mounts["/kept"]["Name"] == story.volume
    assert not mounts["/first"]["RW"]


def test_a_second_preview_finds_no_changes(story: Story) -> None:
    assert story.no_changes.status == 0, story.no_changes.output


def test_restart_and_memory_change_in_place(story: Story) -> None:
    assert story.updated["Id"] == story.created["Id"]
    assert story.updated["State"]["StartedAt"] == story.created["State"]["StartedAt"]
    assert story.updated["HostConfig"]["Memory"] == 96 * 1024 * 1024
    assert story.updated["HostConfig"]["RestartPolicy"]["Name"] == "unless-stopped"


def test_refresh_shows_a_stopped_container_and_up_starts_it(story: Story) -> None:
    assert "mustRun" in story.drift.output
    assert story.restarted["Id"] == story.created["Id"]
    assert story.restarted["State"]["Running"]


def test_a_changed_mount_replaces_the_container_under_its_name(story: Story) -> None:
    assert story.replaced["Id"] != story.created["Id"]
    assert "/second" in {mount["Destination"] for mount in story.replaced["Mounts"]}
    assert story.volume_kept


def test_refresh_shows_a_removed_container(story: Story) -> None:
    assert "deleted" in story.missing.output or "delete" in story.missing.output


def test_destroy_leaves_nothing(story: Story) -> None:
    assert story.left == []


@pytest.mark.usefixtures("own_docker")
def test_the_native_image_is_refused_by_name(new_project: Callable[[str], Project]) -> None:
    project = new_project("image")
    project.declare(Resource("native", {"image_name": f"{PREFIX}never"}, type="docker.Image"))
    result = project.run("preview")
    assert result.status != 0
    assert "docker:index/image:Image" in result.output
