"""What several members of a role have in common, and that a single one is as it was before there could be more."""

from __future__ import annotations

from typing import Any

import pytest

from components import paths, services
from components.configuration import environment
from components.configuration.faults import ConfigurationFaults
from tests.unit.components.test_services import topology
from tests.unit.graph_recorder import Graph, config, data_of, record_lab

THREE_BROKERS = {f"rabbitmq{number}": {"role": "rabbitmq", "address": f"10.87.0.{140 + number}"} for number in (2, 3)}


@pytest.fixture(scope="module")
def several() -> Graph:
    """A lab with three brokers, and two of each other role whose members work together."""
    more = {
        f"{role}2": {"role": role, "address": f"10.87.0.{150 + number}"}
        for number, role in enumerate(("keystone", "nova", "placement"))
    }
    return record_lab(config(containers=config()["containers"] | THREE_BROKERS | more))


def data(graph: Graph, name: str, key: str = "data") -> dict[str, Any]:
    return data_of(graph.the("register", fqdn=f"{name}.dockstack.lab"), key)


def rendered(graph: Graph, name: str, path: str) -> str:
    written = next(r for r in graph.operations("files-write") if r.name == f"{name}-files")
    return str(written.parameters()["files"][path]["content"])


def test_each_broker_is_told_that_it_is_one_of_several(lab: Graph, several: Graph) -> None:
    assert "profile::rabbitmq::clustered" not in data(lab, "rabbitmq1")
    for name in ("rabbitmq1", "rabbitmq2", "rabbitmq3"):
        assert data(several, name)["profile::rabbitmq::clustered"] is True
        assert rendered(several, name, "rabbitmq/brokers").split() == ["rabbitmq1", "rabbitmq2", "rabbitmq3"]


def test_a_single_broker_is_run_as_before_and_one_of_several_joins_the_others(lab: Graph, several: Graph) -> None:
    file = "supervisor/available/rabbitmq-server.conf"
    assert "join-brokers" not in rendered(lab, "rabbitmq1", file)
    assert "await-address /etc/dockstack/bin/join-brokers /etc/" in rendered(several, "rabbitmq1", file)


def test_another_broker_is_no_reason_to_start_a_broker_anew(several: Graph) -> None:
    more = config()["containers"] | THREE_BROKERS | {"rabbitmq4": {"role": "rabbitmq", "address": "10.87.0.144"}}
    file = "supervisor/available/rabbitmq-server.conf"
    assert rendered(record_lab(config(containers=more)), "rabbitmq1", file) == rendered(several, "rabbitmq1", file)


def test_a_broker_that_goes_is_forgotten_by_another_and_takes_part_in_that(lab: Graph, several: Graph) -> None:
    assert not [r for r in lab if r.name == "rabbitmq1-cluster"]
    for name in ("rabbitmq1", "rabbitmq2", "rabbitmq3"):
        leaving = several.one(f"{name}-cluster").parameters()
        assert leaving["other"] in THREE_BROKERS.keys() | {"rabbitmq1"} and leaving["other"] != name
        assert leaving["leave"] == ["/etc/dockstack/bin/forget-broker"] and leaving["stops"] is False


def test_agents_ask_for_neutrons_server_where_its_queues_are(lab: Graph, several: Graph) -> None:
    script = "bin/await-neutron-server"
    one, other = rendered(lab, "compute1", script), rendered(several, "compute1", script)
    assert "virtual_host" not in one
    assert one.replace("read_timeout=5)", 'read_timeout=5, virtual_host="quorum")') == other
    for text in (one, other):
        compile(text, script, "exec")


def test_keystones_have_the_same_keys_of_the_lab_and_a_single_one_its_own(lab: Graph, several: Graph) -> None:
    keys = ("profile::keystone::fernet_keys", "profile::keystone::credential_keys")
    assert not data(lab, "keystone1", "secrets").keys() & set(keys)
    first, second = (data(several, f"keystone{number}", "secrets") for number in (1, 2))
    assert first == second
    assert all(len(first[key]) == 3 for key in keys)
    made = {r.name: r.inputs["create"] for r in several if r.name.startswith("secret-keystone_")}
    assert all(("date +%s%N" in made[name]) == ("_key_" in name) for name in made)
    assert sum("_key_" in name for name in made) == 6


def test_what_nova_knows_of_a_conductor_that_has_gone_is_removed_by_another(several: Graph) -> None:
    assert several.one("nova2-services").parameters()["other"] == "nova1"
    assert several.one("nova1-services").parameters()["other"] == "nova2"


def test_haproxy_has_all_members_behind_each_frontend(several: Graph) -> None:
    frontends = data(several, "haproxy1")["profile::haproxy::frontends"]
    for role, names in {"keystone": ["keystone"], "nova": ["nova", "nova-metadata", "novncproxy"]}.items():
        for name in names:
            assert [each["name"] for each in frontends[name]["backends"]] == [f"{role}1", f"{role}2"]


def faults(containers: dict[str, Any], **common: Any) -> list[str]:
    """Return what is said of a lab with more containers."""
    given = config(common=config()["common"] | common, containers=config()["containers"] | containers)
    with pytest.raises(ConfigurationFaults) as caught:
        environment.load(given, stack="lab", roles=services.facts(), base_dir=paths.PROJECT)
    return [str(fault) for fault in caught.value.faults]


def test_a_second_glance_is_refused_where_images_are_files() -> None:
    said = faults({"glance2": {"role": "glance", "address": "10.87.0.161"}})
    assert said == [
        "dockstack:containers.glance2.role: this lab can't have several glance, and glance1 is there: images are files"
        " on a volume that no other container has. Fix: Keep them in Ceph, by common.imageBackend: rbd. Or leave one of"
        " them out."
    ]


def test_a_second_cinder_is_refused_where_volumes_or_locks_are_not_for_both() -> None:
    second = {"cinder2": {"role": "cinder", "address": "10.87.0.160"}}
    begin = "dockstack:containers.cinder2.role: this lab can't have several cinder, and cinder1 is there: "
    assert faults(second, volumeBackend="nfs") == [
        f"{begin}volumes are its own container's. Fix: Keep them in Ceph, by common.volumeBackend: rbd. Or leave one of"
        " them out."
    ]
    without_redis = {**second, "redis1": {"role": "plain", "address": "10.87.0.43"}}
    (said,) = [each for each in faults(without_redis) if "cinder2" in each]
    assert said.startswith(
        f"{begin}they lock for each other what they work on in Redis, and no container has role redis."
    )
    assert "Add a container of role redis." in said


def test_images_in_ceph_need_one() -> None:
    without = {
        "ceph1": {"role": "plain", "address": "10.87.0.70"},
        "cinder1": {"role": "plain", "address": "10.87.0.75"},
    }
    assert faults(without, imageBackend="rbd") == [
        "dockstack:common.imageBackend: the image back end rbd needs role ceph, and no container has it."
        " Fix: Add a container of role ceph, or choose file."
    ]
    assert faults({}, imageBackend="swift") == [
        "dockstack:common.imageBackend: `swift` is no image back end. Fix: Write file, rbd, or leave it out for file."
    ]


@pytest.fixture(scope="module")
def shared() -> Graph:
    """A lab with images in Ceph, and two each of Glance, Cinder and Neutron."""
    more = {
        f"{role}2": {"role": role, "address": f"10.87.0.{160 + number}"}
        for number, role in enumerate(("cinder", "glance", "neutron"))
    }
    return record_lab(
        config(common=config()["common"] | {"imageBackend": "rbd"}, containers=config()["containers"] | more)
    )


def test_images_in_ceph_have_a_pool_and_a_client_of_their_own(lab: Graph, shared: Graph) -> None:
    assert not {key for key in data(lab, "ceph1") if "image" in key}
    assert not {key for key in data(lab, "ceph1", "secrets") if "image" in key}
    assert not {key for key in data(lab, "glance1") if "ceph" in key or "backend" in key}
    assert data(shared, "ceph1")["profile::ceph::image_pool"] == data(shared, "glance1")["profile::glance::rbd_pool"]
    same = [
        data(shared, name, "secrets")[key]
        for name, key in (
            ("ceph1", "profile::ceph::image_secret"),
            ("glance1", "profile::glance::ceph_secret"),
            ("glance2", "profile::glance::ceph_secret"),
        )
    ]
    assert len(set(same)) == 1


@pytest.fixture(scope="module")
def monitored() -> Graph:
    """A lab with three members of Ceph, and a second Cinder."""
    more = {f"ceph{number}": {"role": "ceph", "address": f"10.87.0.{170 + number}"} for number in (2, 3)}
    more["cinder2"] = {"role": "cinder", "address": "10.87.0.160"}
    return record_lab(config(containers=config()["containers"] | more))


def test_members_of_ceph_have_the_same_keys_and_their_clients_know_all_monitors(lab: Graph, monitored: Graph) -> None:
    addresses = ["10.87.0.70", "10.87.0.172", "10.87.0.173"]
    secret = [data(monitored, f"ceph{number}", "secrets") for number in (1, 2, 3)]
    assert secret[0] == secret[1] == secret[2] and "profile::ceph::admin_secret" in secret[0]
    for name, key in (
        ("ceph1", "profile::ceph::monitors"),
        ("ceph3", "profile::ceph::monitors"),
        ("cinder2", "profile::cinder::ceph_monitors"),
        ("compute1", "profile::compute::volumes::ceph_monitors"),
    ):
        assert data(monitored, name)[key] == addresses
        if name in ("ceph1", "compute1"):
            assert data(lab, name)[key] == addresses[:1]
    assert not [key for key in data(monitored, "ceph1") if key.endswith("places")]


def test_a_member_of_ceph_that_goes_is_let_go_by_another_while_it_works(lab: Graph, monitored: Graph) -> None:
    assert not [r for r in lab if r.name == "ceph1-cluster"]
    for number in (1, 2, 3):
        leaving = monitored.one(f"ceph{number}-cluster").parameters()
        assert {leaving["other"], *leaving["others"], f"ceph{number}"} == {"ceph1", "ceph2", "ceph3"}
        assert leaving["leave"] == ["/etc/dockstack/bin/ceph-member", "leave"] and leaving["stops"] is False
    birth = monitored.the("cluster-birth", container="ceph1").parameters()
    assert birth["command"] == ["/etc/dockstack/bin/ceph-member", "birth"]


def test_ceph_is_told_on_which_host_a_member_is_where_there_are_several() -> None:
    hosts = {"containerHosts": {"local": {}, "far": {"ssh": {"host": "192.0.2.7"}}}}
    more = {f"ceph{number}": {"role": "ceph", "address": f"10.87.0.{170 + number}"} for number in (2, 3)}
    more["ceph3"]["host"] = "far"
    given = config(containers=config()["containers"] | more, **hosts)
    given["containerDefaults"]["host"] = "local"
    lab = topology(given)
    told = services.ROLES["ceph"].hiera(lab, lab.members("ceph")[0])
    assert told["profile::ceph::places"] == {"ceph1": "local", "ceph2": "local", "ceph3": "far"}


def test_each_of_several_glances_is_reached_by_the_others(lab: Graph, shared: Graph) -> None:
    assert "profile::glance::own_url" not in data(lab, "glance1")
    for name in ("glance1", "glance2"):
        assert data(shared, name)["profile::glance::own_url"] == f"http://{name}.dockstack.lab:9292"


def test_several_cinders_are_a_cluster_that_locks_in_redis_and_a_single_one_is_what_it_was(
    lab: Graph, shared: Graph
) -> None:
    assert not {"host", "cluster", "lock_server"} & {key.rpartition("::")[2] for key in data(lab, "cinder1")}
    assert "profile::cinder::lock_password" not in data(lab, "cinder1", "secrets")
    hosts = set()
    for name in ("cinder1", "cinder2"):
        told = data(shared, name)
        hosts.add(told["profile::cinder::host"])
        assert told["profile::cinder::lock_server"] == "10.87.0.43:6379"
        password = data(shared, name, "secrets")["profile::cinder::lock_password"]
        assert password == data(shared, "redis1", "secrets")["profile::redis::password"]
    # Neither what volumes belonged to before, nor what they belong to now, is a member's name.
    assert len({*hosts, "cinder", data(shared, "cinder1")["profile::cinder::cluster"]}) == 4


def test_what_one_of_several_cinders_or_neutrons_leaves_goes_to_another(lab: Graph, shared: Graph) -> None:
    # Without the others it stays a member: the end of its membership would be its own.
    for alone in ("cinder1-services", "neutron1-agents", "nova1-services"):
        assert lab.one(alone).parameters()["other"] == ""
    for resource, other in {
        "cinder2-services": "cinder1",
        "cinder1-services": "cinder2",
        "neutron2-agents": "neutron1",
    }.items():
        assert shared.one(resource).parameters()["other"] == other
    several = shared.one("cinder2-queues").parameters()["leave"]
    assert several[1:] == ["cinder", "volumes", "cinder1.dockstack.lab", "cinder2.dockstack.lab"]
    assert lab.one("cinder1-queues").parameters()["leave"] == ["/etc/dockstack/bin/remove-queues", "cinder"]


def test_routers_are_redundant_where_there_are_several_neutrons(lab: Graph, shared: Graph) -> None:
    assert "profile::neutron::redundant" not in data(lab, "neutron1")
    assert all(data(shared, f"neutron{number}")["profile::neutron::redundant"] is True for number in (1, 2))
