"""What preparation consists of, and that it builds the images that the program asks for."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
import yaml

from commands import prebuild
from components import paths, services
from components.configuration import environment, preflight
from components.configuration.environment import Environment
from components.configuration.faults import ConfigurationFaults
from components.host import dockerfiles
from prepare import __main__ as prepare
from prepare.jobs import Board
from tests.unit.graph_recorder import CONFIG, config, container, plain_config, record_lab

SCRIPTS = {"docker", "openvswitch", "python", "engine", "backend", "stack", "cleanup"}


def read(given: dict[str, Any]) -> Environment:
    lab, _ = environment.load(given, stack="lab", roles=services.facts(), base_dir=paths.PROJECT)
    return lab


def test_each_step_is_a_script() -> None:
    for job in prepare.jobs("lab", images=False):
        assert os.access(job.command[0], os.X_OK) and Path(job.command[0]).is_file()
        assert job.name in SCRIPTS


def test_nothing_is_built_where_no_images_are_wanted() -> None:
    assert {job.name for job in prepare.jobs("lab", images=False)} == SCRIPTS
    assert {job.name for job in prepare.jobs("lab", images=True)} == {*SCRIPTS, "image base", "images"}


def test_the_engine_begins_before_anything_that_is_short() -> None:
    first = Board(prepare.jobs("lab", images=True)).begin()
    assert first is not None and first.name == "engine"


def test_an_image_is_built_after_the_one_that_it_is_made_from() -> None:
    told = [
        {"directory": name, "tag": dockerfiles.tag(name), "parent": dockerfiles.parent_tag(name), "files": {},
         "packages": []}
        for name in dockerfiles.images_for("nova")
    ]  # fmt: skip
    made = {job.name: job.needs for job in prepare._found_out(json.dumps(told))}
    assert made == {
        "image openstack": ("image base",),
        "image nova": ("image openstack",),
    }
    # A parent that the engine has already isn't among them.
    made = {job.name: job.needs for job in prepare._found_out(json.dumps(told[2:]))}
    assert made == {"image nova": ("image base",)}


def test_a_builds_input_is_what_the_operation_takes() -> None:
    (base,) = [job for job in prepare.jobs("lab", images=True) if job.name == "image base"]
    assert json.loads(base.stdin) == {
        "tag": dockerfiles.tag("base"),
        "parent": "debian:trixie-slim",
        "files": dockerfiles.context("base"),
        "packages": [],
        "sources": {},
    }


@pytest.mark.parametrize(
    "changed",
    [
        config(),
        config(demo=True),
        container("plain1", image="base"),
        container("plain1", image="registry.example/thing:1"),
        plain_config(3),
    ],
)
def test_the_images_are_those_that_the_program_asks_for(changed: dict[str, Any]) -> None:
    asked = {build.parameters()["tag"] for build in record_lab(changed).operations("image-build")}
    assert {dockerfiles.tag(name) for name in prebuild.wanted(read(changed))} == asked


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a project's directory, on a host in which the check finds nothing."""
    monkeypatch.setattr(paths, "PROJECT", tmp_path)
    monkeypatch.setattr(preflight, "gather_all", lambda *_: {})
    return tmp_path


def write(project: Path, content: object) -> None:
    (project / "Pulumi.h1.yaml").write_text(yaml.safe_dump(content, sort_keys=False))


def test_the_lab_of_this_checkout_has_its_images_told_each_after_its_parent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(preflight, "gather_all", lambda *_: {})
    lab = prebuild.configured("lab")
    told = prebuild.wanted(lab)
    assert "guest" in told
    for name in told:
        before = dockerfiles.images_for(name)[-2:-1]
        assert not before or told.index(before[0]) < told.index(name)
    assert {services.ROLES[c.role].image_directory for c in lab.containers} <= set(told)


def test_a_secret_of_the_configuration_is_no_obstacle(project: Path) -> None:
    common = {**CONFIG["common"], "passwords": {"keystone_admin": {"secure": "v1:xxxx:yyyy"}}}
    write(project, {"config": {f"dockstack:{key}": value for key, value in config(common=common).items()}})
    assert set(prebuild.wanted(prebuild.configured("h1"))) == set(prebuild.wanted(read(config())))


@pytest.mark.parametrize("content", [["text"], "text", {"config": []}])
def test_a_file_without_a_configuration_is_left_to_up(
    project: Path, content: object, capsys: pytest.CaptureFixture[str]
) -> None:
    write(project, content)
    assert prebuild.main("h1") == 0
    said = capsys.readouterr()
    assert json.loads(said.out) == []
    assert "Pulumi.h1.yaml has no configuration" in said.err


def test_a_stack_without_a_file_is_left_to_up(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert prebuild.main("organization/dockstack/h1") == 0
    assert json.loads(capsys.readouterr().out) == []


def test_faults_are_told_in_the_words_of_up_and_nothing_is_built(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    wrong = container("galera1", address="10.87.0.20")
    write(project, {"config": {f"dockstack:{key}": value for key, value in wrong.items()}})
    with pytest.raises(ConfigurationFaults) as told:
        read(wrong)
    assert prebuild.main("h1") == 0
    said = capsys.readouterr()
    assert json.loads(said.out) == []
    assert str(told.value) in said.err


def test_a_fault_of_the_host_keeps_images_from_being_built(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    full = preflight.HostFacts(disk_free_mib=10, bridges={}, memory_available_mib=10**6)
    monkeypatch.setattr(preflight, "gather_all", lambda *_: {"local": full})
    write(project, {"config": {f"dockstack:{key}": value for key, value in config().items()}})
    assert prebuild.main("h1") == 0
    said = capsys.readouterr()
    assert json.loads(said.out) == []
    assert "10 MiB are free" in said.err


@pytest.mark.parametrize("near", [True, False])
def test_images_of_other_hosts_are_built_here_where_the_lab_is_here_too(near: bool) -> None:
    several = config(containerHosts={**({"local": {}} if near else {}), "far": {"ssh": {"host": "192.0.2.1"}}})
    several["containerDefaults"]["host"] = "local" if near else "far"
    several["containers"]["tempest1"]["host"] = "far"
    found = environment.survey(several, stack="lab", roles=services.facts(), base_dir=paths.PROJECT)
    assert found.environment is not None
    told = prebuild.wanted(found.environment)
    assert {"tempest", "galera"} <= set(told) if near else not told


@pytest.mark.parametrize(
    ("changed", "late"),
    [
        (config(demo=True), {"compute", "dashboard", "guest", "neutron", "tempest"}),
        (
            config(common=CONFIG["common"] | {"networking": "opensdn"}),
            {"compute", "dashboard", "neutron", "neutron-opensdn", "tempest"},
        ),
    ],
)
def test_what_the_lab_needs_last_is_left_to_up(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], changed: dict[str, Any], late: set[str]
) -> None:
    lab = read(changed)
    monkeypatch.setattr(prebuild, "configured", lambda _stack: lab)
    monkeypatch.setattr(prebuild, "run", lambda _command: "")
    assert prebuild.main("h1") == 0
    told = {image["directory"] for image in json.loads(capsys.readouterr().out)}
    assert told == set(prebuild.wanted(lab)) - late
    # Nothing that is built before may be made from one of them.
    assert not {before for name in told for before in dockerfiles.images_for(name)} & late
