"""What a lab is called: every name that it takes on its hosts, known before anything is made."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from components import paths
from components.configuration.faults import Fault, plain, show
from components.configuration.rules import RoleSpec
from hostside import demo, ports

if TYPE_CHECKING:
    from components.configuration.environment import Container, Environment

_OF_DOCKER = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*", re.ASCII)
STACK = "stack"
"""The place of a name that comes from the stack's."""
PROVIDER = "-docker"
"""What the resource of a host's Docker provider is called by, behind the host's name."""


def keeper(stack: str) -> str:
    """Return the name of a stack's keeper, the same on each host."""
    return f"{stack}-keeper"


def volume(container: str, suffix: str) -> str:
    """Return the name of one of a container's Docker volumes."""
    return f"{container}-{suffix}"


def containers(environment: Environment, host: str, roles: Mapping[str, RoleSpec]) -> dict[str, str]:
    """Return the Docker containers of a host, each with the place in the configuration that its name is from."""
    configured = {c.name: environment.keys.of("containers", c.name) for c in _on(environment, host)}
    return {**dict.fromkeys(_besides(environment, host, roles), STACK), **configured}


def _besides(environment: Environment, host: str, roles: Mapping[str, RoleSpec]) -> list[str]:
    """Return the containers that a host has for the lab without their being configured."""
    found = [keeper(environment.stack)]
    identity = environment.members_that(lambda role: role.issues_tokens, roles)
    demonstrated = environment.members_that(lambda role: role.in_demo, roles)
    if identity and identity[0].host == host and demonstrated:
        found.append(demo.container_name(environment.stack))
    return found


def volumes(environment: Environment, host: str, roles: Mapping[str, RoleSpec]) -> dict[str, str]:
    """Return the Docker volumes of a host, each with its place."""
    return {
        volume(c.name, suffix): environment.keys.of("containers", c.name)
        for c in _on(environment, host)
        for suffix in roles[c.role].volumes
    }


def links(environment: Environment, host: str, roles: Mapping[str, RoleSpec]) -> list[tuple[str, str]]:
    """Return the ends of the pairs of links that join a host's containers to its bridges, each with its place."""
    return [
        (f"{ports.link_name(environment.stack, c.name, interface)}{end}", environment.keys.of("containers", c.name))
        for c in _on(environment, host)
        for interface in _interfaces(environment, roles[c.role])
        for end in ports.ENDS
    ]


def resources(environment: Environment, roles: Mapping[str, RoleSpec]) -> Iterator[tuple[str, str, str]]:
    """Tell type, name and place of the Pulumi resources that are the lab's own: no two may have the same of both.

    Those of a service's container have the container for their parent, and can't meet any others. What the lab may
    have, it is taken to have.
    """
    images = sorted(path.name for path in paths.DOCKERFILES.iterdir())
    shared = sorted(name for name, role in roles.items() if not role.provisioned)
    for host in environment.used_hosts:
        at, command = environment.keys.of("containerHosts", host.name), "local" if host.ssh is None else "remote"
        yield "container", f"{host.name}-keeper", at
        of_host = [
            "authority",
            "keeper-files",
            "keeper-running",
            "ports",
            "watchers",
            *(f"image-{name}" for name in images),
        ]
        of_host += [f"{name}-files" for name in shared]
        others = [other.name for other in environment.used_hosts if other is not host]
        of_host += [f"names-{other}" for other in others]
        yield "local", f"{host.name}-images", at
        yield from ((command, f"{host.name}-{name}", at) for name in of_host)
        for name, place in bridges(environment, host.name).items():
            yield command, f"{host.name}-{name}", place
            if others:
                yield command, f"{host.name}-{name}-join", place
    births = [f"{name}-birth" for name in sorted(roles)]
    for name in (
        "access",
        "demo",
        *births,
        *(f"secret-{name}" for name in ("enrolment", "vip_certificate", *_secrets(roles))),
    ):
        yield "local", name, STACK
    for container in environment.containers:
        if not roles[container.role].provisioned:
            yield "container", container.name, environment.keys.of("containers", container.name)


def bridges(environment: Environment, host: str) -> dict[str, str]:
    """Return the bridges of a host, each with the place in the configuration that its name is from."""
    found = {}
    if environment.provider:
        found[environment.provider.bridge] = environment.keys.of("provider", "bridge")
    for container in _on(environment, host):
        default = container.network == environment.network
        place = ("containerDefaults",) if default else ("containers", container.name)
        found.setdefault(container.bridge, environment.keys.of(*place, "bridge"))
    return found


def check(environment: Environment, roles: Mapping[str, RoleSpec]) -> Iterator[Fault]:
    """Tell where the lab would call two things the same, or something as nothing can be called."""
    if not _OF_DOCKER.fullmatch(environment.stack):
        reason = f"{show(environment.stack)} can't begin the name of a container, {plain(keeper(environment.stack))}"
        yield Fault(STACK, reason, "Choose a name for the stack that begins with a letter or a digit.")
    for host in environment.used_hosts:
        besides = _besides(environment, host.name, roles)
        for container in _on(environment, host.name):
            if container.name in besides:
                reason = f"`{container.name}` is the name of a container that the lab has besides"
                yield Fault(environment.keys.of("containers", container.name), reason, "Choose another name.")
        interfaces = [*bridges(environment, host.name).items(), *links(environment, host.name, roles)]
        if host.uplink:
            interfaces.append((host.uplink, environment.keys.of("containerHosts", host.name, "uplink")))
        yield from _twice("interface", interfaces)
    for kind in ("container", "local", "remote"):
        named = [(name, place) for of, name, place in resources(environment, roles) if of == kind]
        yield from _twice("Pulumi resource", named)


def _twice(kind: str, named: list[tuple[str, str]]) -> Iterator[Fault]:
    """Tell what of the named has the name of another before it, at the place of the one that a person has named."""
    first: dict[str, str] = {}
    for name, place in named:
        other = first.setdefault(name, place)
        if other != place:
            reason = f"there would be two {kind}s {plain(name)}, the other by {other}"
            yield Fault(place, reason, "Choose another name.")


def _secrets(roles: Mapping[str, RoleSpec]) -> list[str]:
    return sorted({name for role in roles.values() for name in role.secrets})


def _on(environment: Environment, host: str) -> Iterator[Container]:
    return (c for c in environment.containers if c.host == host)


def _interfaces(environment: Environment, role: RoleSpec) -> Iterator[str]:
    yield ports.INTERFACE
    if role.provider_port and environment.provider:
        yield ports.PROVIDER_INTERFACE
    if role.tenant_port:
        yield ports.TENANT_INTERFACE
