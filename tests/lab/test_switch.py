"""Guests' traffic flows again after the switch of a container was killed, or the container restarted."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.lab import tenants
from tests.lab.cloud import connect, needs
from tests.lab.conftest import Lab
from tests.lab.harness import eventually, inside, long_drill, run
from tests.lab.tenants import AGENTS_SECONDS, Ground, answers

pytestmark = pytest.mark.lab


@pytest.fixture
def ground(lab: Lab, kind: str) -> Iterator[Ground]:
    """Make a tenant's network with its router."""
    cloud = connect(lab.openrc)
    needs(cloud, "network")
    with tenants.provider_network(lab, cloud) as outside, tenants.tenant_network(cloud, outside, kind) as made:
        yield made


@pytest.mark.parametrize(
    ("kind", "agents"),
    [
        ("vxlan", "working"),
        ("vlan", "hanging"),
        pytest.param("vxlan", "hanging", marks=long_drill),
        pytest.param("vlan", "working", marks=long_drill),
    ],
)
def test_traffic_flows_again_after_the_switch_was_killed(lab: Lab, ground: Ground, agents: str) -> None:
    host = tenants.switches(lab)[0]
    with ground.probe(host) as probe, ground.floating(probe) as address:
        eventually("the floating address answers", lambda: answers(lab, address), AGENTS_SECONDS)
        for each in {host, lab.of_role("neutron")}:
            if agents == "hanging":
                # One may happen to wait for an answer of the switch that has ended, and not notice.
                agent = inside(each, "supervisorctl", "pid", "neutron-openvswitch-agent").strip()
                inside(each, "kill", "-STOP", agent)
            inside(each, "sh", "-c", "kill -9 $(cat /run/openvswitch/ovs-vswitchd.pid)")
        took = eventually("it answers again", lambda: answers(lab, address), AGENTS_SECONDS)
        print(f"{ground.kind}: floating address back {took:.1f} s after ovs-vswitchd was killed, agents {agents}")
    lab.await_healthy()


@long_drill
@pytest.mark.parametrize("role", ["neutron", "compute"])
@pytest.mark.parametrize("kind", ["vxlan", "vlan"])
def test_traffic_flows_again_after_a_restart(lab: Lab, ground: Ground, role: str) -> None:
    host = tenants.switches(lab)[0]
    victim = lab.of_role("neutron") if role == "neutron" else host
    run("docker", "restart", victim)
    lab.await_healthy()
    with ground.probe(host) as probe, ground.floating(probe) as address:
        took = eventually("the floating address answers", lambda: answers(lab, address), AGENTS_SECONDS)
        print(f"{ground.kind}: floating address answers {took:.1f} s after a lease when {victim} was restarted")
