"""Two Neutrons: a router goes over to the other, DHCP is on both, and a member that goes leaves nothing."""

from __future__ import annotations

import re
import subprocess
import time
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import pytest

from tests.lab.cloud import Cloud, connect
from tests.lab.harness import (
    OF_LABS,
    Stack,
    brought_up,
    eventually,
    inspect,
    kill,
    left_since,
    long_drill,
    puppet_runs,
    run,
    started_at,
)
from tests.lab.tenants import Ground, Probe, tenant_network

pytestmark = [pytest.mark.lab, pytest.mark.drill, long_drill]

STACK = "t177"
SUBNET, OUTSIDE = "10.86.177", "10.86.178"
NEUTRONS = [f"{STACK}-neutron{number}" for number in (1, 2)]
ONE_EACH = {"dnsmasq": 53, "puppet": 10, "haproxy": 20, "galera": 30, "rabbitmq": 40, "memcached": 45, "keystone": 50}
INSIDE_ADDRESS = "192.168.77.1"
"""The router's, in the tenant's network."""
MOST_SECONDS = 10.0


def configuration(members: int = 2) -> dict[str, Any]:
    """Return a lab that has networks, with so many members of Neutron."""
    several = {
        name: {"role": "neutron", "address": f"{SUBNET}.{85 + at}"} for at, name in enumerate(NEUTRONS[:members])
    }
    one_each = {f"{STACK}-{role}1": {"role": role, "address": f"{SUBNET}.{last}"} for role, last in ONE_EACH.items()}
    return {
        "common": {"domain": f"{STACK}.lab", "vip": f"{SUBNET}.250"},
        "containerDefaults": {"mask": 24, "gateway": f"{SUBNET}.1", "bridge": f"br-{STACK}"},
        "provider": {"bridge": f"br-{STACK}o", "network": f"{OUTSIDE}.0/24", "gateway": f"{OUTSIDE}.1"},
        "containers": one_each | several,
    }


@pytest.fixture(scope="module")
def made(before: dict[str, list[str]], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """Bring the lab up; what a test changes, it changes back. Nothing is left of it at the end."""
    with brought_up(STACK, tmp_path_factory.mktemp("stacks"), configuration()) as made:
        yield made
    assert left_since(before, OF_LABS) == {}


@pytest.fixture(scope="module")
def cloud(made: Stack) -> Cloud:
    """The lab's OpenStack as its administrator sees it."""
    return connect(made.outputs()["openrc"])


@pytest.fixture(scope="module")
def ground(cloud: Cloud) -> Iterator[Ground]:
    """Make a tenant's network, and a router between it and the provider network."""
    outside = cloud.network.create_network(
        name="provider", is_router_external=True, provider_network_type="flat", provider_physical_network="provider"
    )
    try:
        cloud.network.create_subnet(
            network_id=outside.id,
            ip_version=4,
            cidr=f"{OUTSIDE}.0/24",
            gateway_ip=f"{OUTSIDE}.1",
            is_dhcp_enabled=False,
        )
        with tenant_network(cloud, outside, "vxlan") as made:
            yield made
    finally:
        cloud.network.delete_network(outside)


def router(cloud: Cloud) -> Any:
    """Return the router."""
    (found,) = [each for each in cloud.network.routers() if each.name != "old"]
    return found


def states(cloud: Cloud) -> dict[str, str]:
    """Return what the router is on each member that it is ready on."""
    return {agent.host: agent.ha_state for agent in cloud.network.routers_hosting_l3_agents(router(cloud))}


def active(cloud: Cloud) -> str:
    """Return the member that routes, by Neutron's account; nothing while it isn't one alone."""
    found = [host for host, state in states(cloud).items() if state == "active"]
    return found[0] if len(found) == 1 else ""


def serving(cloud: Cloud, ground: Ground) -> set[str]:
    """Return the members that serve DHCP to the tenant's network."""
    return {agent.host for agent in cloud.network.network_hosting_dhcp_agents(ground.network)}


def gap(probe: Probe, address: str, fault: list[str]) -> float:
    """Return how long a guest's ping was interrupted, in seconds, when a container was killed."""
    command = ["ip", "netns", "exec", probe.name, "ping", "-D", "-n", "-i", "0.2", "-W", "1", address]
    with subprocess.Popen(["docker", "exec", probe.container, *command], stdout=subprocess.PIPE, text=True) as ping:
        assert ping.stdout is not None
        times: list[float] = []
        deadline = 0.0
        for line in ping.stdout:
            if not (found := re.match(r"\[([\d.]+)\] .*bytes from", line)):
                continue
            times.append(float(found[1]))
            if len(times) == 10:
                kill([int(inspect(name)["State"]["Pid"]) for name in fault])
                deadline = time.time() + 30
            if deadline and time.time() > deadline:
                break
        run("docker", "exec", probe.container, "pkill", "-f", f"ping -D -n -i 0.2 -W 1 {address}", check=False)
    return max(after - before for before, after in pairwise(times))


def test_a_router_is_ready_on_both_and_dhcp_is_on_both(cloud: Cloud, ground: Ground) -> None:
    assert router(cloud).is_ha
    eventually("one of both routes", lambda: active(cloud) in NEUTRONS and len(states(cloud)) == 2, interval=1)
    eventually("both serve DHCP", lambda: serving(cloud, ground) == set(NEUTRONS), interval=1)


def test_a_second_update_and_a_second_run_of_puppet_change_nothing(made: Stack) -> None:
    made.preview("--expect-no-changes")
    ended = puppet_runs(NEUTRONS, "--test")
    assert {name: done.stdout + done.stderr for name, done in ended.items() if done.returncode} == {}


@pytest.mark.parametrize("again", [1, 2])
def test_a_guest_goes_on_when_the_member_that_routes_is_killed(cloud: Cloud, ground: Ground, again: int) -> None:
    eventually("both are ready", lambda: sorted(states(cloud).values()) == ["active", "standby"], 240, 1)
    holder = active(cloud)
    (other,) = set(NEUTRONS) - {holder}
    with ground.probe(other) as probe:
        eventually("the guest is routed", lambda: probe.reaches(f"{OUTSIDE}.1"), interval=1)
        seconds = gap(probe, f"{OUTSIDE}.1", [holder])
        print(f"\n{again}: {holder} killed: a guest's ping through the router lacked {seconds:.1f} s", flush=True)
        assert seconds <= MOST_SECONDS
        # A guest that comes now has its address of the other one.
        with ground.probe(other) as newcomer:
            assert newcomer.reaches(INSIDE_ADDRESS)
        cloud.network.update_network(ground.network, description=f"after {holder}")
    eventually(
        "the killed one's agents are heard again", lambda: all(a.is_alive for a in cloud.network.agents()), 240, 1
    )


def test_a_router_from_before_goes_over_when_it_is_told_to(cloud: Cloud, ground: Ground) -> None:
    eventually("both are ready", lambda: sorted(states(cloud).values()) == ["active", "standby"], 240, 1)
    network = cloud.network
    old = network.create_router(name="old", is_ha=False)
    try:
        assert not old.is_ha
        network.update_router(old, is_admin_state_up=False)
        network.update_router(old, is_ha=True)
        assert network.update_router(old, is_admin_state_up=True).is_ha
        eventually("it is on both", lambda: len(list(network.routers_hosting_l3_agents(old))) == 2, interval=1)
    finally:
        network.delete_router(old)


def residue(cloud: Cloud, name: str) -> list[str]:
    """Return what Neutron knows of a member."""
    agents = [f"agent {agent.binary}" for agent in cloud.network.agents(host=name)]
    ports = [f"port {port.device_owner}" for port in cloud.network.ports() if port.binding_host_id == name]
    reserved = [f"port {port.device_id}" for port in cloud.network.ports(device_id="reserved_dhcp_port")]
    return agents + ports + reserved


def test_a_member_that_goes_leaves_nothing_in_the_other_and_comes_again(
    made: Stack, cloud: Cloud, ground: Ground
) -> None:
    started = started_at(STACK)
    made.configure(configuration(members=1))
    made.up()
    # What the router has goes over with it, when the other has taken its place.
    eventually("nothing of it is left", lambda: residue(cloud, NEUTRONS[1]) == [], interval=1)
    eventually("the other routes", lambda: states(cloud) == {NEUTRONS[0]: "active"}, interval=1)
    with ground.probe(NEUTRONS[0]) as probe:
        assert probe.reaches(f"{OUTSIDE}.1")
    made.configure(configuration())
    made.up()
    eventually("the router is ready on both", lambda: sorted(states(cloud)) == NEUTRONS, interval=1)
    eventually("both serve DHCP", lambda: serving(cloud, ground) == set(NEUTRONS), interval=1)
    stayed = [name for name in started if name not in NEUTRONS[1:]]
    assert [started_at(STACK)[name] for name in stayed] == [started[name] for name in stayed]
