"""What the agents of a Neutron have goes to others with it, and some of it comes back: with Neutron's API played."""

from __future__ import annotations

import re
import sys
from collections.abc import Collection
from typing import Any

import pytest

from tests.unit.scripts import load

TYPES = {"l3": "L3 agent", "dhcp": "DHCP agent", "switch": "Open vSwitch agent"}


class Neutron:
    """Knows agents by kind and host, and which of them have a router, a router for high availability and a network."""

    def __init__(self, having: dict[str, set[str]], dead: Collection[str] = ()) -> None:
        self.hosts, self.dead = ("n1", "n2", "n3"), dead
        self.having = having
        self.gone: list[str] = []
        self.ports = ["reserved-port"]

    def ask(self, method: str, _service: str, path: str, body: dict[str, str] | None = None, **_: str) -> Any:
        if method == "POST":
            agent, thing = path.split("/")[3], next(iter((body or {}).values()))
            self.having[thing].add(agent.partition("@")[2])
            return None
        if path == "/v2.0/subnets?enable_dhcp=true":
            return {"subnets": [{"network_id": each} for each in self.having if each.startswith("network")] * 2}
        if path.startswith("/v2.0/ports"):
            return {"ports": [{"id": port} for port in self.ports]}
        if found := re.fullmatch(r"/v2.0/agents/(l3|dhcp)@(\w+)/(?:l3-routers|dhcp-networks)", path):
            kind = "network" if found[1] == "dhcp" else "router"
            things = [t for t, hosts in self.having.items() if t.startswith(kind) and found[2] in hosts]
            return {f"{kind}s": [{"id": thing, "ha": thing.endswith("-ha")} for thing in things]}
        if found := re.fullmatch(r"/v2.0/(?:routers|networks)/([\w-]+)/(l3|dhcp)-agents", path):
            return {"agents": [{"id": f"{found[2]}@{host}"} for host in sorted(self.having[found[1]])]}
        asked = re.fullmatch(r"/v2.0/agents\?(?:host=(\w+))?&?(?:agent_type=(.+))?", path)
        assert asked is not None
        every = [(kind, host) for kind in TYPES for host in self.hosts]
        return {
            "agents": [
                {"id": f"{k}@{h}", "agent_type": TYPES[k], "host": h, "alive": h not in self.dead}
                for k, h in every
                if asked[1] in (None, h) and asked[2] in (None, TYPES[k].replace(" ", "%20"))
            ]
        }

    def remove(self, _service: str, path: str, _version: str = "") -> None:
        if found := re.fullmatch(r"/v2.0/agents/(?:l3|dhcp)@(\w+)/(?:l3-routers|dhcp-networks)/([\w-]+)", path):
            self.having[found[2]].discard(found[1])
        else:
            self.gone.append(path.removeprefix("/v2.0/"))


def came(monkeypatch: pytest.MonkeyPatch, neutron: Neutron, host: str) -> None:
    script = load("neutron/bin/give-networks", monkeypatch)
    monkeypatch.setattr(script, "Cloud", lambda *_: neutron)
    script.give_networks(host)


def left(monkeypatch: pytest.MonkeyPatch, neutron: Neutron, host: str) -> None:
    script = load("neutron/bin/remove-agents", monkeypatch)
    monkeypatch.setattr(script, "Cloud", lambda *_: neutron)
    script.remove_agents(host)


def test_routers_and_networks_go_to_agents_that_live_and_have_them_not(monkeypatch: pytest.MonkeyPatch) -> None:
    having = {"router-old": {"n3"}, "router-ha": {"n2", "n3"}, "network-a": {"n2", "n3"}, "network-b": {"n1", "n2"}}
    neutron = Neutron(having)
    left(monkeypatch, neutron, "n3")
    assert neutron.having["router-ha"] == {"n1", "n2"}
    assert neutron.having["network-a"] == {"n1", "n2"}
    assert neutron.having["network-b"] == {"n1", "n2"}
    assert len(neutron.having["router-old"]) == 1 and "n3" not in neutron.having["router-old"]
    assert neutron.gone == ["agents/l3@n3", "agents/dhcp@n3", "agents/switch@n3"]


def test_what_no_other_agent_can_take_leaves_no_port_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    neutron = Neutron({"router-ha": {"n1", "n2"}, "network-a": {"n1", "n2"}}, dead={"n2", "n3"})
    left(monkeypatch, neutron, "n2")
    assert neutron.having == {"router-ha": {"n1"}, "network-a": {"n1"}}
    assert "ports/reserved-port" in neutron.gone


def test_one_that_comes_serves_the_networks_that_too_few_serve_and_no_others(monkeypatch: pytest.MonkeyPatch) -> None:
    having = {"network-a": {"n1"}, "network-b": {"n1", "n2"}, "network-c": {"n3"}, "network-d": set[str]()}
    neutron = Neutron(having | {"router-ha": {"n1"}})
    came(monkeypatch, neutron, "n3")
    assert neutron.having == {
        "network-a": {"n1", "n3"}, "network-b": {"n1", "n2"}, "network-c": {"n3"}, "network-d": {"n3"},
        "router-ha": {"n1"},
    }  # fmt: skip
    came(monkeypatch, neutron, "n3")
    assert neutron.having["network-a"] == {"n1", "n3"}


def test_a_neutron_without_agents_has_none_to_remove(monkeypatch: pytest.MonkeyPatch) -> None:
    class Opensdn(Neutron):
        status = 404

        def ask(self, method: str, _service: str, path: str, body: dict[str, str] | None = None, **_: str) -> Any:
            raise sys.modules["openstack_api"].Refused(self.status, "The resource could not be found.")

    neutron = Opensdn({})
    left(monkeypatch, neutron, "n3")
    assert neutron.gone == []
    neutron.status = 500
    with pytest.raises(Exception, match="500"):
        left(monkeypatch, neutron, "n3")
