"""Networks and addresses that follow from the configuration are checked as those that are given."""

from __future__ import annotations

import copy
from ipaddress import IPv4Address, IPv4Network
from typing import Any

import pytest

from components import paths, services
from components.configuration import derived, environment
from components.services.topology import Topology
from tests.unit.graph_recorder import config

WHOLE = {**config(), "provider": {"bridge": "br-ext", "network": "10.87.1.0/24", "gateway": "10.87.1.1"}, "demo": True}


def _said(containers: dict[str, Any] | None = None, **changes: Any) -> list[str]:
    given = copy.deepcopy(WHOLE)
    for name, own in (containers or {}).items():
        given["containers"][name] = {**given["containers"].get(name, {}), **own}
    for key, value in changes.items():
        given[key] = {**given[key], **value} if isinstance(given.get(key), dict) else value
    roles = services.facts()
    return [str(f) for f in environment.survey(given, stack="lab", roles=roles, base_dir=paths.PROJECT).faults]


def test_the_whole_lab_is_sound() -> None:
    assert _said() == []


@pytest.mark.parametrize(("network", "gateway"), [("10.87.1.0/30", "10.87.1.1"), ("10.87.1.0/29", "10.87.1.1")])
def test_a_provider_network_without_an_address_for_a_tester_is_refused(network: str, gateway: str) -> None:
    more = {f"tempest{n}": {"role": "tempest", "address": f"10.87.0.{100 + n}"} for n in range(2, 4)}
    faults = _said(more, provider={"network": network, "gateway": gateway})
    left = sum(1 for _ in derived.left_by_pools(IPv4Network(network), IPv4Address(gateway)))
    prefix = IPv4Network(network).prefixlen
    assert faults == [
        f"dockstack:provider.network: the lower half of {network} has no address left for {name}."
        f" Fix: Choose a wider one, e.g. a /{prefix - 2}."
        for name in ["tempest1", "tempest2", "tempest3"][left:]
    ]


@pytest.mark.parametrize("prefix", range(24, 31))
def test_whatever_passes_the_check_has_its_address(prefix: int) -> None:
    """The check and the roles go by the same rule: no gateway of any narrow network makes the roles' data fail."""
    network = IPv4Network(f"10.87.1.0/{prefix}")
    passed = 0
    for gateway in [*list(network.hosts())[:3], *list(network.hosts())[-3:]]:
        provider = {"bridge": "br-ext", "network": str(network), "gateway": str(gateway)}
        if _said(provider=provider):
            continue
        passed += 1
        lab, _ = environment.load(
            {**WHOLE, "provider": provider}, stack="lab", roles=services.facts(), base_dir=paths.PROJECT
        )
        topology = Topology(lab, services.ROLES)
        (tester,) = topology.members("tempest")
        told = str(services.ROLES["tempest"].hiera(topology, tester)["profile::tempest::provider_address"])
        address = IPv4Address(told.partition("/")[0])
        pools = derived.pools(network, gateway)
        assert pools
        assert address in network and address != gateway
        assert not any(first <= address <= last for first, last in pools)
    # Two addresses are a gateway's and a floating one's.
    assert bool(passed) is (prefix < 30)


def test_a_provider_network_without_a_floating_address_is_refused() -> None:
    (fault,) = _said({"tempest1": {"role": "plain"}}, provider={"network": "10.87.1.0/30", "gateway": "10.87.1.2"})
    assert fault == (
        "dockstack:provider.network: the upper half of 10.87.1.0/30 has no address for the demo's floating ones."
        " Fix: Choose a wider one, e.g. a /28."
    )


APART = {"role": "plain", "bridge": "br-two", "address": "10.88.0.60", "gateway": "10.88.0.1", "dns": []}


@pytest.mark.parametrize(
    ("own", "said"),
    [
        ({"gateway": "10.88.0.255"}, "gateway: 10.88.0.255 is the broadcast address of 10.88.0.0/24"),
        ({"gateway": "10.88.0.0"}, "gateway: 10.88.0.0 is the network address of 10.88.0.0/24"),
        ({"gateway": "8.8.8.1", "address": "8.8.8.2"}, "gateway: 8.8.8.0/24 is no private range"),
        ({"gateway": "169.254.0.1", "address": "169.254.0.2"}, "gateway: 169.254.0.0/24 is no private range"),
        ({"mask": 30, "gateway": "10.88.0.3", "address": "10.88.0.2"}, "gateway: 10.88.0.3 is the broadcast address"),
    ],
)
def test_a_containers_own_subnet_is_held_to_the_rules_of_the_defaults(own: dict[str, Any], said: str) -> None:
    faults = _said({"apart": {**APART, **own}})
    assert faults and faults[0].startswith(f"dockstack:containers.apart.{said}")


@pytest.mark.parametrize("network", ["8.8.8.0/24", "127.0.3.0/24", "169.254.3.0/24", "224.0.3.0/24", "240.0.3.0/24"])
def test_the_provider_network_is_held_to_them_too(network: str) -> None:
    gateway = str(IPv4Network(network)[1])
    assert _said(provider={"network": network, "gateway": gateway}) == [
        f"dockstack:provider.network: {network} is no private range."
        " Fix: Choose one from 10.0.0.0/8, 172.16.0.0/12 or 192.168.0.0/16."
    ]


def test_the_provider_network_keeps_clear_of_every_subnet() -> None:
    (fault,) = _said({"apart": APART}, provider={"network": "10.88.0.128/25", "gateway": "10.88.0.129"})
    assert fault.startswith("dockstack:provider.network: 10.88.0.128/25 overlaps 10.88.0.0/24, which containers have")


@pytest.mark.parametrize(
    ("address", "said"),
    [
        ("10.88.0.85", "the end of its tunnels is 198.18.0.85 by this, as that of neutron1 is"),
        ("10.88.0.0", "the end of its tunnels is 198.18.0.0 by this, the network address of 198.18.0.0/16"),
        ("10.87.255.255", "the end of its tunnels is 198.18.255.255 by this, the broadcast address of 198.18.0.0/16"),
    ],
)
def test_the_ends_of_tunnels_are_addresses_and_differ(address: str, said: str) -> None:
    wide = {"containerDefaults": {"mask": 12}, "common": {"vip": "10.87.0.250"}}
    given = {"compute2": {"role": "compute", "address": address}}
    outside = {"provider": {"network": "10.200.1.0/24", "gateway": "10.200.1.1"}}
    assert _said(given, **wide, **outside) == [
        f"dockstack:containers.compute2.address: {said}. Fix: Choose an address with other last two numbers."
    ]


def test_the_labs_subnet_is_not_that_of_the_tunnels() -> None:
    defaults = {"mask": 24, "gateway": "198.18.7.1", "bridge": "br-lab", "dns": ["198.18.7.53"]}
    here = {name: {"address": c["address"].replace("10.87.0.", "198.18.7.")} for name, c in WHOLE["containers"].items()}
    assert _said(here, containerDefaults=defaults, common={"vip": "198.18.7.250"}) == [
        "dockstack:containerDefaults.gateway: 198.18.7.0/24 overlaps 198.18.0.0/16, where the tunnels between"
        " containers end. Fix: Choose another subnet."
    ]


def test_the_demos_own_subnet_overlaps_no_other() -> None:
    provider = {"network": "192.168.0.0/16", "gateway": "192.168.0.1"}
    assert _said(provider=provider) == [
        "dockstack:demo: its own subnet 192.168.77.0/24 overlaps 192.168.0.0/16."
        " Fix: Choose another subnet for the lab, or write false."
    ]
    assert _said(provider=provider, demo=False) == []


def test_who_serves_the_labs_subnet_is_in_it() -> None:
    apart = {"address": "10.88.0.60", "gateway": "10.88.0.1", "bridge": "br-two", "dns": []}
    faults = _said({"haproxy1": apart, "dnsmasq1": {**apart, "address": "10.88.0.61"}})
    assert [f for f in faults if "it serves" in f] == [
        "dockstack:containers.haproxy1.gateway: it serves the VIP in 10.87.0.0/24, and is in 10.88.0.0/24."
        " Fix: Put it in the lab's subnet."
    ]
    pool = {"dhcp": {"start": "10.87.0.200", "end": "10.87.0.239"}}
    assert any("dnsmasq1.gateway: it serves the DHCP pool" in f for f in _said({"dnsmasq1": apart}, common=pool))
