"""What waits for what: while a lab is made, and the other way round while it is destroyed."""

from __future__ import annotations

import json

import pytest

from components import services
from components.services.role import Stage
from hostside.operations import NAMES, UNDONE_BY, named
from tests.unit.graph_recorder import (
    CONFIG,
    CONTAINER,
    PROVISIONED,
    Graph,
    Resource,
    config,
    container,
    record_lab,
    record_lab_anew,
)

MEMBERS = {given["role"]: name for name, given in CONFIG["containers"].items()}
WORKING_BEFORE_PUPPET = {"dnsmasq1", "puppet1"}


def of(graph: Graph, operation: str, name: str) -> Resource:
    """Return the command resource that an operation of a container is."""
    found = [r for r in graph.operations(operation) if str(r.inputs["create"]).split()[-1] == name]
    assert len(found) == 1, f"{operation} {name}: {[r.name for r in found]}"
    return found[0]


def awaited_health(graph: Graph, resource: Resource) -> set[str]:
    """Return the containers whose health something waits for, directly or through others."""
    return {
        str(r.inputs["create"]).split()[-1] for r in graph.operations("health-await") if r.urn in graph.before(resource)
    }


def test_the_tool_comes_first_and_the_bridge_before_the_keeper_before_the_containers(lab: Graph) -> None:
    bridge = lab.the("bridge-up")
    keeper = lab.container("lab-keeper")
    assert lab.comes_before(lab.one("local-tool"), bridge)
    assert lab.comes_before(bridge, keeper)
    assert all(lab.comes_before(keeper, lab.container(name)) for name in CONFIG["containers"])


def test_the_keeper_starts_once_its_files_and_its_image_are_there(lab: Graph) -> None:
    keeper = lab.container("lab-keeper")
    directory = next(m["hostPath"] for m in keeper.inputs["volumes"] if m["containerPath"] == "/etc/dockstack")
    assert lab.comes_before(lab.the("files-write", root=directory), keeper)
    assert str(keeper.inputs["image"]).startswith("sha256:dockstack/keeper:")


def test_so_a_destroy_ends_with_the_keeper_then_the_bridge_then_the_tool(lab: Graph) -> None:
    tool, bridge, keeper = lab.one("local-tool"), lab.the("bridge-up"), lab.container("lab-keeper")
    after_keeper = {r.urn for r in lab if r.custom and lab.comes_before(keeper, r)}
    assert {lab.container(name).urn for name in CONFIG["containers"]} <= after_keeper
    assert {r.urn for r in lab.operations("port-attach")} <= after_keeper
    for command in lab.commands():
        if command is not tool and not command.name.startswith("secret-"):
            assert lab.comes_before(tool, command), command.name
    assert "bridge-down" in bridge.inputs["delete"]
    _, purge, rest, last = tool.inputs["delete"].split(" && ", 3)
    assert purge.endswith(" purge lab") and rest.startswith("mv -T ") and last.startswith("rm -rf ")


def test_docker_volumes_go_before_the_tool_and_the_stacks_directory(lab: Graph) -> None:
    assert all(lab.comes_before(lab.one("local-tool"), volume) for volume in lab.of_type("docker:index/volume:Volume"))


def test_the_bridge_gets_the_labs_subnet_and_the_gateways_address(lab: Graph) -> None:
    given = lab.the("bridge-up").parameters()
    assert given == {
        "name": "br-lab", "stack": "lab", "network": "10.87.0.0/24", "address": "10.87.0.1/24", "mtu": 1500
    }  # fmt: skip


def test_what_undoes_the_bridge_gets_the_same_parameters_as_what_makes_it(lab: Graph) -> None:
    bridge = lab.the("bridge-up").inputs
    assert bridge["delete"] == bridge["create"].replace("bridge-up", "bridge-down")


@pytest.mark.parametrize("name", PROVISIONED)
def test_a_port_needs_its_container_and_nothing_of_another(lab: Graph, name: str) -> None:
    port = of(lab, "port-attach", name)
    containers = {r.inputs["name"] for r in lab.of_type(CONTAINER) if r.urn in lab.before(port)}
    assert containers == {name, "lab-keeper"}
    assert port.deleted_with == lab.container(name).urn


@pytest.mark.parametrize("name", PROVISIONED)
def test_a_puppet_run_waits_for_the_health_of_exactly_what_its_role_needs(lab: Graph, name: str) -> None:
    role = services.ROLES[CONFIG["containers"][name]["role"]]
    # The Puppet server and dnsmasq run before Puppet: their own runs wait for both, and for their own programs.
    wanted, waiting = set(WORKING_BEFORE_PUPPET), [role]
    while waiting:
        needed = {need for need, stage in services.needs_of(waiting.pop()).items() if stage is Stage.HEALTHY}
        waiting += [services.ROLES[need] for need in needed if MEMBERS[need] not in wanted]
        wanted |= {MEMBERS[need] for need in needed}
    assert awaited_health(lab, of(lab, "provision", name)) == wanted


@pytest.mark.parametrize("name", PROVISIONED)
def test_a_puppet_run_comes_after_port_registration_and_certificate(lab: Graph, name: str) -> None:
    run = of(lab, "provision", name)
    assert lab.comes_before(of(lab, "port-attach", name), run)
    assert lab.comes_before(of(lab, "register", name), run)
    if name != "puppet1":
        assert lab.comes_before(of(lab, "certificate-issue", name), run)


@pytest.mark.parametrize("name", sorted(set(PROVISIONED) - {"puppet1"}))
def test_a_certificate_is_asked_for_once_the_container_is_registered_and_attached(lab: Graph, name: str) -> None:
    request = of(lab, "certificate-issue", name)
    assert lab.comes_before(of(lab, "register", name), request)
    assert lab.comes_before(of(lab, "port-attach", name), request)
    assert request.parameters()["server"] == "puppet1.dockstack.lab"


def test_the_puppet_server_asks_nobody_for_a_certificate(lab: Graph) -> None:
    asking = {r.parameters()["container"] for r in lab.operations("certificate-issue")}
    assert asking == set(PROVISIONED) - {"puppet1"}


def test_everybody_is_asked_for_his_certificate_again_when_the_puppet_server_is_made_anew(lab: Graph) -> None:
    assert {r.parameters()["authority"] for r in lab.operations("certificate-issue")} == {"puppet1-id"}


@pytest.mark.parametrize("name", sorted(set(PROVISIONED) - {"puppet1"}))
def test_a_container_is_registered_once_the_puppet_server_is_healthy(lab: Graph, name: str) -> None:
    assert lab.comes_before(of(lab, "health-await", "puppet1"), of(lab, "register", name))


def test_so_a_destroy_withdraws_each_registration_while_the_puppet_server_still_works(lab: Graph) -> None:
    server = lab.container("puppet1")
    for resource in lab.operations("register"):
        assert lab.comes_before(server, resource)
        assert "withdraw" in resource.inputs["delete"]


@pytest.mark.parametrize("name", sorted(WORKING_BEFORE_PUPPET))
def test_what_boots_alone_is_healthy_before_any_puppet_run(lab: Graph, name: str) -> None:
    health = of(lab, "health-await", name)
    assert not {r.name for r in lab.operations("provision") if r.urn in lab.before(health)}


@pytest.mark.parametrize("name", sorted(set(PROVISIONED) - WORKING_BEFORE_PUPPET))
def test_the_others_are_healthy_after_their_puppet_run(lab: Graph, name: str) -> None:
    assert lab.comes_before(of(lab, "provision", name), of(lab, "health-await", name))


def test_a_person_gets_in_once_keystone_is_healthy(lab: Graph) -> None:
    assert lab.comes_before(of(lab, "health-await", "keystone1"), lab.the("access-publish"))


def test_a_puppet_run_waits_for_the_containers_that_the_configuration_names_as_well() -> None:
    graph = record_lab(container("memcached1", needs=["galera1"]))
    assert "galera1" in awaited_health(graph, of(graph, "provision", "memcached1"))


def test_a_puppet_run_waits_for_the_port_of_a_plain_container_that_the_configuration_names() -> None:
    graph = record_lab(container("memcached1", needs=["plain1"]))
    assert graph.comes_before(graph.the("ports-attach"), of(graph, "provision", "memcached1"))


def test_every_member_of_a_needed_role_is_waited_for() -> None:
    graph = record_lab(container("galera2", role="galera", address="10.87.0.31"))
    assert {"galera1", "galera2"} <= awaited_health(graph, of(graph, "provision", "keystone1"))


TRIO = container("galera2", role="galera", address="10.87.0.31")
TRIO["containers"] |= {
    "galera3": {"role": "galera", "address": "10.87.0.32"},
    "compute2": {"role": "compute", "address": "10.87.0.91"},
    "dnsmasq2": {"role": "dnsmasq", "address": "10.87.0.54"},
}


def awaited_containers(graph: Graph, name: str) -> set[str]:
    """Return the containers whose health a container waits for before it is made or replaced."""
    return awaited_health(graph, graph.container(name))


def test_a_member_is_provisioned_once_those_before_it_are_healthy() -> None:
    graph = record_lab(TRIO)
    assert awaited_health(graph, of(graph, "provision", "galera1")) == {*WORKING_BEFORE_PUPPET, "dnsmasq2"}
    assert awaited_health(graph, of(graph, "provision", "galera3")) >= {"galera1", "galera2"}
    assert graph.comes_before(of(graph, "provision", "dnsmasq1"), of(graph, "provision", "dnsmasq2"))


def test_computes_do_not_wait_for_each_other() -> None:
    graph = record_lab(TRIO)
    assert "compute1" not in awaited_health(graph, of(graph, "provision", "compute2"))


def test_members_that_are_not_there_yet_come_at_once() -> None:
    graph = record_lab(TRIO)
    assert not {name for name in TRIO["containers"] if awaited_containers(graph, name)}


def test_a_member_that_is_there_is_replaced_once_those_before_it_are_healthy() -> None:
    graph = record_lab_anew(TRIO, standing=TRIO["containers"])
    assert not awaited_containers(graph, "galera1")
    assert awaited_containers(graph, "galera3") >= {"galera1", "galera2"}
    assert awaited_containers(graph, "dnsmasq2") == {"dnsmasq1"}
    assert not awaited_containers(graph, "compute2")
    assert {r.urn for r in graph} == {r.urn for r in record_lab(TRIO)}


def test_a_member_that_is_new_comes_at_once_and_has_the_last_turn() -> None:
    graph = record_lab_anew(TRIO, standing={"galera2", "galera3"})
    assert not awaited_containers(graph, "galera1")
    assert awaited_containers(graph, "galera3") == {*WORKING_BEFORE_PUPPET, "dnsmasq2", "galera2"}
    assert awaited_health(graph, of(graph, "provision", "galera1")) >= {"galera2", "galera3"}


def test_a_cluster_is_born_once_by_its_first_member_when_all_are_attached() -> None:
    graph = record_lab(TRIO)
    birth = graph.the("cluster-birth", container="galera1")
    assert birth.parameters() == {"container": "galera1", "command": ["/etc/dockstack/bin/galera-member", "birth"]}
    assert "stdin" in birth.ignored and "delete" not in birth.inputs
    for name in ("galera1", "galera2", "galera3"):
        assert graph.comes_before(of(graph, "port-attach", name), birth)
        assert graph.comes_before(birth, of(graph, "provision", name))


def test_members_that_know_each_other_are_joined_once_all_are_healthy() -> None:
    graph = record_lab(container("cassandra2", role="cassandra", address="10.87.0.49"))
    runs = [of(graph, "health-await", name) for name in ("cassandra1", "cassandra2")]
    for name, other in (("cassandra1", "cassandra2"), ("cassandra2", "cassandra1")):
        joining = graph.one(f"{name}-ring")
        assert joining.parameters()["other"] == other
        assert all(graph.comes_before(run, joining) for run in runs)


def test_one_member_alone_joins_nobody(lab: Graph) -> None:
    joined = lab.operations("member-join", container="cassandra1")
    assert {r.parameters()["other"] for r in joined} == {"", "config1"}
    # With nobody, it is declared to go on when it becomes the only one: the end of its membership would be its own.
    assert [r.name for r in joined if not r.parameters()["other"]] == ["cassandra1-ring"]


def test_a_puppet_run_happens_again_for_a_new_container_changed_data_or_changed_files(lab: Graph) -> None:
    changed = record_lab(container("galera2", role="galera", address="10.87.0.31"))
    for name, again in {"galera1": True, "haproxy1": True, "memcached1": False, "rabbitmq1": False}.items():
        before, after = (of(graph, "provision", name).shown("stdin") for graph in (lab, changed))
        assert (before != after) is again, name


def test_a_puppet_run_names_the_id_of_its_container(lab: Graph) -> None:
    assert all(r.parameters()["id"] == f"{r.parameters()['container']}-id" for r in lab.operations("provision"))


def test_a_second_member_of_a_role_leaves_the_other_containers_as_they_are(lab: Graph) -> None:
    changed = record_lab(container("galera2", role="galera", address="10.87.0.31"))
    for name in CONFIG["containers"]:
        assert changed.container(name).inputs == lab.container(name).inputs


def test_the_order_of_the_containers_in_the_configuration_does_not_matter(lab: Graph) -> None:
    backwards = config(containers=dict(reversed(list(config()["containers"].items()))))
    other = record_lab(backwards)
    assert {r.urn: r.dependencies for r in lab} == {r.urn: r.dependencies for r in other}


def test_the_same_configuration_is_registered_the_same_way_twice(lab: Graph) -> None:
    again = record_lab_anew(config())
    assert {r.urn: r for r in again} == {r.urn: r for r in lab}
    assert again.outputs == lab.outputs


def test_no_two_resources_have_one_urn(lab: Graph) -> None:
    urns = [r.urn for r in lab]
    assert len(urns) == len(set(urns))


def test_everything_belongs_to_the_lab(lab: Graph) -> None:
    by_urn = {r.urn: r for r in lab}
    for resource in lab:
        top = resource
        while top.parent in by_urn:
            top = by_urn[top.parent]
        assert top.type == "dockstack:index:Lab"


@pytest.mark.parametrize("name", PROVISIONED)
def test_the_stages_of_a_container_are_its_components_children(lab: Graph, name: str) -> None:
    component = next(r for r in lab if r.name == name and not r.custom)
    assert component.type == "dockstack:index:ServiceContainer"
    mine = [lab.container(name), of(lab, "provision", name), of(lab, "port-attach", name), of(lab, "register", name)]
    assert {r.parent for r in mine} == {component.urn}


def test_a_preview_declares_the_same_resources_though_no_id_is_known(lab: Graph, previewed: Graph) -> None:
    assert {r.urn for r in previewed} == {r.urn for r in lab}
    assert {r.urn: r.dependencies for r in previewed} == {r.urn: r.dependencies for r in lab}


def test_what_a_preview_shows_in_full_is_what_an_up_does(lab: Graph, previewed: Graph) -> None:
    up = {r.urn: r for r in lab}
    for resource in previewed:
        if resource.name.endswith(("-files", "-br-lab", "-tool")) or "-image-" in resource.name:
            assert resource.inputs == up[resource.urn].inputs


def test_the_tool_takes_each_command_that_is_declared_and_the_one_that_undoes_it(tls: Graph) -> None:
    far = container("plain2", role="plain", address="10.87.0.61", host="far", dns=[])
    far["containerHosts"] = {"local": {}, "far": {"ssh": {"host": "192.0.2.20", "user": "lab"}}}
    far["containerDefaults"]["host"] = "local"
    declared = [command for command in (*tls.commands(), *record_lab(far).commands()) if command.operation()]
    assert {command.operation() for command in declared} == set(NAMES)
    for command in declared:
        inputs = command.parameters()
        operation = named(command.operation()).parse(inputs)
        assert json.loads(operation.dumped()) == inputs
        operation.record()
        undo = str(command.inputs.get("delete", "")).split()
        assert UNDONE_BY[undo[3]] == operation.NAME if undo else not operation.UNDO
