"""What a change means to a lab's users: quorums, the VIP and APIs; and how a preview knows the change."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Iterable, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pulumi
import pytest

from commands import cleanup
from components import foresight, services
from components.configuration.environment import ConfiguredHost, Ssh
from components.consequences import Change, Fate, warnings
from components.host import distance
from components.services.role import Role
from hostside import access, docker_api, files, present, vip
from hostside.present import Present

ROLES = {**services.ROLES, "cassandra": Role(name="cassandra", memory_mib=1, quorum=True)}


def trio(role: str) -> dict[str, str]:
    return {f"{role}{number}": role for number in (1, 2, 3)}


def of(**sets: Iterable[str]) -> Change:
    """Return the change of some containers, by what becomes of them."""
    names: dict[str, Any] = {name: frozenset(given) for name, given in sets.items()}
    return Change(**names)


def told(before: dict[str, str], change: Change, holder: str = "") -> list[str]:
    return warnings(change, before, ROLES, holder)


def test_a_change_of_nothing_means_nothing() -> None:
    assert told({**trio("galera"), "keystone1": "keystone"}, of(provisioned=["keystone1"], added=["nova1"])) == []


@pytest.mark.parametrize("role", ["galera", "rabbitmq", "ceph", "cassandra"])
def test_a_quorum_is_broken_when_no_majority_is_left(role: str) -> None:
    assert told(trio(role), of(removed=[f"{role}2"])) == []
    (broken,) = told(trio(role), of(removed=[f"{role}1", f"{role}3"]))
    assert broken.startswith(
        f"breaks a quorum: {role}1 and {role}3 are removed, at once; of 3 members of {role} 1 would"
    )
    # Of most, a lab can't have two.
    assert ("`make backup` before" if ROLES[role].unfit else "one at a time") in broken


@pytest.mark.parametrize("role", ["galera", "rabbitmq", "ceph", "cassandra"])
def test_members_that_are_replaced_have_their_turns_and_break_no_quorum(role: str) -> None:
    assert told(trio(role), of(replaced=trio(role))) == []
    (broken,) = told(trio(role), of(replaced=[f"{role}1"], removed=[f"{role}2"]))
    assert broken.startswith(f"breaks a quorum: {role}1 and {role}2 are replaced or removed, at once; of 3 members")


def test_of_an_even_number_half_is_no_majority() -> None:
    five = {f"galera{number}": "galera" for number in range(1, 6)}
    four = dict(list(five.items())[:4])
    two = dict(list(five.items())[:2])
    assert told(five, of(removed=["galera1", "galera2"])) == []
    for members, gone in ((five, 3), (four, 2), (two, 1)):
        assert "breaks a quorum" in told(members, of(removed=list(members)[:gone]))[0]


def test_a_quorum_of_one_is_no_quorum_but_all_that_needs_it_is_interrupted() -> None:
    assert told({"rabbitmq1": "rabbitmq"}, of(replaced=["rabbitmq1"])) == [
        "interrupts all that needs rabbitmq: rabbitmq1 is replaced, and no other member is there."
    ]


def test_an_api_is_interrupted_when_none_of_its_containers_is_left() -> None:
    two = {"keystone1": "keystone", "keystone2": "keystone"}
    assert told(two, of(replaced=["keystone1"])) == []
    assert told(two, of(replaced=["keystone1", "keystone2"])) == []
    assert told(two, of(restarted=["keystone1", "keystone2"])) == []
    (replaced,) = told({"keystone1": "keystone"}, of(replaced=["keystone1"]))
    assert replaced == (
        "interrupts an API: keystone1 is replaced; until that is provisioned, nobody answers for keystone."
    )
    (removed,) = told({"keystone1": "keystone"}, of(removed=["keystone1"]))
    assert "from then on, nobody answers for keystone" in removed
    (restarted,) = told({"nova1": "nova"}, of(restarted=["nova1"]))
    assert "the programs of nova1 are restarted; until they are back, nobody answers for nova, nova-meta" in restarted
    assert told(two, of(restarted=["keystone2"])) == []


def test_the_vip_moves_with_its_holder_and_goes_with_the_last() -> None:
    two = {"haproxy1": "haproxy", "haproxy2": "haproxy"}
    assert told(two, of(replaced=["haproxy2"])) == []
    (moved,) = told(two, of(replaced=["haproxy1"]))
    assert moved == (
        "moves the VIP: haproxy1, which holds it, is replaced; connections through it end, and haproxy2 takes over."
    )
    assert told(two, of(replaced=["haproxy1"]), "haproxy2") == []
    (moved,) = told(trio("haproxy"), of(removed=["haproxy3"]), "haproxy3")
    assert "one of haproxy1 and haproxy2 takes over" in moved
    assert told(two, of(replaced=["haproxy1", "haproxy2"])) == told(two, of(replaced=["haproxy1"]))
    (gone,) = told({"haproxy1": "haproxy"}, of(replaced=["haproxy1"]))
    assert gone == "interrupts all APIs: the VIP goes with haproxy1 until it is back."
    assert told({"haproxy1": "haproxy"}, of(removed=["haproxy1"]))[0].endswith("for good.")


def test_the_gravest_fate_counts() -> None:
    both = frozenset({"a"})
    assert Change(replaced=both, provisioned=both).fate("a") is Fate.REPLACED
    assert Change(restarted=both, provisioned=both).fate("a") is Fate.RESTARTED
    assert Change().fate("a") is None


LISTED = [
    {"Names": [f"/{name}"], "Labels": {"dockstack.role": role}}
    for name, role in (("galera1", "galera"), ("keystone1", "keystone"), ("lab-keeper", "keeper"), ("web1", "plain"))
]


def state(**places: str) -> list[dict[str, Any]]:
    """Return a state with members of Galera and their volumes, each on a host."""
    found = []
    for name, where in places.items():
        provider = f"urn:pulumi:lab::dockstack::pulumi:providers:docker::{where}-docker::1234"
        parent = f"urn:pulumi:lab::dockstack::dockstack:index:ServiceContainer::{name}"
        labels = [{"label": "dockstack.role", "value": "galera"}]
        for kind, of, inputs in ((cleanup.CONTAINER, name, {"labels": labels}), (cleanup.VOLUME, f"{name}-data", {})):
            urn = f"urn:pulumi:lab::dockstack::{kind}::{of}"
            found.append({"type": kind, "urn": urn, "provider": provider, "parent": parent, "inputs": inputs})
    return found


class Lab:
    """A lab as the program declares it: what is not known yet, is to be made."""

    def __init__(self, unknown: set[str], **rendered: str) -> None:
        self.files = {
            name: {"supervisor/boot/x.conf": {"content": text}, "bin/x": {"content": "another"}}
            for name, text in rendered.items()
        }
        self.running = {name: SimpleNamespace(id=_Id(name not in unknown)) for name in ("keystone1", "web1", "nova1")}


class _Id:
    def __init__(self, known: bool) -> None:
        self._known = known

    async def is_known(self) -> bool:
        return self._known


@pytest.fixture
def host(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.setattr(docker_api, "containers", lambda _stack: LISTED)
    monkeypatch.setattr(cleanup, "resources", lambda _stack: state(galera1="local"))
    monkeypatch.setattr(docker_api, "pid", lambda _name: None)
    (tmp_path / "done").mkdir()
    for name in ("keystone1", "nova1"):
        written = {
            f"{tmp_path}/volumes/{name}/supervisor/boot/x.conf": files.digest("as it is"),
            f"{tmp_path}/volumes/{name}/bin/x": files.digest("x"),
        }
        record = {"verb": "files-write", "subject": name, "count": 0, "done": {"files": written}}
        (tmp_path / "done" / f"files-write {name}.json").write_text(json.dumps(record))
    return tmp_path


LOCAL, FAR, SILENT = (
    ConfiguredHost(name="local"),
    ConfiguredHost(name="far", ssh=Ssh(host="far")),
    ConfiguredHost(name="silent", ssh=Ssh(host="silent"), silent=True),
)


def warned(
    monkeypatch: pytest.MonkeyPatch, directory: Path, lab: Lab, hosts: Sequence[ConfiguredHost] = (LOCAL,)
) -> list[str]:
    said: list[str] = []
    monkeypatch.setattr(pulumi, "warn", said.append)
    made: Any = lab
    stay = [SimpleNamespace(name=name, role="galera", host="silent") for name in lab.running if "galera" in name]
    configured: Any = SimpleNamespace(
        vip="10.87.0.250", used_hosts=tuple(hosts), hosts={host.name: host for host in hosts}, containers=stay,
        may_lose=frozenset[str](),
    )  # fmt: skip
    asyncio.run(foresight.warn("lab", made, services.ROLES, directory, configured))
    return said


def test_a_preview_tells_what_is_replaced_and_what_is_lost(monkeypatch: pytest.MonkeyPatch, host: Path) -> None:
    said = warned(monkeypatch, host, Lab({"keystone1", "nova1"}, keystone1="changed", nova1="as it is"))
    assert [sentence.split(":")[0] for sentence in said] == [
        "This change interrupts an API",
        "This change interrupts an API",
        "This change loses data",
    ]
    assert "galera1 is removed" in said[0]
    assert "keystone1 is replaced" in said[1]
    assert "galera1-data" in said[2]


def test_a_preview_tells_of_programs_that_are_restarted(monkeypatch: pytest.MonkeyPatch, host: Path) -> None:
    keeps = [row for row in LISTED if row["Names"] != ["/galera1"]]
    monkeypatch.setattr(docker_api, "containers", lambda _stack: keeps)
    monkeypatch.setattr(cleanup, "resources", lambda _stack: [])
    assert warned(monkeypatch, host, Lab(set(), keystone1="as it is")) == []
    (said,) = warned(monkeypatch, host, Lab(set(), keystone1="changed"))
    assert "the programs of keystone1 are restarted" in said


def test_a_preview_tells_of_another_vip(monkeypatch: pytest.MonkeyPatch, host: Path) -> None:
    keeps = [row for row in LISTED if row["Names"] != ["/galera1"]]
    monkeypatch.setattr(docker_api, "containers", lambda _stack: keeps)
    monkeypatch.setattr(cleanup, "resources", lambda _stack: [])
    for address, wanted in (("10.87.0.250", 0), ("10.87.0.251", 1)):
        line = access.line("lab", address, "vip.dockstack.lab")
        record = {"verb": "access-publish", "subject": "lab", "count": 0, "done": {"files": {}, "line": line}}
        (host / "done" / "access-publish lab.json").write_text(json.dumps(record))
        said = warned(monkeypatch, host, Lab(set()))
        assert len(said) == wanted
    assert "moves the VIP: from 10.87.0.251 to 10.87.0.250" in said[0]


def test_where_there_is_nothing_yet_nothing_is_told(monkeypatch: pytest.MonkeyPatch, host: Path) -> None:
    monkeypatch.setattr(docker_api, "containers", lambda _stack: [])
    monkeypatch.setattr(cleanup, "resources", lambda _stack: [])
    assert warned(monkeypatch, host, Lab({"keystone1", "web1", "nova1"})) == []

    def gone(_stack: str) -> None:
        raise docker_api.EngineGone("the Docker engine is gone")

    monkeypatch.setattr(docker_api, "containers", gone)
    assert warned(monkeypatch, host, Lab({"keystone1"})) == []


def test_the_holder_is_the_one_that_says_so(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(vip, "STATE", (tmp_path / "state").parts[1:])
    monkeypatch.setattr(docker_api, "pid", lambda name: {"haproxy2": os.getpid()}.get(name))
    proxies = [{"Names": [f"/haproxy{n}"], "Labels": {"dockstack.role": "haproxy"}} for n in (1, 2)]
    monkeypatch.setattr(docker_api, "containers", lambda _stack: proxies)
    assert present.look("lab", tmp_path).holder == ""
    (tmp_path / "state").write_text("MASTER\n")
    assert present.look("lab", tmp_path).holder == "haproxy2"


def test_containers_count_on_all_hosts_also_on_those_that_are_silent_or_no_longer_configured(
    monkeypatch: pytest.MonkeyPatch, host: Path
) -> None:
    def tool(asked: ConfiguredHost, _stack: str, service: str) -> dict[str, Any]:
        assert (asked.name, service) == ("far", "present")
        return asdict(Present({"galera2": "galera"}, {}, ("10.87.0.9",), ""))

    recorded = {"galera1": "local", "galera2": "far", "galera9": "far", "galera3": "silent", "galera4": "dropped"}
    monkeypatch.setattr(distance, "tool", tool)
    monkeypatch.setattr(cleanup, "resources", lambda _stack: state(**recorded))
    # All but the third, and a fourth that is gone from its host by a hand; three of them are removed.
    lab = Lab(set())
    lab.running["galera3"] = SimpleNamespace(id=_Id(True))
    said = warned(monkeypatch, host, lab, (LOCAL, FAR, SILENT))
    assert "moves the VIP: from 10.87.0.9 to 10.87.0.250" in said[0]
    assert "galera1, galera2 and galera4 are removed, at once; of 4 members of galera 1 would be left" in said[1]
    # The state has one more, which somebody has removed by hand.
    assert [sentence.split()[5] for sentence in said[2:]] == [f"galera{number}-data" for number in (1, 2, 4, 9)]


def test_roles_whose_members_decide_by_majority_say_so() -> None:
    assert {name for name, role in services.ROLES.items() if role.quorum} >= {"galera", "rabbitmq", "ceph"}
    assert not replace(services.ROLES["haproxy"]).quorum
