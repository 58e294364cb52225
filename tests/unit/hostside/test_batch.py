"""Ports in batches, on a host whose `ip` and `ovs-vsctl` are played: one change for all, and none holds up another."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from pathlib import Path

import pytest

from hostside import batch, leaving, namespace, ovs, ports
from hostside.errors import StepError
from hostside.ports import Port
from hostside.process import CommandFailed


def port(container: str, interface: str = "eth0") -> Port:
    address = "10.87.0.30/24" if interface == "eth0" else ""
    return Port(container, "lab", interface, "br-lab", address, "10.87.0.1", "02:42:0a:57:00:1e", 1500)


class Host:
    """Containers that run, and the ports that there are."""

    def __init__(self, links: Path) -> None:
        self.links = links
        self.running = {name: (1000 + n, [port(name)]) for n, name in enumerate(("a1", "b1", "c1"))}
        self.entries: dict[str, str] = {}
        self.configured: set[int] = set()
        self.changes: list[list[list[str]]] = []
        self.batches: list[list[str]] = []
        self.alone: list[str] = []
        self.ended: set[int] = set()
        self.refuses = False

    def run(self, arguments: Sequence[str], *, stdin: str | None = None, **_options: object) -> str:
        pid = int(arguments[1].split("/")[2])
        assert arguments[0] == "nsenter"
        if "-batch" in arguments:
            assert stdin is not None
            self.configured.add(pid)
        return ""

    def make(self, lines: Iterable[str]) -> bool:
        self.batches.append(list(lines))
        for words in map(str.split, self.batches[-1]):
            if words[:2] == ["link", "add"] and int(words[-1]) not in self.ended:
                (self.links / words[2]).touch()
            if words[:2] == ["link", "delete"]:
                (self.links / words[2]).unlink()
        return True

    def change(self, commands: Iterable[list[str]]) -> None:
        self.changes.append(list(commands))
        if self.refuses:
            raise CommandFailed("no bridge named br-lab")
        for words in self.changes[-1]:
            if words[1] == "add-port":
                assert (self.links / words[3]).exists()
            if words[0] == "set":
                self.entries[words[2]] = words[3].partition("=")[2]
            if words[1] == "del-port":
                self.entries.pop(words[2], None)

    def held(self) -> dict[str, ovs.Held]:
        return {owner: {"eth0": [name]} for name, owner in self.entries.items()}

    def is_attached(self, wanted: Port, pid: int, held: ovs.Held) -> bool:
        return wanted.name in self.entries and wanted.name in held.get(wanted.interface, []) and pid in self.configured

    def attach(self, container: str, _locks: Path) -> str:
        self.alone.append(container)
        if self.running[container][0] in self.ended:
            return "none"
        if container == "c1":
            raise StepError(container, ports.STEP, "the bridge is gone")
        return "attached"


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Host:
    links = tmp_path / "links"
    links.mkdir()
    played = Host(links)
    monkeypatch.setattr(ports, "LINKS", links)
    monkeypatch.setattr(ports, "running", lambda name: played.running.get(name, (0, [])))
    monkeypatch.setattr(ports, "is_attached", played.is_attached)
    monkeypatch.setattr(ports, "links", played.make)
    monkeypatch.setattr(ports, "attach", played.attach)
    monkeypatch.setattr(ovs, "change", played.change)
    monkeypatch.setattr(ovs, "ports_by_container", played.held)
    monkeypatch.setattr(ovs, "is_userspace", lambda _bridge: True)
    monkeypatch.setattr(namespace, "has", lambda _pid, _interface: False)
    monkeypatch.setattr(batch, "run", played.run)
    return played


def attach(host: Host, names: Collection[str], directory: Path) -> dict[str, str | StepError]:
    return batch.attach(names, directory / "locks")


def test_many_are_attached_by_one_change_of_the_switch(host: Host, tmp_path: Path) -> None:
    host.running["two1"] = (1100, [port("two1"), port("two1", "eth1")])
    done = attach(host, ["a1", "b1", "two1", "gone1"], tmp_path)
    assert done == {"a1": "attached", "b1": "attached", "two1": "attached", "gone1": "none"}
    assert [len(change) for change in host.changes] == [8]
    assert host.changes[0][:2] == [
        ["--may-exist", "add-port", "br-lab", port("a1").name],
        [
            "set", "interface", port("a1").name,
            "external_ids:container_id=a1", "external_ids:container_iface=eth0",
        ],
    ]  # fmt: skip
    assert host.batches[0][:2] == [
        f"link add {port('a1').name} type veth peer name eth0 address 02:42:0a:57:00:1e netns 1000",
        f"link set {port('a1').name} up",
    ]
    assert host.alone == []
    assert attach(host, ["a1", "b1"], tmp_path) == {"a1": "present", "b1": "present"}
    assert len(host.changes) == 1


def test_one_alone_is_left_to_ovs_docker(host: Host, tmp_path: Path) -> None:
    assert attach(host, ["a1"], tmp_path) == {"a1": "attached"}
    assert (host.alone, host.changes) == (["a1"], [])


def test_one_that_ended_meanwhile_gets_no_port_and_holds_up_nobody(host: Host, tmp_path: Path) -> None:
    host.ended.add(1001)
    assert attach(host, ["a1", "b1"], tmp_path) == {"a1": "attached", "b1": "none"}
    assert set(host.entries.values()) == {"a1"}


def test_where_the_switch_refuses_each_is_tried_alone_and_tells_why(host: Host, tmp_path: Path) -> None:
    host.refuses = True
    done = attach(host, ["a1", "c1"], tmp_path)
    assert done["a1"] == "attached"
    assert isinstance(done["c1"], StepError)
    with pytest.raises(StepError, match="gone1: attaching its port failed: the container does not run") as caught:
        batch.attach_all(["gone1", "a1", "c1"], tmp_path / "locks")
    assert "c1: attaching its port failed: the bridge is gone" in str(caught.value)


def test_a_stale_port_goes_before_its_successor_comes(host: Host, tmp_path: Path) -> None:
    attach(host, ["a1", "b1"], tmp_path)
    host.configured.clear()
    host.running["a1"] = (2000, [port("a1")])
    assert attach(host, ["a1", "b1"], tmp_path) == {"a1": "attached", "b1": "attached"}
    removed, added = host.changes[1:]
    assert [words[1] for words in removed] == ["del-port", "del-port"]
    assert {words[1] for words in added} == {"add-port", "interface"}


def test_who_runs_again_keeps_the_port(host: Host, tmp_path: Path) -> None:
    attach(host, ["a1", "b1"], tmp_path)
    del host.running["b1"]
    batch.detach(["a1", "b1"], "lab", tmp_path / "locks")
    assert set(host.entries.values()) == {"a1"}
    batch.release(["a1"], "lab", tmp_path / "locks")
    assert host.entries == {}
    assert list(host.links.iterdir()) == []


def test_what_a_power_cut_left_of_the_note_of_those_that_go_is_as_good_as_none(tmp_path: Path) -> None:
    leaving.mark(tmp_path, ["1", "2"])
    assert leaving.going(tmp_path) == {"1", "2"}
    (tmp_path / leaving.FILE).write_text('["1", ')
    assert leaving.going(tmp_path) == frozenset()
    leaving.forget(tmp_path)
    leaving.forget(tmp_path)
