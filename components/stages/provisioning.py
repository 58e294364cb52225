"""The stages *provisioned* and *healthy* of a container."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Mapping, Sequence
from functools import cache
from pathlib import Path

import pulumi
import pulumi_docker as docker

from components import paths
from components.configuration.environment import Container
from components.host.container_host import ContainerHost
from components.promises import dumped
from components.services.role import Check, Role
from components.services.topology import Topology
from hostside.operations.health_await import HealthAwait
from hostside.operations.provision import Provision

ENVIRONMENT = paths.DOCKERVOLUMES / "puppet/code/environments/production"
_OF_ONE_ROLE = ("role/manifests", "profile/manifests", "profile/templates", "profile/files")


@cache
def code_digests(role: str, profiles: tuple[str, ...] = ()) -> Mapping[str, str]:
    """Return digests of the Puppet code that a role's catalog is compiled from: what all share, and the role's own.

    Args:
        role: the role.
        profiles: the other roles whose profiles it includes parts of; what is their own, it reads as well.
    """
    known = puppet_roles()
    parts: dict[str, list[Path]] = {"shared": [], "role": []}
    for path in sorted(p for p in ENVIRONMENT.rglob("*") if p.is_file()):
        owner = owner_of(path, known)
        if owner == role or owner in profiles:
            parts["role"].append(path)
        elif not owner:
            parts["shared"].append(path)
    return {part: _digest(files) for part, files in parts.items()}


def puppet_roles() -> frozenset[str]:
    """Return the roles that Puppet has a class for."""
    return frozenset(path.stem for path in (ENVIRONMENT / "site-modules/role/manifests").glob("*.pp"))


def owner_of(path: Path, roles: Collection[str]) -> str:
    """Return the role that a file of the Puppet environment is for; nothing where it is for all.

    Its name in ``role/`` and ``profile/`` tells it, or that of its directory there: the role's, or one that begins with
    the role's and a hyphen. Types, providers and facts are for all: classes of other modules use them as well, and so
    our code can't tell who does.
    """
    relative = path.relative_to(ENVIRONMENT)
    if not str(relative).startswith(tuple(f"site-modules/{directory}/" for directory in _OF_ONE_ROLE)):
        return ""
    name = relative.parts[3].partition(".")[0]
    return max((role for role in roles if f"{name}-".startswith(f"{role}-")), key=len, default="")


class Provisioning:
    """One Puppet run, again whenever something that the container's catalog reads has changed."""

    def __init__(
        self,
        host: ContainerHost,
        container: Container,
        running: docker.Container,
        reads: Mapping[str, object],
        databases: Mapping[str, Sequence[str]],
        opts: pulumi.ResourceOptions,
    ) -> None:
        """Declare the run.

        Args:
            host: where the container runs.
            container: the container as configured.
            running: its resource.
            reads: what the catalog is made from; shown in the preview's difference.
            databases: by the container that has them, the databases that the run makes or fills.
            opts: options of the resource.
        """
        run = pulumi.Output.all(running.id, dumped(dict(reads))).apply(
            lambda known: Provision(container.name, id=known[0], reads=json.loads(known[1]), databases=databases)
        )
        self.resource = host.declare(
            f"{container.name}-provisioning", Provision, run, subject=container.name, show=True, opts=opts
        )


class Health:
    """The container's programs run, and its checks succeed through the network."""

    def __init__(
        self,
        host: ContainerHost,
        container: Container,
        role: Role,
        running: docker.Container,
        reads: Mapping[str, object],
        topology: Topology,
        opts: pulumi.ResourceOptions,
    ) -> None:
        """Declare the checks; they are made again after whatever made a Puppet run necessary.

        Args:
            host: where the container runs.
            container: the container as configured.
            role: its role.
            running: the container's resource.
            reads: what made the Puppet run necessary.
            topology: the lab; what haproxy asks of the container has to work through the VIP as well.
            opts: options of the resource.
        """
        checks = [check.render(str(container.address)) for check in role.checks]
        if topology.proxies:
            served = [frontend for frontend in role.frontends if frontend.check_path]
            vip = str(topology.environment.vip)
            checks += [
                Check(topology.port(frontend), frontend.check_path, tls=frontend.members_speak_tls).render(
                    vip, topology.authority_on(container.host)
                )
                for frontend in served
            ]
        wait = pulumi.Output.all(running.id, dumped(dict(reads))).apply(
            lambda known: HealthAwait(
                container.name, id=known[0], reads=digest(known[1]), checks=checks, seconds=role.check_seconds
            )
        )
        self.resource = host.declare(f"{container.name}-health", HealthAwait, wait, subject=container.name, opts=opts)


def digest(text: str) -> str:
    """Return a short digest of a text."""
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _digest(files: list[Path]) -> str:
    total = hashlib.sha256()
    for path in files:
        total.update(str(path.relative_to(ENVIRONMENT)).encode() + b"\0" + path.read_bytes() + b"\0")
    return total.hexdigest()[:16]
