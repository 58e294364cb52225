"""How a member of Ceph becomes one, is let go, and is brought to where clients can use it; the cluster is played."""

from __future__ import annotations

import base64
import json
import socket
import struct
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from components import services
from components.stages import volumes
from tests.unit.components.test_services import topology
from tests.unit.graph_recorder import container
from tests.unit.scripts import load

ADDRESSES = {"ceph1": "10.87.0.70", "ceph2": "10.87.0.71", "ceph3": "10.87.0.72"}
OSDS = {name: number for number, name in enumerate(ADDRESSES)}


class Cluster:
    """Plays monitors and manager of a cluster of three members; the first one's monitor isn't called after it."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, dict[str, Any]]] = []
        self.up = set(OSDS.values())
        self.quorum = ["a", "ceph2", "ceph3"]
        self.monitors = dict(zip(self.quorum, ADDRESSES.values(), strict=True))
        self.pool = {"pool": 1, "pool_name": "volumes", "size": 3, "min_size": 2, "crush_rule": 1, "pg_num": 1}
        self.acting = [0, 1, 2]
        self.state = "active+clean"
        self.recorded = ADDRESSES
        self.osds = dict(OSDS)
        self.out: set[int] = set()
        self.usual_size = 3

    def __enter__(self) -> Cluster:
        return self

    def __exit__(self, *_error: object) -> None:
        pass

    def changes(self) -> list[tuple[str, dict[str, Any]]]:
        """Return what it was told to do."""
        asking = ("osd dump", "osd tree", "osd lspools", "mon dump", "quorum_status", "mgr dump", "config-key get",
                  "osd crush rule ls", "osd crush rule dump", "config dump")  # fmt: skip
        return [(prefix, given) for prefix, given in self.asked if prefix not in asking]

    def mon_command(self, request: str, _given: bytes, timeout: int) -> tuple[int, bytes, str]:
        told = json.loads(request)
        prefix = told.pop("prefix")
        told.pop("format")
        self.asked.append((prefix, told))
        nodes = [{"id": -1, "type": "root", "name": "default", "children": [-10 - n for n in self.osds.values()]}]
        for name, number in self.osds.items():
            nodes.append({"id": -10 - number, "type": "host", "name": name, "children": [number]})
            nodes.append({
                "id": number, "type": "osd", "name": f"osd.{number}", "reweight": int(number not in self.out),
                "status": "up" if number in self.up else "down",
            })  # fmt: skip
        answers: dict[str, object] = {
            "osd tree": {"nodes": nodes},
            "osd dump": {
                "osds": [{"osd": number, "up": int(number in self.up)} for number in self.osds.values()],
                "pools": [self.pool],
            },
            "osd lspools": [{"poolname": "volumes"}],
            "osd crush rule ls": ["replicated_rule", "over_members"],
            "osd crush rule dump": [
                {"rule_name": name, "rule_id": number}
                for number, name in enumerate(("replicated_rule", "over_members"))
            ],
            "config dump": [{"name": "osd_pool_default_size", "value": str(self.usual_size)}],
            "mon dump": {"mons": [{"name": n, "public_addr": f"{at}:6789/0"} for n, at in self.monitors.items()]},
            "quorum_status": {"quorum_names": self.quorum},
            "mgr dump": {"active_name": "ceph2"},
            "config-key get": self.recorded,
        }
        match prefix:
            case "osd out":
                self.out |= {int(number) for number in told["ids"]}
                self.acting = [number for number in self.acting if number not in self.out]
            case "osd pool set" if told["var"] in ("size", "min_size"):
                self.pool[told["var"]] = int(told["val"])
            case "osd stop":
                self.up -= {int(number) for number in told["ids"]}
            case "osd purge-actual":
                self.osds = {name: number for name, number in self.osds.items() if number != told["id"]}
            case "mon rm":
                del self.monitors[told["name"]]
        return 0, json.dumps(answers.get(prefix)).encode() if prefix in answers else b"", ""

    def mgr_command(self, request: str, _given: bytes, timeout: int) -> tuple[int, bytes, str]:
        told = json.loads(request)
        if told["prefix"] == "osd safe-to-destroy":
            return 0, json.dumps({"safe_to_destroy": [int(number) for number in told["ids"]]}).encode(), ""
        group = {"pgid": "1.0", "state": self.state, "acting": self.acting}
        return 0, json.dumps({"pg_stats": [group]}).encode(), ""


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    """What the scripts share, in the container ceph1, without the libraries that only the image has."""
    for name in ("rados", "rbd"):
        module = ModuleType(name)
        general = type("Error", (Exception,), {})
        monkeypatch.setattr(module, "Error", general, raising=False)
        for error in ("TimedOut", "ObjectNotFound", "PermissionDeniedError", "PermissionError"):
            monkeypatch.setattr(module, error, type(error, (general,), {}), raising=False)
        monkeypatch.setattr(module, "Rados", Cluster, raising=False)
        monkeypatch.setitem(sys.modules, name, module)
    monkeypatch.delitem(sys.modules, "ceph_cluster", raising=False)
    shared = load("ceph/bin/ceph_cluster.py", monkeypatch)
    monkeypatch.setitem(sys.modules, "ceph_cluster", shared)
    monkeypatch.setattr(shared.time, "sleep", lambda _seconds: None)
    monkeypatch.setattr(shared.socket, "gethostname", lambda: "ceph1")
    monkeypatch.setattr(shared, "MEMBERS", tmp_path / "members")
    monkeypatch.setattr(shared, "ROOT", tmp_path)
    monkeypatch.setattr(shared, "MADE", tmp_path / "bootstrapped")
    configured(shared, *ADDRESSES)
    return shared


def configured(shared: Any, *names: str) -> None:
    """Have these members configured."""
    shared.MEMBERS.write_text("".join(f"{ADDRESSES[name]} {name}\n" for name in names))


@pytest.fixture
def member(cluster: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    script = load("ceph/bin/ceph-member", monkeypatch)
    monkeypatch.setattr(script, "BIRTH", tmp_path / "may-begin")
    monkeypatch.setattr(script, "OSD_UUID", tmp_path / "osd-uuid")
    monkeypatch.setattr(script, "LOCK", tmp_path / "lock")
    monkeypatch.setattr(script, "DRAIN_SECONDS", 0)
    monkeypatch.setattr(script, "LOOK_SECONDS", 0)
    return script


@pytest.fixture
def played(member: Any, monkeypatch: pytest.MonkeyPatch) -> Cluster:
    found = Cluster()
    monkeypatch.setattr(member, "connect", lambda _seconds: found)
    return found


def test_the_members_are_read_as_they_are_rendered(cluster: Any) -> None:
    lab = topology(container("ceph2", role="ceph", address="10.87.0.71"))
    rendered = volumes.render(lab, lab.members("ceph")[0], services.ROLES["ceph"])
    cluster.MEMBERS.write_text(rendered["ceph/members"]["content"])
    assert cluster.configured() == {"ceph1": "10.87.0.70", "ceph2": "10.87.0.71"}


def test_a_further_member_starts_no_daemon_of_the_others_anew(cluster: Any) -> None:
    role = services.ROLES["ceph"]
    few, more = topology(), topology(container("ceph2", role="ceph", address="10.87.0.71"))
    for name in ("mon", "mgr", "osd"):
        file = f"supervisor/boot/ceph-{name}.conf"
        assert (
            volumes.render(few, few.members("ceph")[0], role)[file]
            == (volumes.render(more, more.members("ceph")[0], role)[file])
        )


@pytest.mark.parametrize(
    ("names", "born", "serving", "done"),
    [
        pytest.param(["ceph1"], False, [], "make", id="the only one makes a cluster"),
        pytest.param(list(ADDRESSES), True, [], "make", id="one of several does where it was told to"),
        pytest.param(list(ADDRESSES), True, ["ceph3"], "join", id="but not beside a cluster that there is"),
        pytest.param(list(ADDRESSES), False, [], "join", id="an empty volume makes none"),
    ],
)
def test_a_cluster_is_made_only_by_who_was_told_to(
    cluster: Any, member: Any, monkeypatch: pytest.MonkeyPatch, names: list[str], born: bool, serving: list[str],
    done: str,
) -> None:  # fmt: skip
    configured(cluster, *names)
    what: list[str] = []
    monkeypatch.setattr(member, "make", lambda _address: what.append("make"))
    monkeypatch.setattr(member, "join", lambda _address: what.append("join"))
    monkeypatch.setattr(member, "listens", lambda address: address in [ADDRESSES[name] for name in serving])
    monkeypatch.setattr(member.subprocess, "run", lambda *_arguments, **_options: None)
    if born:
        member.BIRTH.touch()
    (cluster.ROOT / "osd" / "ceph-7").mkdir(parents=True)
    member.begin()
    assert what == [done]
    assert not (cluster.ROOT / "osd" / "ceph-7").exists()
    assert member.MADE.exists() and not member.BIRTH.exists()
    member.begin()
    assert what == [done]


@pytest.mark.parametrize("serves", [True, False])
def test_a_birth_is_noted_where_no_other_member_serves(
    member: Any, monkeypatch: pytest.MonkeyPatch, serves: bool
) -> None:
    monkeypatch.setattr(member, "listens", lambda _address: serves)
    member.birth()
    assert member.BIRTH.exists() is not serves


def test_a_member_that_has_data_is_not_born_again(member: Any) -> None:
    member.MADE.touch()
    member.birth()
    assert not member.BIRTH.exists()


def test_a_new_key_is_one_of_cephxs(member: Any) -> None:
    one, other = (base64.b64decode(member.new_key()) for _ in range(2))
    assert one != other
    assert struct.unpack("<HIIH", one[:12]) == (1, 0, 0, 16) and len(one) == 28


def test_nobody_leaves_where_all_go(cluster: Any, member: Any, played: Cluster) -> None:
    member.leave("ceph2")
    assert played.changes() == []


def test_nobody_leaves_by_a_member_that_knows_no_better_and_has_no_quorum(
    cluster: Any, member: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def silent(_seconds: int) -> Cluster:
        raise sys.modules["rados"].TimedOut

    monkeypatch.setattr(member, "connect", silent)
    member.leave("ceph2")
    configured(cluster, "ceph1")
    with pytest.raises(cluster.Refused, match="no quorum"):
        member.leave("ceph2")


def test_a_member_that_goes_too_finds_by_the_cluster_who_stays(cluster: Any, member: Any, played: Cluster) -> None:
    played.recorded = {"ceph1": ADDRESSES["ceph1"]}
    member.leave("ceph2")
    assert played.osds == {"ceph1": 0}


def test_what_two_of_three_have_is_the_first_ones_before_they_are_forgotten(
    cluster: Any, member: Any, played: Cluster
) -> None:
    configured(cluster, "ceph1")
    member.leave("ceph2")
    told = [(prefix, given.get("var") or given.get("name") or given.get("ids")) for prefix, given in played.changes()]
    assert told == [
        ("osd pool set", "min_size"),
        ("osd out", ["1", "2"]),
        ("osd pool set", "size"),
        ("config set", "osd_pool_default_size"),
        ("osd stop", ["1"]),
        ("osd purge-actual", None),
        ("osd stop", ["2"]),
        ("osd purge-actual", None),
        ("osd crush rm", "ceph2"),
        ("osd crush rm", "ceph3"),
        ("mon rm", "ceph2"),
        ("mgr fail", None),
        ("auth rm", None),
        ("mon rm", "ceph3"),
        ("auth rm", None),
        ("osd pool set", "crush_rule"),
        ("osd crush rule rm", "over_members"),
    ]
    assert (played.pool["size"], played.pool["min_size"], played.monitors) == (1, 1, {"a": ADDRESSES["ceph1"]})
    done = len(played.changes())
    member.leave("ceph3")
    assert {prefix for prefix, _ in played.changes()[done:]} <= {"osd pool set", "osd crush rule rm"}


def test_nothing_is_forgotten_while_copies_are_missing(cluster: Any, member: Any, played: Cluster) -> None:
    configured(cluster, "ceph1")
    played.state = "active+remapped+backfilling"
    with pytest.raises(cluster.Refused, match="1 of 1 placement groups lack copies"):
        member.leave("ceph2")
    assert played.osds == OSDS and len(played.monitors) == 3


def test_what_goes_is_not_let_go_without_the_one_that_stays(cluster: Any, member: Any, played: Cluster) -> None:
    configured(cluster, "ceph1")
    played.up = {1, 2}
    with pytest.raises(cluster.Refused, match="without the OSD of ceph1"):
        member.leave("ceph3")
    assert played.changes() == []


def test_monitors_that_do_not_work_go_first_and_none_that_the_quorum_needs(
    cluster: Any, member: Any, played: Cluster
) -> None:
    played.quorum = ["a", "ceph2"]
    member.forget_monitors(played, ["ceph2", "ceph3"])
    assert [given["name"] for prefix, given in played.changes() if prefix == "mon rm"] == ["ceph3", "ceph2"]
    played.monitors = {"a": "10.87.0.70", "ceph2": "10.87.0.71", "ceph3": "10.87.0.72"}
    with pytest.raises(cluster.Refused, match="without ceph2 there would be no quorum: 1 of 2"):
        member.forget_monitors(played, ["ceph2"])


@pytest.mark.parametrize(
    ("acting", "state", "said"),
    [
        pytest.param([0, 1, 2], "active+clean+scrubbing", "", id="all copies"),
        pytest.param([0, 1], "active+clean", "1 of 1", id="as it was before the pool was to have three"),
        pytest.param([0, 1, 2], "active+undersized", "1 of 1", id="not clean"),
    ],
)
def test_copies_are_counted_by_what_the_osds_say(cluster: Any, acting: list[int], state: str, said: str) -> None:
    found = Cluster()
    found.acting, found.state = acting, state
    assert cluster.fault_of_copies(found).startswith(said) and bool(cluster.fault_of_copies(found)) is bool(said)
    found.acting = [0, 1, 2]
    assert cluster.fault_of_copies(found, {2})


@pytest.fixture
def settle(cluster: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    return load("ceph/bin/ceph-settle", monkeypatch)


@pytest.mark.parametrize(
    ("answer", "state"),
    [
        pytest.param(b'{"whoami": 7, "state": "active"}', "active", id="it works"),
        pytest.param(b"", "silent", id="it has a socket, and knows no question yet"),
        pytest.param(None, "silent", id="it hangs up"),
    ],
)
def test_an_osd_is_asked_itself(
    cluster: Any, settle: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, answer: bytes | None, state: str
) -> None:
    (tmp_path / "osd" / "ceph-7").mkdir(parents=True)
    monkeypatch.setattr(settle, "SOCKETS", tmp_path)
    assert settle.state_of_osd() == "silent"
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(tmp_path / "ceph-osd.7.asok"))
        listening.listen()

        def serve() -> None:
            connection, _ = listening.accept()
            with connection:
                assert json.loads(connection.recv(1000).rstrip(b"\0"))["prefix"] == "status"
                if answer is not None:
                    connection.sendall(struct.pack(">I", len(answer)) + answer)

        with ThreadPoolExecutor(1) as pool:
            served = pool.submit(serve)
            assert settle.state_of_osd() == state
            served.result()


def test_pools_grow_with_the_members_that_are_there_and_no_further(cluster: Any, settle: Any) -> None:
    found = Cluster()
    assert settle.fault_of_sizes(found, {}) == ""
    found.up = {0, 1}
    assert settle.copies_now(found, {}) == 2 and settle.fault_of_sizes(found, {}) == ""
    found.pool["size"] = 1
    assert settle.fault_of_sizes(found, {}) == "pool volumes is kept 1 times, not 2"
    found.up = {0}
    assert settle.fault_of_sizes(found, {}) == ""
    settle.grow(found, {})
    assert found.pool["size"] == 1


def test_a_write_needs_two_copies_only_once_there_are_three(cluster: Any, settle: Any) -> None:
    found = Cluster()
    found.pool |= {"size": 1, "min_size": 1}
    settle.grow(found, {})
    told = [(given["var"], given["val"]) for prefix, given in found.changes() if prefix == "osd pool set"]
    assert told == [("crush_rule", "over_members"), ("size", "3"), ("min_size", "2")]


@pytest.mark.parametrize(
    ("hosts", "rule", "copies"), [("aaa", "over_members", 3), ("aab", "over_members", 3), ("abc", "over_hosts", 3)]
)
def test_copies_are_on_different_container_hosts_where_there_are_enough(
    settle: Any, hosts: str, rule: str, copies: int
) -> None:
    places = dict(zip(ADDRESSES, hosts, strict=True))
    assert settle.rule_for(places) == rule
    assert settle.copies_now(Cluster(), places) == copies


def test_crush_is_told_where_members_run(settle: Any) -> None:
    found, places = Cluster(), {"ceph1": "local", "ceph2": "far", "ceph3": "far"}
    assert settle.fault_of_places(found, {}) == ""
    assert settle.fault_of_places(found, places) == "CRUSH doesn't know the container host of ceph1, ceph2, ceph3"
    settle.place(found, places)
    told = {given["name"]: given["args"] for _, given in found.changes()}
    assert told == {name: [f"chassis=on-{places[name]}", "root=default"] for name in places}
