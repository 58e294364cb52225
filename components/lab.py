"""The lab: hosts, bridges, keepers, images and services, in the order of what needs what."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from graphlib import TopologicalSorter
from typing import Any

import pulumi

from components import demo
from components.access import ADMIN_SECRET, Access
from components.configuration.environment import Container, Environment, Hooks
from components.configuration.rules import DEMO_ROLES
from components.host import keeper
from components.host.authority import Authority
from components.host.bridge import Bridge
from components.host.container_host import ContainerHost
from components.host.dockerfiles import GUEST, images_for, is_directory
from components.host.image import ForeignImage, Image
from components.secrets import LabSecrets, secret_names
from components.services import KEEPER, needs_of
from components.services.role import Membership, Role, Stage
from components.services.view import LabView
from components.stages import volumes
from components.stages.plain_container import PlainContainers
from components.stages.service_container import ServiceContainer
from hostside import drift


class Lab(pulumi.ComponentResource):
    """A whole lab.

    Attributes:
        addresses: container to address.
        endpoints: service to URL.
        openrc: path of the openrc file, or None in a lab without Keystone.
        clouds: path of the file clouds.yaml, likewise.
        services: container to role, image and package versions.
    """

    def __init__(
        self,
        environment: Environment,
        roles: Mapping[str, Role],
        found: drift.Found,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """Declare the lab.

        Args:
            environment: the checked configuration.
            roles: the registry of roles.
            found: what a look at this host finds changed.
            opts: options of the component.
        """
        super().__init__("dockstack:index:Lab", environment.stack, None, opts)
        self._child = pulumi.ResourceOptions(parent=self)
        self._environment = environment
        self._view = LabView(environment, roles)
        used_hosts = {c.host for c in environment.containers}
        self._hosts = {
            # A look at hosts behind ssh would take a connection to each, at every preview.
            name: ContainerHost(host, environment.stack, {} if host.ssh else found, self._child)
            for name, host in environment.hosts.items()
            if name in used_hosts
        }
        self._images: dict[tuple[str, str], Image | ForeignImage] = {}
        self._base = {name: self._lay_base(host) for name, host in self._hosts.items()}
        self._secrets = LabSecrets(self._view, self._child)
        self._plain = PlainContainers(self._view, self._base, self._child)
        self._made: dict[str, ServiceContainer] = {}
        for container in environment.containers:
            self._add(container)
        self._ports = self._plain.attach()
        self._authority = self._trust()
        for container in in_order(self._view):
            self._settle(container)

        self.addresses = {c.name: str(c.address) for c in environment.containers}
        self.endpoints = self._endpoints()
        self.openrc, self.clouds = self._publish()
        self._show()
        self.services = {c.name: self._describe(c) for c in environment.containers}
        self.register_outputs({"addresses": self.addresses, "endpoints": self.endpoints})

    def _lay_base(self, host: ContainerHost) -> list[pulumi.Resource]:
        """Declare a host's bridges and its keeper; every container there depends on them."""
        mine = [c for c in self._environment.containers if c.host == host.host.name]
        mtu = {
            bridge: max(c.mtu for c in mine if c.bridge == bridge) for bridge in dict.fromkeys(c.bridge for c in mine)
        }
        carried = {c.bridge: (c.network, c.gateway) for c in mine}
        provider = self._environment.provider
        outside = [c.mtu for c in mine if self._view.roles[c.role].provider_port]
        if provider and outside:
            mtu[provider.bridge] = max(outside)
            carried[provider.bridge] = (provider.network, provider.gateway)
        bridges = [Bridge(host, name, mtu[name], *carried[name], self._child).resource for name in mtu]
        files = volumes.render_shared(self._view, KEEPER)
        guard = keeper.Keeper(
            host,
            self._image(host, KEEPER.image_directory),
            files,
            pulumi.ResourceOptions(parent=self, depends_on=bridges),
        )
        return [*bridges, guard.resource]

    def _image(self, host: ContainerHost, name: str, packages: tuple[str, ...] = ()) -> Image | ForeignImage:
        """Return an image on a host, declared once; the one that it is made from is declared before it."""
        key = (host.host.name, name)
        if key not in self._images:
            if is_directory(name):
                parents = [self._image(host, directory).resource for directory in images_for(name)[-2:-1]]
                opts = pulumi.ResourceOptions(parent=self, depends_on=parents)
                self._images[key] = Image(host, name, packages, opts)
            else:
                self._images[key] = ForeignImage(host, name, self._child)
        return self._images[key]

    def _add(self, container: Container) -> None:
        role = self._view.roles[container.role]
        host = self._hosts[container.host]
        image = container.image or role.image_directory
        if not role.provisioned and container.hooks == Hooks():
            self._plain.add(container, role, host, self._image(host, image, role.packages).id)
            return
        self._made[container.name] = ServiceContainer(
            self._view,
            container,
            host,
            self._image(host, image, role.packages).id,
            self._secrets,
            self._base[container.host],
            self._child,
        )

    def _settle(self, container: Container) -> None:
        if container.name in self._made:
            server = next((self._made[m.name] for m in self._view.members("puppet")), None)
            resolving = [self._made[m.name].stages[Stage.HEALTHY] for m in self._view.members("dnsmasq")]
            self._made[container.name].settle(
                self._gates(container), resolving, server, self._groups(container), self._authority
            )

    def _trust(self) -> Authority | None:
        """Declare the authority's certificate on the hosts, in a lab whose VIP speaks TLS."""
        server = next((self._made[m.name] for m in self._view.members("puppet")), None)
        return Authority(self._view, server, self._hosts.values(), self._child) if server and self._view.tls else None

    def _groups(self, container: Container) -> list[tuple[Membership, ServiceContainer]]:
        """Return what a container is a member of, each with the container that it becomes one by."""
        memberships = self._view.roles[container.role].memberships
        return [(each, self._made[member.name]) for each in memberships for member in self._view.members(each.role)[:1]]

    def _gates(self, container: Container) -> list[pulumi.Resource]:
        """Return the stages of others that a container's Puppet run waits for."""
        wanted = [
            (member, stage)
            for name, stage in needs_of(self._view.roles[container.role]).items()
            for member in self._view.members(name)
            if member != container
        ]
        by_name = {c.name: c for c in self._environment.containers}
        wanted += [(by_name[name], Stage.HEALTHY) for name in container.needs]
        return [
            self._made[member.name].stages.get(stage, self._made[member.name].stages[Stage.ATTACHED])
            for member, stage in wanted
            if member.name in self._made
        ] + [self._ports[member.name] for member, _ in wanted if member.name in self._ports]

    def _endpoints(self) -> dict[str, str]:
        found = {frontend.name: self._view.endpoint(frontend) for _, frontend in self._view.frontends}
        for role in self._view.used_roles:
            first = self._view.members(role.name)[0]
            found.update({name: url.format(address=first.address) for name, url in role.endpoints.items()})
        return found

    def _publish(self) -> tuple[pulumi.Output[str] | None, pulumi.Output[str] | None]:
        local = [host for host in self._hosts.values() if host.host.ssh is None]
        if ADMIN_SECRET not in secret_names(self._view) or not local:
            return None, None
        ready = [self._made[c.name].stages[Stage.HEALTHY] for c in self._view.members("keystone")]
        access = Access(local[0], self._view, self._secrets, pulumi.ResourceOptions(parent=self, depends_on=ready))
        # Only once they are there.
        written = access.resource.id
        return written.apply(lambda _: access.openrc), written.apply(lambda _: access.clouds)

    def _show(self) -> None:
        """Declare the demo, where there is a service that it, or what was left of it, can be in."""
        if not demo.possible(self._view):
            return
        host = self._hosts[self._view.members("keystone")[0].host]
        image = self._image(host, GUEST) if self._environment.demo else None
        services = [self._made[c.name] for role in ("keystone", *sorted(DEMO_ROLES)) for c in self._view.members(role)]
        ready = [service.stages.get(Stage.HEALTHY, service.stages[Stage.ATTACHED]) for service in services]
        demo.Demo(host, self._view, image, self._secrets, pulumi.ResourceOptions(parent=self, depends_on=ready))

    def _describe(self, container: Container) -> dict[str, Any]:
        role = self._view.roles[container.role]
        image = self._image(self._hosts[container.host], container.image or role.image_directory, role.packages)
        return {"role": role.name, "image": image.tag, "versions": image.versions}


def in_order(view: LabView) -> list[Container]:
    """Return the containers in the order of their Puppet runs: each after those whose stages it waits for.

    What boots alone is healthy before any Puppet run, so nobody's run has to come after its own.

    Raises:
        graphlib.CycleError: when there is no such order; the configuration's check has said so before.
    """
    by_name = {c.name: c for c in view.environment.containers}
    graph: dict[str, Iterable[str]] = {}
    for container in view.environment.containers:
        needs = [name for name in needs_of(view.roles[container.role]) if not view.roles[name].boots_alone]
        members = [m.name for name in needs for m in view.members(name) if m != container]
        graph[container.name] = [*members, *container.needs]
    return [by_name[name] for name in TopologicalSorter(graph).static_order()]
