"""Container hosts: a provider, a keeper, images and commands of its own each."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from hostside.drift import Finding
from tests.unit.graph_recorder import (
    CONTAINER,
    LOCAL_COMMAND,
    REMOTE_COMMAND,
    Graph,
    Resource,
    Secret,
    config,
    container,
    record_lab,
    record_lab_anew,
    texts,
)

PRIVATE_KEY = "the text of a private key"
SSH = {"host": "192.0.2.20", "user": "lab", "port": 2222}


@pytest.fixture(scope="module")
def both() -> Graph:
    given = container("plain2", role="plain", address="10.87.0.61", host="far", dns=[])
    given["containerHosts"] = {"local": {}, "far": {"ssh": SSH}}
    given["containerDefaults"]["host"] = "local"
    return record_lab(given)


def provider(graph: Graph, host: str) -> Resource:
    return graph.one(f"{host}-docker", "pulumi:providers:docker")


def keepers(graph: Graph) -> dict[str, Resource]:
    return {r.name.removesuffix("-keeper"): r for r in graph.of_type(CONTAINER) if r.inputs["name"] == "lab-keeper"}


def test_a_local_lab_talks_to_the_engines_socket_and_runs_its_commands_here(lab: Graph) -> None:
    assert provider(lab, "local").inputs["host"] == "unix:///var/run/docker.sock"
    assert {r.type for r in lab.commands()} == {LOCAL_COMMAND}


def test_nothing_of_docker_lands_on_the_default_provider(both: Graph) -> None:
    of_docker = [r for r in both if r.type.startswith("docker:")]
    assert of_docker
    for resource in of_docker:
        assert "-docker::" in resource.provider, resource.name


def test_each_host_has_a_provider_a_bridge_and_a_keeper_of_its_own(both: Graph) -> None:
    assert provider(both, "far").inputs["host"] == "ssh://lab@192.0.2.20:2222"
    assert keepers(both).keys() == {"local", "far"}
    assert len(both.operations("bridge-up")) == 2
    for host, keeper in keepers(both).items():
        assert keeper.provider.startswith(provider(both, host).urn)


def test_a_container_runs_on_its_host(both: Graph) -> None:
    assert both.container("plain2").provider.startswith(provider(both, "far").urn)
    assert both.container("plain1").provider.startswith(provider(both, "local").urn)


def test_a_container_depends_on_the_bridge_and_keeper_of_its_host_only(both: Graph) -> None:
    far = both.container("plain2")
    assert both.comes_before(keepers(both)["far"], far)
    assert not both.comes_before(keepers(both)["local"], far)


def test_what_is_done_on_a_host_beyond_ssh_is_a_remote_command_with_its_connection(both: Graph) -> None:
    remote = both.of_type(REMOTE_COMMAND)
    assert {r.operation() for r in remote} >= {"bridge-up", "image-build", "files-write", "ports-attach"}
    for resource in remote:
        connection = resource.shown("connection")
        assert (connection["host"], connection["user"], connection["port"]) == ("192.0.2.20", "lab", 2222)
    local = {str(r.inputs.get("create", "")) for r in both.of_type(LOCAL_COMMAND)}
    assert not any(line.endswith(" plain2") for line in local)


def test_a_host_builds_the_images_that_run_on_it_and_no_others(both: Graph) -> None:
    built = {r.parameters()["tag"].split(":")[0] for r in both.operations("image-build") if r.type == REMOTE_COMMAND}
    assert built == {"dockstack/base", "dockstack/keeper"}


def test_a_host_without_containers_is_left_alone() -> None:
    given = config(containerHosts={"local": {}, "idle": {"ssh": SSH}})
    given["containerDefaults"]["host"] = "local"
    graph = record_lab(given)
    assert not [r for r in graph if "idle" in r.name]


def test_the_private_key_of_a_connection_is_a_secret(tmp_path: Path) -> None:
    key = tmp_path / "key"
    key.write_text(PRIVATE_KEY)
    graph = remote_lab(privateKey=str(key), hostKey="ssh-ed25519 AAAA")
    commands = graph.of_type(REMOTE_COMMAND)
    assert commands
    for resource in graph:
        assert PRIVATE_KEY not in " ".join(texts(resource.inputs, secrets=False))
    for resource in commands:
        connection = resource.shown("connection")
        key_input = connection["privateKey"]
        assert (key_input.value if isinstance(key_input, Secret) else key_input) == PRIVATE_KEY
        assert connection["hostKey"] == "ssh-ed25519 AAAA"


def test_docker_over_ssh_checks_the_configured_key() -> None:
    options = provider(remote_lab(hostKey="ssh-ed25519 AAAA of-far"), "far").inputs["sshOpts"]
    assert "KnownHostsCommand=/usr/bin/echo %H ssh-ed25519 AAAA" in options
    assert "UserKnownHostsFile=/dev/null" in options


def test_connections_to_a_host_are_one_and_a_dead_one_is_noticed() -> None:
    options = json.loads(provider(remote_lab(), "far").inputs["sshOpts"])
    assert {"ControlMaster=auto", "ServerAliveInterval=10"} <= set(options)


def test_a_host_that_is_down_is_left_alone_where_nothing_changes(both: Graph) -> None:
    assert provider(both, "far").inputs["disableDockerDaemonCheck"] == "true"
    assert "disableDockerDaemonCheck" not in provider(both, "local").inputs


def test_nothing_is_put_into_the_environment_of_a_host_beyond_ssh(both: Graph) -> None:
    assert {r.inputs["addPreviousOutputInEnv"] for r in both.of_type(REMOTE_COMMAND)} == {False}
    assert not any("addPreviousOutputInEnv" in r.inputs for r in both.of_type(LOCAL_COMMAND))


def test_the_bridge_of_both_hosts_is_joined_before_a_container_is_on_it(both: Graph) -> None:
    joins = {r.name: r for r in both.operations("bridge-join")}
    assert joins.keys() == {"local-br-lab-join", "far-br-lab-join"}
    assert {json.loads(r.shown("stdin"))["mtu"] for r in joins.values()} == {1450}
    assert both.comes_before(joins["far-br-lab-join"], both.container("plain2"))
    assert both.comes_before(joins["local-br-lab-join"], both.container("keystone1"))


def test_a_lab_on_one_host_joins_nothing(lab: Graph) -> None:
    assert not lab.operations("bridge-join") and not lab.operations("names-publish")
    assert not [r for r in lab.commands() if r.name.endswith("-images")]


def test_the_dns_servers_host_knows_the_names_of_the_others_containers(both: Graph) -> None:
    (published,) = both.operations("names-publish")
    assert published.parameters()["names"] == {"plain2.dockstack.lab": "10.87.0.61"}
    assert published.name == "local-names-far"


def test_an_image_of_two_hosts_is_built_once_and_copied(both: Graph) -> None:
    copied = both.one("far-images")
    assert [line.split(":")[0] for line in copied.shown("stdin").splitlines()] == ["dockstack/base", "dockstack/keeper"]
    by_name = {r.name: r for r in both.operations("image-build")}
    for image in ("base", "keeper"):
        assert both.comes_before(by_name[f"local-image-{image}"], copied)
        assert both.comes_before(copied, by_name[f"far-image-{image}"])


def test_an_image_of_another_host_only_is_built_where_all_are() -> None:
    given = container("memcached1", host="far")
    given["containerHosts"] = {"local": {}, "far": {"ssh": SSH}}
    given["containerDefaults"]["host"] = "local"
    graph = record_lab(given)
    copied = graph.one("far-images")
    assert "dockstack/memcached" in copied.shown("stdin")
    assert graph.comes_before(graph.one("local-image-memcached"), copied)
    assert graph.comes_before(copied, graph.one("far-image-memcached"))


def test_an_image_that_a_host_has_lost_is_copied_again() -> None:
    given = container("plain2", role="plain", address="10.87.0.61", host="far", dns=[])
    given["containerHosts"] = {"local": {}, "far": {"ssh": SSH}}
    given["containerDefaults"]["host"] = "local"
    lost = {("image-build", "base"): Finding(1, "image dockstack/base is gone")}
    graph = record_lab_anew(given, elsewhere={"far": lost})
    assert graph.one("far-images").shown("stdin").endswith("# 1\n")
    assert json.loads(graph.one("far-image-base").shown("stdin"))["drift"] == 1
    assert "drift" not in json.loads(graph.one("local-image-base").shown("stdin"))


def test_a_host_may_have_its_files_elsewhere(lab: Graph) -> None:
    given = config(containerHosts={"far": {"ssh": SSH, "home": "/srv/dockstack"}})
    graph = record_lab(given)
    assert all("/srv/dockstack/stacks/lab" in r.inputs["create"] for r in graph.of_type(REMOTE_COMMAND))


def test_a_device_is_given_to_a_container_where_its_host_has_it() -> None:
    given = config(containerHosts={"far": {"ssh": SSH}})
    assert [d["hostPath"] for d in record_lab(given).container("compute1").inputs["devices"]][-1] == "/dev/kvm"
    absent = record_lab_anew(given, absent={"far": {"/dev/kvm"}}).container("compute1").inputs["devices"]
    assert "/dev/kvm" not in [d["hostPath"] for d in absent]


def test_docker_over_ssh_refuses_a_host_that_it_does_not_know() -> None:
    options = provider(remote_lab(), "far").inputs["sshOpts"]
    assert "StrictHostKeyChecking=yes" in options


def test_a_lab_on_one_host_beyond_ssh_does_everything_there_but_make_secrets() -> None:
    graph = remote_lab()
    assert {r.name.split("-")[0] for r in graph.of_type(LOCAL_COMMAND)} == {"secret"}
    assert graph.operations("provision")
    assert graph.outputs["openrc"] is None


def remote_lab(**ssh: Any) -> Graph:
    given = config(containerHosts={"far": {"ssh": SSH | ssh}})
    given["containerDefaults"]["host"] = "far"
    return record_lab(given)
