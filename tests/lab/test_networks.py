"""The networks of guests over VXLAN and VLAN: leases, metadata, routers and floating addresses, and between guests.

What stands for a guest is a port of Neutron's that is plugged into the switch of a container, with a network namespace
behind it that leaves its checksums to its card, as a guest does.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from ipaddress import IPv4Network
from typing import Any

import openstack
import pytest

from tests.lab.cloud import Cloud, connect
from tests.lab.conftest import Lab
from tests.lab.harness import eventually, inside, inspect, long_drill, run

pytestmark = pytest.mark.lab

LEASE = """#!/bin/sh
case "$1" in
  bound | renew)
    ip address replace "$ip/$mask" dev "$interface"
    ip link set "$interface" mtu "${mtu:-1500}"
    for gateway in $router; do ip route replace default via "$gateway"; done
    ;;
esac
"""
MTU = {"vxlan": 1450, "vlan": 1500}
SETTLE_SECONDS = 240
"""How long the agents may take for a port, a router or an address, on a machine that has much else to do."""


@dataclass(frozen=True)
class Probe:
    """A namespace in a container that stands for a guest there."""

    container: str
    port: str
    address: str
    mac: str

    @property
    def name(self) -> str:
        """Return the name of its namespace; its tap's begins alike."""
        return f"probe-{self.port[:11]}"

    def run(self, *command: str, check: bool = True) -> str:
        """Run a command as the guest would."""
        return inside(self.container, "ip", "netns", "exec", self.name, *command, check=check)

    def plug(self) -> None:
        """Plug its port into the container's switch the way that Nova plugs a guest's tap."""
        tap = f"tap{self.port[:11]}"
        link = ["ip", "link", "add", tap, "type", "veth", "peer", "name", "eth0", "netns", self.name]
        ids = {"iface-id": self.port, "attached-mac": self.mac, "iface-status": "active"}
        values = [f'external_ids:{key}="{value}"' for key, value in ids.items()]
        inside(self.container, "ip", "netns", "add", self.name)
        inside(self.container, *link)
        inside(self.container, "ip", "-n", self.name, "link", "set", "eth0", "address", self.mac, "up")
        inside(self.container, "ip", "link", "set", tap, "up")
        inside(self.container, "ovs-vsctl", "add-port", "br-int", tap, "--", "set", "interface", tap, *values)

    def unplug(self) -> None:
        """Take all of it away; nothing there is no error."""
        inside(self.container, "ovs-vsctl", "--if-exists", "del-port", f"tap{self.port[:11]}", check=False)
        inside(self.container, "ip", "netns", "delete", self.name, check=False)

    def lease(self) -> None:
        """Ask DHCP, and take what it says."""
        script = f"/tmp/{self.name}"
        inside(self.container, "sh", "-c", f"cat > {script} && chmod 755 {script}", stdin=LEASE)
        self.run("udhcpc", "-i", "eth0", "-n", "-q", "-f", "-t", "30", "-T", "2", "-O", "mtu", "-s", script)

    def reaches(self, address: str) -> bool:
        """Say whether an address answers its ping."""
        return "1 received" in self.run("ping", "-c", "1", "-W", "2", address, check=False)

    def link(self) -> dict[str, Any]:
        """Return what its interface is like."""
        return dict(json.loads(self.run("ip", "-j", "-4", "address", "show", "dev", "eth0"))[0])


@dataclass(frozen=True)
class Ground:
    """A tenant's network with a router to the provider network."""

    cloud: Cloud
    kind: str
    network: Any
    subnet: Any
    outside: Any
    group: Any

    @contextmanager
    def probe(self, container: str) -> Iterator[Probe]:
        """Plug in a guest with a lease."""
        made = self.cloud.network.create_port(
            network_id=self.network.id,
            device_owner="compute:probe",
            binding_host_id=container,
            security_group_ids=[self.group.id],
        )
        probe = Probe(container, made.id, made.fixed_ips[0]["ip_address"], made.mac_address)
        try:
            assert made.binding_vif_type == "ovs", f"no agent in {container} binds its ports"
            probe.plug()
            active = f"port {made.id} is active"
            eventually(active, lambda: self.cloud.network.get_port(made.id).status == "ACTIVE", SETTLE_SECONDS, 1)
            probe.lease()
            yield probe
        finally:
            probe.unplug()
            self.cloud.network.delete_port(made.id)

    @contextmanager
    def floating(self, probe: Probe) -> Iterator[str]:
        """Give a guest a floating address."""
        made = self.cloud.network.create_ip(floating_network_id=self.outside.id, port_id=probe.port)
        try:
            yield str(made.floating_ip_address)
        finally:
            self.cloud.network.delete_ip(made.id)


@pytest.fixture(scope="module")
def cloud(lab: Lab) -> Cloud:
    """Connect to the lab's cloud."""
    if "neutron" not in {service["role"] for service in lab.services.values()}:
        pytest.skip("the stack has no Neutron")
    return connect(lab.openrc)


@pytest.fixture(scope="module")
def hosts(lab: Lab) -> list[str]:
    """Return the containers with an Open vSwitch of their own, that of the routers last."""
    ports = {name: inspect(name)["Config"]["Labels"].get("dockstack.ports", "") for name in lab.services}
    return sorted(
        (n for n, port in ports.items() if "eth2" in port), key=lambda n: lab.services[n]["role"] == "neutron"
    )


@pytest.fixture(scope="module")
def outside(lab: Lab, cloud: Cloud) -> Iterator[Any]:
    """Return the provider network: the lab's, or one that is made for the tests and taken away again."""
    found = next(iter(cloud.network.networks(is_router_external=True)), None)
    if found is not None:
        yield found
        return
    shown = run("pulumi", "config", "get", "--stack", lab.stack, "provider").stdout
    provider = json.loads(shown)
    subnet = IPv4Network(provider["network"])
    network = cloud.network.create_network(
        name="provider", is_router_external=True, provider_network_type="flat", provider_physical_network="provider"
    )
    try:
        cloud.network.create_subnet(
            network_id=network.id, ip_version=4, cidr=str(subnet), gateway_ip=provider["gateway"],
            is_dhcp_enabled=False,
            allocation_pools=[{"start": str(subnet[100]), "end": str(subnet[199])}],
        )  # fmt: skip
        yield network
    finally:
        cloud.network.delete_network(network)


@pytest.fixture(scope="module", params=["vxlan", "vlan"])
def ground(request: pytest.FixtureRequest, cloud: Cloud, outside: Any) -> Iterator[Ground]:
    """Make a tenant's network with its router, of each kind."""
    kind = request.param
    name = f"test-{kind}-{uuid.uuid4().hex[:6]}"
    physical = {"provider_physical_network": "tenant"} if kind == "vlan" else {}
    with ExitStack() as undo:
        network = cloud.network.create_network(name=name, provider_network_type=kind, **physical)
        undo.callback(cloud.network.delete_network, network)
        subnet = cloud.network.create_subnet(name=name, network_id=network.id, ip_version=4, cidr="192.168.77.0/24")
        router = cloud.network.create_router(name=name, external_gateway_info={"network_id": outside.id})
        undo.callback(cloud.network.delete_router, router)
        cloud.network.add_interface_to_router(router, subnet.id)
        undo.callback(cloud.network.remove_interface_from_router, router, subnet.id)
        group = cloud.network.create_security_group(name=name)
        undo.callback(cloud.network.delete_security_group, group)
        for protocol in ("icmp", "tcp"):
            cloud.network.create_security_group_rule(
                security_group_id=group.id, direction="ingress", ethertype="IPv4", protocol=protocol,
                **({"port_range_min": 7000, "port_range_max": 7000} if protocol == "tcp" else {}),
            )  # fmt: skip
        yield Ground(cloud, kind, network, subnet, outside, group)


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


def test_a_guest_gets_its_address_and_mtu_by_dhcp_and_reaches_its_router(ground: Ground, hosts: list[str]) -> None:
    with ground.probe(hosts[0]) as probe:
        link = probe.link()
        assert [a["local"] for a in link["addr_info"]] == [probe.address]
        assert link["mtu"] == MTU[ground.kind]
        eventually("the router answers", lambda: probe.reaches(ground.subnet.gateway_ip), SETTLE_SECONDS)


def test_metadata_are_asked_for_at_the_usual_address(ground: Ground, hosts: list[str]) -> None:
    with ground.probe(hosts[0]) as probe:
        ask = ["curl", "-s", "--max-time", "20", "-w", "%{http_code}", "http://169.254.169.254/latest/meta-data/"]

        def answer() -> str:
            return probe.run(*ask, check=False)[-3:]

        eventually("metadata are answered", lambda: answer() not in ("", "000"), SETTLE_SECONDS, 1)
        # The port belongs to no guest.
        assert answer() == "404"


def test_a_floating_address_leads_to_the_guest(lab: Lab, ground: Ground, hosts: list[str]) -> None:
    with ground.probe(hosts[0]) as probe, ground.floating(probe) as address:
        eventually(f"{address} answers the host", lambda: answers(lab, address), SETTLE_SECONDS)


def test_guests_of_two_containers_reach_each_other(ground: Ground, hosts: list[str]) -> None:
    if len(hosts) < 2:
        pytest.skip("the stack has one container for guests and routers")
    with ground.probe(hosts[0]) as one, ground.probe(hosts[1]) as other:
        eventually("a ping gets there", lambda: one.reaches(other.address), SETTLE_SECONDS)
        size = MTU[ground.kind] - 28
        assert "1 received" in one.run("ping", "-c", "1", "-W", "2", "-M", "do", "-s", str(size), other.address)
        # Segments are as large as they get, and their checksums are left to the card.
        assert transfer(one, other, 7000) == 20_000_000


def test_a_security_group_keeps_out_what_it_does_not_name(ground: Ground, hosts: list[str]) -> None:
    with ground.probe(hosts[0]) as one, ground.probe(hosts[-1]) as other:
        eventually("a ping gets there", lambda: one.reaches(other.address), SETTLE_SECONDS)
        assert transfer(one, other, 7001) == 0


def test_a_fault_shows_openstacks_own_words(cloud: Cloud, outside: Any) -> None:
    with pytest.raises(openstack.exceptions.BadRequestException, match="is not in a CIDR format"):
        cloud.network.create_subnet(network_id=outside.id, ip_version=4, cidr="10.1.2.300/24")
    with pytest.raises(openstack.exceptions.HttpException, match="physical_network 'nowhere' unknown"):
        cloud.network.create_network(provider_network_type="flat", provider_physical_network="nowhere")


@pytest.mark.parametrize("agents", ["working", "hanging"])
def test_traffic_flows_again_after_the_switch_was_killed(
    lab: Lab, ground: Ground, hosts: list[str], agents: str
) -> None:
    switches = {hosts[0], lab.of_role("neutron")}
    with ground.probe(hosts[0]) as probe, ground.floating(probe) as address:
        eventually("the floating address answers", lambda: answers(lab, address), SETTLE_SECONDS)
        for host in switches:
            if agents == "hanging":
                # One may happen to wait for an answer of the switch that has ended, and not notice.
                agent = inside(host, "supervisorctl", "pid", "neutron-openvswitch-agent").strip()
                inside(host, "kill", "-STOP", agent)
            inside(host, "sh", "-c", "kill -9 $(cat /run/openvswitch/ovs-vswitchd.pid)")
        took = eventually("it answers again", lambda: answers(lab, address), SETTLE_SECONDS)
        print(f"{ground.kind}: floating address back {took:.1f} s after ovs-vswitchd was killed, agents {agents}")


@pytest.mark.parametrize("role", ["neutron", pytest.param("compute", marks=long_drill)])
def test_traffic_flows_again_after_a_restart(lab: Lab, ground: Ground, hosts: list[str], role: str) -> None:
    victim = lab.of_role("neutron") if role == "neutron" else hosts[0]
    run("docker", "restart", victim)
    lab.settled()
    with ground.probe(hosts[0]) as probe, ground.floating(probe) as address:
        took = eventually("the floating address answers", lambda: answers(lab, address), SETTLE_SECONDS)
        print(f"{ground.kind}: floating address answers {took:.1f} s after a lease when {victim} was restarted")


def answers(lab: Lab, address: str) -> bool:
    """Say whether an address answers the host's ping; the keeper, in the host's network, has the program."""
    return "1 received" in inside(f"{lab.stack}-keeper", "ping", "-c", "1", "-W", "2", address, check=False)


def transfer(sender: Probe, receiver: Probe, port: int) -> int:
    """Send 20 MB by TCP, and return how much arrived."""
    target = f"/tmp/{receiver.name}-received"
    listen = f"timeout 60 nc -l {port} > {target} < /dev/null & until ss -tln | grep -q :{port}; do sleep 0.1; done"
    receiver.run("sh", "-c", listen)
    sender.run("sh", "-c", f"head -c 20000000 /dev/zero | timeout 50 nc -N -w 5 {receiver.address} {port}", check=False)
    size = inside(receiver.container, "sh", "-c", f"stat -c %s {target}; rm {target}; pkill -x nc", check=False)
    return int(size.split()[0])
