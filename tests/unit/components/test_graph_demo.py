"""The demo in a lab's graph: when it is declared, what it waits for, and what it asks for."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import IPv4Address, IPv4Network
from typing import Any

import pytest

from components import demo, paths, services
from components.configuration import derived, environment
from components.host import dockerfiles
from components.services.topology import Topology
from tests.unit.graph_recorder import GIVEN, Graph, Secret, config, record_lab

PROVIDER = {"bridge": "br-ext", "network": "10.87.1.0/24", "gateway": "10.87.1.1"}
ALONE = {name: replace(role, needs=(), wants=()) for name, role in services.facts().items() if role.in_demo}
"""The demo's roles, as if they needed nobody."""
TOKEN_LAB = {"dnsmasq", "puppet", "haproxy", "galera", "rabbitmq", "memcached", "keystone"}


def shown(**changes: Any) -> Graph:
    return record_lab(config(demo="true", **changes))


def topology(*roles: str, provider: bool = False) -> Topology:
    """Return a lab with a token and one container of each of these roles."""
    given = config(demo=True, **({"provider": PROVIDER} if provider else {}))
    given["containers"] = {n: c for n, c in given["containers"].items() if c["role"] in TOKEN_LAB.union(roles)}
    loaded, _ = environment.load(given, stack="lab", roles=services.facts() | ALONE, base_dir=paths.PROJECT)
    return Topology(loaded, services.ROLES)


def test_the_demo_waits_for_its_services_to_be_healthy() -> None:
    graph = shown()
    made = graph.the("demo")
    assert {"keystone1-health", "glance1-health"} <= graph.direct(made)


def test_the_demo_asks_for_an_image_whose_name_tells_its_content() -> None:
    given = shown().the("demo").parameters()
    assert given["wanted"]["image"]["disk"] == dockerfiles.tag("guest")
    assert given["image"] == f"sha256:{dockerfiles.tag('guest')}"
    assert given["container"] == "keystone1"
    assert given["key"] == f"{paths.stack_directory('lab')}/demo-key"


def test_the_administrators_password_goes_in_as_a_secret() -> None:
    made = shown().the("demo")
    assert isinstance(made.inputs["stdin"], Secret)
    assert made.parameters()["login"]["password"] == GIVEN


def test_a_lab_without_the_demo_takes_an_earlier_one_out_and_builds_no_guest(lab: Graph) -> None:
    given = lab.the("demo").parameters()
    assert (given["image"], given["wanted"]) == ("", {})
    assert not [r for r in lab if "image-guest" in r.name]


def test_a_destroyed_lab_spends_no_time_on_its_demo() -> None:
    assert "delete" not in shown().the("demo").inputs


def test_a_lab_with_none_of_its_services_has_no_demo() -> None:
    given = config()
    given["containers"] = {n: c for n, c in given["containers"].items() if c["role"] in TOKEN_LAB}
    assert not record_lab(given).operations("demo")


@pytest.mark.parametrize(
    ("roles", "provider", "kinds"),
    [
        (["glance"], False, {"image"}),
        (["nova"], False, {"flavors", "key"}),
        (["neutron"], False, {"security_group", "network"}),
        (["neutron"], True, {"security_group", "network", "provider", "router"}),
        (["glance"], True, {"image"}),
    ],
)
def test_the_demo_has_what_the_services_allow(roles: list[str], provider: bool, kinds: set[str]) -> None:
    assert set(demo.wanted(topology(*roles, provider=provider), "disk")) == kinds


def test_the_guests_ask_the_labs_dns() -> None:
    assert demo.wanted(topology("neutron"), "disk")["network"]["dns"] == ["10.87.0.53"]


def test_floating_addresses_come_from_the_upper_half_of_the_provider_network() -> None:
    found = demo.wanted(topology("neutron", provider=True), "disk")["provider"]
    assert found["gateway"] == "10.87.1.1"
    assert found["pools"] == [{"start": "10.87.1.128", "end": "10.87.1.254"}]


@pytest.mark.parametrize(
    ("gateway", "ranges"),
    [
        ("10.0.0.1", ["10.0.0.8-10.0.0.14"]),
        ("10.0.0.10", ["10.0.0.8-10.0.0.9", "10.0.0.11-10.0.0.14"]),
        ("10.0.0.8", ["10.0.0.9-10.0.0.14"]),
        ("10.0.0.14", ["10.0.0.8-10.0.0.13"]),
    ],
)
def test_the_gateway_is_given_to_no_guest(gateway: str, ranges: list[str]) -> None:
    found = derived.pools(IPv4Network("10.0.0.0/28"), IPv4Address(gateway))
    assert [f"{first}-{last}" for first, last in found] == ranges
