"""The certificate that a container of haproxy serves at the VIP, from the Puppet server's authority."""

from __future__ import annotations

import hashlib

import pulumi
import pulumi_docker as docker

from components.configuration.environment import Container
from components.host.container_host import ContainerHost
from components.secrets import VIP_CERTIFICATE, LabSecrets
from components.services.topology import Topology
from components.stages.provisioning import digest
from components.stages.registration import PUPPET_GROUP
from hostside.operations.grant_write import GrantWrite
from hostside.operations.tls_issue import TlsIssue
from hostside.vip_certificate import ROLE


class VipCertificate:
    """Key and certificate for the VIP's name and address, which each member of haproxy has of its own.

    The key is made in the container and stays there. The secret that the authority knows the request by is one of the
    lab's generated ones: with another, there is another key.
    """

    def __init__(
        self,
        topology: Topology,
        container: Container,
        host: ContainerHost,
        secrets: LabSecrets,
        server: Container,
        server_host: ContainerHost,
        running: docker.Container,
        authority: pulumi.Input[str],
        opts: pulumi.ResourceOptions,
    ) -> None:
        """Declare the certificate, and before it what the authority's policy has to know.

        Args:
            topology: the lab.
            container: the container of haproxy, which has a certificate of its own.
            host: where it runs.
            secrets: the lab's secrets.
            server: the Puppet server's container.
            server_host: the host of the Puppet server.
            running: the resource of haproxy's container; a new one needs a new certificate.
            authority: ID of the Puppet server's container; a new one may have lost its authority with its volume.
            opts: options of the resources.
        """
        name = f"vip.{container.fqdn}"
        names = [f"DNS:{topology.vip_name}", f"IP:{topology.environment.vip}"]
        secret = secrets.value(VIP_CERTIFICATE)
        text = secret.apply(lambda value: f"{hashlib.sha256(value.encode()).hexdigest()}\n{ROLE}\n{' '.join(names)}\n")
        grant = pulumi.Output.all(running.id, text).apply(
            lambda known: GrantWrite(
                certname=name,
                owner=f"{known[0]} {digest(known[1])}",
                server=server.name,
                directory=f"{server_host.directory}/volumes/{server.name}",
                group=PUPPET_GROUP,
                text=known[1],
            )
        )
        granted = server_host.declare(f"{container.name}-grant", GrantWrite, grant, subject=container.name, opts=opts)
        request = pulumi.Output.all(running.id, authority, secret).apply(
            lambda known: TlsIssue(
                container=container.name,
                fqdn=name,
                id=known[0],
                server=server.fqdn,
                authority=known[1],
                secret=known[2],
                names=names,
            )
        )
        after = pulumi.ResourceOptions.merge(opts, pulumi.ResourceOptions(depends_on=[granted]))
        self.resource = host.declare(f"{container.name}-tls", TlsIssue, request, subject=container.name, opts=after)
