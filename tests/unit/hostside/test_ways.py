"""What joins a bridge with other hosts, with a kernel and an Open vSwitch that are played."""

from __future__ import annotations

import json
import socket
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from hostside import ovs, ports, records, ways
from hostside.ports import Port
from hostside.records import Records
from hostside.ways import Way

ALL = "00:00:00:00:00:00"
TUNNELS = Way("br-lab", "lab", 1450, "192.0.2.1", ["192.0.2.20", "192.0.2.21"])
UPLINK = Way("br-lab", "lab", 1500, uplink="eth1")


class Host:
    """Links with their MTU, whether they are up, and what VXLAN has to know; a bridge's ports and record."""

    def __init__(self, directory: Path) -> None:
        self.links: dict[str, dict[str, Any]] = {}
        self.directory = directory
        self.ports: list[str] = []
        self.identifiers: dict[str, str] = {"dockstack-stack": "lab"}
        self.changes: list[str] = []

    def add(self, name: str, **link: Any) -> None:
        self.links[name] = {"mtu": 1500, "up": False, "to": set(), **link}
        (self.directory / name).touch()

    def run(self, arguments: Sequence[str], **_: Any) -> str:
        words = [word for word in arguments if not word.startswith("--")]
        match words:
            case ["ip", "-j", "-d", "link", "show", "dev", name]:
                link = self.links[name]
                info = {"info_data": link["vxlan"]} if "vxlan" in link else {}
                return json.dumps([{"mtu": link["mtu"], "flags": ["UP"] if link["up"] else [], "linkinfo": info}])
            case ["bridge", "-j", "fdb", "show", "dev", name]:
                return json.dumps([{"mac": ALL, "dst": peer} for peer in sorted(self.links[name]["to"])])
            case ["ovs-vsctl", "list-ports", _]:
                return "\n".join(self.ports)
        self.changes.append(" ".join(words))
        match words:
            case ["ip", "link", "add", name, "type", "vxlan", "id", number, "local", address, "dstport", port]:
                self.add(name, vxlan={"id": int(number), "local": address, "port": int(port)})
            case ["ip", "link", "delete", name]:
                self.links.pop(name)
                (self.directory / name).unlink()
            case ["ip", "link", "set", name, "mtu", mtu]:
                self.links[name]["mtu"] = int(mtu)
            case ["ip", "link", "set", name, "up"]:
                self.links[name]["up"] = True
            case ["bridge", "fdb", "append", _, "dev", name, "dst", peer]:
                self.links[name]["to"].add(peer)
            case ["bridge", "fdb", "delete", _, "dev", name, "dst", peer]:
                self.links[name]["to"].remove(peer)
            case ["ovs-vsctl", "add-port", _, name] if name not in self.ports:
                self.ports.append(name)
            case ["ovs-vsctl", "del-port", name] if name in self.ports:
                self.ports.remove(name)
            case ["ovs-vsctl", "set", "bridge", _, told]:
                self.identifiers[ways.KEY] = json.loads(told.partition("=")[2])
            case ["ovs-vsctl", "remove", "bridge", _, "external_ids", key]:
                self.identifiers.pop(key, None)
        return ""


@pytest.fixture
def host(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Host:
    made = Host(tmp_path)
    monkeypatch.setattr(ports, "LINKS", tmp_path)
    monkeypatch.setattr(ways, "run", made.run)
    monkeypatch.setattr(ways, "succeeds", lambda words: made.run(words) == "" if words[-1] in made.links else False)
    monkeypatch.setattr(ovs, "bridges", lambda _stack: {"br-lab": made.identifiers})
    return made


def test_tunnels_lead_to_every_other_host_and_are_one_port_of_the_bridge(host: Host) -> None:
    ways.join(TUNNELS)
    link = host.links[TUNNELS.link]
    assert (link["mtu"], link["up"], link["to"]) == (1450, True, {"192.0.2.20", "192.0.2.21"})
    assert (link["vxlan"]["local"], link["vxlan"]["port"]) == ("192.0.2.1", 4789)
    assert host.ports == [TUNNELS.link]
    assert ways.recorded(host.identifiers) == TUNNELS
    assert ways.lack(TUNNELS) == ""


def test_what_is_joined_already_is_left_as_it_is(host: Host) -> None:
    ways.join(TUNNELS)
    host.changes.clear()
    assert not ways.restore(TUNNELS)
    assert host.changes == []


def test_hosts_that_come_and_go_change_the_receivers_and_not_the_interface(host: Host) -> None:
    ways.join(TUNNELS)
    host.changes.clear()
    ways.join(Way("br-lab", "lab", 1450, "192.0.2.1", ["192.0.2.21", "192.0.2.22"]))
    assert host.links[TUNNELS.link]["to"] == {"192.0.2.21", "192.0.2.22"}
    assert not any(" add " in change or " del-port " in change for change in host.changes)


@pytest.mark.parametrize(
    "loss",
    [
        lambda host: host.run(["ip", "link", "delete", TUNNELS.link]),
        lambda host: host.links[TUNNELS.link].update(up=False),
        lambda host: host.links[TUNNELS.link].update(mtu=1500),
        lambda host: host.links[TUNNELS.link]["to"].clear(),
        lambda host: host.links[TUNNELS.link]["vxlan"].update(local="192.0.2.9"),
        lambda host: host.ports.clear(),
    ],
)
def test_whatever_is_lost_is_noticed_and_put_back(host: Host, loss: Any) -> None:
    ways.join(TUNNELS)
    loss(host)
    assert ways.lack(TUNNELS)
    assert ways.restore(TUNNELS)
    assert ways.lack(TUNNELS) == ""


def test_an_uplink_is_a_port_and_keeps_what_it_is(host: Host) -> None:
    host.add("eth1", mtu=9000)
    ways.join(UPLINK)
    assert (host.ports, host.links["eth1"]["mtu"], host.links["eth1"]["up"]) == (["eth1"], 9000, True)
    ways.part("lab", "br-lab")
    assert (host.ports, "eth1" in host.links, ways.KEY in host.identifiers) == ([], True, False)


def test_an_uplink_that_is_too_narrow_is_said(host: Host) -> None:
    host.add("eth1", mtu=1400, up=True)
    assert "another MTU" in ways.lack(UPLINK)


def test_an_uplink_takes_the_tunnels_away(host: Host) -> None:
    host.add("eth1")
    ways.join(TUNNELS)
    ways.join(UPLINK)
    assert (host.ports, list(host.links)) == (["eth1"], ["eth1"])


def test_of_tunnels_nothing_is_left(host: Host) -> None:
    ways.join(TUNNELS)
    ways.part("lab", "br-lab")
    assert (host.ports, host.links, ways.KEY in host.identifiers) == ([], {}, False)
    ways.part("lab", "br-lab")


def test_bridges_of_two_stacks_have_tunnels_of_their_own() -> None:
    numbers = {ways._identifier(stack, bridge) for stack in ("lab", "other") for bridge in ("br-lab", "br-ext")}
    assert len(numbers) == 4
    assert all(0 < number < 2**24 for number in numbers)
    assert len(ways.link_name("lab", "br-lab")) <= 15


def test_a_container_is_announced_by_a_gratuitous_question_for_its_own_address() -> None:
    frame = ways._greeting("02:42:0a:57:00:0a", "10.87.0.10")
    assert frame[:12].hex() == "ffffffffffff02420a57000a"
    assert frame[12:14].hex() == "0806"
    sender, target = frame[28:32], frame[38:42]
    assert sender == target == bytes([10, 87, 0, 10])


def test_nothing_is_announced_on_a_bridge_that_nothing_joins(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket, "socket", lambda *_: pytest.fail("it was announced"))
    port = Port("c1", "lab", "eth0", "br-lab", "10.87.0.10/24", "10.87.0.1", "02:42:0a:57:00:0a", 1500)
    ways.announce([port])


def test_the_names_of_another_hosts_containers_are_not_the_keepers(tmp_path: Path) -> None:
    Records(tmp_path).add("c1", "10.87.0.10", "c1.lab")
    (tmp_path / f"{records.OF_HOST}far").write_text(records.line("10.87.0.20", "c2.lab"))
    assert Records(tmp_path).names() == {"c1"}


def test_what_joins_a_bridge_lets_nothing_pass_until_it_is_told_to(host: Host) -> None:
    ways.block("lab")
    assert (ways.of("lab"), host.changes) == ([], [])
    ways.join(TUNNELS)
    host.changes.clear()
    ways.block("lab")
    blocked = [f"ovs-ofctl mod-port br-lab {TUNNELS.link} {word}" for word in ("no-receive", "no-forward")]
    assert host.changes == blocked
    # The keeper finds nothing to put back.
    assert ways.lack(TUNNELS) == ""
    host.changes.clear()
    ways.unblock("lab")
    assert host.changes == [line.replace(" no-", " ") for line in blocked]
