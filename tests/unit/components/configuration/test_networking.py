"""What makes the networks of Neutron's: how it is chosen, and what it needs of the lab and its hosts."""

from __future__ import annotations

from typing import Any

import pytest

from components import demo, services
from components.configuration.environment import Environment, survey
from components.configuration.preflight import HostFacts, check
from components.services.topology import Topology
from tests.unit.environment_cases import DATA, ROLES, lab, played

WITH_NETWORKS = {
    **ROLES,
    **{name: played(name, 400) for name in ("neutron", "config", "control", "compute", "glance", "nova")},
}
NEUTRON = {"neutron1": {"role": "neutron", "address": "10.87.0.85"}}
CONFIG = {"config1": {"role": "config", "address": "10.87.0.86"}}
CONTROL = {"control1": {"role": "control", "address": "10.87.0.87"}}
COMPUTE = {"compute1": {"role": "compute", "address": "10.87.0.90"}}
GLANCE = {"glance1": {"role": "glance", "address": "10.87.0.60"}}
PROVIDER = {"bridge": "br-ext", "network": "10.87.1.0/24", "gateway": "10.87.1.1"}
WHOLE = NEUTRON | CONFIG | CONTROL


def _survey(containers: dict[str, Any], networking: str = "opensdn", **more: Any) -> tuple[Environment, list[str]]:
    given = lab({"common": {"networking": networking}, "containers": containers, **more})
    result = survey(given, stack="lab", roles=WITH_NETWORKS, base_dir=DATA)
    assert result.environment is not None
    return result.environment, [str(fault) for fault in result.faults]


def test_neutrons_own_agents_make_networks_unless_the_lab_says_otherwise() -> None:
    given = survey(lab({"containers": NEUTRON | COMPUTE}), stack="lab", roles=WITH_NETWORKS, base_dir=DATA)
    assert given.environment is not None and given.environment.networking == "ovs"
    assert given.faults == ()


def test_opensdn_makes_networks_in_a_lab_that_asks_for_it() -> None:
    environment, faults = _survey(WHOLE)
    assert environment.networking == "opensdn"
    assert faults == []


def test_networks_of_opensdn_need_its_api_and_its_control_nodes() -> None:
    assert _survey(NEUTRON)[1] == [
        "dockstack:common.networking: networks of OpenSDN need roles config and control, and no container has them."
        " Fix: Add a container of roles config and control, or choose ovs."
    ]
    assert _survey(NEUTRON | CONFIG)[1] == [
        "dockstack:common.networking: networks of OpenSDN need role control, and no container has it."
        " Fix: Add a container of role control, or choose ovs."
    ]
    assert _survey({})[1] == []


def test_a_container_that_may_be_meant_to_be_a_config_is_not_missed() -> None:
    meant = {"config1": {"role": "confgi", "address": "10.87.0.86"}}
    assert [fault for fault in _survey(NEUTRON | CONTROL | meant)[1] if "networking" in fault] == []


def test_a_misspelt_networking_is_refused_alone() -> None:
    assert _survey(NEUTRON, networking="opensnd")[1] == [
        "dockstack:common.networking: `opensnd` is no kind of networking."
        " Fix: Did you mean `opensdn`? Write opensdn, ovs, or leave it out for ovs."
    ]


def test_a_provider_network_is_for_neutrons_own_routers() -> None:
    assert _survey(WHOLE, provider=PROVIDER)[1] == [
        "dockstack:provider: the provider network is reached by routers of Neutron's own agents, and OpenSDN has none"
        " of these. Fix: Leave it out, or choose ovs by common.networking."
    ]
    assert _survey(WHOLE, "ovs", provider=PROVIDER)[1] == []


def test_the_demo_makes_no_networks_of_opensdn() -> None:
    (fault,) = _survey(WHOLE, demo=True)[1]
    assert fault.startswith("dockstack:demo: there is nothing to make: no container has one of the roles glance, nova")
    environment, faults = _survey(WHOLE | GLANCE, demo=True)
    assert faults == []
    topology = Topology(environment, services.ROLES)
    assert set(demo.wanted(topology, "disk")) == {"image"}


def test_a_demo_needs_a_service_to_make_something_in() -> None:
    assert _survey({}, "ovs", demo=True)[1] == [
        "dockstack:demo: there is nothing to make: no container has one of the roles glance, neutron, nova."
        " Fix: Add these services, or write false."
    ]


def test_tunnels_end_at_no_neutron_of_opensdns() -> None:
    twice = {"neutron2": {"role": "neutron", "address": "10.90.0.85", "gateway": "10.90.0.1", "bridge": "br-two"}}
    assert any("the end of its tunnels" in fault for fault in _survey(WHOLE | twice, "ovs")[1])
    assert not any("the end of its tunnels" in fault for fault in _survey(WHOLE | twice)[1])


@pytest.mark.parametrize(
    ("lacks", "reason"),
    [
        (
            ("vrouter", "nfs"),
            "OpenSDN joins guests by its vrouter, a module of the kernel, and that of host local (compute1) has none",
        ),
        ((), "host local (compute1) has OpenSDN's module vrouter, and role compute has no agent for it yet"),
    ],
)
def test_a_compute_is_told_what_its_host_lacks(lacks: tuple[str, ...], reason: str) -> None:
    environment, faults = _survey(WHOLE | COMPUTE)
    assert faults == []
    said = check(environment, {"local": HostFacts(kernel_lacks=frozenset(lacks))}, WITH_NETWORKS)
    assert [str(fault) for fault in said] == [
        f"dockstack:common.networking: {reason}."
        " Fix: Leave the computes out, or choose ovs, which needs nothing of the kernel."
    ]


def test_a_host_without_computes_and_one_of_ovs_may_lack_the_vrouter() -> None:
    facts = {"local": HostFacts(kernel_lacks=frozenset({"vrouter"}))}
    for containers, networking in ((WHOLE, "opensdn"), (NEUTRON | COMPUTE, "ovs")):
        assert check(_survey(containers, networking)[0], facts, WITH_NETWORKS) == []
