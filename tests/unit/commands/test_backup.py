"""What a backup's file keeps of volumes, and what a restore refuses; a lab that gets its data back is in tests/lab."""

from __future__ import annotations

import os
import subprocess
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from commands import backup, jobs, keeping
from commands.jobs import Job
from commands.keeping import Here, There
from hostside import archive, docker_api, process
from hostside.errors import Refused, StepError
from hostside.process import CommandFailed
from tests.unit.played_hosts import STACK, Hosts, played

MANIFEST = {"format": 2, "stack": "lab", "containers": {}}
CONTAINER = {"role": "galera", "address": "10.87.0.30", "fqdn": "galera1.lab", "volumes": {"galera1-data": "/data"}}
OUTPUTS: dict[str, Any] = {
    "addresses": {"puppet1": "10.87.0.10", "web1": "10.87.0.60", "galera1": "10.87.0.30"},
    "services": {
        "puppet1": {"role": "puppet", "host": "local"},
        "web1": {"role": "plain", "host": "far"},
        "galera1": {"role": "galera", "host": "far"},
    },
}


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


def pack(file: Path, volumes: Mapping[str, Path], *beside: Path) -> None:
    """Write a backup of one host."""
    with archive.whole(file) as part:
        archive.begin(part, MANIFEST)
        with part.open("ab") as out:
            jobs.together([Job("this host", archive.packing(volumes, beside), out=out)], 60)


def unpack(file: Path, volumes: Mapping[str, Path], *beside: str) -> None:
    """Lay what a backup has beside what there is."""
    with file.open("rb") as source:
        archive.unpack(source, volumes, beside, file.parent)


def test_a_file_gives_back_what_was_there_and_nothing_else(tmp_path: Path, volumes: dict[str, Path]) -> None:
    file = tmp_path / "lab.tar.zst"
    pack(file, volumes)
    assert archive.manifest(file) == MANIFEST
    assert file.stat().st_mode & 0o777 == 0o600
    data = volumes["galera1-data"]
    (data / "private/key").write_text("second")
    (data / "new").write_text("came later")
    (volumes["ceph1-data"] / "new").write_text("came later")

    unpack(file, volumes)
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


def test_a_file_of_the_first_format_is_read_as_well(tmp_path: Path, volumes: dict[str, Path]) -> None:
    file, text = tmp_path / "lab.tar.zst", tmp_path / archive.MANIFEST
    text.write_text('{"format": 1, "containers": {}, "beside": []}')
    with file.open("wb") as out:
        subprocess.run(archive.packing(volumes, [text]), stdout=out, check=True)
    assert backup.differences(archive.manifest(file), {}) == []
    (volumes["galera1-data"] / "private/key").write_text("second")
    unpack(file, volumes)
    archive.swap(volumes)
    assert (volumes["galera1-data"] / "private/key").read_text() == "first"


def test_a_damaged_file_changes_nothing(tmp_path: Path, volumes: dict[str, Path]) -> None:
    file = tmp_path / "lab.tar.zst"
    pack(file, volumes)
    file.write_bytes(file.read_bytes()[:-40])
    with pytest.raises(CommandFailed):
        unpack(file, volumes)
    assert [path.name for path in volumes["galera1-data"].parent.iterdir()] == ["_data"]


def test_a_file_that_lacks_a_volume_changes_nothing(tmp_path: Path, volumes: dict[str, Path]) -> None:
    file = tmp_path / "lab.tar.zst"
    pack(file, {"galera1-data": volumes["galera1-data"]})
    with pytest.raises(CommandFailed, match="ceph1-data"):
        unpack(file, volumes)
    assert [path.name for path in volumes["galera1-data"].parent.iterdir()] == ["_data"]


def test_a_backup_that_fails_leaves_the_former_one(tmp_path: Path, volumes: dict[str, Path]) -> None:
    file = tmp_path / "lab.tar.zst"
    file.write_text("the former")
    with pytest.raises(CommandFailed, match="this host: tar: gone"):
        pack(file, {**volumes, "gone": tmp_path / "volumes/gone/_data"})
    assert file.read_text() == "the former"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["lab.tar.zst", "volumes"]


def test_a_swap_that_was_cut_off_is_finished_by_the_next(tmp_path: Path, volumes: dict[str, Path]) -> None:
    file = tmp_path / "lab.tar.zst"
    pack(file, volumes)
    data = volumes["galera1-data"]
    data.rename(data.with_name(archive.FORMER))
    unpack(file, volumes)
    archive.swap(volumes)
    assert (data / "private/key").read_text() == "first"
    assert [path.name for path in data.parent.iterdir()] == ["_data"]


def test_with_the_first_program_that_fails_all_are_ended() -> None:
    slow = Job("slow", ["sleep", "60"])
    with pytest.raises(CommandFailed, match=r"^quick: the reason$"):
        jobs.together([slow, Job("quick", ["sh", "-c", "echo the reason >&2; exit 3"])], 60)
    with pytest.raises(CommandFailed, match="not all of it was done within 0 s"):
        jobs.together([slow], 0.1)


def test_one_program_reads_what_another_writes(tmp_path: Path) -> None:
    first = Job("first", ["echo", "text"])
    with (tmp_path / "out").open("wb") as out:
        jobs.together([first, Job("second", ["cat"], source=first, out=out)], 60)
    assert (tmp_path / "out").read_text() == "text\n"


class Engine:
    """An engine with containers in one state or another."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, states: dict[str, str], obeys: bool = True) -> None:
        self.states, self.obeys = states, obeys
        monkeypatch.setattr(docker_api, "containers", self.listed)
        monkeypatch.setattr(docker_api, "pause", lambda name: self.obeys and self.states.update({name: "paused"}))
        monkeypatch.setattr(docker_api, "unpause", lambda name: self.states.update({name: "running"}))

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


def test_data_that_were_on_another_host_are_refused() -> None:
    told = {"format": 1, "containers": {"galera1": CONTAINER}}
    (fault,) = backup.differences(told, {"galera1": {**CONTAINER, "host": "far"}})
    assert "galera1: host is far here, and was the one that the command runs on. Fix: " in fault
    assert backup.differences(told, {"galera1": {**CONTAINER, "host": ""}}) == []


def test_a_file_of_another_format_is_refused() -> None:
    assert "Fix: " in backup.differences({"format": 3}, {})[0]


@pytest.fixture
def hosts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hosts]:
    """Play a lab on two hosts, each with a keeper and data."""
    with played(tmp_path, monkeypatch) as made:
        for each in (made.here, made.far):
            each.add("lab-keeper")
        made.here.add("puppet1", "puppet1-ca")
        made.far.add("galera1", "galera1-data")
        made.far.add("web1", state="exited")
        (made.here.volumes["puppet1-ca"] / "crt").write_text("first")
        (made.far.volumes["galera1-data"] / "ibdata1").write_text("first")
        (made.far_directory / "demo-key").write_text("first")
        monkeypatch.setattr(backup, "outputs_of", lambda _stack: OUTPUTS)
        monkeypatch.setattr("commands.places.behind_ssh", lambda _stack: [made.host])
        yield made


def change(hosts: Hosts) -> list[Path]:
    """Change all data of the two hosts, and return the files."""
    found = [
        hosts.here.volumes["puppet1-ca"] / "crt",
        hosts.far.volumes["galera1-data"] / "ibdata1",
        hosts.far_directory / "demo-key",
    ]
    for path in found:
        path.write_text("second")
    return found


def left(hosts: Hosts) -> list[str]:
    """Return what there is of a restore that has not come to its end."""
    places = [*hosts.here.root.glob("*/*"), *hosts.far.root.glob("*/*"), *hosts.far_directory.glob("restored")]
    return [str(path) for path in places if path.name != "_data"]


def test_data_of_all_hosts_are_taken_at_one_moment_and_each_gets_back_its_own(hosts: Hosts, tmp_path: Path) -> None:
    file, before = tmp_path / "lab.tar.zst", hosts.states
    backup.backup(STACK, file)
    assert hosts.states == before
    verbs = [verb for _, verb, _ in hosts.events]
    assert verbs == ["pause"] * 4 + ["unpause"] * 4
    assert {(host, name) for host, _, name in hosts.events} == {
        ("here", "lab-keeper"), ("here", "puppet1"), ("far", "lab-keeper"), ("far", "galera1"),
    }  # fmt: skip
    assert file.stat().st_mode & 0o777 == 0o600
    assert sorted(path.name for path in tmp_path.iterdir()) == ["far", "here", "lab.tar.zst"]

    changed = change(hosts)
    backup.restore(STACK, file)
    assert [path.read_text() for path in changed] == ["first"] * 3
    assert hosts.states == {"here lab-keeper": "running", "far lab-keeper": "running"}
    assert left(hosts) == []


def test_a_host_that_does_not_answer_is_told_before_anything_stands_still(
    hosts: Hosts, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("components.ssh.command", lambda *_, **__: ["sh", "-c", "echo no route to host >&2; exit 255"])
    assert backup.main(["backup", STACK, str(tmp_path / "lab.tar.zst")]) == 1
    said = capsys.readouterr().err
    assert "containerHosts.far: the host can't be asked: no route to host. Fix: Bring it back" in said
    assert hosts.events == [] and not (tmp_path / "lab.tar.zst").exists()


def test_a_tool_of_another_version_is_told_before_anything_stands_still(hosts: Hosts, tmp_path: Path) -> None:
    program = hosts.far_directory / "tool/hostside/cli.py"
    program.write_text(program.read_text().replace('"saved"', '"other"'))
    with pytest.raises(Refused, match=r"on host far: .*the tool of this version doesn't know it.*\. Fix: `make lab`"):
        backup.backup(STACK, tmp_path / "lab.tar.zst")
    assert hosts.events == []


def test_where_one_host_cannot_freeze_all_go_on(hosts: Hosts, tmp_path: Path) -> None:
    before = hosts.states
    hosts.far.freezes = False
    with pytest.raises(StepError, match="did not freeze") as told:
        backup.backup(STACK, tmp_path / "lab.tar.zst")
    assert "host far: standing still failed" in str(told.value) and "the engine did not freeze it" in str(told.value)
    assert hosts.states == before and not (tmp_path / "lab.tar.zst").exists()


def test_where_one_host_cannot_be_saved_all_go_on_and_the_former_backup_stays(hosts: Hosts, tmp_path: Path) -> None:
    file, before = tmp_path / "lab.tar.zst", hosts.states
    file.write_text("the former")
    (hosts.far.volumes["galera1-data"] / "ibdata1").unlink()
    hosts.far.volumes["galera1-data"].rmdir()
    with pytest.raises(CommandFailed, match=r"(?s)host far: .*galera1-data"):
        backup.backup(STACK, file)
    assert hosts.states == before and file.read_text() == "the former"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["far", "here", "lab.tar.zst"]


def test_an_interruption_lets_all_go_on(hosts: Hosts) -> None:
    before = hosts.states
    with (
        pytest.raises(KeyboardInterrupt),
        keeping.standing_still([Here(STACK, hosts.directory), There(STACK, hosts.host)]),
    ):
        assert "running" not in hosts.states.values()
        raise KeyboardInterrupt
    assert hosts.states == before


def test_a_backup_whose_connection_was_lost_is_none_and_all_have_gone_on(hosts: Hosts) -> None:
    before, far = hosts.states, There(STACK, hosts.host)
    with pytest.raises(StepError, match="went on before all was saved"), keeping.standing_still([far]):
        assert far._still is not None
        far._still.terminate()
        far._still.wait(10)
        assert hosts.states == before


def test_a_host_goes_on_when_nothing_is_heard_any_more(hosts: Hosts, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive, "SILENT_SECONDS", 0.2)
    reading, writing = os.pipe()
    said: list[str] = []
    os.write(writing, b"beat\nbeat\n")
    with pytest.raises(StepError, match="not heard any more"):
        archive.stand_still(STACK, reading, said.append)
    assert said == ["frozen"] and hosts.here.states["puppet1"] == "running"
    with pytest.raises(StepError, match="not heard any more"), open(os.devnull) as ended:
        archive.stand_still(STACK, ended.fileno(), said.append)
    said.pop()
    os.write(writing, b"beat\nlet ")
    threading.Timer(0.05, os.write, (writing, b"go\n")).start()
    archive.stand_still(STACK, reading, said.append)
    assert said[1:] == ["frozen", "held"]


@pytest.mark.parametrize("bytes_", [40, 2000])
def test_what_is_damaged_changes_nothing_on_any_host(hosts: Hosts, tmp_path: Path, bytes_: int) -> None:
    file = tmp_path / "lab.tar.zst"
    (hosts.far.volumes["galera1-data"] / "more").write_bytes(os.urandom(1 << 14))
    backup.backup(STACK, file)
    changed, before = change(hosts), hosts.states
    file.write_bytes(file.read_bytes()[:-bytes_])
    with pytest.raises(CommandFailed):
        backup.restore(STACK, file)
    assert [path.read_text() for path in changed] == ["second"] * 3
    assert hosts.states == before and left(hosts) == []


def test_what_is_not_all_there_is_not_saved(hosts: Hosts, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backup, "outputs_of", lambda _stack: None)
    with pytest.raises(Refused, match="is not up"):
        backup.look(STACK)
    monkeypatch.setattr(backup, "outputs_of", lambda _stack: OUTPUTS)
    found = hosts.far.containers.pop("web1")
    with pytest.raises(Refused, match="not there: web1"):
        backup.look(STACK)
    hosts.far.containers["web1"] = found
    hosts.here.volumes.clear()
    hosts.far.volumes.clear()
    with pytest.raises(Refused, match="have no volumes"):
        backup.look(STACK)


def test_a_lab_that_has_nothing_here_is_saved_without_an_engine_here(
    hosts: Hosts, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file, data = tmp_path / "lab.tar.zst", hosts.far.volumes["galera1-data"] / "ibdata1"
    outputs = {"addresses": {"galera1": "10.87.0.30"}, "services": {"galera1": {"role": "galera", "host": "far"}}}
    monkeypatch.setattr(backup, "outputs_of", lambda _stack: outputs)
    monkeypatch.setattr(process, "SOCKET", "/nowhere")
    backup.backup(STACK, file)
    data.write_text("second")
    backup.restore(STACK, file)
    assert data.read_text() == "first"


def test_without_its_file_a_lab_of_several_hosts_is_refused(hosts: Hosts, monkeypatch: pytest.MonkeyPatch) -> None:
    def unreadable(_stack: str) -> None:
        raise ValueError("Pulumi.lab.yaml has no configuration to read: gone")

    monkeypatch.setattr("commands.places.behind_ssh", unreadable)
    monkeypatch.setattr("commands.places.outputs_of", lambda _stack: OUTPUTS)
    with pytest.raises(Refused, match=r"Pulumi.lab.yaml .* Fix: "):
        backup.look(STACK)
