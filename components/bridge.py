"""The Open vSwitch bridge that joins a host's containers, with the host's own address on it."""

from __future__ import annotations

import pulumi

from components.container_host import ContainerHost
from components.environment import Environment


class Bridge:
    """A bridge on a host: blackhole route first, then the bridge, then the gateway's address on it.

    One command resource; it is no component, as every further resource makes every write of the state longer.
    """

    def __init__(
        self, host: ContainerHost, name: str, mtu: int, lab: Environment, opts: pulumi.ResourceOptions
    ) -> None:
        """Declare the bridge.

        Args:
            host: where.
            name: the bridge's name, at most 15 characters.
            mtu: largest packet in bytes.
            lab: the lab, for the subnet and the gateway's address.
            opts: options of the resource.
        """
        self.name = name
        self.resource = host.verb(
            f"{host.host.name}-{name}",
            "bridge-up",
            {
                "name": name,
                "stack": lab.stack,
                "network": str(lab.network),
                "address": f"{lab.gateway}/{lab.network.prefixlen}",
                "mtu": mtu,
            },
            subject=name,
            delete="bridge-down",
            opts=opts,
        )
