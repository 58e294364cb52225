"""What others know of a container: its node data, secrets and certificate grant at the Puppet server.

The address records in DNS are the keeper's, because they follow what runs (see :mod:`hostside.records`).
"""

from __future__ import annotations

import hashlib

import pulumi
import pulumi_docker as docker

from components import quoting
from components.configuration.environment import Container
from components.host.container_host import ContainerHost
from components.secrets import LabSecrets
from components.services.role import Role
from components.services.topology import Topology
from hostside.operations.register import Register

PUPPET_GROUP = 8140
"""Numeric group of the Puppet server's process, pinned in Dockerfiles/base."""


class Registration:
    """A container's entry at the Puppet server, and all of it undone when the container goes.

    A certificate of an earlier container of that name is cleaned before the entry is written.
    """

    def __init__(
        self,
        topology: Topology,
        container: Container,
        role: Role,
        secrets: LabSecrets,
        server: Container,
        server_host: ContainerHost,
        running: docker.Container,
        opts: pulumi.ResourceOptions,
    ) -> None:
        """Declare the entry.

        Args:
            topology: the lab.
            container: the container that is registered.
            role: its role.
            secrets: the lab's secrets.
            server: the Puppet server's container.
            server_host: the host of the Puppet server.
            running: the container's resource.
            opts: options of the resource.
        """
        self.data = dict(role.hiera(topology, container))
        private = secrets.hiera(role.secrets(topology.requirements))
        self.fingerprint = secrets.fingerprint(private.apply(quoting.hiera_data))
        grant = secrets.enrolment(container.fqdn).apply(
            lambda secret: f"{hashlib.sha256(secret.encode()).hexdigest()}\n{role.name}\n"
        )
        entry = pulumi.Output.all(running.id, private.apply(quoting.hiera_data), grant).apply(
            lambda known: Register(
                fqdn=container.fqdn,
                container_id=known[0],
                server=server.name,
                directory=f"{server_host.directory}/volumes/{server.name}",
                group=PUPPET_GROUP,
                data=quoting.hiera_data(self.data),
                secrets=known[1],
                grant=known[2],
                own=container == server,
            )
        )
        self.resource = server_host.declare(
            f"{container.name}-registration", Register, entry, subject=container.name, opts=opts
        )
