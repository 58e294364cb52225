"""The names that are known beforehand are those that a lab is built with."""

from __future__ import annotations

from typing import Any

import pytest

from components import paths, services
from components.configuration import environment, names
from hostside.ports import ENDS, Port, link_name
from tests.unit.graph_recorder import CONTAINER, LOCAL_COMMAND, REMOTE_COMMAND, Graph, config

VOLUME = "docker:index/volume:Volume"
ROLES = services.facts()
PLAIN = {"role": "plain", "address": "10.87.0.111"}


def _whole_lab() -> environment.Environment:
    return environment.load(config(), stack="lab", roles=ROLES, base_dir=paths.PROJECT)[0]


def test_all_containers_and_volumes_are_known_beforehand(lab: Graph) -> None:
    made = {r.inputs["name"] for r in lab.of_type(CONTAINER)}
    assert names.containers(_whole_lab(), "local", ROLES).keys() == {*made, "lab-demo"}
    assert names.volumes(_whole_lab(), "local", ROLES).keys() == {r.inputs["name"] for r in lab.of_type(VOLUME)}


def test_all_links_are_known_beforehand(lab: Graph) -> None:
    made = set()
    for container in lab.of_type(CONTAINER):
        labels = {label["label"]: label["value"] for label in container.inputs["labels"]}
        for port in Port.of(container.inputs["name"], labels):
            made |= {link_name("lab", port.container, port.interface) + end for end in ENDS}
    assert {link for link, _ in names.links(_whole_lab(), "local", ROLES)} == made


def test_each_name_tells_the_place_that_it_is_from() -> None:
    assert names.containers(_whole_lab(), "local", ROLES)["lab-keeper"] == "stack"
    assert names.volumes(_whole_lab(), "local", ROLES)["galera1-data"] == "dockstack:containers.galera1"
    assert names.containers(_whole_lab(), "elsewhere", ROLES) == {"lab-keeper": "stack"}


def _said(containers: dict[str, Any] | None = None, stack: str = "lab", **changes: Any) -> list[str]:
    given = {**config(), **changes}
    given["containers"] = {**given["containers"], **(containers or {})}
    return [str(f) for f in environment.survey(given, stack=stack, roles=ROLES, base_dir=paths.PROJECT).faults]


def test_all_resources_of_the_lab_itself_are_known_beforehand(lab: Graph) -> None:
    kinds = {CONTAINER: "container", LOCAL_COMMAND: "local", REMOTE_COMMAND: "remote"}
    known = {(kind, name) for kind, name, _ in names.resources(_whole_lab(), ROLES)}
    made = {(kinds[r.type], r.name) for r in lab if r.type in kinds and r.parent.endswith("dockstack:index:Lab::lab")}
    assert made and made <= known


@pytest.mark.parametrize("stack", ["_x1", ".x1", "-x1", "..", "é"])
def test_a_stack_that_nothing_can_be_called_after_is_refused(stack: str) -> None:
    assert _said(stack=stack) == [
        f"stack: `{stack}` can't begin the name of a container, {stack}-keeper."
        " Fix: Choose a name for the stack that begins with a letter or a digit."
    ]
    assert _said(stack="9.x_1-") == []


@pytest.mark.parametrize("name", ["lab-keeper", "lab-demo"])
def test_a_container_is_not_called_as_one_that_the_lab_has_besides(name: str) -> None:
    assert _said({name: PLAIN}) == [
        f"dockstack:containers.{name}: `{name}` is the name of a container that the lab has besides."
        " Fix: Choose another name."
    ]


@pytest.mark.parametrize("name", ["x-demo", "x-keeper", "lab-keeper-2"])
def test_names_that_only_look_like_the_labs_are_free(name: str) -> None:
    assert _said({name: PLAIN}) == []


def test_a_container_is_not_called_as_the_resource_of_the_keeper() -> None:
    assert _said({"local-keeper": PLAIN}) == [
        "dockstack:containers.local-keeper: there would be two Pulumi resources local-keeper, the other by"
        " dockstack:containerHosts.local. Fix: Choose another name."
    ]


@pytest.mark.parametrize("bridge", ["ports", "keeper-files", "plain-files", "image-base", "image-nova"])
def test_a_bridge_is_not_called_as_another_resource(bridge: str) -> None:
    defaults = {**config()["containerDefaults"], "bridge": bridge}
    assert _said(containerDefaults=defaults) == [
        f"dockstack:containerDefaults.bridge: there would be two Pulumi resources local-{bridge}, the other by"
        " dockstack:containerHosts.local. Fix: Choose another name."
    ]


def test_links_of_two_ports_are_not_called_the_same() -> None:
    # The second port of neutron1 and the first of neutron1eth2.
    faults = _said({"neutron1eth2": PLAIN})
    assert faults and all("dockstack:containers.neutron1eth2: there would be two interfaces" in f for f in faults)
    bridge = f"{link_name('lab', 'nova1', 'eth0')}_l"
    faults = _said(containerDefaults={**config()["containerDefaults"], "bridge": bridge})
    assert faults and all(f"two interfaces {bridge}" in f for f in faults)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("a", "`a` is too short a name for Docker"),
        ("puppet", "`puppet` is everybody's name for the Puppet server"),
        ("vip", "`vip` is the VIP's own name"),
        ("ip6-allnodes", "`ip6-allnodes` is a name that every container has for something else"),
    ],
)
def test_names_that_mean_something_else_are_refused(name: str, said: str) -> None:
    (fault,) = _said({name: PLAIN})
    assert fault.startswith(f"dockstack:containers.{name}: {said}")


@pytest.mark.parametrize("bridge", ["all", "default", "lo", "ovs-system", "ovs-netdev"])
def test_a_bridge_is_not_called_as_what_the_kernel_or_open_vswitch_has(bridge: str) -> None:
    faults = _said(containerDefaults={**config()["containerDefaults"], "bridge": bridge})
    assert any("means something else to the kernel or to Open vSwitch" in fault for fault in faults)
