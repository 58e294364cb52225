"""A lab whose networks are OpenSDN's: what Neutron's container is left with, and what it is told."""

from __future__ import annotations

from typing import Any

import pytest

from components import paths, services
from components.configuration import environment
from components.host import dockerfiles
from components.services.topology import Topology
from components.stages import volumes
from tests.unit.components.test_services import parameters
from tests.unit.graph_recorder import CONFIG, CONTAINER, FACTS, Graph, config, data_of, record_lab, record_lab_anew

PARAMETERS = "profile::neutron::opensdn"


def with_opensdn(**changes: Any) -> dict[str, Any]:
    made = config(common=CONFIG["common"] | {"networking": "opensdn"}, **changes)
    del made["containers"]["compute1"]
    return made


@pytest.fixture(scope="module")
def sdn() -> Graph:
    return record_lab(with_opensdn())


def test_the_default_networking_is_the_labs_as_it_is_without_the_key(lab: Graph) -> None:
    named = record_lab_anew(config(common=CONFIG["common"] | {"networking": "ovs"}))
    assert {r.urn: r for r in named} == {r.urn: r for r in lab}


def test_neutrons_container_may_no_more_than_any_others(sdn: Graph, lab: Graph) -> None:
    neutron, other = (sdn.one(name, CONTAINER).inputs for name in ("neutron1", "placement1"))
    for name in ("capabilities", "devices", "sysctls", "securityOpts"):
        assert neutron.get(name) == other.get(name), name
    assert neutron["image"] == f"sha256:{dockerfiles.tag('neutron-opensdn')}"
    assert lab.one("neutron1", CONTAINER).inputs["capabilities"]


def test_it_has_one_port_and_neither_a_switch_nor_agents_to_be_a_member_by(sdn: Graph, lab: Graph) -> None:
    assert "neutron1-agents" in {r.name for r in lab}
    assert not {r.name for r in sdn if "agents" in r.name}
    assert "neutron1-queues" in {r.name for r in sdn}
    files = sdn.one("neutron1-files").parameters()["files"]
    programs = {name for name in files if name.startswith("supervisor/available/neutron-")}
    assert programs == {"supervisor/available/neutron-api.conf"}
    assert not any("openvswitch" in name or "network-links" in name for name in files)
    ports = [sdn.one(f"{name}-port").parameters() for name in ("neutron1", "placement1")]
    assert ports[0].keys() == ports[1].keys() and "eth2" not in str(ports[0])


def test_the_api_is_given_the_settings_of_the_plugin_that_it_runs(sdn: Graph, lab: Graph) -> None:
    given = [
        graph.one("neutron1-files").parameters()["files"]["supervisor/available/neutron-api.conf"]["content"]
        for graph in (lab, sdn)
    ]
    assert '--config-file=/etc/neutron/plugins/ml2/ml2_conf.ini"\n' in given[0]
    assert '--config-file=/etc/neutron/plugins/opencontrail/ContrailPlugin.ini"\n' in given[1]


def test_its_puppet_run_waits_for_the_config_api_which_it_is_told_of(sdn: Graph) -> None:
    assert sdn.comes_before(sdn.one("config1-health"), sdn.one("neutron1-provisioning"))
    given = data_of(sdn.one("neutron1-registration"))
    assert given["profile::neutron::networking"] == "opensdn"
    assert given[f"{PARAMETERS}::config_servers"] == [CONFIG["containers"]["config1"]["address"]]
    assert given[f"{PARAMETERS}::analytics_servers"] == [CONFIG["containers"]["analytics1"]["address"]]
    assert not any("agent" in key or "tenant" in key or "metadata" in key for key in given)


def test_a_lab_without_analytics_has_none_to_tell_of() -> None:
    given = with_opensdn()
    for name in ("analytics1", "webui1"):
        del given["containers"][name]
    told = data_of(record_lab(given).one("neutron1-registration"))
    assert told[f"{PARAMETERS}::analytics_servers"] == []


def test_each_parameter_of_its_profiles_that_has_no_default_is_given(sdn: Graph) -> None:
    known = {
        **{f"profile::neutron::{name}": default for name, default in parameters("neutron").items()},
        **{f"{PARAMETERS}::{name}": default for name, default in parameters("neutron::opensdn").items()},
    }
    public, secret = (set(data_of(sdn.one("neutron1-registration"), what)) for what in ("data", "secrets"))
    own = {key for key in public | secret if key.startswith("profile::neutron")}
    assert own <= set(known)
    assert {key for key, default in known.items() if not default} <= own
    assert {f"{PARAMETERS}::rabbit_password"} <= secret


def test_nova_and_glance_go_by_the_policies_that_opensdn_knows(sdn: Graph, lab: Graph) -> None:
    for name, key in (("nova1", "profile::nova::lenient"), ("glance1", "profile::glance::lenient")):
        assert data_of(sdn.one(f"{name}-registration"))[key] is True
        assert key not in data_of(lab.one(f"{name}-registration"))


def test_it_is_healthy_once_the_config_api_answers_it_and_no_agent_is_asked_for(sdn: Graph) -> None:
    checks = sdn.one("neutron1-health").parameters()["checks"]
    commands = [check["command"] for check in checks if check["kind"] == "exec"]
    assert ["/etc/dockstack/bin/neutron-has-networks"] in commands
    assert not any("neutron-ready" in word for command in commands for word in command)


def test_its_image_is_made_from_opensdns_and_the_check_knows() -> None:
    checked, _ = environment.load(with_opensdn(), stack="lab", roles=FACTS, base_dir=paths.PROJECT)
    plain, _ = environment.load(config(), stack="lab", roles=FACTS, base_dir=paths.PROJECT)
    facts = services.facts()["neutron"]
    assert (facts.image(checked), facts.image(plain)) == ("neutron-opensdn", "neutron")
    assert set(dockerfiles.sources("neutron-opensdn")) == {"OPENSDN_NEUTRON"}


def test_the_program_of_its_health_check_is_there() -> None:
    checked, _ = environment.load(with_opensdn(), stack="lab", roles=FACTS, base_dir=paths.PROJECT)
    roles = services.for_lab(checked)
    topology = Topology(checked, roles)
    files = volumes.render(topology, topology.members("neutron")[0], roles["neutron"])
    assert files["bin/neutron-has-networks"]["mode"] == "755"
    assert "bin/wsgi-app" in files
