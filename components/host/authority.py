"""The lab's certificate authority as a file on each host, for what speaks to the VIP from there by TLS."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

import pulumi
import pulumi_command as command

from components.host.container_host import ContainerHost
from components.services.role import Stage
from components.services.topology import Topology
from components.stages.provisioning import digest
from hostside.operations.authority_publish import AuthorityPublish

if TYPE_CHECKING:
    from components.stages.service_container import ServiceContainer

Command = command.local.Command | command.remote.Command


class Authority:
    """The Puppet server's authority, in the file that :meth:`.Topology.authority_on` names on each host.

    Attributes:
        resources: the resource of the file, by host.
        digest: what tells one authority from another.
    """

    def __init__(
        self, topology: Topology, server: ServiceContainer, hosts: Iterable[ContainerHost], opts: pulumi.ResourceOptions
    ) -> None:
        """Declare the files.

        Args:
            topology: the lab.
            server: the Puppet server's container.
            hosts: the lab's hosts.
            opts: options of the resources.
        """
        first = self._publish(server.host, topology, server, "", opts)
        certificate: pulumi.Output[str] = first.stdout.apply(lambda told: json.loads(told)["certificate"])
        self.digest = certificate.apply(digest)
        self.resources: Mapping[str, pulumi.Resource] = {
            server.host.host.name: first,
            **{
                host.host.name: self._publish(host, topology, server, certificate, opts)
                for host in hosts
                if host is not server.host
            },
        }

    @staticmethod
    def _publish(
        host: ContainerHost,
        topology: Topology,
        server: ServiceContainer,
        certificate: pulumi.Input[str],
        opts: pulumi.ResourceOptions,
    ) -> Command:
        published = pulumi.Output.all(server.running.id, certificate).apply(
            lambda known: AuthorityPublish(
                path=topology.authority_on(host.host.name),
                server=server.container.name,
                id=known[0],
                certificate=known[1],
            )
        )
        gates = pulumi.ResourceOptions(depends_on=[server.stages[Stage.HEALTHY]])
        return host.declare(
            f"{host.host.name}-authority",
            AuthorityPublish,
            published,
            opts=pulumi.ResourceOptions.merge(opts, gates),
        )
