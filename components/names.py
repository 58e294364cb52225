"""What a lab is called: every name that it takes on its hosts, known before anything is made."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from components.environment import Container, Environment
from components.rules import DEMO_ROLES, RoleFacts
from hostside import demo, ports

STACK = "stack"
"""The place of a name that comes from the stack's."""


def keeper(stack: str) -> str:
    """Return the name of a stack's keeper, the same on each host."""
    return f"{stack}-keeper"


def volume(container: str, suffix: str) -> str:
    """Return the name of one of a container's Docker volumes."""
    return f"{container}-{suffix}"


def containers(environment: Environment, host: str) -> dict[str, str]:
    """Return the Docker containers of a host, each with the place in the configuration that its name is from."""
    found = {keeper(environment.stack): STACK}
    identity = environment.members("keystone")
    if identity and identity[0].host == host and any(environment.members(role) for role in DEMO_ROLES):
        found[demo.container_name(environment.stack)] = STACK
    return {**found, **{c.name: environment.keys.of("containers", c.name) for c in _on(environment, host)}}


def volumes(environment: Environment, host: str, roles: Mapping[str, RoleFacts]) -> dict[str, str]:
    """Return the Docker volumes of a host, each with its place."""
    return {
        volume(c.name, suffix): environment.keys.of("containers", c.name)
        for c in _on(environment, host)
        for suffix in roles[c.role].volumes
    }


def links(environment: Environment, host: str, roles: Mapping[str, RoleFacts]) -> list[tuple[str, str]]:
    """Return the ends of the pairs of links that join a host's containers to its bridges, each with its place."""
    return [
        (f"{ports.link_name(environment.stack, c.name, interface)}{end}", environment.keys.of("containers", c.name))
        for c in _on(environment, host)
        for interface in _interfaces(environment, roles[c.role])
        for end in ports.ENDS
    ]


def _on(environment: Environment, host: str) -> Iterator[Container]:
    return (c for c in environment.containers if c.host == host)


def _interfaces(environment: Environment, role: RoleFacts) -> Iterator[str]:
    yield ports.INTERFACE
    if role.provider_port and environment.provider:
        yield ports.PROVIDER_INTERFACE
    if role.tenant_port:
        yield ports.TENANT_INTERFACE
