"""The Open vSwitch bridge that joins a host's containers, with the host's own address on it."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network

import pulumi

from components.host.container_host import ContainerHost
from hostside.operations.bridge_up import BridgeUp


class Bridge:
    """A bridge on a host: blackhole route first, then the bridge, then the gateway's address on it.

    One command resource; it is no component, as every further resource makes every write of the state longer.
    """

    def __init__(
        self,
        host: ContainerHost,
        name: str,
        mtu: int,
        network: IPv4Network,
        gateway: IPv4Address,
        opts: pulumi.ResourceOptions,
    ) -> None:
        """Declare the bridge.

        Args:
            host: where.
            name: the bridge's name, at most 15 characters.
            mtu: largest packet in bytes.
            network: the subnet that it carries.
            gateway: the host's address on it.
            opts: options of the resource.
        """
        self.name = name
        up = BridgeUp(name, host.stack, str(network), f"{gateway}/{network.prefixlen}", mtu)
        self.resource = host.declare(f"{host.host.name}-{name}", BridgeUp, up, subject=name, opts=opts)
