"""The demo: something to boot in a lab that has just come up, as far as its services allow."""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import Any

import pulumi

from components.access import ADMIN_SECRET, administrator
from components.host.container_host import ContainerHost
from components.host.image import ForeignImage, Image
from components.paths import DEMO_KEY
from components.secrets import LabSecrets
from components.services.role import Role
from components.services.topology import Topology
from hostside.demo import RECORD
from hostside.operations import demo as operations


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
            host: the host of the first container that issues tokens, in whose network the program runs.
            topology: the lab.
            image: the image of :data:`~components.host.dockerfiles.GUEST` on that host; None when the demo is off.
            secrets: the lab's secrets.
            opts: options of the resource; it depends on the services that the demo makes something in.
        """
        self.key = f"{host.directory}/{DEMO_KEY}"
        made = pulumi.Output.all(image.id if image else "", secrets.value(ADMIN_SECRET)).apply(
            lambda known: operations.Demo(
                container=topology.identity_servers[0].name,
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
    return [directory / DEMO_KEY, directory / f"{DEMO_KEY}.pub", directory / RECORD]


def possible(topology: Topology) -> bool:
    """Say whether a lab has a service that can hold the demo, or leftovers of it."""
    return bool(topology.identity_servers) and bool(shown(topology))


def shown(topology: Topology) -> list[Role]:
    """Return the roles of a lab that the demo makes something in, by name."""
    return sorted((role for role in topology.used_roles if role.in_demo), key=lambda role: role.name)


def wanted(topology: Topology, disk: str) -> dict[str, Any]:
    """Return what the demo consists of in a lab.

    Args:
        topology: the lab.
        disk: name of the image with the guest's disk; another name is another disk.
    """
    return {name: made for role in topology.used_roles for name, made in role.demo(topology, disk).items()}
