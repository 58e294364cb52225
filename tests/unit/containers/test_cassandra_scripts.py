"""How a member of Cassandra's, ZooKeeper's and Kafka's clusters starts, and is brought to where it can be used.

The others, and what the member's own programs say, are played.
"""

from __future__ import annotations

import contextlib
import json
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from components import services
from tests.unit.components.test_services import topology
from tests.unit.scripts import load

PASSWORD, FORMER = "oftheadmin", "thatwasthere"


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch) -> Any:
    """What the scripts share, without the library that only the image has."""
    for name in ("kazoo", "kazoo.client", "kazoo.exceptions"):
        monkeypatch.setitem(sys.modules, name, ModuleType(name))
    for name in ("KazooClient", "KazooException"):
        kind = type(name, (Exception,), {})
        monkeypatch.setattr(sys.modules["kazoo.client"], name, kind, raising=False)
        monkeypatch.setattr(sys.modules["kazoo.exceptions"], name, kind, raising=False)
    for name in ("cql", "cluster"):
        monkeypatch.delitem(sys.modules, name, raising=False)
        monkeypatch.setitem(sys.modules, name, load(f"cassandra/bin/{name}.py", monkeypatch))
    return sys.modules["cluster"]


def meant(cluster: Any, own: int = 1, count: int = 3) -> Any:
    members = tuple(cluster.Member(f"c{n}.lab", f"10.86.0.{10 + n}", 10 + n) for n in range(1, count + 1))
    return cluster.Cluster(members[own - 1], members, PASSWORD, "oftheservice", "ofzookeeper")


def test_what_puppet_writes_down_is_read(cluster: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told = services.ROLES["cassandra"].hiera(topology(), topology().members("cassandra")[0])
    file = tmp_path / "cluster.json"
    own = told["profile::cassandra::members"]
    given = {"admin_password": "a", "service_password": "b"}
    (tmp_path / "zookeeper").write_text("c")
    file.write_text(json.dumps({"own": "cassandra1.dockstack.lab", "members": own, **given}))
    monkeypatch.setattr(cluster, "SETTINGS", str(file))
    monkeypatch.setattr(cluster, "ZOOKEEPER_PASSWORD", str(tmp_path / "zookeeper"))
    read = cluster.read()
    assert (read.own.address, read.own.id, read.others, read.first) == ("10.87.0.48", 48, (), True)
    assert (read.admin_password, read.service_password, read.zookeeper_password) == ("a", "b", "c")
    assert read.named("cassandra1") == read.named("cassandra1.dockstack.lab") == read.own


class TestCassandra:
    @pytest.fixture
    def script(self, cluster: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
        return load("cassandra/bin/start-cassandra", monkeypatch)

    @pytest.mark.parametrize(
        ("own", "joined", "serving", "waited", "asked"),
        [
            pytest.param(2, True, [], 0, [1, 2, 3], id="one with a past goes on with all, whoever runs"),
            pytest.param(1, False, [], 0, [1], id="the first begins a cluster where nobody serves"),
            pytest.param(1, False, [3], 0, [3], id="the first that comes anew joins those that serve"),
            pytest.param(2, False, [], 999, [], id="another never begins one"),
            pytest.param(2, False, [1], 0, [1], id="the second joins the first"),
            pytest.param(3, False, [1], 0, [], id="the third waits for the second"),
            pytest.param(3, False, [1], 999, [1], id="but not for ever"),
            pytest.param(3, False, [1, 2], 0, [1, 2], id="and joins both"),
        ],
    )
    def test_a_node_joins_in_its_turn(
        self, script: Any, cluster: Any, monkeypatch: pytest.MonkeyPatch, own: int, joined: bool, serving: list[int],
        waited: float, asked: list[int],
    ) -> None:  # fmt: skip
        monkeypatch.setattr(cluster, "listens", lambda address, port: int(address.split(".")[-1]) - 10 in serving)
        found = script.seeds(meant(cluster, own), joined, waited)
        assert [member.id - 10 for member in found] == asked

    def test_an_unlocked_node_asks_for_no_password_and_listens_to_its_container_alone(
        self, script: Any, cluster: Any
    ) -> None:
        static = "authenticator: PasswordAuthenticator\nauthorizer: CassandraAuthorizer\nrpc_address: 10.86.0.11\n"
        members = list(meant(cluster).members)
        assert script.configuration(static, members, False).startswith(static)
        unlocked = script.configuration(static, members, True)
        assert (
            "authenticator: AllowAllAuthenticator\nauthorizer: AllowAllAuthorizer\nrpc_address: 127.0.0.1\n" in unlocked
        )
        assert '"seeds": "10.86.0.11,10.86.0.12,10.86.0.13"' in unlocked


class TestZooKeeper:
    @pytest.fixture
    def script(self, cluster: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
        script = load("cassandra/bin/start-zookeeper", monkeypatch)
        monkeypatch.setattr(script, "ROOT", tmp_path)
        return script

    def test_the_ensemble_that_was_written_last_is_gone_on_with(
        self, script: Any, cluster: Any, tmp_path: Path
    ) -> None:
        of = meant(cluster)
        for version, members in ((0, of.members[:1]), (0x9, of.members[:2]), (0x100000004, of.members)):
            (tmp_path / f"zoo.cfg.dynamic.{version:x}").write_text("\n".join(member.server for member in members))
        (tmp_path / "zoo.cfg.dynamic.next").write_text("")
        assert script.remembered(of.own) == tmp_path / "zoo.cfg.dynamic.100000004"

    def test_one_that_knows_nothing_of_this_server_is_forgotten(
        self, script: Any, cluster: Any, tmp_path: Path
    ) -> None:
        (tmp_path / "zoo.cfg.dynamic.1").write_text(cluster.Member("c1.lab", "10.86.0.99", 11).server)
        assert script.remembered(meant(cluster).own) is None

    def test_a_server_without_a_past_asks_one_that_serves(
        self, script: Any, cluster: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        of = meant(cluster, own=3)
        monkeypatch.setattr(cluster, "serves", lambda address: address == of.members[1].address)
        told = "\n".join([of.members[0].server, of.members[1].server, "version=100000000"])
        monkeypatch.setattr(script, "told_by", lambda _meant, other: told if other == of.members[1] else "")
        assert script.learnt(of).splitlines() == [member.server for member in of.members]

    def test_the_first_begins_an_ensemble_and_others_wait(
        self, script: Any, cluster: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(cluster, "serves", lambda _address: False)
        first = meant(cluster)
        assert script.learnt(first) == first.own.server + "\n"
        assert script.learnt(meant(cluster, own=2)) == ""

    def test_no_password_is_written_beside_the_data(self, script: Any, tmp_path: Path) -> None:
        written = script.configuration("tickTime=2000\n", tmp_path / "zoo.cfg.dynamic.0", PASSWORD)
        assert PASSWORD not in written
        assert "superDigest=super:" in written


class Node:
    """Plays a node that takes some logins."""

    def __init__(self, cql: Any, takes: dict[str, str]) -> None:
        self.cql, self.takes, self.tried, self.statements = cql, takes, list[tuple[str, str]](), list[str]()

    def __call__(self, _address: str, user: str, password: str) -> Node:
        self.tried.append((user, password))
        if self.takes.get(user) != password:
            raise self.cql.BadCredentials("incorrect")
        return self

    def __enter__(self) -> Node:
        return self

    def __exit__(self, *_: object) -> None:
        return

    def run(self, statement: str) -> list[dict[str, Any]]:
        self.statements.append(statement)
        return []


class TestSettle:
    @pytest.fixture
    def script(self, cluster: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
        script = load("cassandra/bin/cassandra-settle", monkeypatch)
        monkeypatch.setattr(script, "FORMER", tmp_path / "admin-password")
        monkeypatch.setattr(script, "DOUBT_SECONDS", -1)
        monkeypatch.setattr(script.time, "sleep", lambda _seconds: None)
        return script

    def connect(self, script: Any, monkeypatch: pytest.MonkeyPatch, **takes: str) -> Node:
        node = Node(script.cql, takes)
        monkeypatch.setattr(script.cql, "Connection", node)
        return node

    @pytest.mark.parametrize("takes", [{"admin": PASSWORD}, {"admin": FORMER}, {"cassandra": "cassandra"}])
    def test_the_wanted_password_is_tried_before_the_former_and_the_one_that_all_know(
        self, script: Any, cluster: Any, monkeypatch: pytest.MonkeyPatch, takes: dict[str, str]
    ) -> None:
        script.FORMER.write_text(FORMER)
        node = self.connect(script, monkeypatch, **takes)
        script.login(meant(cluster), float("inf"))
        order = [("admin", PASSWORD), ("admin", FORMER), ("cassandra", "cassandra")]
        assert node.tried == order[: order.index(next(iter(takes.items()))) + 1]

    def test_a_cluster_with_another_labs_password_is_unlocked(
        self, script: Any, cluster: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        node = self.connect(script, monkeypatch, admin="ofanotherlab")

        def unlock(_meant: Any, _deadline: float) -> None:
            node.takes["admin"] = PASSWORD

        monkeypatch.setattr(script, "unlock", unlock)
        assert script.login(meant(cluster), float("inf")) is node

    def test_a_node_that_does_not_answer_is_waited_for_and_never_unlocked(
        self, script: Any, cluster: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def refuse(*_: str) -> None:
            raise ConnectionRefusedError("nobody listens")

        monkeypatch.setattr(script.cql, "Connection", refuse)
        monkeypatch.setattr(script, "unlock", lambda *_: pytest.fail("it was unlocked"))
        with pytest.raises(cluster.Unready, match="nobody listens"):
            script.login(meant(cluster), 0)

    def test_the_role_that_everybody_knows_is_removed_last(
        self, script: Any, cluster: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        node = self.connect(script, monkeypatch, admin=PASSWORD)
        script.make_roles(node, meant(cluster))
        assert node.statements[-1] == "DROP ROLE IF EXISTS cassandra"
        assert any("admin" in said and "SUPERUSER = true" in said for said in node.statements)
        assert not any("opensdn" in said and "SUPERUSER = true" in said for said in node.statements)

    @pytest.mark.parametrize(
        ("roles", "rights", "said"),
        [
            ([("cassandra", True, True)], [], "there is a role cassandra"),
            ([("admin", True, True)], [], "role opensdn is not as wanted"),
            ([("opensdn", True, True)], [], "role opensdn is not as wanted"),
            ([("opensdn", True, False)], [], "may not use keyspaces"),
            ([("opensdn", True, False)], ["CREATE", "MODIFY", "SELECT"], ""),
        ],
    )
    def test_it_is_said_which_role_is_not_as_wanted(
        self, script: Any, roles: list[tuple[str, bool, bool]], rights: list[str], said: str
    ) -> None:
        class Told:
            def run(self, statement: str) -> list[dict[str, Any]]:
                if "role_permissions" in statement:
                    return [{"permissions": rights}] if rights else []
                return [dict(zip(("role", "can_login", "is_superuser"), role, strict=True)) for role in roles]

        found = script.fault_of_roles(Told())
        assert said in found and bool(said) == bool(found)


class Ensemble:
    """Plays a client of ZooKeeper's."""

    def __init__(self, **nodes: str) -> None:
        self.nodes = {f"/{path.replace('_', '/')}": text for path, text in nodes.items()}
        self.changes: list[dict[str, Any]] = []

    def exists(self, path: str) -> bool:
        return path in self.nodes

    def get(self, path: str) -> tuple[bytes, None]:
        return self.nodes[path].encode(), None

    def reconfig(self, **change: Any) -> None:
        self.changes.append(change)


class TestMembership:
    @pytest.fixture
    def script(self, cluster: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
        script = load("cassandra/bin/cassandra-membership", monkeypatch)
        monkeypatch.setattr(script.time, "sleep", lambda _seconds: None)
        monkeypatch.setattr(script, "locked", lambda _client: contextlib.nullcontext())
        return script

    def ask(self, cluster: Any, monkeypatch: pytest.MonkeyPatch, ensemble: Ensemble) -> None:
        monkeypatch.setattr(cluster.Cluster, "zookeeper", lambda _meant: contextlib.nullcontext(ensemble))
        monkeypatch.setattr(cluster, "serves", lambda _address: True)

    def test_a_member_that_is_still_wanted_hands_nothing_over(
        self, script: Any, cluster: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        own = meant(cluster)
        self.ask(cluster, monkeypatch, Ensemble(dockstack_members=json.dumps([m.address for m in own.members])))
        monkeypatch.setattr(cluster, "nodetool", lambda *_: pytest.fail("the node was told to go"))
        assert "it stays" in script.retire(own)

    def test_one_that_goes_repairs_before_there_are_fewer_copies_and_leaves_the_ring_after(
        self, script: Any, cluster: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        own = meant(cluster, own=3)
        self.ask(cluster, monkeypatch, Ensemble(dockstack_members=json.dumps([m.address for m in own.others])))
        did: list[tuple[Any, ...]] = []
        monkeypatch.setattr(cluster, "JOINED", tmp_path / "joined")
        cluster.JOINED.touch()
        monkeypatch.setattr(script, "registered", lambda _client: {11, 12, 13})
        monkeypatch.setattr(script, "spread", lambda _client, brokers: did.append(("spread", brokers)))
        monkeypatch.setattr(script, "set_copies", lambda _meant, copies: did.append(("copies", copies)))
        monkeypatch.setattr(cluster, "nodetool", lambda *words: did.append(words))
        assert script.retire(own) == ""
        assert not cluster.JOINED.exists()
        assert did == [("spread", {11, 12}), ("repair", "--full"), ("copies", 2), ("decommission", "--force")]

    def test_one_without_a_quorum_cannot_tell(self, script: Any, cluster: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(cluster, "serves", lambda _address: False)
        with pytest.raises(cluster.Unready):
            script.retire(meant(cluster))

    def test_servers_that_have_gone_and_are_no_members_are_forgotten(
        self, script: Any, cluster: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        of = meant(cluster, count=2)
        strangers = [cluster.Member("c3", "10.86.0.13", 13), cluster.Member("c4", "10.86.0.14", 14)]
        ensemble = Ensemble(zookeeper_config="\n".join(member.server for member in [*of.members, *strangers]))
        monkeypatch.setattr(cluster, "serves", lambda address: address == "10.86.0.14")
        script.forget_servers(ensemble, of)
        assert ensemble.changes == [{"joining": None, "leaving": "13", "new_members": None}]

    @pytest.mark.parametrize(
        ("status", "found"),
        [
            ("UN  10.86.0.130  1 KiB 16 100% 398618a9-427c-4e4a-b53b-6770887cbead  rack1", ""),
            (
                "DN  10.86.0.13  ?  16  66.7%  398618a9-427c-4e4a-b53b-6770887cbead  rack1",
                "398618a9-427c-4e4a-b53b-6770887cbead",
            ),
        ],
    )
    def test_a_node_is_forgotten_once_it_is_down(
        self, script: Any, cluster: Any, monkeypatch: pytest.MonkeyPatch, status: str, found: str
    ) -> None:
        monkeypatch.setattr(cluster, "nodetool", lambda *_: f"Datacenter: datacenter1\n{status}\n")
        assert script.await_down("10.86.0.13") == found

    def test_a_node_that_is_taken_for_running_is_not_forgotten(
        self, script: Any, cluster: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(script, "SECONDS", -1)
        up = "UN  10.86.0.13  1 KiB 16 100% 398618a9-427c-4e4a-b53b-6770887cbead  rack1\n"
        monkeypatch.setattr(cluster, "nodetool", lambda *_: up)
        with pytest.raises(cluster.Unready, match="for running"):
            script.await_down("10.86.0.13")

    def test_partitions_go_to_all_brokers_and_their_leaders_stay(self, script: Any) -> None:
        found = {"a": {"0": [11], "1": [13, 11]}, "b": {"0": [12, 11]}}
        moves = {(move["topic"], move["partition"]): move["replicas"] for move in script.moves_to({11, 12}, found)}
        assert moves == {("a", 0): [11, 12], ("a", 1): [11, 12]}

    def test_keyspaces_of_one_node_alone_have_no_copies(
        self, script: Any, cluster: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        package = "org.apache.cassandra.locator"
        told = {
            "system": {"class": f"{package}.LocalStrategy"},
            "system_auth": {"class": f"{package}.SimpleStrategy", "replication_factor": "1"},
            "config": {"class": f"{package}.NetworkTopologyStrategy", "datacenter1": "3"},
        }

        class Told:
            def run(self, statement: str, _consistency: int = 1) -> list[dict[str, Any]]:
                said.append(statement)
                if "data_center" in statement:
                    return [{"data_center": "datacenter1"}]
                return [{"keyspace_name": name, "replication": kept} for name, kept in told.items()]

        said: list[str] = []
        monkeypatch.setattr(cluster.Cluster, "as_admin", lambda _meant: contextlib.nullcontext(Told()))
        assert script.replication(meant(cluster)) == {
            "system_auth": ("SimpleStrategy", 1),
            "config": (script.NETWORK, 3),
        }
        assert script.set_copies(meant(cluster), 2) == ["system_auth", "config"]
        assert [text for text in said if text.startswith("ALTER")] == [
            "ALTER KEYSPACE \"system_auth\" WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 2}",
            "ALTER KEYSPACE \"config\" WITH replication = {'class': 'NetworkTopologyStrategy', 'datacenter1': 2}",
        ]
