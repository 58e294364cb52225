"""Container hosts: a provider, a keeper, images and commands of its own each."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.unit.graph_recorder import (
    CONTAINER,
    LOCAL_COMMAND,
    REMOTE_COMMAND,
    Graph,
    Registration,
    Secret,
    config,
    container,
    record_lab,
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


def provider(graph: Graph, host: str) -> Registration:
    return graph.one(f"{host}-docker", "pulumi:providers:docker")


def keepers(graph: Graph) -> dict[str, Registration]:
    return {r.name.removesuffix("-keeper"): r for r in graph.of_type(CONTAINER) if r.inputs["name"] == "lab-keeper"}


def test_a_local_lab_talks_to_the_engines_socket_and_runs_its_commands_here(lab: Graph) -> None:
    assert provider(lab, "local").inputs["host"] == "unix:///var/run/docker.sock"
    assert {r.type for r in lab.commands()} == {LOCAL_COMMAND}


def test_nothing_of_docker_lands_on_the_default_provider(both: Graph) -> None:
    of_docker = [r for r in both if r.type.startswith("docker:")]
    assert of_docker
    for registration in of_docker:
        assert "-docker::" in registration.provider, registration.name


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
    for registration in remote:
        connection = registration.shown("connection")
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
    for registration in graph:
        assert PRIVATE_KEY not in " ".join(texts(registration.inputs, secrets=False))
    for registration in commands:
        connection = registration.shown("connection")
        key_input = connection["privateKey"]
        assert (key_input.value if isinstance(key_input, Secret) else key_input) == PRIVATE_KEY
        assert connection["hostKey"] == "ssh-ed25519 AAAA"


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
