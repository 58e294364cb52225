"""The lab: hosts, bridges, keepers, images and services, in the order of what needs what."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from functools import partial
from graphlib import TopologicalSorter
from hashlib import sha256
from types import MappingProxyType
from typing import Any

import pulumi

from components import demo
from components.access import ADMIN_SECRET, Access
from components.configuration import spans
from components.configuration.environment import Container, Environment, HookScripts, builder
from components.host import keeper
from components.host.authority import Authority
from components.host.bridge import Bridge
from components.host.container_host import ContainerHost
from components.host.dockerfiles import GUEST, images_for, is_directory
from components.host.image import ForeignImage, Image, ImageCopies
from components.secrets import LabSecrets, secret_names
from components.services import KEEPER, needs_of
from components.services.role import Membership, Role, Stage
from components.services.topology import Topology
from components.stages import volumes
from components.stages.plain_container import PlainContainers
from components.stages.service_container import Group, ServiceContainer
from hostside import drift, watch
from hostside.operations.cluster_birth import ClusterBirth
from hostside.operations.files_write import FilesWrite
from hostside.operations.names_publish import NamesPublish


class Lab(pulumi.ComponentResource):
    """A whole lab.

    Attributes:
        addresses: container to address.
        endpoints: service to URL.
        openrc: path of the openrc file, or None in a lab without Keystone.
        clouds: path of the file clouds.yaml, likewise.
        services: container to role, image and package versions.
        portal: the portal's URL, by a name that this host knows or by address, and what people log in with where no
            Keystone answers; empty in a lab without one.
        running: container to its resource.
        files: container to its rendered files, for those that have some of their own.
    """

    def __init__(
        self,
        environment: Environment,
        roles: Mapping[str, Role],
        found: drift.Found,
        standing: Collection[str] = (),
        elsewhere: Mapping[str, drift.Found] = MappingProxyType({}),
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """Declare the lab.

        Args:
            environment: the checked configuration.
            roles: the registry of roles.
            found: what a look at this host finds changed.
            standing: names of the containers that there are already, as far as that is known: only of these can one be
                replaced, and then members of a role have their turns.
            elsewhere: what looks at hosts behind ssh find changed, by host.
            opts: options of the component.
        """
        super().__init__("dockstack:index:Lab", environment.stack, None, opts)
        self._child = pulumi.ResourceOptions(parent=self)
        self._environment = environment
        self._topology = Topology(environment, roles)
        self._standing = standing
        used_hosts = {c.host for c in environment.containers}
        self._hosts = {
            name: ContainerHost(host, environment.stack, elsewhere.get(name, {}) if host.ssh else found, self._child)
            for name, host in environment.hosts.items()
            if name in used_hosts
        }
        self._spans = spans.spans(environment, roles)
        self._images: dict[tuple[str, str], Image | ForeignImage] = {}
        self._copied: dict[str, pulumi.Resource] = {}
        self._base = {name: self._declare_host(host) for name, host in self._hosts.items()}
        self._secrets = LabSecrets(self._topology, self._child)
        self._plain = PlainContainers(self._topology, self._base, self._child)
        self._made: dict[str, ServiceContainer] = {}
        self._provisioned: set[str] = set()
        for container in environment.containers:
            if not self._has_a_turn(container):
                self._add(container)
        self._ports = self._plain.attach()
        self._authority = self._trust()
        self._let_watch()
        for container in in_order(self._topology, self._standing):
            if self._has_a_turn(container):
                self._add(container)
            self._provision(container)
        for name, made in self._made.items():
            made.enter(self._groups(environment.container(name), entries=True))

        self.running = {**{name: made.running for name, made in self._made.items()}, **self._plain.running}
        self.files = {name: made.files for name, made in self._made.items()}
        self.addresses = {c.name: str(c.address) for c in environment.containers}
        self.endpoints = self._endpoints()
        self.openrc, self.clouds = self._write_openrc()
        self._declare_demo()
        self.services = {c.name: self._describe(c) for c in environment.containers}
        self.portal = self._describe_portal()
        self.register_outputs({"addresses": self.addresses, "endpoints": self.endpoints})

    def _declare_host(self, host: ContainerHost) -> list[pulumi.Resource]:
        """Declare a host's bridges and its keeper; every container there depends on them."""
        bridges = [
            Bridge(host, span, self._environment.hosts, self._child).resource for span in self._spans[host.host.name]
        ]
        files = volumes.render_shared(self._topology, KEEPER, host.host)
        guard = keeper.Keeper(
            host,
            self._image(host, KEEPER.image_directory),
            files,
            pulumi.ResourceOptions(parent=self, depends_on=bridges),
        )
        return [*bridges, *self._name_others(host), guard.resource]

    def _name_others(self, host: ContainerHost) -> list[pulumi.Resource]:
        """Declare the names of the other hosts' containers on a host with a DNS server; its keeper tells its own."""
        if not any(c.host == host.host.name for c in self._topology.name_servers):
            return []
        found: dict[str, dict[str, str]] = {}
        for container in self._environment.containers:
            if container.host != host.host.name:
                found.setdefault(container.host, {})[container.fqdn] = str(container.address)
        return [
            host.declare(
                f"{host.host.name}-names-{other}",
                NamesPublish,
                NamesPublish(f"{host.directory}/records", other, names),
                subject=other,
                opts=self._child,
            )
            for other, names in found.items()
        ]

    def _image(self, host: ContainerHost, name: str, packages: tuple[str, ...] = ()) -> Image | ForeignImage:
        """Return an image on a host, declared once; the one that it is made from is declared before it."""
        key = (host.host.name, name)
        if key not in self._images:
            if is_directory(name):
                parents = [self._image(host, directory).resource for directory in images_for(name)[-2:-1]]
                copies = self._copies(host)
                opts = pulumi.ResourceOptions(parent=self, depends_on=[*parents, *copies])
                self._images[key] = Image(host, name, packages, self._environment.opensdn.published, opts)
            else:
                self._images[key] = ForeignImage(host, name, self._child)
        return self._images[key]

    @property
    def _builder(self) -> ContainerHost:
        """Return the host that builds all images: the one that Pulumi runs on, if the lab uses it."""
        return self._hosts[builder(self._environment).name]

    def _copies(self, host: ContainerHost) -> list[pulumi.Resource]:
        """Declare what the builder has built for another host, once; nothing for the builder."""
        name = host.host.name
        if host is self._builder:
            return []
        if name not in self._copied:
            directories = self._images_on(name)
            packages = {self._image_of(c): self._topology.roles[c.role].packages for c in self._environment.containers}
            built = [self._image(self._builder, each, packages.get(each, ())).resource for each in directories]
            published = self._environment.opensdn.published
            copies = ImageCopies(host, self._builder, directories, published, built, self._child)
            self._copied[name] = copies.resource
        return [self._copied[name]]

    def _image_of(self, container: Container) -> str:
        return container.image or self._topology.roles[container.role].image_directory

    def _images_on(self, host: str) -> list[str]:
        """Return the directories of all of our images that a host needs, each after the one that it is made from."""
        last = [KEEPER.image_directory, *(self._image_of(c) for c in self._environment.containers if c.host == host)]
        identity = self._topology.identity_servers
        if self._environment.demo and identity and identity[0].host == host and demo.possible(self._topology):
            last.append(GUEST)
        return list(dict.fromkeys(name for each in last if is_directory(each) for name in images_for(each)))

    def _add(self, container: Container) -> None:
        role = self._topology.roles[container.role]
        host = self._hosts[container.host]
        image = self._image_of(container)
        if not role.provisioned and container.hooks == HookScripts():
            self._plain.add(container, role, host, self._image(host, image, role.packages).id)
            return
        self._made[container.name] = ServiceContainer(
            self._topology,
            container,
            host,
            self._image(host, image, role.packages).id,
            self._secrets,
            self._base[container.host],
            self._child,
            self._last_stage(self._topology.before(container, self._standing))
            if container.name in self._standing
            else [],
        )

    def _has_a_turn(self, container: Container) -> bool:
        """Say whether a container may be replaced only once another member of its role is done with its Puppet run.

        One that isn't there yet keeps nobody's service up, and those before it may need it: members of a cluster that
        was down as a whole come back together.
        """
        boots_alone = self._topology.roles[container.role].boots_alone
        return (
            not boots_alone
            and container.name in self._standing
            and self._topology.before(container, self._standing) is not None
        )

    def _last_stage(self, container: Container | None) -> list[pulumi.Resource]:
        """Return what those wait for whose turn comes after a container's."""
        if container is None or container.name not in self._made:
            return []
        stages = self._made[container.name].stages
        return [stages[stage] for stage in (Stage.PROVISIONED, Stage.HEALTHY) if stage in stages]

    def _provision(self, container: Container) -> None:
        if container.name in self._made:
            server = next((self._made[m.name] for m in self._topology.catalog_servers), None)
            resolving = [self._made[m.name].stages[Stage.HEALTHY] for m in self._topology.name_servers]
            self._made[container.name].provision(
                [*self._gates(container), *self._births(container)],
                resolving,
                server,
                self._groups(container, entries=False),
                self._authority,
            )
            self._provisioned.add(container.name)
            self._join_each_other(container.role)

    def _join_each_other(self, role: str) -> None:
        """Make a role's containers members of it by each other, once all of them have gone through their stages."""
        memberships = [each for each in self._topology.roles[role].memberships if each.role == role and not each.entry]
        members = self._topology.members(role)
        if not memberships or any(member.name not in self._provisioned for member in members):
            return
        healthy = self._healthy()
        for membership in memberships:
            for member in members:
                others = self._topology.others(role, member)
                # A single member is declared, too: otherwise the removal of the last other would remove its own
                # membership, and end its programs.
                if others or membership.stops:
                    self._made[member.name].join(self._group(membership, others, healthy, member.host))

    def _trust(self) -> Authority | None:
        """Declare the authority's certificate on the hosts, in a lab whose VIP speaks TLS."""
        server = next((self._made[m.name] for m in self._topology.catalog_servers), None)
        return (
            Authority(self._topology, server, self._hosts.values(), self._child)
            if server and self._topology.tls
            else None
        )

    def _let_watch(self) -> None:
        """Have the keepers know the token of who may watch by its digest, in a lab with a role that does."""
        watcher = next((role for role in self._topology.used_roles if role.watcher_secret), None)
        if watcher is None:
            return
        digest = self._secrets.value(watcher.watcher_secret).apply(lambda token: sha256(token.encode()).hexdigest())
        for name, host in self._hosts.items():
            directory, file = f"{host.directory}/{watch.TOKEN}".rsplit("/", 1)
            host.declare(
                f"{name}-watchers",
                FilesWrite,
                digest.apply(partial(_one_file, directory, file)),
                # No container's name has a blank in it.
                subject=f"{keeper.name(host.stack)} watchers",
                opts=self._child,
            )

    def _groups(self, container: Container, *, entries: bool) -> list[Group]:
        """Return what of other roles a container is a member of.

        Args:
            container: the container.
            entries: whether to return what are no more than entries, which may be in its own role, or the others.
        """
        memberships = [
            each
            for each in self._topology.roles[container.role].memberships
            if each.entry is entries and (entries or each.role != container.role)
        ]
        return [
            self._group(each, others, self._healthy())
            for each in memberships
            if (others := self._topology.members(each.role))
        ]

    def _healthy(self) -> dict[str, pulumi.Resource]:
        """Return the stage *healthy* of each container that has one by now."""
        return {name: made.stages[Stage.HEALTHY] for name, made in self._made.items() if Stage.HEALTHY in made.stages}

    def _group(
        self,
        membership: Membership,
        others: Sequence[Container],
        healthy: Mapping[str, pulumi.Resource],
        host: str = "",
    ) -> Group:
        """Return a membership with the containers that its commands may run in; without any, it is on `host`."""
        waited = [healthy[other.name] for other in others if other.name in healthy]
        return Group(
            membership, [other.name for other in others], self._hosts[others[0].host if others else host], waited
        )

    def _births(self, container: Container) -> list[pulumi.Resource]:
        """Have the first member of a role told to make what the members keep together, once in a lab's life."""
        role = self._topology.roles[container.role]
        members = self._topology.members(role.name)
        if not role.birth or container != members[0]:
            return []
        there = [self._made[member.name].stages[Stage.ATTACHED] for member in members if member.name in self._made]
        birth = self._hosts[container.host].declare(
            f"{role.name}-birth",
            ClusterBirth,
            ClusterBirth(container.name, role.birth),
            subject=role.name,
            opts=pulumi.ResourceOptions(
                parent=self,
                depends_on=there,
                # The cluster is born once, whichever member is the first by now.
                ignore_changes=["stdin"],
            ),
        )
        return [birth]

    def _gates(self, container: Container) -> list[pulumi.Resource]:
        """Return the stages of others that a container's Puppet run waits for."""
        wanted = [
            (member, stage)
            for name, stage in needs_of(self._topology.roles[container.role]).items()
            for member in self._topology.members(name)
            if member != container
        ]
        by_name = {c.name: c for c in self._environment.containers}
        wanted += [(by_name[name], Stage.HEALTHY) for name in container.needs]
        before = self._last_stage(self._topology.before(container, self._standing))
        return (
            before
            + [
                self._made[member.name].stages.get(stage, self._made[member.name].stages[Stage.ATTACHED])
                for member, stage in wanted
                if member.name in self._made
            ]
            + [self._ports[member.name] for member, _ in wanted if member.name in self._ports]
        )

    def _endpoints(self) -> dict[str, str]:
        # Without a proxy that holds the VIP, nothing answers there.
        frontends = [frontend for _, frontend in self._topology.frontends] if self._topology.proxies else []
        found = {frontend.name: self._topology.endpoint(frontend) for frontend in frontends}
        for role in self._topology.used_roles:
            first = self._topology.members(role.name)[0]
            found.update({name: url.format(address=first.address) for name, url in role.endpoints.items()})
        return found

    def _write_openrc(self) -> tuple[pulumi.Output[str] | None, pulumi.Output[str] | None]:
        local = [host for host in self._hosts.values() if host.host.ssh is None]
        if ADMIN_SECRET not in secret_names(self._topology) or not local:
            return None, None
        ready = [self._made[c.name].stages[Stage.HEALTHY] for c in self._topology.identity_servers]
        access = Access(local[0], self._topology, self._secrets, pulumi.ResourceOptions(parent=self, depends_on=ready))
        # The paths are told only once the files are there.
        written = access.resource.id
        return written.apply(lambda _: access.openrc), written.apply(lambda _: access.clouds)

    def _declare_demo(self) -> None:
        """Declare the demo, where a service can hold it, or leftovers of it."""
        if not demo.possible(self._topology):
            return
        host = self._hosts[self._topology.identity_servers[0].host]
        image = self._image(host, GUEST) if self._environment.demo else None
        shown = [c for role in demo.shown(self._topology) for c in self._topology.members(role.name)]
        services = [self._made[c.name] for c in (*self._topology.identity_servers, *shown)]
        ready = [service.stages.get(Stage.HEALTHY, service.stages[Stage.ATTACHED]) for service in services]
        demo.Demo(host, self._topology, image, self._secrets, pulumi.ResourceOptions(parent=self, depends_on=ready))

    def _describe_portal(self) -> dict[str, Any]:
        page = next((role for role in self._topology.used_roles if role.login_secret), None)
        if page is None:
            return {}
        url = self.endpoints[page.frontends[0].name]
        # This host resolves the VIP's name only in a lab with an openrc file.
        known = url if self.openrc is not None else url.replace(self._topology.vip_name, str(self._environment.vip))
        return {"portal_url": known, "portal_password": self._secrets.value(page.login_secret)}

    def _describe(self, container: Container) -> dict[str, Any]:
        role = self._topology.roles[container.role]
        image = self._image(self._hosts[container.host], self._image_of(container), role.packages)
        placed = {"host": container.host} if len(self._hosts) > 1 else {}
        return {"role": role.name, "image": image.tag, "versions": image.versions, **placed}


def _one_file(directory: str, file: str, content: str) -> FilesWrite:
    return FilesWrite(directory, {file: {"content": content, "mode": "600"}})


def in_order(topology: Topology, standing: Collection[str] = ()) -> list[Container]:
    """Return the containers in the order of their Puppet runs: each after those whose stages it waits for.

    What boots alone is healthy before any Puppet run, so nobody's run has to come after its own.

    Raises:
        graphlib.CycleError: when there is no such order; the configuration's check has said so before.
    """
    by_name = {c.name: c for c in topology.environment.containers}
    graph: dict[str, Iterable[str]] = {}
    for container in topology.environment.containers:
        needs = [name for name in needs_of(topology.roles[container.role]) if not topology.roles[name].boots_alone]
        members = [m.name for name in needs for m in topology.members(name) if m != container]
        before = topology.before(container, standing)
        graph[container.name] = [*members, *container.needs, *([before.name] if before else [])]
    return [by_name[name] for name in TopologicalSorter(graph).static_order()]
