"""The Open vSwitch bridge that joins a host's containers, with the host's own address on it."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network

import pulumi

from components.container_host import ContainerHost


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
        self.resource = host.verb(
            f"{host.host.name}-{name}",
            "bridge-up",
            {
                "name": name,
                "stack": host.stack,
                "network": str(network),
                "address": f"{gateway}/{network.prefixlen}",
                "mtu": mtu,
            },
            subject=name,
            delete="bridge-down",
            opts=opts,
        )
