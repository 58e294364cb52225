"""Tenants' networks with what stands for guests: ports of Neutron's in namespaces of the containers.

Such a port is plugged into the switch of a container, with a network namespace behind it that leaves its checksums to
its card, as a guest does.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from ipaddress import IPv4Network
from typing import Any

from tests.lab.cloud import Cloud
from tests.lab.conftest import Lab
from tests.lab.harness import eventually, inside, inspect, run

LEASE = """#!/bin/sh
case "$1" in
  bound | renew)
    ip address replace "$ip/$mask" dev "$interface"
    ip link set "$interface" mtu "${mtu:-1500}"
    for gateway in $router; do ip route replace default via "$gateway"; done
    ;;
esac
"""
AGENTS_SECONDS = 600
"""How long the agents may take for a port, a router or an address, on a machine that has much else to do: who lacks an
answer asks again after two minutes at most."""


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
class TaggedProbe(Probe):
    """A guest on its network by the frames with a tag that pass its other port: its port is that one's subport.

    What tags its frames, the kernel's part in a usual guest, is a switch of its own, as not every kernel can.
    """

    trunk: Probe
    """The port that all frames pass."""
    bridge: str
    """What Neutron calls the bridge of the trunk."""
    datapath: str
    tag: int

    def plug(self) -> None:
        """Plug the trunk's port into its bridge as Nova does, and behind it what tags."""
        tap, peer, inner = (f"{kind}{self.port[:11]}" for kind in ("tap", "gst", "sub"))
        ids = {"iface-id": self.trunk.port, "attached-mac": self.trunk.mac, "iface-status": "active"}
        values = [f'external_ids:{key}="{value}"' for key, value in ids.items()]
        netdev = f"datapath_type={self.datapath}"
        inside(self.container, "ip", "netns", "add", self.name)
        inside(self.container, "ip", "link", "add", tap, "type", "veth", "peer", "name", peer)
        for end in (tap, peer):
            inside(self.container, "ip", "link", "set", end, "up")
        inside(
            self.container, "ovs-vsctl", "add-br", self._tagging, "--", "set", "bridge", self._tagging, netdev,
            "--", "add-port", self._tagging, peer,
            "--", "add-port", self._tagging, inner, f"tag={self.tag}", "--", "set", "interface", inner, "type=internal",
            "--", "add-br", self.bridge, "--", "set", "bridge", self.bridge, netdev,
            "--", "add-port", self.bridge, tap, "--", "set", "interface", tap, *values,
        )  # fmt: skip
        inside(self.container, "ip", "link", "set", inner, "netns", self.name, "name", "eth0")
        inside(self.container, "ip", "-n", self.name, "link", "set", "eth0", "address", self.mac, "up")

    def unplug(self) -> None:
        """Take away what Nova does, and the guest's part; nothing there is no error."""
        inside(self.container, "ovs-vsctl", "--if-exists", "del-br", self._tagging, check=False)
        super().unplug()
        inside(self.container, "ovs-vsctl", "--if-exists", "del-br", self.bridge, check=False)
        inside(self.container, "ip", "link", "delete", f"tap{self.port[:11]}", check=False)

    @property
    def _tagging(self) -> str:
        return f"gbr{self.port[:11]}"


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
            self._becomes_active(f"port {made.id}", lambda: self.cloud.network.get_port(made.id).status)
            probe.lease()
            yield probe
        finally:
            probe.unplug()
            self.cloud.network.delete_port(made.id)

    @contextmanager
    def tagged_probe(self, container: str, tag: int) -> Iterator[TaggedProbe]:
        """Plug in a guest with a lease whose port is the subport of a trunk, on another network."""
        network = self.cloud.network
        with ExitStack() as undo:
            between = network.create_network(name=f"{self.network.name}-trunk")
            undo.callback(network.delete_network, between)
            parent = network.create_port(network_id=between.id)
            undo.callback(network.delete_port, parent)
            own = network.create_port(network_id=self.network.id, security_group_ids=[self.group.id])
            undo.callback(network.delete_port, own)
            subport = {"port_id": own.id, "segmentation_type": "vlan", "segmentation_id": tag}
            trunk = network.create_trunk(port_id=parent.id, sub_ports=[subport])
            undo.callback(network.delete_trunk, trunk)
            # A trunk is made and deleted while its port is at no host.
            undo.callback(network.update_port, parent, binding_host_id="", device_owner="")
            bound = network.update_port(parent, binding_host_id=container, device_owner="compute:probe")
            details = bound.binding_vif_details
            probe = TaggedProbe(
                container, own.id, own.fixed_ips[0]["ip_address"], own.mac_address,
                trunk=Probe(container, parent.id, "", parent.mac_address),
                bridge=details["bridge_name"], datapath=details["datapath_type"], tag=tag,
            )  # fmt: skip
            undo.callback(probe.unplug)
            probe.plug()
            self._becomes_active(f"trunk {trunk.id}", lambda: network.get_trunk(trunk.id).status)
            probe.lease()
            yield probe

    def _becomes_active(self, what: str, status: Callable[[], str]) -> None:
        """Wait for Neutron's agents; a failure shows what each of them said last."""
        try:
            eventually(f"{what} is active", lambda: status() == "ACTIVE", AGENTS_SECONDS, 1)
        except AssertionError as error:
            error.add_note(f"{what} is {status()}")
            for agent in self.cloud.network.agents():
                # Of its rounds it tells all the time.
                log = f"/var/log/supervisor/{agent.binary}.log"
                said = f"grep --invert-match rpc_loop {log} | tail --lines=8 | cut --bytes=-400"
                lines = inside(agent.host, "sh", "-c", said, check=False)
                error.add_note(f"{agent.host}, {agent.binary}, alive: {agent.is_alive}:\n{lines}")
            raise

    @contextmanager
    def floating(self, probe: Probe) -> Iterator[str]:
        """Give a guest a floating address."""
        made = self.cloud.network.create_ip(floating_network_id=self.outside.id, port_id=probe.port)
        try:
            yield str(made.floating_ip_address)
        finally:
            self.cloud.network.delete_ip(made.id)


def answers(lab: Lab, address: str) -> bool:
    """Say whether an address answers the host's ping; the keeper, in the host's network, has the program."""
    return "1 received" in inside(f"{lab.stack}-keeper", "ping", "-c", "1", "-W", "2", address, check=False)


def switches(lab: Lab) -> list[str]:
    """Return the containers with an Open vSwitch of their own, that of the routers last."""
    ports = {name: inspect(name)["Config"]["Labels"].get("dockstack.ports", "") for name in lab.services}
    return sorted(
        (n for n, port in ports.items() if "eth2" in port), key=lambda n: lab.services[n]["role"] == "neutron"
    )


@contextmanager
def provider_network(lab: Lab, cloud: Cloud) -> Iterator[Any]:
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


@contextmanager
def tenant_network(cloud: Cloud, outside: Any, kind: str) -> Iterator[Ground]:
    """Make a tenant's network of a kind, with its router, and remove them at the end."""
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
