"""A container's certificate from the Puppet server's authority."""

from __future__ import annotations

import pulumi
import pulumi_docker as docker

from components.configuration.environment import Container
from components.host.container_host import ContainerHost
from components.secrets import LabSecrets
from hostside.operations.certificate_issue import CertificateIssue


class Certificate:
    """The container has asked with its own secret, and the policy has signed. Registration's removal cleans it."""

    def __init__(
        self,
        host: ContainerHost,
        container: Container,
        secrets: LabSecrets,
        server_fqdn: str,
        running: docker.Container,
        authority: pulumi.Input[str],
        opts: pulumi.ResourceOptions,
    ) -> None:
        """Declare the certificate of a container that is registered and attached.

        Args:
            host: where the container runs.
            container: the container as configured.
            secrets: the lab's secrets.
            server_fqdn: full name of the Puppet server.
            running: the container's resource; a new container needs a new certificate.
            authority: ID of the Puppet server's container; a new one may have lost its authority with its volume.
            opts: options of the resource.
        """
        request = pulumi.Output.all(running.id, authority, secrets.enrolment(container.fqdn)).apply(
            lambda known: CertificateIssue(
                container=container.name,
                fqdn=container.fqdn,
                id=known[0],
                server=server_fqdn,
                role=container.role,
                authority=known[1],
                secret=known[2],
            )
        )
        self.resource = host.declare(
            f"{container.name}-certificate", CertificateIssue, request, subject=container.name, opts=opts
        )
