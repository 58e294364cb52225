"""What a stack's state says of its containers and of the volumes that they keep their data in.

Pure: from the resources of a state, as `pulumi stack export` has them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from commands.cleanup import CONTAINER, VOLUME
from components.configuration import names
from hostside import labels


class Volume(NamedTuple):
    """A Docker volume of a container's."""

    name: str
    container: str
    host: str


@dataclass(frozen=True)
class Recorded:
    """What a stack has, wherever it is."""

    roles: Mapping[str, str] = field(default_factory=dict)
    """The role of each container."""
    hosts: Mapping[str, str] = field(default_factory=dict)
    """The host of each container."""
    volumes: tuple[Volume, ...] = ()

    def roles_on(self) -> dict[str, dict[str, str]]:
        """Return the role of each container, by the host that it is on."""
        found: dict[str, dict[str, str]] = {}
        for name, role in self.roles.items():
            found.setdefault(self.hosts[name], {})[name] = role
        return found


def read(resources: Iterable[Mapping[str, Any]]) -> Recorded:
    """Return what the resources of a state say; what the engine is about to delete anyhow is none any more."""
    roles: dict[str, str] = {}
    hosts: dict[str, str] = {}
    volumes = []
    for each in resources:
        if each.get("delete"):
            continue
        name = _last(each["urn"])
        if each.get("type") == CONTAINER and (role := role_of(each)):
            roles[name], hosts[name] = role, _host(each)
        elif each.get("type") == VOLUME:
            volumes.append(Volume(name, _last(str(each.get("parent", ""))), _host(each)))
    return Recorded(roles, hosts, tuple(volumes))


def role_of(container: Mapping[str, Any]) -> str | None:
    """Return the role of a container, by its resource's state."""
    given = container.get("inputs", {}).get("labels") or []
    return next((str(each["value"]) for each in given if each["label"] == labels.ROLE), None)


def _last(urn: str) -> str:
    """Return the name that a URN ends with."""
    return urn.rpartition("::")[2]


def _host(resource: Mapping[str, Any]) -> str:
    """Return the host that a resource of Docker's is on."""
    # The provider's URN ends with its name, and its own ID comes after that.
    return _last(str(resource.get("provider", "")).rpartition("::")[0]).removesuffix(names.PROVIDER)
