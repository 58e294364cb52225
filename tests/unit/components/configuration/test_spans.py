"""The bridges of several hosts: who has which address, what joins them, and what their packets may hold."""

from __future__ import annotations

from ipaddress import IPv4Address
from typing import Any

from components.configuration.environment import Environment
from components.configuration.spans import Span, spans
from tests.unit.environment_cases import lab, look
from tests.unit.graph_recorder import FACTS

FAR = {"ssh": {"host": "192.0.2.20"}}
HOSTS = {"far": FAR, "farther": {"ssh": {"host": "192.0.2.21"}}}
PROVIDER = {"bridge": "br-ext", "network": "10.87.1.0/24", "gateway": "10.87.1.1"}


def _read(changes: dict[str, Any]) -> Environment:
    several = {"containerHosts": HOSTS, "containerDefaults": {"host": "local"}}
    found = look(lab(several | changes))
    assert found.faults == ()
    assert found.environment is not None
    return found.environment


def _laid(changes: dict[str, Any]) -> dict[tuple[str, str], Span]:
    environment = _read(changes)
    return {(host, span.bridge): span for host, mine in spans(environment, FACTS).items() for span in mine}


def test_a_lab_on_one_host_has_the_gateway_there_and_nothing_to_join() -> None:
    span = _laid({})["local", "br-lab"]
    assert (span.address, span.mtu, span.others, span.tunnelled) == (IPv4Address("10.87.0.1"), 1500, (), False)


def test_the_host_that_pulumi_runs_on_holds_the_gateway_and_each_other_has_an_address_of_its_own() -> None:
    laid = _laid({"containers": {"memcached1": {"host": "far"}, "rabbitmq1": {"host": "farther"}}})
    assert {host: str(span.address) for (host, _), span in laid.items()} == {
        "local": "10.87.0.1",
        "far": "10.87.0.254",
        "farther": "10.87.0.253",
    }
    assert laid["far", "br-lab"].others == ("local", "farther")


def test_a_hosts_own_address_is_nobody_elses() -> None:
    taken = {f"p{n}": {"role": "plain", "address": f"10.87.0.{n}"} for n in (254, 253)}
    laid = _laid(
        {
            "common": {"vip": "10.87.0.252", "dhcp": {"start": "10.87.0.240", "end": "10.87.0.251"}},
            "containers": {**taken, "memcached1": {"host": "far"}},
        }
    )
    assert str(laid["far", "br-lab"].address) == "10.87.0.239"


def test_a_gateway_that_a_hosts_containers_name_themselves_is_that_hosts() -> None:
    laid = _laid({"containers": {"memcached1": {"host": "far", "gateway": "10.87.0.2"}}})
    assert str(laid["far", "br-lab"].address) == "10.87.0.2"


def test_packets_leave_room_for_a_tunnel_unless_told_otherwise() -> None:
    environment = _read({"containers": {"memcached1": {"host": "far"}, "rabbitmq1": {"mtu": 1400}}})
    mtus = {c.name: c.mtu for c in environment.containers}
    assert mtus.pop("rabbitmq1") == 1400
    assert set(mtus.values()) == {1450}


def test_uplinks_take_the_place_of_tunnels_and_leave_the_packets_as_they_are() -> None:
    hosts = {"local": {"uplink": "eth1"}, "far": {**FAR, "uplink": "eth2"}}
    changes = {"containerHosts": hosts, "containers": {"memcached1": {"host": "far"}}}
    laid = _laid(changes)
    assert {(span.uplink, span.tunnelled, span.mtu) for span in laid.values()} == {
        ("eth1", False, 1500),
        ("eth2", False, 1500),
    }


def test_an_uplink_of_a_host_alone_is_no_ones() -> None:
    assert _laid({"containerHosts": {"local": {"uplink": "eth1"}}})["local", "br-lab"].uplink == ""


def test_the_provider_network_is_entered_where_the_containers_gateway_is() -> None:
    environment = _read({"provider": PROVIDER, "containers": {"memcached1": {"host": "far"}}})
    ported = [c.model_copy(update={"role": "neutron"}) if c.host == "far" else c for c in environment.containers]
    environment = environment.model_copy(update={"containers": tuple(ported)})
    laid = {(h, s.bridge): s for h, mine in spans(environment, FACTS).items() for s in mine}
    assert str(laid["local", "br-ext"].address) == "10.87.1.1"
    assert laid["far", "br-ext"].address is None
    assert laid["far", "br-ext"].others == ("local",)
