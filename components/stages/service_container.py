"""A service's container and the stages it goes through."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import pulumi

from components.configuration.environment import Container
from components.host.authority import Authority
from components.host.container_host import ContainerHost
from components.secrets import LabSecrets
from components.services.role import Membership, Stage
from components.services.topology import Topology
from components.stages import network_port, volumes
from components.stages.certificate import Certificate
from components.stages.docker_container import create
from components.stages.hooks import Hooks
from components.stages.network_port import NetworkPort
from components.stages.provisioning import Health, Provisioning, code_digests
from components.stages.registration import Registration
from components.stages.vip_certificate import VipCertificate
from hostside.operations.member_join import MemberJoin


@dataclass(frozen=True)
class Group:
    """What a container is a member of."""

    membership: Membership
    others: list[str]
    """The containers that it may become a member by, and be taken out of the others by; none for the only member."""
    host: ContainerHost
    """Where the first of them runs, or it does itself."""
    healthy: list[pulumi.Resource]
    """Their stages that it waits for."""


class ServiceContainer(pulumi.ComponentResource):
    """One container of the lab and the stages it goes through.

    Declared in two steps, because all containers come up at once and only then does one's Puppet run wait for
    another's stage: the constructor takes it to *attached* (and to *healthy* where it boots alone), :meth:`provision`
    through registration, certificate and Puppet run to the end.

    Attributes:
        running: the container's resource.
        files: its rendered files.
        stages: the resource of each stage that it goes through, for others to depend on.
    """

    def __init__(
        self,
        topology: Topology,
        container: Container,
        host: ContainerHost,
        image: pulumi.Input[str],
        secrets: LabSecrets,
        base: Sequence[pulumi.Resource],
        opts: pulumi.ResourceOptions,
        turn: Sequence[pulumi.Resource] = (),
    ) -> None:
        """Declare the container with its files and its port.

        Args:
            topology: the lab.
            container: the container as configured.
            host: where it runs.
            image: ID of its image.
            secrets: the lab's secrets.
            base: what has to be there before the container: bridge and keeper.
            opts: options of the component.
            turn: what has to be done before the container may be replaced.
        """
        super().__init__("dockstack:index:ServiceContainer", container.name, None, opts)
        self.container = container
        self.role = topology.roles[container.role]
        self.host = host
        self.stages: dict[Stage, pulumi.Resource] = {}
        self._topology, self._secrets = topology, secrets
        self.files = volumes.render(topology, container, self.role)
        self._hooks = Hooks(host, container, self)
        self.volumes = volumes.Volumes(host, container, self.role, self.files, pulumi.ResourceOptions(parent=self))
        before = self._hooks.before_container(base)
        gates = self._after([*base, *before, self.volumes.resource, *turn])
        self.running = create(host, topology.environment, container, self.role, image, self.volumes.mounts, gates)
        bridges = network_port.bridges(container, self.role, topology.environment)
        port = NetworkPort(host, container, bridges, self.running, pulumi.ResourceOptions(parent=self))
        self.stages[Stage.ATTACHED] = port.resource
        if self.role.boots_alone:
            self._await_health({"files": self._own_files()}, port.resource)

    def provision(
        self,
        needs: Sequence[pulumi.Resource],
        resolving: Sequence[pulumi.Resource],
        server: ServiceContainer | None,
        groups: Iterable[Group],
        authority: Authority | None,
    ) -> None:
        """Take the container through its Puppet run to *healthy*, and its hooks after that.

        Args:
            needs: the stages of others that its Puppet run waits for.
            resolving: the stages of dnsmasq that resolve the server's name, for its certificate.
            server: the Puppet server's container, which may be this one; None where Puppet provisions nothing.
            groups: what it is a member of.
            authority: the authority's certificate on the hosts, in a lab with TLS.
        """
        if self.role.provisioned and server is not None:
            self._run_puppet(needs, resolving, server, authority)
        for group in groups:
            self.join(group)
        last = self.stages.get(Stage.HEALTHY, self.stages[Stage.ATTACHED])
        self._hooks.after_container(
            self.running, self.stages.get(Stage.PROVISIONED, last) if self.role.boots_alone else last
        )

    def enter(self, groups: Iterable[Group]) -> None:
        """Make the container's entries elsewhere: the last that is declared of it, after all containers' stages.

        Args:
            groups: what it has an entry in, each with the containers that can make it.
        """
        for group in groups:
            self._enrol(group, self.stages[Stage.ATTACHED])
        self.register_outputs({"address": str(self.container.address), "id": self.running.id})

    def join(self, group: Group) -> None:
        """Make the container a member of a role; it is healthy only after that."""
        self.stages[Stage.HEALTHY] = self._enrol(group, self.stages[Stage.HEALTHY])

    def _enrol(self, group: Group, gate: pulumi.Resource) -> pulumi.Resource:
        membership, others = group.membership, group.others
        becoming = self.running.id.apply(
            lambda identifier: MemberJoin(
                container=self.container.name,
                fqdn=self.container.fqdn,
                id=identifier,
                other=others[0] if others else "",
                join=list(membership.join),
                leave=list(membership.leave),
                joined=list(membership.joined),
                retire=list(membership.retire),
                others=others[1:],
                stops=membership.stops,
            )
        )
        return group.host.declare(
            f"{self.container.name}-{membership.name}",
            MemberJoin,
            becoming,
            subject=f"{self.container.name} {membership.name}",
            opts=self._after([gate, *group.healthy]),
        )

    def _run_puppet(
        self,
        needs: Sequence[pulumi.Resource],
        resolving: Sequence[pulumi.Resource],
        server: ServiceContainer,
        authority: Authority | None,
    ) -> None:
        port = self.stages[Stage.ATTACHED]
        # The Puppet environment is among the server's rendered files: a change of it is there before anyone asks.
        serving = [server.volumes.resource, server.stages[Stage.HEALTHY]]
        registration = Registration(
            self._topology, self.container, self.role, self._secrets, server.container, server.host, self.running,
            self._after(serving),
        )  # fmt: skip
        gates = [port, registration.resource, *serving, *needs]
        if server is not self:
            certificate = Certificate(
                self.host, self.container, self._secrets, server.container.fqdn, self.running,
                server.running.id, self._after([port, registration.resource, *resolving]),
            )  # fmt: skip
            gates.append(certificate.resource)
            if authority and self.role.ends_tls:
                served = VipCertificate(
                    self._topology, self.container, self.host, self._secrets, server.container, server.host,
                    self.running, server.running.id, self._after([certificate.resource]),
                )  # fmt: skip
                gates.append(served.resource)
        reads = {
            "code": code_digests(self.role.name, self.role.profiles),
            "common": self._topology.common_data(),
            "data": registration.data,
            "secrets": registration.fingerprint,
            "files": self._own_files(),
            # Each container has a copy of the authority's certificate.
            **({"authority": authority.digest} if authority else {}),
        }
        run = Provisioning(self.host, self.container, self.running, reads, self._databases(), self._after(gates))
        self.stages[Stage.PROVISIONED] = run.resource
        if not self.role.boots_alone:
            asking = [authority.resources[self.host.host.name]] if authority else []
            self._await_health(reads, run.resource, *asking)

    def _databases(self) -> dict[str, list[str]]:
        """Return the databases that its Puppet run makes, or fills, by the container that has them."""
        servers = self._topology.members_that(lambda role: role.serves_databases)
        names = self._topology.requirements.databases if self.container in servers else self.role.databases
        server = self.container if self.container in servers else next(iter(servers), self.container)
        return {server.name: list(names)} if servers and names else {}

    def _await_health(self, reads: Mapping[str, object], *after: pulumi.Resource) -> None:
        health = Health(self.host, self.container, self.role, self.running, reads, self._topology, self._after(after))
        self.stages[Stage.HEALTHY] = health.resource

    def _own_files(self) -> str:
        """Return the digest of the files that its programs read: the Puppet environment is for the others."""
        return volumes.digest({path: file for path, file in self.files.items() if not path.startswith("code/")})

    def _after(self, gates: Sequence[pulumi.Resource]) -> pulumi.ResourceOptions:
        return pulumi.ResourceOptions(parent=self, depends_on=list(gates))
