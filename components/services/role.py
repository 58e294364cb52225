"""What a role says about itself: all that the lab needs to build, wire, provision and check its containers."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from components.configuration.duties import Duties
from components.configuration.readers import Reader
from components.configuration.rules import USUAL_DISK_MIB, OneOnly, RawConfiguration, any_number

if TYPE_CHECKING:
    from components.configuration.environment import Container, Environment
    from components.services.topology import Topology


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
    reads_only: bool = False
    """Whether its servers know GET and HEAD alone, and read no body: haproxy refuses the other methods itself."""
    health_port: int | None = None
    """Port at which a member of several says by HTTP whether sessions may come to it. They come to one at a time; mode
    tcp only."""
    tls_port: int | None = None
    """Port at the VIP in a lab with TLS, where that isn't the members' own."""
    speaks_first: bool = False
    """Whether its servers greet who connects, without HTTP: what haproxy accepts alone is no answer of theirs."""
    page: str = ""
    """What people call the page that they log in to here as the openrc file's user, where there is one."""
    members_speak_tls: bool = False
    """Whether the members speak TLS themselves, each with a certificate of its own making: in a lab without TLS,
    haproxy hands that on to the clients as it is."""


@dataclass(frozen=True)
class ServiceUser:
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
    """What a container's coming and going means to a role, for which its own programs can't be relied on.

    The commands run in a container of that role that works, with the name and the full name of the one that comes or
    goes; never in that one itself, unless it has no more than an entry there. They are repeatable.
    """

    name: str
    """What its resource is called, after the container's name."""
    role: str
    leave: tuple[str, ...]
    """Run when the container goes for good, after the end of its programs."""
    join: tuple[str, ...] = ()
    """Run when the container is healthy; nothing, where it comes without any."""
    joined: tuple[str, ...] = ()
    """Says why the container is no member, and nothing where it is one; ends badly where that can't be told."""
    retire: tuple[str, ...] = ()
    """Run in the container itself before the end of its programs, if they work: hands over what nobody else has. What
    it says is why the container stays a member, and then nothing else is done."""
    stops: bool = True
    """Whether its programs are ended before it leaves, as they would say that they are there; not where they take part
    in that."""
    entry: bool = False
    """Whether it is no more than an entry that others find the container by: that takes its address and nothing of its
    programs, and nobody waits for it as a part of the container's health. One in its own role it may make itself."""


def without_files(*directories: str) -> tuple[str, ...]:
    """Return the command that ends well where there is no file in some directories, see :attr:`Role.vacant`."""
    return ("sh", "-c", f'[ -z "$(find {" ".join(directories)} -type f -print -quit)" ]')


def is_up(row: Any) -> bool:
    """Say whether a program is heard of, of which the SDK tells a state."""
    return bool(row.state == "up")


@dataclass(frozen=True)
class Agents:
    """How OpenStack's SDK lists a service's programs, wherever they run, each with its host and its binary's name."""

    proxy: str
    """What the SDK calls the service, e.g. ``compute``."""
    listed: str
    """What it calls the list."""
    heard: Callable[[Any], bool] = is_up
    """Whether the service hears of a program."""
    optional: bool = False
    """Whether its API may know no such list."""


REGISTRATION = "/etc/dockstack/bin/registration"
"""The program in the containers of the config role that tells OpenSDN's API of others."""


def config_entry(kind: str, *values: str) -> Membership:
    """Return what OpenSDN's config API is to know of a container, under its full name.

    Args:
        kind: the type of its object, e.g. ``config-node``, or ``fabric`` for what belongs to all.
        values: what the object says besides the container's name and address.
    """
    return Membership(
        name=kind,
        role="config",
        join=(REGISTRATION, "join", kind, *values),
        joined=(REGISTRATION, "joined", kind, *values),
        leave=(REGISTRATION, "leave", kind, *values),
        stops=False,
        entry=True,
    )


@dataclass(frozen=True)
class Check:
    """A health check through the network, or, when a command is given, inside the container."""

    port: int = 0
    path: str | None = None
    """Path to ask for over http; None checks that the port accepts a connection."""
    status: tuple[int, ...] = (200,)
    command: tuple[str, ...] = ()
    contains: str = ""
    """What has to be in the answer."""
    tls: bool = False
    """Whether to ask by TLS, with a certificate that nobody vouches for."""

    def render(self, address: str, authority: str = "") -> dict[str, object]:
        """Return the check for one container in the form of :mod:`hostside.health`.

        Args:
            address: where to ask.
            authority: file with the authority whose certificate the address has; without one, it is asked in clear.
        """
        if self.command:
            return {"kind": "exec", "command": list(self.command)}
        if self.path is not None:
            found: dict[str, object] = {"url": f"http://{address}:{self.port}{self.path}", "status": list(self.status)}
            if authority:
                found |= {"url": f"https://{address}:{self.port}{self.path}", "authority": authority}
            elif self.tls:
                found |= {"url": f"https://{address}:{self.port}{self.path}", "unchecked": True}
            if self.contains:
                found["contains"] = self.contains
            return {"kind": "http", **found}
        return {"kind": "tcp", "address": address, "port": self.port}


@dataclass(frozen=True)
class Requirements:
    """What the roles of a lab ask of its database, of its Keystone and of its RabbitMQ."""

    databases: tuple[str, ...] = ()
    service_users: tuple[ServiceUser, ...] = ()
    broker_users: tuple[str, ...] = ()

    @classmethod
    def of(cls, roles: Iterable[Role]) -> Requirements:
        """Gather the requirements of roles."""
        listed = tuple(roles)
        return cls(
            tuple(database for role in listed for database in role.databases),
            tuple(user for role in listed for user in role.service_users),
            tuple(user for role in listed for user in role.broker_users),
        )


Hiera = Mapping[str, object]
SecretNames = Mapping[str, "str | Mapping[str, str]"]
"""Hiera key to the name of a secret, or to a hash of such names."""


def no_data(_topology: Topology, _container: Container) -> Hiera:
    """Return the data of a role whose profile, or whose files, take no parameters."""
    return {}


def no_overrides(_environment: Environment) -> Mapping[str, Any]:
    """Return the changes of a role that is the same in every lab."""
    return {}


def no_secrets(_requirements: Requirements) -> SecretNames:
    """Return the secrets of a role that has none."""
    return {}


def no_demo(_topology: Topology, _disk: str) -> Mapping[str, Any]:
    """Return what the demo makes in a role that has nothing to show."""
    return {}


@dataclass(frozen=True)
class Role(Duties):
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
    vacant: tuple[str, ...] = ()
    """Command that ends well in a container whose volumes have nothing that anybody would miss; without one, they
    always have something."""
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
    boots_alone: bool = False
    """Whether its programs work before any Puppet run: it is healthy first and provisioned later."""
    most: int | None = 1
    """How many containers of it a lab can have; None for any number. More than one is for roles whose members share
    what they keep, or keep nothing."""
    most_because: str = ""
    """Why it can't have more, as the fault of one too many says it."""
    alone: Callable[[RawConfiguration], OneOnly | None] = any_number
    """Why a lab can't have several for what else it has or lacks, as the fault says it; nothing where it can."""
    quorum: bool = False
    """Whether its members work only while more than half of them are there."""
    unfit: Mapping[int, str] = field(default_factory=dict)
    """Numbers of containers that a lab can't have of it, each with the reason."""
    in_turn: bool = True
    """Whether a member is provisioned, or replaced, only once those before it are healthy: so it is where members stand
    in for each other, or share what they keep."""
    birth: tuple[str, ...] = ()
    """Command that lets the first member make what the members keep together. It is run once, when a lab gets the role,
    and does nothing where a member has something already."""
    frontends: tuple[Frontend, ...] = ()
    endpoints: Mapping[str, str] = field(default_factory=dict)
    """Endpoints beside the VIP: service to URL with ``{address}``."""
    databases: tuple[str, ...] = ()
    """Databases (each with a user of that name) that Galera makes for it."""
    service_users: tuple[ServiceUser, ...] = ()
    broker_users: tuple[str, ...] = ()
    """Users of RabbitMQ, beside the one that the OpenStack services have in common."""
    memberships: tuple[Membership, ...] = ()
    checks: tuple[Check, ...] = ()
    check_seconds: float = 180
    agents: Agents | None = None
    """Its programs in the words of its API, which is at its first frontend: ``make status`` asks which are silent."""
    keeps: str = ""
    """What the drills make in it, and find again: one of the kinds of :mod:`commands.kept`."""
    logins: str = ""
    """File in its containers that has its programs' logins elsewhere, where the drills may use these: the one at the
    brokers, with the library for it."""
    built_late: bool = False
    """Whether the lab needs its image last: it is left to ``pulumi up``, which builds it while the first services come
    up, when a core idles."""
    packages: tuple[str, ...] = ()
    """Debian packages whose versions the output ``services`` tells."""
    variables: Callable[[Topology, Container], Mapping[str, Any]] = no_data
    """What its rendered files say of a container, beside its name, address and role."""
    ends_tls: bool = False
    """Whether TLS at the VIP ends in its containers, which need the VIP's certificate for it."""
    hiera: Callable[[Topology, Container], Hiera] = no_data
    """The parameters of its profile, per container."""
    secrets: Callable[[Requirements], SecretNames] = no_secrets
    """The secret parameters of its profile, given the requirements of the lab."""
    watcher_secret: str = ""
    """Name of the secret that the keepers know its containers by, and tell them what they see."""
    login_secret: str = ""
    """Name of the secret that people log in with to its first frontend, a page, while no identity service answers."""
    readers: Mapping[str, tuple[Reader, ...]] = field(default_factory=dict)
    """What reads these parameters, where it can't be given all printable text."""
    overrides: Callable[[Environment], Mapping[str, Any]] = no_overrides
    """What the lab's configuration changes of the role: field to value."""
    demo: Callable[[Topology, str], Mapping[str, Any]] = no_demo
    """What the demo makes in it, given the name of the image with the guest's disk; another name is another disk."""
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

    @property
    def in_demo(self) -> bool:
        """Say whether the demo makes something in it."""
        return self.demo is not no_demo

    @property
    def hands_over(self) -> bool:
        """Say whether a member that goes for good gives the others what it has before it does."""
        return any(each.role == self.name and not each.entry for each in self.memberships)

    def secret_names(self, requirements: Requirements) -> set[str]:
        """Return the names of the secrets that its profile takes."""
        return {name for names in self._secret_names(requirements).values() for name in names}

    def secret_readers(self, requirements: Requirements) -> dict[str, tuple[Reader, ...]]:
        """Return what limits a secret, by the secret's name."""
        parameters = self._secret_names(requirements)
        return {name: found for key, found in self.readers.items() for name in parameters.get(key, ())}

    def _secret_names(self, requirements: Requirements) -> dict[str, list[str]]:
        """Return the names of the secrets in each parameter."""
        return {
            key: [names] if isinstance(names, str) else list(names.values())
            for key, names in self.secrets(requirements).items()
        }
