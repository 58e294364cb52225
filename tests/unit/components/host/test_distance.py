"""What is found and done on hosts behind ssh beside the resources: drift, claims, cleanup."""

from __future__ import annotations

import json
import subprocess
from types import SimpleNamespace
from typing import Any

import pytest

from commands import cleanup
from components import ssh
from components.configuration.environment import ConfiguredHost, Ssh
from components.configuration.preflight import HostFacts
from components.host import distance
from components.host.distance import Findings
from hostside import drift
from hostside.cli import SERVICES
from hostside.drift import Finding

FAR = ConfiguredHost(name="far", ssh=Ssh(host="192.0.2.20"), home="/srv/dockstack")
MINE = "file:///srv/backend on here"


def answers(monkeypatch: pytest.MonkeyPatch, stdout: str, status: int = 0) -> list[list[str]]:
    asked: list[list[str]] = []

    def run(command: list[str], **_: Any) -> subprocess.CompletedProcess[str]:
        asked.append(command)
        if status:
            raise subprocess.CalledProcessError(status, command)
        return subprocess.CompletedProcess(command, 0, stdout, "")

    monkeypatch.setattr(subprocess, "run", run)
    monkeypatch.setattr("components.ssh.CONTROL", SimpleNamespace(mkdir=lambda **_: None))
    return asked


def test_what_the_tool_there_finds_is_known_under_its_operation(monkeypatch: pytest.MonkeyPatch) -> None:
    told = {"found": [["port-attach", "c1", 3, "c1 lacks its port", "pulumi up"]]}
    asked = answers(monkeypatch, json.dumps(told))
    found = Findings(FAR, "lab")
    assert found["port-attach", "c1"].result() == Finding(3, "c1 lacks its port", "pulumi up")
    assert found["port-attach", "c2"].result() == Finding(0, "")
    assert dict(found).keys() == {("port-attach", "c1")}
    assert "/srv/dockstack/stacks/lab/tool look lab" in asked[0][-1]
    assert len(asked) == 1


@pytest.mark.parametrize(("stdout", "status"), [("", 255), ("", 0), ("no JSON", 0), ("{}", 0)])
def test_a_host_that_does_not_tell_has_nothing_changed(
    monkeypatch: pytest.MonkeyPatch, stdout: str, status: int
) -> None:
    answers(monkeypatch, stdout, status)
    assert Findings(FAR, "lab").get(("port-attach", "c1")) is not None
    assert Findings(FAR, "lab")["port-attach", "c1"].result() == Finding(0, "")


def test_the_tool_tells_what_it_finds_and_not_what_is_as_it_was(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    found = {("a", "1"): Finding(0, ""), ("b", "2"): Finding(2, "gone"), ("c", "3"): Finding(1, "")}
    done = {key: SimpleNamespace(result=lambda finding=finding: finding) for key, finding in found.items()}
    monkeypatch.setattr(drift, "detect", lambda *_: done)
    told = SERVICES["look"](tmp_path, "lab")
    assert told == {"found": [["b", "2", 2, "gone", "pulumi up"], ["c", "3", 1, "", "pulumi up"]]}


def test_a_stack_of_another_state_is_left_alone_on_a_host_behind_ssh(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(distance, "owner", lambda: MINE)
    distance.claim("lab", FAR, HostFacts())
    distance.claim("lab", FAR, HostFacts(backend=MINE))
    with pytest.raises(cleanup.ForeignStack, match=r"stack lab on host far belongs to the state in s3://other"):
        distance.claim("lab", FAR, HostFacts(backend="s3://other"))


def test_a_backend_in_files_is_that_of_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PULUMI_BACKEND_URL", "file:///srv/backend")
    assert distance.owner().startswith("file:///srv/backend on ")
    monkeypatch.setenv("PULUMI_BACKEND_URL", "s3://shared")
    assert distance.owner() == "s3://shared"


@pytest.fixture
def scripts(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    run: list[str] = []
    monkeypatch.setattr(distance, "owner", lambda: MINE)
    monkeypatch.setattr(distance, "runner_for", lambda _host: run.append)
    return run


def test_containers_that_no_state_knows_are_removed_there(scripts: list[str]) -> None:
    there = {"c1": ("lab", True), "c2": ("lab", False), "other1": ("other", True), "mine": (None, True)}
    ids = {name: f"id-{name}" for name in there}
    found = HostFacts(containers=there, ids=ids, backend=MINE)
    distance.clear_unrecorded("lab", FAR, found, {"id-c1"})
    (script,) = scripts
    assert "docker rm --force --volumes id-c2 " in script
    assert not any(each in script for each in ("id-c1", "id-other1", "id-mine"))


def test_a_host_that_is_ours_and_clean_is_not_asked_again(scripts: list[str]) -> None:
    found = HostFacts(containers={"c1": ("lab", True)}, ids={"c1": "id-c1"}, backend=MINE)
    distance.clear_unrecorded("lab", FAR, found, {"id-c1"})
    assert scripts == []


def test_a_new_host_is_noted_as_ours(scripts: list[str]) -> None:
    distance.clear_unrecorded("lab", FAR, HostFacts(), ())
    (script,) = scripts
    assert "/srv/dockstack/stacks/lab/backend" in script and MINE in script and "docker rm" not in script


def test_what_is_not_to_end_with_others_has_a_connection_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("components.ssh.CONTROL", SimpleNamespace(mkdir=lambda **_: None))
    assert FAR.ssh is not None
    # Of an option that is given twice, ssh takes the first.
    paths = [word for word in ssh.command(FAR.ssh, ["true"], alone=True) if word.startswith("ControlPath=")]
    assert paths[0] == "ControlPath=none"
    assert "ControlPath=none" not in ssh.command(FAR.ssh, ["true"])
