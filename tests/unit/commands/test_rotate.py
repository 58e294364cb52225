"""Which resources `make rotate` has replaced; a real rotation is in tests/lab."""

from __future__ import annotations

import itertools
import json
import subprocess
from typing import Any

import pytest

from commands import cleanup, rotate

URN = "urn:pulumi:lab::dockstack::dockstack:index:Lab$command:local:Command::"


@pytest.fixture
def updates(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """A stack with two generated secrets; the updates that are asked for."""
    asked: list[list[str]] = []

    def update(command: list[str], **_options: object) -> subprocess.CompletedProcess[str]:
        asked.append(command)
        return subprocess.CompletedProcess(command, 0)

    names = ("secret-nova_database", "nova1-provisioning", "secret-enrolment")
    monkeypatch.setattr(cleanup, "resources", lambda _stack: [{"urn": f"{URN}{name}"} for name in names])
    monkeypatch.setattr(subprocess, "run", update)
    return asked


def replaced(command: list[str]) -> list[str]:
    return [word.removeprefix(URN) for before, word in itertools.pairwise(command) if before == "--replace"]


def test_all_are_replaced_unless_some_are_named(updates: list[list[str]]) -> None:
    assert rotate.main("lab", []) == 0
    assert rotate.main("lab", ["nova_database"]) == 0
    assert list(map(replaced, updates)) == [["secret-enrolment", "secret-nova_database"], ["secret-nova_database"]]


def test_a_name_that_is_none_of_them_is_a_fault_with_the_names_there_are(
    updates: list[list[str]], capsys: pytest.CaptureFixture[str]
) -> None:
    assert rotate.main("lab", ["nova_databse", "nova_database"]) == 1
    assert updates == []
    told = capsys.readouterr().err
    assert "has generated no nova_databse" in told and "enrolment, nova_database" in told


def test_of_a_ring_the_oldest_key_is_replaced(updates: list[list[str]], monkeypatch: pytest.MonkeyPatch) -> None:
    made = {"keystone_fernet_key_1": "300\na", "keystone_fernet_key_2": "20\nb", "keystone_fernet_key_3": "100\nc"}

    def resources(_stack: str, *, secrets: bool = False) -> list[dict[str, Any]]:
        known = {f"secret-{name}": {"stdout": {"plaintext": json.dumps(value)}} for name, value in made.items()}
        return [{"urn": f"{URN}{name}", "outputs": out} for name, out in {**known, "secret-enrolment": {}}.items()]

    monkeypatch.setattr(cleanup, "resources", resources)
    assert rotate.main("lab", ["keystone_fernet"]) == 0
    assert rotate.main("lab", ["enrolment"]) == 0
    assert rotate.main("lab", []) == 0
    oldest = "secret-keystone_fernet_key_2"
    assert list(map(replaced, updates)) == [[oldest], ["secret-enrolment"], ["secret-enrolment", oldest]]
    assert rotate.main("lab", ["keystone_fernet_key_1"]) == 1
