"""The Docker containers of a lab: what they may, what they are given, and what they depend on."""

from __future__ import annotations

import re
import sys
from typing import Any

import pytest

from components import paths, services
from components.stages import docker_container
from tests.unit.graph_recorder import (
    CONFIG,
    CONTAINER,
    REMOTE_IMAGE,
    Graph,
    Resource,
    container,
    plain_config,
    record_lab,
    record_lab_anew,
)

NAMES = list(CONFIG["containers"])


def labels(resource: Resource) -> dict[str, str]:
    return {item["label"]: item["value"] for item in resource.inputs["labels"]}


def mounts(resource: Resource) -> dict[str, dict[str, Any]]:
    return {item["containerPath"]: item for item in resource.inputs["volumes"]}


def capabilities(resource: Resource) -> set[str]:
    return set(resource.inputs.get("capabilities", {}).get("adds", []))


def test_a_lab_has_the_configured_containers_and_one_keeper(lab: Graph) -> None:
    assert {r.inputs["name"] for r in lab.of_type(CONTAINER)} == {*NAMES, "lab-keeper"}


@pytest.mark.parametrize("name", NAMES)
def test_a_container_has_no_network_of_dockers(lab: Graph, name: str) -> None:
    found = lab.container(name).inputs
    assert found["networkMode"] == "none"
    assert not {"ports", "networksAdvanced", "publishAllPorts"} & found.keys()


@pytest.mark.parametrize("name", NAMES)
def test_a_container_is_started_again_by_the_engine(lab: Graph, name: str) -> None:
    assert lab.container(name).inputs["restart"] == "always"


@pytest.mark.parametrize("name", [*NAMES, "lab-keeper"])
def test_a_container_is_never_privileged_and_has_the_capabilities_that_its_role_names(lab: Graph, name: str) -> None:
    found = lab.container(name)
    role = services.KEEPER if name == "lab-keeper" else services.ROLES[CONFIG["containers"][name]["role"]]
    assert "privileged" not in found.inputs
    assert capabilities(found) == {f"CAP_{capability}" for capability in role.capabilities}
    assert "CAP_ALL" not in capabilities(found)


def test_only_the_roles_that_shape_a_network_get_capabilities(lab: Graph) -> None:
    shaping = {"dnsmasq1", "haproxy1", "neutron1", "compute1", "tempest1"}
    assert {name for name in NAMES if capabilities(lab.container(name))} == shaping


def test_only_the_keeper_sees_the_docker_socket(lab: Graph) -> None:
    sockets = {"/", "/var", "/run", "/run/docker.sock", "/var/run", "/var/run/docker.sock"}
    seeing = [
        r.inputs["name"]
        for r in lab.of_type(CONTAINER)
        if any(str(mount.get("hostPath")) in sockets for mount in r.inputs["volumes"])
    ]
    assert seeing == ["lab-keeper"]


@pytest.mark.parametrize("name", NAMES)
def test_a_containers_labels_tell_the_keeper_everything_about_its_port(lab: Graph, name: str) -> None:
    address = CONFIG["containers"][name]["address"]
    last = int(address.split(".")[3])
    further = {"dockstack.ports": f"eth2|br-lab|02:44:0a:57:00:{last:02x}"} if name in ("neutron1", "compute1") else {}
    assert labels(lab.container(name)) == further | {
        "dockstack.stack": "lab",
        "dockstack.role": CONFIG["containers"][name]["role"],
        "dockstack.fqdn": f"{name}.dockstack.lab",
        "dockstack.bridge": "br-lab",
        "dockstack.address": f"{address}/24",
        "dockstack.gateway": "10.87.0.1",
        "dockstack.mac": f"02:42:0a:57:00:{last:02x}",
        "dockstack.mtu": "1500",
    }


def test_the_keeper_has_no_port_of_its_own(lab: Graph) -> None:
    assert "dockstack.bridge" not in labels(lab.container("lab-keeper"))
    assert lab.container("lab-keeper").inputs["networkMode"] == "host"


def test_the_keeper_starts_with_the_daemon_whatever_happened_before(lab: Graph) -> None:
    assert lab.container("lab-keeper").inputs["restart"] == "always"


@pytest.mark.parametrize("name", NAMES)
def test_the_old_container_goes_before_a_new_one_of_its_name_comes(lab: Graph, name: str) -> None:
    assert lab.container(name).delete_before_replace


@pytest.mark.parametrize("name", NAMES)
def test_a_container_knows_its_name_domain_and_name_server(lab: Graph, name: str) -> None:
    found = lab.container(name).inputs
    assert (found["hostname"], found["domainname"]) == (name, "dockstack.lab")
    assert (found["dns"], found["dnsSearches"]) == (["10.87.0.53"], ["dockstack.lab"])


@pytest.mark.parametrize("name", NAMES)
def test_the_rendered_files_are_mounted_read_only_from_the_stacks_directory(lab: Graph, name: str) -> None:
    mount = mounts(lab.container(name))["/etc/dockstack"]
    assert mount["readOnly"] is True
    assert mount["hostPath"].startswith(f"{paths.stack_directory('lab')}/volumes/")
    assert lab.the("files-write", root=mount["hostPath"])


@pytest.mark.parametrize("name", NAMES)
def test_data_that_outlive_the_container_are_on_volumes_that_carry_its_name(lab: Graph, name: str) -> None:
    role = services.ROLES[CONFIG["containers"][name]["role"]]
    found = {path: m["volumeName"] for path, m in mounts(lab.container(name)).items() if "volumeName" in m}
    assert found == {path: f"{name}-{suffix}" for suffix, path in role.data.items()}
    for volume in found.values():
        declared = lab.one(volume, "Volume")
        assert labels(declared) == {"dockstack.stack": "lab"}
        assert lab.comes_before(declared, lab.container(name))


def test_a_database_gets_time_to_end(lab: Graph) -> None:
    assert lab.container("galera1").inputs["destroyGraceSeconds"] >= 30


@pytest.mark.parametrize("name", [*NAMES, "lab-keeper"])
def test_a_containers_log_is_bounded(lab: Graph, name: str) -> None:
    assert {"max-size", "max-file"} <= lab.container(name).inputs["logOpts"].keys()


@pytest.mark.parametrize("name", NAMES)
def test_a_container_runs_exactly_the_image_that_was_built(lab: Graph, name: str) -> None:
    assert str(lab.container(name).inputs["image"]).startswith("sha256:dockstack/")


@pytest.mark.parametrize("name", NAMES)
def test_a_container_depends_on_its_bridge_keeper_image_and_files_and_on_no_other_container(
    lab: Graph, name: str
) -> None:
    found = lab.container(name)
    operations = {r.operation() or r.type for r in lab if r.urn in lab.before(found) and r.custom}
    assert {"bridge-up", "image-build", "files-write"} <= operations
    assert not {"port-attach", "register", "certificate-issue", "provision", "health-await"} & operations
    others = {r.inputs["name"] for r in lab.of_type(CONTAINER) if r.urn in lab.before(found)}
    assert others == {"lab-keeper"}


def test_the_volumes_of_the_configuration_are_mounted_as_they_are_written() -> None:
    graph = record_lab(container("plain1", volumes=["/srv/data:/data", "/srv/conf:/conf:ro"]))
    found = mounts(graph.container("plain1"))
    assert (found["/data"]["hostPath"], found["/data"].get("readOnly", False)) == ("/srv/data", False)
    assert (found["/conf"]["hostPath"], found["/conf"]["readOnly"]) == ("/srv/conf", True)


def test_a_lab_of_plain_containers_has_one_resource_a_container_and_one_for_all_their_ports() -> None:
    one, three = record_lab(plain_config(1)), record_lab(plain_config(3))
    assert len(three.resources) - len(one.resources) == 2
    assert {(r.type, r.operation()) for r in three if r.name.startswith("c2")} == {(CONTAINER, "")}
    assert set(three.the("ports-attach").parameters()["containers"]) == {"c0", "c1", "c2"}


def test_a_lab_of_plain_containers_needs_no_puppet_and_generates_no_secret_of_a_service() -> None:
    graph = record_lab(plain_config(2))
    assert not {"register", "provision", "certificate-issue", "access-publish"} & {r.operation() for r in graph}
    assert graph.outputs["openrc"] is None
    assert [r.name for r in graph if r.name.startswith("secret-")] == ["secret-enrolment"]


def test_a_container_may_run_an_image_of_its_owners_under_its_full_name(lab: Graph) -> None:
    graph = record_lab(container("plain1", image="registry.example/tools:1.2"))
    (pulled,) = graph.of_type(REMOTE_IMAGE)
    assert pulled.inputs["name"] == "registry.example/tools:1.2"
    assert graph.container("plain1").inputs["image"] == "sha256:registry.example/tools:1.2"
    assert graph.comes_before(pulled, graph.container("plain1"))
    assert {r.name for r in graph.operations("image-build")} == {r.name for r in lab.operations("image-build")}


def test_a_plain_container_says_all_that_docker_keeps_of_its_health_check() -> None:
    # What is left out, the provider fills in, and the first update would write every container anew.
    graph = record_lab(plain_config(1))
    found = dict(graph.container("c0").inputs["healthcheck"])
    assert found.pop("tests") == ["NONE"]
    written = (paths.DOCKERFILES / "base" / "Dockerfile").read_text()
    given = dict(re.findall(r"--(interval|timeout|start-period|retries)=(\d+)", written))
    assert found == {
        "interval": f"{given['interval']}s",
        "timeout": f"{given['timeout']}s",
        "startPeriod": f"{int(given['start-period']) // 60}m0s",
        "startInterval": "0s",
        "retries": int(given["retries"]),
    }
    assert not graph.container("c0").ignored


def test_the_health_check_of_a_foreign_image_is_left_to_it() -> None:
    foreign = record_lab(container("plain1", image="registry.example/tools:1.2")).container("plain1")
    assert "healthcheck" not in foreign.inputs
    assert foreign.ignored == {"healthcheck"}


def test_a_container_is_noted_with_its_nearest_calls_only() -> None:
    graph = record_lab(plain_config(1))
    found = graph.container("c0")
    assert [uri.rsplit("/", 1)[1] for uri in found.stack] == ["docker_container.py", "plain_container.py"]
    # Declared as deep as that, by calls that are all noted.
    assert len(graph.the("ports-attach").stack) > docker_container.NOTED_CALLS


def test_an_error_is_told_with_the_whole_stack_after_containers_were_declared() -> None:
    record_lab_anew(plain_config(1))
    assert getattr(sys, "tracebacklimit", None) is None


def test_a_name_server_of_several_is_given_up_after_a_second(lab: Graph) -> None:
    several = container("memcached1", dns=["10.87.0.53", "10.87.0.54"])
    several["containers"]["dnsmasq2"] = {"role": "dnsmasq", "address": "10.87.0.54"}
    graph = record_lab(several)
    assert "dnsOpts" not in lab.container("memcached1").inputs
    assert graph.container("memcached1").inputs["dnsOpts"] == ["timeout:1", "attempts:3"]
