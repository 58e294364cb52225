"""The Open vSwitch bridge that joins a host's containers, with the host's own address on it."""

from __future__ import annotations

from collections.abc import Mapping

import pulumi

from components.configuration.environment import ConfiguredHost
from components.configuration.spans import Span
from components.host.container_host import ContainerHost
from hostside.operations.bridge_join import BridgeJoin
from hostside.operations.bridge_up import BridgeUp


class Bridge:
    """A bridge on a host: blackhole route first, then the bridge, the host's address on it, and the way to others.

    One command resource, and one more where other hosts have the bridge; it is no component, as every further resource
    makes every write of the state longer.

    Attributes:
        resource: what has to be there before a container on it.
    """

    def __init__(
        self, host: ContainerHost, span: Span, hosts: Mapping[str, ConfiguredHost], opts: pulumi.ResourceOptions
    ) -> None:
        """Declare the bridge.

        Args:
            host: where.
            span: what it is there.
            hosts: the lab's hosts by name, with their ends of tunnels.
            opts: options of the resources.
        """
        address = f"{span.address}/{span.network.prefixlen}" if span.address else ""
        up = BridgeUp(span.bridge, host.stack, str(span.network), address, span.mtu)
        name = f"{host.host.name}-{span.bridge}"
        self.resource = host.declare(name, BridgeUp, up, subject=span.bridge, opts=opts)
        if not span.others:
            return
        ends = {each: str(hosts[each].tunnel_address or "") for each in (host.host.name, *span.others)}
        join = BridgeJoin(
            span.bridge,
            host.stack,
            span.mtu,
            address="" if span.uplink else ends[host.host.name],
            peers=[] if span.uplink else [ends[each] for each in span.others],
            uplink=span.uplink,
        )
        gates = pulumi.ResourceOptions(depends_on=[self.resource])
        self.resource = host.declare(
            f"{name}-join", BridgeJoin, join, subject=span.bridge, opts=pulumi.ResourceOptions.merge(opts, gates)
        )
