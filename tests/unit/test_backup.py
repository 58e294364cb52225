"""What a backup's file keeps of volumes, and what a restore refuses; a lab that gets its data back is in tests/lab."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from commands import backup
from hostside import archive, engine
from hostside.errors import StepError
from hostside.process import CommandFailed

MANIFEST = {"format": 1, "stack": "lab", "containers": {}}
CONTAINER = {"role": "galera", "address": "10.87.0.30", "fqdn": "galera1.lab", "volumes": {"galera1-data": "/data"}}


@pytest.fixture
def volumes(tmp_path: Path) -> dict[str, Path]:
    """Two volumes as Docker lays them out: one with all that data can be, one empty."""
    found = {name: tmp_path / "volumes" / name / "_data" for name in ("galera1-data", "ceph1-data")}
    for path in found.values():
        path.mkdir(parents=True)
    data = found["galera1-data"]
    (data / "private").mkdir(mode=0o700)
    (data / "private/key").write_text("first")
    (data / "private/key").chmod(0o640)
    os.link(data / "private/key", data / "same")
    os.symlink("/elsewhere/_data/x", data / "link")
    with (data / "sparse").open("wb") as file:
        file.truncate(1 << 30)
    data.chmod(0o750)
    return found


def test_a_file_gives_back_what_was_there_and_nothing_else(tmp_path: Path, volumes: dict[str, Path]) -> None:
    file = tmp_path / "lab.tar.zst"
    archive.pack(file, MANIFEST, volumes)
    assert archive.manifest(file) == MANIFEST
    assert file.stat().st_mode & 0o777 == 0o600
    data = volumes["galera1-data"]
    (data / "private/key").write_text("second")
    (data / "new").write_text("came later")
    (volumes["ceph1-data"] / "new").write_text("came later")

    archive.unpack(file, volumes)
    assert (data / "private/key").read_text() == "second"
    archive.swap(volumes)

    assert sorted(path.name for path in data.iterdir()) == ["link", "private", "same", "sparse"]
    assert (data / "private/key").read_text() == "first"
    assert (data / "private/key").stat().st_mode & 0o777 == 0o640
    assert (data / "private/key").samefile(data / "same")
    assert os.readlink(data / "link") == "/elsewhere/_data/x"
    assert (data / "sparse").stat().st_size == 1 << 30
    assert (data / "sparse").stat().st_blocks < 100
    assert data.stat().st_mode & 0o777 == 0o750
    assert list(volumes["ceph1-data"].iterdir()) == []
    assert [path.name for path in data.parent.iterdir()] == ["_data"]


def test_files_beside_the_volumes_are_put_where_they_belong(tmp_path: Path, volumes: dict[str, Path]) -> None:
    file, old, new = tmp_path / "lab.tar.zst", tmp_path / "old", tmp_path / "new"
    for directory in (old, new):
        directory.mkdir()
        (directory / "key").write_text(directory.name)
    (old / "key").chmod(0o600)
    archive.pack(file, MANIFEST, volumes, [old / "key"])
    archive.place(file, ["key"], new)
    assert (new / "key").read_text() == "old"
    assert (new / "key").stat().st_mode & 0o777 == 0o600
    archive.place(file, [], new)


def test_a_damaged_file_changes_nothing(tmp_path: Path, volumes: dict[str, Path]) -> None:
    file = tmp_path / "lab.tar.zst"
    archive.pack(file, MANIFEST, volumes)
    file.write_bytes(file.read_bytes()[:-40])
    with pytest.raises(CommandFailed):
        archive.unpack(file, volumes)
    assert [path.name for path in volumes["galera1-data"].parent.iterdir()] == ["_data"]


def test_a_file_that_lacks_a_volume_changes_nothing(tmp_path: Path, volumes: dict[str, Path]) -> None:
    file = tmp_path / "lab.tar.zst"
    archive.pack(file, MANIFEST, {"galera1-data": volumes["galera1-data"]})
    with pytest.raises(CommandFailed, match="ceph1-data"):
        archive.unpack(file, volumes)
    assert [path.name for path in volumes["galera1-data"].parent.iterdir()] == ["_data"]


def test_a_backup_that_fails_leaves_the_former_one(tmp_path: Path, volumes: dict[str, Path]) -> None:
    file = tmp_path / "lab.tar.zst"
    file.write_text("the former")
    with pytest.raises(CommandFailed):
        archive.pack(file, MANIFEST, {**volumes, "gone": tmp_path / "volumes/gone/_data"})
    assert file.read_text() == "the former"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["lab.tar.zst", "volumes"]


def test_a_swap_that_was_cut_off_is_finished_by_the_next(tmp_path: Path, volumes: dict[str, Path]) -> None:
    file = tmp_path / "lab.tar.zst"
    archive.pack(file, MANIFEST, volumes)
    data = volumes["galera1-data"]
    data.rename(data.with_name(archive.FORMER))
    archive.unpack(file, volumes)
    archive.swap(volumes)
    assert (data / "private/key").read_text() == "first"
    assert [path.name for path in data.parent.iterdir()] == ["_data"]


class Engine:
    """An engine with containers in one state or another."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, states: dict[str, str], obeys: bool = True) -> None:
        self.states, self.obeys = states, obeys
        monkeypatch.setattr(engine, "containers", self.listed)
        monkeypatch.setattr(engine, "pause", lambda name: self.obeys and self.states.update({name: "paused"}))
        monkeypatch.setattr(engine, "unpause", lambda name: self.states.update({name: "running"}))

    def listed(self, _stack: str) -> list[Mapping[str, Any]]:
        return [{"Names": [f"/{name}"], "State": state} for name, state in self.states.items()]


def test_all_stand_still_and_go_on_even_after_a_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    states = {"galera1": "running", "nova1": "running", "idle1": "exited", "held1": "paused"}
    played = Engine(monkeypatch, dict(states))
    with pytest.raises(ZeroDivisionError), archive.standing_still("lab"):
        assert "running" not in played.states.values()
        raise ZeroDivisionError
    assert played.states == states


def test_nothing_is_taken_while_one_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    Engine(monkeypatch, {"galera1": "running"}, obeys=False)
    with pytest.raises(StepError, match="did not freeze"), archive.standing_still("lab"):
        raise AssertionError


def test_a_lab_that_differs_is_refused_with_each_reason() -> None:
    other = {**CONTAINER, "address": "10.87.0.31"}
    told = {"format": 1, "containers": {"galera1": CONTAINER, "ceph1": CONTAINER}}
    faults = backup.differences(told, {"galera1": other, "glance1": CONTAINER})
    assert [fault.split(".")[0] for fault in faults] == [
        "  it has nothing of glance1",
        "  the lab has no ceph1",
        "  galera1: address is 10",
    ]
    assert all("Fix: " in fault for fault in faults)
    assert backup.differences(told, dict(told["containers"])) == []  # type: ignore[call-overload]


def test_a_file_of_another_format_is_refused() -> None:
    assert "Fix: " in backup.differences({"format": 2}, {})[0]


@pytest.mark.parametrize(
    ("outputs", "reason"),
    [
        (None, "is not up"),
        ({"addresses": {"far1": "10.87.0.9"}}, "not on this host: far1"),
        ({"addresses": {}}, "have no volumes"),
    ],
)
def test_what_is_not_all_here_is_not_saved(
    monkeypatch: pytest.MonkeyPatch, outputs: dict[str, Any] | None, reason: str
) -> None:
    monkeypatch.setattr(backup, "outputs_of", lambda _stack: outputs)
    monkeypatch.setattr(engine, "inspect", lambda _name: None)
    with pytest.raises(backup.Refused, match=reason):
        backup.describe("lab", {})
