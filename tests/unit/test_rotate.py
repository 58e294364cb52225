"""Which resources `make rotate` has replaced; a real rotation is in tests/lab."""

from __future__ import annotations

import itertools
import subprocess

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
