"""What a role says about itself: all that the lab needs to build, wire, provision and check its containers."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from components.configuration.readers import Reader
from components.configuration.rules import USUAL_DISK_MIB

if TYPE_CHECKING:
    from components.configuration.environment import Container, Environment
    from components.services.view import LabView


UWSGI_FILES = "uwsgi"
"""Directory below dockervolumes/ that the APIs have in common, see :attr:`Role.shares`."""


class Stage(StrEnum):
    """The stages of a container that others can wait for, in their order for an ordinary role."""

    ATTACHED = "attached"
    """The container runs and has its address."""
    PROVISIONED = "provisioned"
    """Its Puppet run is done."""
    HEALTHY = "healthy"
    """Its programs run and its own checks succeed through the network."""


@dataclass(frozen=True)
class Frontend:
    """A port that haproxy serves at the VIP for every member of the role."""

    name: str
    port: int
    mode: str = "http"
    check_path: str | None = None
    """Path that haproxy asks for to see whether a member works; mode http only."""
    url: str = ""
    """What follows host and port in the endpoint that users are told, e.g. ``/v3``."""
    tls_port: int | None = None
    """Port at the VIP in a lab with TLS, where that isn't the members' own."""


@dataclass(frozen=True)
class Identity:
    """A service's user in Keystone's project ``services``, and its entry in the catalogue.

    Keystone's own Puppet run makes them all, so that one that goes leaves nothing behind.
    """

    name: str
    """Name of the user, and of the service."""
    type: str = ""
    """Type of the service, e.g. ``image``; without one it is a user and nothing more."""
    description: str = ""
    frontend: str = ""
    """The role's frontend behind the endpoints."""
    path: str = ""
    """What follows host and port in the endpoints."""

    @property
    def secret(self) -> str:
        """Return the name of the secret with the user's password."""
        return f"{self.name}_identity"


@dataclass(frozen=True)
class Membership:
    """What a container's coming and going means to another role, for which its own programs can't be relied on.

    The commands run in the first container of that role, with the name and the full name of the one that comes or
    goes. They are repeatable.
    """

    name: str
    """What its resource is called, after the container's name."""
    role: str
    leave: tuple[str, ...]
    """Run when the container goes for good."""
    join: tuple[str, ...] = ()
    """Run when the container is healthy; nothing, where it comes without any."""
    joined: tuple[str, ...] = ()
    """Says why the container is no member, and nothing where it is one; ends badly where that can't be told."""


@dataclass(frozen=True)
class Check:
    """A health check through the network, or, when a command is given, inside the container."""

    port: int = 0
    path: str | None = None
    """Path to ask for over http; None checks that the port accepts a connection."""
    status: tuple[int, ...] = (200,)
    command: tuple[str, ...] = ()

    def render(self, address: str, authority: str = "") -> dict[str, object]:
        """Return the check for one container in the form of :mod:`hostside.health`.

        Args:
            address: where to ask.
            authority: file with the authority whose certificate the address has; without one, it is asked in clear.
        """
        if self.command:
            return {"kind": "exec", "command": list(self.command)}
        if self.path is not None:
            found = {"url": f"http://{address}:{self.port}{self.path}", "status": list(self.status)}
            if authority:
                found |= {"url": f"https://{address}:{self.port}{self.path}", "authority": authority}
            return {"kind": "http", **found}
        return {"kind": "tcp", "address": address, "port": self.port}


@dataclass(frozen=True)
class Demands:
    """What the roles of a lab ask of its database and of its Keystone."""

    databases: tuple[str, ...] = ()
    identities: tuple[Identity, ...] = ()

    @classmethod
    def of(cls, roles: Iterable[Role]) -> Demands:
        """Gather the demands of roles."""
        listed = tuple(roles)
        return cls(
            tuple(database for role in listed for database in role.databases),
            tuple(identity for role in listed for identity in role.identities),
        )


Hiera = Mapping[str, object]
SecretNames = Mapping[str, "str | Mapping[str, str]"]
"""Hiera key to the name of a secret, or to a hash of such names."""


def no_data(_view: LabView, _container: Container) -> Hiera:
    """Return the Hiera data of a role whose profile takes no parameters."""
    return {}


def no_variant(_environment: Environment) -> Mapping[str, Any]:
    """Return the changes of a role that is the same in every lab."""
    return {}


def no_secrets(_demands: Demands) -> SecretNames:
    """Return the secrets of a role that has none."""
    return {}


@dataclass(frozen=True)
class Role:
    """One kind of service container."""

    name: str
    memory_mib: int
    """Resident memory of a container, as measured; the preflight adds these up."""
    disk_mib: int = USUAL_DISK_MIB
    """Disk of a container beside its image; the preflight adds these up, too."""
    aliases: tuple[str, ...] = ()
    """Names that the image of this role had in a 2015-style environment file."""
    image: str = ""
    """Directory below Dockerfiles/; the role's own name when empty."""
    capabilities: tuple[str, ...] = ()
    """Linux capabilities besides Docker's default set."""
    devices: tuple[str, ...] = ()
    """Devices of the host that it works with."""
    optional_devices: tuple[str, ...] = ()
    """Devices that it makes use of where the host has them."""
    mounts_filesystems: bool = False
    """Whether its programs mount file systems, which Docker's AppArmor profile forbids even those that are able to."""
    sysctls: Mapping[str, str] = field(default_factory=dict)
    data: Mapping[str, str] = field(default_factory=dict)
    """Docker volumes that outlive the container: short name to path inside."""
    shares: tuple[str, ...] = ()
    """Directories below dockervolumes/ that it has in common with other roles."""
    mounts: Mapping[str, str] = field(default_factory=dict)
    """Directories of the stack on the host, by relative path, mounted read-only: path to path inside."""
    needs: Mapping[str, Stage] = field(default_factory=dict)
    """Roles that have to be in the lab, and whose members reach a stage before this role's Puppet run starts."""
    wants: Mapping[str, Stage] = field(default_factory=dict)
    """The same for roles that a lab may do without."""
    profiles: tuple[str, ...] = ()
    """Roles whose profiles its own includes parts of: a change of theirs is one of its catalog."""
    provisioned: bool = True
    """Whether Puppet provisions it."""
    boots_alone: bool = False
    """Whether its programs work before any Puppet run: it is healthy first and provisioned later."""
    most: int | None = 1
    """How many containers of it a lab can have; None for any number. More than one is for roles whose members share
    what they keep, or keep nothing."""
    frontends: tuple[Frontend, ...] = ()
    endpoints: Mapping[str, str] = field(default_factory=dict)
    """Endpoints beside the VIP: service to URL with ``{address}``."""
    databases: tuple[str, ...] = ()
    """Databases (each with a user of that name) that Galera makes for it."""
    identities: tuple[Identity, ...] = ()
    memberships: tuple[Membership, ...] = ()
    provider_port: bool = False
    """Whether its containers have a port without an address, eth1, on the provider bridge where the lab has one."""
    tenant_port: bool = False
    """Whether its containers have a port without an address, eth2, on the lab's bridge: for the tenants' networks."""
    checks: tuple[Check, ...] = ()
    check_seconds: float = 180
    packages: tuple[str, ...] = ()
    """Debian packages whose versions the output ``services`` tells."""
    hiera: Callable[[LabView, Container], Hiera] = no_data
    """The parameters of its profile, per container."""
    secrets: Callable[[Demands], SecretNames] = no_secrets
    """The secret parameters of its profile, given the demands of the lab."""
    readers: Mapping[str, tuple[Reader, ...]] = field(default_factory=dict)
    """What reads these parameters, where it can't be given all printable text."""
    variant: Callable[[Environment], Mapping[str, Any]] = no_variant
    """What the lab's configuration changes of the role: field to value."""
    secret_aliases: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Names that its secrets had in a 2015-style environment file."""

    @property
    def image_directory(self) -> str:
        """Return the directory below Dockerfiles/ that its image is built from."""
        return self.image or self.name

    @property
    def mount_points(self) -> frozenset[str]:
        """Return the paths inside the container that are mounted for the role."""
        return frozenset({*self.data.values(), *self.mounts.values()})

    def secret_names(self, demands: Demands) -> set[str]:
        """Return the names of the secrets that its profile takes."""
        return {name for names in self._secret_names(demands).values() for name in names}

    def secret_readers(self, demands: Demands) -> dict[str, tuple[Reader, ...]]:
        """Return what limits a secret, by the secret's name."""
        parameters = self._secret_names(demands)
        return {name: found for key, found in self.readers.items() for name in parameters.get(key, ())}

    def _secret_names(self, demands: Demands) -> dict[str, list[str]]:
        """Return the names of the secrets in each parameter."""
        return {
            key: [names] if isinstance(names, str) else list(names.values())
            for key, names in self.secrets(demands).items()
        }
