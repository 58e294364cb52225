"""Images: their names, their order, and what is asked of the engine that builds them."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest

from components import paths, services
from components.host import dockerfiles
from tests.unit.graph_recorder import CONFIG, CONTAINER, Graph, container, record_lab

DIRECTORIES = sorted(path.name for path in paths.DOCKERFILES.iterdir() if path.is_dir())


def forget() -> None:
    for function in (dockerfiles.context, dockerfiles.parent, dockerfiles.tag):
        function.cache_clear()


@pytest.fixture
def copied(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Return a copy of Dockerfiles/ that a test may change."""
    shutil.copytree(paths.DOCKERFILES, tmp_path / "Dockerfiles")
    monkeypatch.setattr(paths, "DOCKERFILES", tmp_path / "Dockerfiles")
    forget()
    yield tmp_path / "Dockerfiles"
    forget()


@pytest.mark.parametrize("directory", DIRECTORIES)
def test_an_image_is_made_from_the_distribution_through_images_of_ours(directory: str) -> None:
    line = dockerfiles.images_for(directory)
    assert line[0] == "base"
    assert line[-1] == directory
    assert dockerfiles.parent("base") == "debian:trixie-slim"
    for before, after in pairwise(line):
        assert dockerfiles.parent(after) == f"dockstack/{before}"


def test_keystone_is_made_from_the_image_that_openstack_services_share() -> None:
    assert dockerfiles.images_for("keystone") == ["base", "openstack", "keystone"]


@pytest.mark.parametrize("directory", DIRECTORIES)
def test_an_images_dockerfile_takes_its_parent_from_outside(directory: str) -> None:
    lines = (paths.DOCKERFILES / directory / "Dockerfile").read_text().splitlines()
    assert lines[0].startswith("ARG PARENT=")
    assert any(line.startswith("FROM ${PARENT}") for line in lines)
    assert all("${PARENT}" in line or " AS " in line.upper() for line in lines if line.startswith("FROM "))


def test_a_tag_is_the_same_for_the_same_content(copied: Path) -> None:
    before = dockerfiles.tag("keystone")
    forget()
    assert dockerfiles.tag("keystone") == before
    assert before.startswith("dockstack/keystone:")


@pytest.mark.parametrize("changed", ["keystone", "openstack", "base"])
def test_a_change_of_an_image_or_of_any_ancestor_changes_its_tag(copied: Path, changed: str) -> None:
    before = dockerfiles.tag("keystone")
    with (copied / changed / "Dockerfile").open("a") as file:
        file.write("# changed\n")
    forget()
    assert dockerfiles.tag("keystone") != before


def test_a_change_of_an_image_leaves_its_ancestors_and_its_siblings_alone(copied: Path) -> None:
    before = {name: dockerfiles.tag(name) for name in ("base", "openstack", "galera")}
    with (copied / "keystone/Dockerfile").open("a") as file:
        file.write("# changed\n")
    forget()
    assert {name: dockerfiles.tag(name) for name in before} == before


def test_a_new_file_a_changed_name_and_a_changed_mode_change_the_tag(copied: Path) -> None:
    tags = {dockerfiles.tag("galera")}
    extra = copied / "galera/extra"
    extra.write_text("text\n")
    forget()
    tags.add(dockerfiles.tag("galera"))
    extra.chmod(0o755)
    forget()
    tags.add(dockerfiles.tag("galera"))
    extra.rename(copied / "galera/other")
    forget()
    tags.add(dockerfiles.tag("galera"))
    assert len(tags) == 4


def test_a_dockerfile_without_a_parent_is_refused_by_name(copied: Path) -> None:
    (copied / "galera/Dockerfile").write_text("FROM debian\n")
    with pytest.raises(ValueError, match=r"Dockerfiles/galera/Dockerfile.*ARG PARENT"):
        dockerfiles.parent("galera")


def test_every_image_is_built_once_after_the_one_that_it_is_made_from(lab: Graph) -> None:
    builds = {r.parameters()["tag"]: r for r in lab.operations("image-build")}
    assert len(builds) == len(lab.operations("image-build"))
    for build in builds.values():
        parent = build.parameters()["parent"]
        if parent in builds:
            assert lab.comes_before(builds[parent], build)
        else:
            assert parent == "debian:trixie-slim"


def test_only_the_images_that_run_and_their_ancestors_are_built(lab: Graph) -> None:
    wanted = {services.KEEPER.image_directory}
    wanted |= {services.ROLES[given["role"]].image_directory for given in CONFIG["containers"].values()}
    line = {ancestor for name in wanted for ancestor in dockerfiles.images_for(name)}
    assert {r.parameters()["tag"].split(":")[0] for r in lab.operations("image-build")} == {
        f"dockstack/{n}" for n in line
    }


def test_a_build_gets_the_whole_directory_with_modes(lab: Graph) -> None:
    for directory in ("galera", "base"):
        root = paths.DOCKERFILES / directory
        given = lab.the("image-build", tag=dockerfiles.tag(directory)).parameters()["files"]
        there = {str(path.relative_to(root)): path for path in root.rglob("*") if path.is_file()}
        assert {name: (file["content"], file["mode"]) for name, file in given.items()} == {
            name: (path.read_text(), "755" if os.access(path, os.X_OK) else "644") for name, path in there.items()
        }
    assert given["policy-rc.d"]["mode"] == "755"
    assert given["apt-lean"]["mode"] == "644"


def test_a_build_tells_the_versions_of_the_packages_that_its_role_names(lab: Graph) -> None:
    given = lab.the("image-build", tag=dockerfiles.tag("galera")).parameters()
    assert given["packages"] == list(services.ROLES["galera"].packages) != []


def test_two_containers_of_a_role_share_its_image() -> None:
    graph = record_lab(container("galera2", role="galera", address="10.87.0.31"))
    assert len(graph.operations("image-build", tag=dockerfiles.tag("galera"))) == 1
    used = {r.inputs["image"] for r in graph.of_type(CONTAINER) if r.name.startswith("galera")}
    assert len(used) == 1


def test_an_image_outlives_the_lab(lab: Graph) -> None:
    assert not any("delete" in r.inputs for r in lab.operations("image-build"))
