"""The demo: something to boot in a lab that has just come up, as far as its services allow."""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import Any

import pulumi

from components.access import ADMIN_SECRET, administrator
from components.configuration.derived import TENANT_NETWORK, pools
from components.configuration.rules import DEMO_ROLES, OPENSDN
from components.host.container_host import ContainerHost
from components.host.image import ForeignImage, Image
from components.secrets import LabSecrets
from components.services.topology import Topology
from hostside.demo import RECORD
from hostside.operations import demo as operations

PHYSICAL_NETWORK = "provider"
"""Neutron's name for what is behind the provider bridge."""

FLAVORS = (
    {"name": "tiny", "vcpus": 1, "ram": 160, "disk": 1},
    {"name": "small", "vcpus": 1, "ram": 256, "disk": 1},
)
KEY = "demo-key"
"""Name of the key pair, in Nova and in the stack's directory."""


class Demo:
    """Image, flavors, networks, router, security group and key of the demo, in the project admin.

    One resource, whether the demo is on or off: the demo that a lab no longer asks for is taken out of OpenStack by an
    update, which fails with OpenStack's words while a guest uses it. A destroyed lab takes its demo with it.
    """

    def __init__(
        self,
        host: ContainerHost,
        topology: Topology,
        image: Image | ForeignImage | None,
        secrets: LabSecrets,
        opts: pulumi.ResourceOptions,
    ) -> None:
        """Declare the demo.

        Args:
            host: the host of the first Keystone container, in whose network the program runs.
            topology: the lab.
            image: the image of :data:`~components.host.dockerfiles.GUEST` on that host; None when the demo is off.
            secrets: the lab's secrets.
            opts: options of the resource; it depends on the services of
                :data:`~components.configuration.rules.DEMO_ROLES`.
        """
        self.key = f"{host.directory}/{KEY}"
        made = pulumi.Output.all(image.id if image else "", secrets.value(ADMIN_SECRET)).apply(
            lambda known: operations.Demo(
                container=topology.members("keystone")[0].name,
                image=known[0],
                key=self.key,
                wanted=wanted(topology, image.tag) if image else {},
                login={
                    **administrator(topology, known[1]),
                    **({"cacert": topology.authority_on(host.host.name)} if topology.tls else {}),
                },
            )
        )
        self.resource = host.declare("demo", operations.Demo, made, show=True, opts=opts)


def files(directory: PurePosixPath) -> list[PurePosixPath]:
    """Return the files of a stack's directory that go with what the demo has made: its keys, and the record of it."""
    return [directory / KEY, directory / f"{KEY}.pub", directory / RECORD]


def possible(topology: Topology) -> bool:
    """Say whether a lab has a service that can hold the demo, or leftovers of it."""
    return bool(topology.members("keystone")) and any(topology.members(role) for role in DEMO_ROLES)


def wanted(topology: Topology, disk: str) -> dict[str, Any]:
    """Return what the demo consists of in a lab.

    Args:
        topology: the lab.
        disk: name of the image with the guest's disk; another name is another disk.
    """
    found: dict[str, Any] = {}
    if topology.members("glance"):
        found["image"] = {"name": "guest", "disk": disk, "min_disk": 0, "min_ram": 128}
    if topology.members("nova"):
        found["flavors"] = list(FLAVORS)
        found["key"] = {"name": KEY}
    # Only Neutron's own routers give guests floating addresses; beside OpenSDN, no guest boots yet.
    if topology.members("neutron") and topology.environment.networking != OPENSDN:
        found["security_group"] = {"name": "demo"}
        found["network"] = {
            "name": "demo",
            "cidr": str(TENANT_NETWORK),
            "dns": [str(member.address) for member in topology.members("dnsmasq")],
        }
        provider = topology.environment.provider
        if provider:
            found["provider"] = {
                "name": "provider",
                "physical_network": PHYSICAL_NETWORK,
                "cidr": str(provider.network),
                "gateway": str(provider.gateway),
                "pools": [
                    {"start": str(first), "end": str(last)} for first, last in pools(provider.network, provider.gateway)
                ],
            }
            found["router"] = {"name": "demo", "inside": "demo", "outside": "provider"}
    return found
