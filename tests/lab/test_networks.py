"""The networks of guests over VXLAN and VLAN: leases, metadata, routers and floating addresses, and between guests."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from typing import Any

import openstack
import pytest

from tests.lab import tenants
from tests.lab.cloud import Cloud, connect
from tests.lab.conftest import Lab
from tests.lab.harness import eventually, inside, run
from tests.lab.tenants import AGENTS_SECONDS, Ground, Probe, TaggedProbe, answers

pytestmark = [pytest.mark.lab, pytest.mark.shares]

MTU = {"vxlan": 1450, "vlan": 1500}
LIMIT_KBPS, MEASURED_BYTES = 4000, 2_000_000
SECONDS_AT_THE_LIMIT = 0.9 * (MEASURED_BYTES * 8 / (LIMIT_KBPS * 1000) - 1)
"""A meter lets the bytes of its first second pass at once."""
only_once = pytest.mark.parametrize("ground", ["vxlan"], indirect=True)
"""For what doesn't depend on the kind of the network."""


@pytest.fixture(scope="module")
def cloud(lab: Lab) -> Cloud:
    """Connect to the lab's cloud."""
    if "neutron" not in {service["role"] for service in lab.services.values()}:
        pytest.skip("the stack has no Neutron")
    return connect(lab.openrc)


@pytest.fixture(scope="module")
def hosts(lab: Lab) -> list[str]:
    """Return the containers with an Open vSwitch of their own, that of the routers last."""
    return tenants.switches(lab)


@pytest.fixture(scope="module")
def outside(lab: Lab, cloud: Cloud) -> Iterator[Any]:
    """Return the provider network."""
    with tenants.provider_network(lab, cloud) as network:
        yield network


@pytest.fixture(scope="module", params=["vxlan", "vlan"])
def ground(request: pytest.FixtureRequest, cloud: Cloud, outside: Any) -> Iterator[Ground]:
    """Make a tenant's network with its router, of each kind."""
    with tenants.tenant_network(cloud, outside, request.param) as made:
        yield made


@pytest.fixture(scope="module")
def one(ground: Ground, hosts: list[str]) -> Iterator[Probe]:
    """Plug in a guest beside those of the lab."""
    with ground.probe(hosts[0]) as made:
        yield made


@pytest.fixture(scope="module")
def other(ground: Ground, hosts: list[str]) -> Iterator[Probe]:
    """Plug in a second guest, where the routers are."""
    with ground.probe(hosts[-1]) as made:
        yield made


def test_every_agent_is_alive(cloud: Cloud, hosts: list[str]) -> None:
    agents = list(cloud.network.agents())
    assert {agent.host for agent in agents if agent.binary == "neutron-openvswitch-agent"} == set(hosts)
    assert {a.binary for a in agents} == {f"neutron-{name}-agent" for name in ("openvswitch", "l3", "dhcp", "metadata")}
    assert all(agent.is_alive for agent in agents)


def test_tenants_get_the_kind_of_network_that_the_stack_says(lab: Lab, cloud: Cloud) -> None:
    common = json.loads(run("pulumi", "config", "get", "--stack", lab.stack, "common").stdout)
    network = cloud.network.create_network(name=f"test-{uuid.uuid4().hex[:6]}")
    try:
        assert network.provider_network_type == common.get("tenantNetworks", "vxlan")
        assert network.mtu == MTU[network.provider_network_type]
    finally:
        cloud.network.delete_network(network)


def test_a_guest_gets_its_address_and_mtu_by_dhcp_and_reaches_its_router(ground: Ground, one: Probe) -> None:
    link = one.link()
    assert [a["local"] for a in link["addr_info"]] == [one.address]
    assert link["mtu"] == MTU[ground.kind]
    eventually("the router answers", lambda: one.reaches(ground.subnet.gateway_ip), AGENTS_SECONDS)


def test_metadata_are_asked_for_at_the_usual_address(one: Probe) -> None:
    ask = ["curl", "-s", "--max-time", "20", "-w", "%{http_code}", "http://169.254.169.254/latest/meta-data/"]

    def answer() -> str:
        return one.run(*ask, check=False)[-3:]

    eventually("metadata are answered", lambda: answer() not in ("", "000"), AGENTS_SECONDS, 1)
    # The port belongs to no guest.
    assert answer() == "404"


def test_a_floating_address_leads_to_the_guest(lab: Lab, ground: Ground, one: Probe) -> None:
    with ground.floating(one) as address:
        eventually(f"{address} answers the host", lambda: answers(lab, address), AGENTS_SECONDS)


def test_guests_of_two_containers_reach_each_other(ground: Ground, one: Probe, other: Probe) -> None:
    if one.container == other.container:
        pytest.skip("the stack has one container for guests and routers")
    eventually("a ping gets there", lambda: one.reaches(other.address), AGENTS_SECONDS)
    size = MTU[ground.kind] - 28
    assert "1 received" in one.run("ping", "-c", "1", "-W", "2", "-M", "do", "-s", str(size), other.address)
    # Segments are as large as they get, and their checksums are left to the card.
    assert transfer(one, other, 7000) == 20_000_000


def test_a_security_group_keeps_out_what_it_does_not_name(one: Probe, other: Probe) -> None:
    eventually("a ping gets there", lambda: one.reaches(other.address), AGENTS_SECONDS)
    assert transfer(one, other, 7001) == 0


@only_once
def test_a_limit_of_bandwidth_holds_both_ways_until_it_is_lifted(cloud: Cloud, one: Probe, other: Probe) -> None:
    name = f"test-{uuid.uuid4().hex[:6]}"
    policy = cloud.network.create_qos_policy(name=name)
    try:
        for direction in ("egress", "ingress"):
            cloud.network.create_qos_bandwidth_limit_rule(policy, direction=direction, max_kbps=LIMIT_KBPS)
        eventually("there is none", lambda: seconds(one, other) < SECONDS_AT_THE_LIMIT / 2)
        cloud.network.update_port(one.port, qos_policy_id=policy.id)
        eventually("it holds for what it sends", lambda: seconds(one, other) > SECONDS_AT_THE_LIMIT)
        eventually("it holds for what it receives", lambda: seconds(other, one) > SECONDS_AT_THE_LIMIT)
        cloud.network.update_port(one.port, qos_policy_id=None)
        eventually("it is lifted", lambda: seconds(one, other) < SECONDS_AT_THE_LIMIT / 2)
    finally:
        cloud.network.update_port(one.port, qos_policy_id=None)
        cloud.network.delete_qos_policy(policy)


@only_once
def test_the_name_of_a_port_is_known_on_its_network(
    lab: Lab, cloud: Cloud, ground: Ground, one: Probe, other: Probe
) -> None:
    name = f"{uuid.uuid4().hex[:6]}.{lab.settings()['config']['dockstack:common']['domain']}"
    told = cloud.network.update_port(one.port, dns_name=name.partition(".")[0]).dns_assignment
    assert [each["fqdn"] for each in told] == [f"{name}."]
    server = next(iter(cloud.network.ports(network_id=ground.network.id, device_owner="network:dhcp")))
    ask = ("dig", "+short", "+time=2", "+tries=1", f"@{server.fixed_ips[0]['ip_address']}")
    eventually("it has its address", lambda: other.run(*ask, name, check=False).strip() == one.address, interval=1)
    assert other.run(*ask, "-x", one.address).strip() == f"{name}."


@only_once
def test_tagged_frames_of_a_trunks_guest_are_its_subports(ground: Ground, hosts: list[str], other: Probe) -> None:
    with ground.tagged_probe(hosts[0], 101) as tagged:
        assert [each["local"] for each in tagged.link()["addr_info"]] == [tagged.address]
        eventually("a ping gets there", lambda: tagged.reaches(other.address), AGENTS_SECONDS)
        assert joined(tagged)
    eventually("Neutron has forgotten it", lambda: not joined(tagged), interval=1)


def test_a_fault_shows_openstacks_own_words(cloud: Cloud, outside: Any) -> None:
    with pytest.raises(openstack.exceptions.BadRequestException, match="is not in a CIDR format"):
        cloud.network.create_subnet(network_id=outside.id, ip_version=4, cidr="10.1.2.300/24")
    with pytest.raises(openstack.exceptions.HttpException, match="physical_network 'nowhere' unknown"):
        cloud.network.create_network(provider_network_type="flat", provider_physical_network="nowhere")


def joined(tagged: TaggedProbe) -> bool:
    """Say whether a subport's frames are led to where the networks are told apart."""
    return f"spi-{tagged.port[:11]}" in inside(tagged.container, "ovs-vsctl", "list-ports", "br-int").split()


def transfer(sender: Probe, receiver: Probe, port: int) -> int:
    """Send 20 MB by TCP, and return how much arrived."""
    return sent(sender, receiver, port, 20_000_000)[0]


def seconds(sender: Probe, receiver: Probe) -> float:
    """Return how long what the limit is measured with takes by TCP."""
    arrived, taken = sent(sender, receiver, 7000, MEASURED_BYTES)
    assert arrived == MEASURED_BYTES
    return taken


def sent(sender: Probe, receiver: Probe, port: int, size: int) -> tuple[int, float]:
    """Send by TCP, and return how much arrived, and how many seconds the sender took."""
    target = f"/tmp/{receiver.name}-received"
    listen = f"timeout 60 nc -l {port} > {target} < /dev/null & until ss -tln | grep -q :{port}; do sleep 0.1; done"
    receiver.run("sh", "-c", listen)
    send = f"head -c {size} /dev/zero | timeout 50 nc -N -w 5 {receiver.address} {port}"
    # Without what it takes to get a command into a container, which depends on what else the machine does.
    clock = "cut -d ' ' -f 1 /proc/uptime"
    begin, end = map(float, sender.run("sh", "-c", f"{clock}; {send}; {clock}").split())
    arrived = inside(receiver.container, "sh", "-c", f"stat -c %s {target}; rm {target}; pkill -x nc", check=False)
    return int(arrived.split()[0]), end - begin
