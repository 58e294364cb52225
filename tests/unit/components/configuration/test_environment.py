"""A sound configuration as the models that the program works with."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network
from pathlib import Path
from typing import Any

import pydantic
import pytest
import yaml

from components import services
from components.configuration.environment import Container, Environment, HookScripts, Ssh, decode, load
from components.configuration.rules import cycles
from tests.unit.environment_cases import DATA, LAB, ROLES, lab, look

OF_OPENSDN = {"redis", "cassandra", "config", "analytics", "control", "webui"}
"""Roles that the lab of `make lab` does without."""


def _load(changes: dict[str, Any] | None = None) -> Environment:
    environment, notes = load(lab(changes), stack="lab", roles=ROLES, base_dir=DATA)
    assert notes == []
    return environment


def test_the_subnet_comes_from_the_gateway_and_the_mask() -> None:
    environment = _load()
    assert environment.network == IPv4Network("10.87.0.0/24")
    assert environment.gateway == IPv4Address("10.87.0.1")
    assert environment.vip == IPv4Address("10.87.0.250")
    assert environment.dhcp == (IPv4Address("10.87.0.200"), IPv4Address("10.87.0.239"))
    assert environment.region == "RegionOne"


def test_tenants_networks_are_carried_by_vxlan_unless_a_lab_says_otherwise() -> None:
    assert _load().tenant_networks == "vxlan"
    assert _load({"common": {"tenantNetworks": "vlan"}}).tenant_networks == "vlan"


@pytest.mark.parametrize("mask", [24, "24", "/24", "255.255.255.0"])
def test_a_mask_may_be_a_prefix_length_or_a_netmask(mask: object) -> None:
    assert _load({"containerDefaults": {"mask": mask}}).container("puppet1").prefix == 24


def test_a_container_takes_what_it_does_not_say_from_the_defaults() -> None:
    puppet = _load().container("puppet1")
    assert (puppet.bridge, puppet.host, puppet.mtu, puppet.image) == ("br-lab", "local", 1500, None)
    assert puppet.dns == (IPv4Address("10.87.0.53"),)
    assert puppet.fqdn == "puppet1.dockstack.lab"
    assert puppet.mac() == "02:42:0a:57:00:0a"
    assert puppet.mac(1) == "02:43:0a:57:00:0a"


def test_a_value_of_its_own_takes_the_place_of_the_default() -> None:
    changes = {
        "containerDefaults": {"volumes": ["/srv/default:/default"], "mtu": 1400},
        "containers": {"puppet1": {"volumes": [], "mtu": 9000, "domain": "sub.dockstack.lab"}},
    }
    environment = _load(changes)
    assert environment.container("puppet1").volumes == ()
    assert environment.container("puppet1").mtu == 9000
    assert environment.container("puppet1").fqdn == "puppet1.sub.dockstack.lab"
    assert [v.target for v in environment.container("galera1").volumes] == ["/default"]
    assert environment.container("galera1").mtu == 1400


def test_without_dns_the_containers_that_serve_it_are_used() -> None:
    assert _load({"containerDefaults": {"dns": "REMOVE"}}).container("puppet1").dns == (IPv4Address("10.87.0.53"),)
    assert _load({"containers": {"puppet1": {"dns": []}}}).container("puppet1").dns == ()


def test_without_hosts_there_is_the_local_one() -> None:
    environment = _load({"containerHosts": "REMOVE"})
    assert list(environment.hosts) == ["local"]
    assert environment.hosts["local"].ssh is None


def test_a_host_may_be_reached_by_ssh() -> None:
    ssh = {"host": "192.0.2.20", "user": "lab", "port": 2222, "privateKey": "/keys/lab", "hostKey": "ssh-ed25519 AAAA"}
    environment = _load({"containerHosts": {"far": {"ssh": ssh}}, "containerDefaults": {"host": "local"}})
    expected = Ssh(host="192.0.2.20", user="lab", port=2222, private_key="/keys/lab", host_key="ssh-ed25519 AAAA")
    assert environment.hosts["far"].ssh == expected
    assert [host.name for host in environment.used_hosts] == ["local"]


def test_volumes_hooks_needs_and_images_are_kept_in_order() -> None:
    changes = {
        "containers": {
            "galera1": {
                "image": "registry.example.org/lab/galera:11.8",
                "volumes": ["/srv/a:/a:ro", {"source": "/srv/b", "target": "/b"}],
                "needs": ["rabbitmq1"],
                "hooks": {"preCreation": ["first", "second"], "postDestroy": "one"},
            }
        }
    }
    galera = _load(changes).container("galera1")
    assert [(v.source, v.target, v.read_only) for v in galera.volumes] == [
        ("/srv/a", "/a", True),
        ("/srv/b", "/b", False),
    ]
    assert galera.hooks == HookScripts(pre_creation=("first", "second"), post_destroy=("one",))
    assert galera.needs == ("rabbitmq1",)
    assert galera.image == "registry.example.org/lab/galera:11.8"


def test_a_given_password_is_there_and_shows_in_no_repr() -> None:
    environment = _load({"common": {"passwords": {"galera_root_password": "a secret thing"}}})
    assert environment.passwords == {"galera_root_password": "a secret thing"}
    assert "a secret thing" not in repr(environment) + str(environment)


def test_a_bad_password_is_not_quoted() -> None:
    faults = look(lab({"common": {"passwords": {"galera_root_password": "very\nsecret", "nothing": "secret"}}})).faults
    assert len(faults) == 2
    assert "secret" not in "".join(str(f).replace("a secret of this name", "") for f in faults)


def test_the_models_are_frozen_and_refuse_unknown_fields() -> None:
    environment = _load()
    with pytest.raises(pydantic.ValidationError):
        environment.stack = "other"  # type: ignore[misc]
    with pytest.raises(TypeError):
        environment.passwords["x"] = "y"  # type: ignore[index]
    fields = {**environment.container("puppet1").model_dump(), "colour": "red"}
    with pytest.raises(pydantic.ValidationError):
        Container.model_validate(fields)


def test_plain_containers_may_live_on_a_second_bridge_with_a_subnet_of_its_own() -> None:
    apart = {"role": "plain", "bridge": "br-two", "gateway": "10.88.0.1", "address": "10.88.0.60", "dns": []}
    environment = _load({"containers": {"plain1": apart}})
    assert environment.network == IPv4Network("10.87.0.0/24")
    assert environment.container("plain1").network == IPv4Network("10.88.0.0/24")


def test_a_role_does_without_what_it_only_wants() -> None:
    assert [c.name for c in _load({"containers": {"memcached1": "REMOVE"}}).members("memcached")] == []


def test_with_faults_the_rest_is_still_there_to_look_at_the_hosts() -> None:
    partial = look(lab({"common": {"vip": "REMOVE"}, "containers": {"puppet1": {"address": 5}}}))
    assert partial.environment is not None
    assert len(partial.environment.containers) == len(LAB["containers"]) - 1
    assert [fault.key for fault in partial.faults] == ["dockstack:common.vip", "dockstack:containers.puppet1.address"]


def test_pulumi_gives_objects_as_json_and_keys_of_other_projects_too() -> None:
    raw = {
        "dockstack:common": '{"domain":"a.lab"}',
        "dockstack:environment": "x.yaml",
        "aws:region": "x",
        "dockstack:b": "{",
    }
    assert decode(raw) == {"common": {"domain": "a.lab"}, "environment": "x.yaml", "b": "{"}


def test_one_shortest_cycle_is_named_for_each_knot() -> None:
    graph = {"a": ["b"], "b": ["c", "a"], "c": ["a"], "d": ["e"], "e": ["d", "a"], "f": ["a"]}
    assert cycles(graph) == [["a", "b"], ["d", "e"]]


def test_the_default_lab_of_the_repository_is_sound() -> None:
    text = (Path(__file__).parents[4] / "Pulumi.lab.yaml").read_text(encoding="utf-8")
    config = {key.removeprefix("dockstack:"): value for key, value in yaml.safe_load(text)["config"].items()}
    environment, notes = load(config, stack="lab", roles=services.facts(), base_dir=DATA)
    assert notes == []
    assert {c.role for c in environment.containers} == set(services.ROLES) - {"plain"} - OF_OPENSDN


def test_the_labs_with_opensdn_of_the_repository_are_sound() -> None:
    missing: set[str]
    for name, missing in (("sdn", set()), ("opencontrail", {"plain", "portal", "tempest"})):
        text = (Path(__file__).parents[4] / f"Pulumi.{name}.yaml").read_text(encoding="utf-8")
        config = {key.removeprefix("dockstack:"): value for key, value in yaml.safe_load(text)["config"].items()}
        environment, notes = load(config, stack=name, roles=services.facts(), base_dir=DATA)
        assert notes == []
        used = {c.role for c in environment.containers}
        assert used >= OF_OPENSDN
        assert not missing or used == set(services.ROLES) - missing


def test_opensdn_is_of_the_projects_registry_unless_a_mirror_is_named() -> None:
    assert _load().opensdn.published.reference("x") == "docker.io/opensdn/x:R25.1-2026-05-28"
    mirror = {"opensdn": {"registry": "mirror.lab:5000/sdn", "tag": "R26.1-2026-06-30"}}
    assert _load(mirror).opensdn.published.reference("x") == "mirror.lab:5000/sdn/x:R26.1-2026-06-30"


@pytest.mark.parametrize(
    "given", [{"registry": "https://docker.io/opensdn"}, {"registry": ""}, {"tag": "a b"}, {"tag": ":x"}, {"tags": "x"}]
)
def test_a_registry_or_a_tag_that_can_be_none_is_refused(given: dict[str, str]) -> None:
    (fault,) = look(lab({"opensdn": given})).faults
    assert fault.key == f"dockstack:opensdn.{next(iter(given))}"


@pytest.mark.parametrize("asn", [0, 65535, "64512", True])
def test_what_is_no_autonomous_system_is_refused(asn: object) -> None:
    (fault,) = look(lab({"common": {"sdn": {"asn": asn}}})).faults
    assert fault.key == "dockstack:common.sdn.asn"
    assert _load({"common": {"sdn": {"asn": 65000}}}).sdn.asn == 65000
