"""The stack's configuration as it may be written: strict models for its inside, and their errors as faults.

Every field is optional here; what has to be given, and what goes together, is for `rules`.
A key that can't be read is reported and left out, so that the rest is still checked.

The text below a field says what the key means. `reference` makes the documentation, the JSON schema and the text of
`Pulumi.yaml` of it. `legacy` reads the names of 2015, which stand beside its type.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from ipaddress import IPv4Address, IPv4Network
from typing import Annotated, Any, TypeVar, get_args

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainValidator,
    ValidationError,
    WithJsonSchema,
)
from pydantic.alias_generators import to_camel
from pydantic_core import PydanticCustomError

from components.configuration.faults import Fault, Keys, one_of, plain, show, suggest
from components.configuration.readers import Reader

_LABEL = re.compile(r"[a-z]([a-z0-9-]{0,61}[a-z0-9])?")
_DOMAIN_LABEL = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
_HOST_NAME = re.compile(r"[A-Za-z0-9]([A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?")
_BRIDGE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")
_REGION = re.compile(r"[A-Za-z0-9]([A-Za-z0-9_.-]{0,62}[A-Za-z0-9])?")
_USER = re.compile(r"[a-z_][a-z0-9_-]{0,31}")
_SSH_HOST = re.compile(r"[A-Za-z0-9]([A-Za-z0-9.-]{0,251}[A-Za-z0-9])?")
_HOST_KEY = re.compile(r"(ssh|ecdsa|sk)-[a-z0-9@.-]+ [A-Za-z0-9+/]+={0,3}( .*)?")
_REGISTRY = re.compile(r"[a-z0-9]([a-z0-9.-]*[a-z0-9])?(:[0-9]{1,5})?(/[a-z0-9]+([._-]+[a-z0-9]+)*)*", re.ASCII)
_IMAGE_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}", re.ASCII)
_PATH = re.compile(r"/[^\x00-\x1f\x7f:,]*")
LONGEST_INTERFACE_NAME = 15
_NO_INTERFACE_NAMES = frozenset({"all", "default", "lo", "ovs-netdev", "ovs-system"})
TENANT_NETWORKS = ("vxlan", "vlan")
"""What can carry the networks of tenants; the first unless a lab says otherwise."""
_WIDEST, _NARROWEST = 8, 30
_ODD_SHOWN = 3
"""How many of the characters that a password can't have a fault names."""
VOLUME_BACKENDS = ("rbd", "lvm", "nfs")
"""Where Cinder can keep volumes, the default first."""
IMAGE_BACKENDS = ("file", "rbd")
"""Where Glance can keep images, the default first."""
NETWORKINGS = ("ovs", "opensdn")
"""What can make the networks of Neutron's, the default first."""


def _bad(reason: str, fix: str) -> PydanticCustomError:
    """A value that can't be read, with the reason and the fix to print."""
    return PydanticCustomError("dockstack", "{reason}", {"reason": reason, "fix": fix})


def kind(value: object) -> str:
    """What sort of value this is, in plain words such as `a number` or `a list`."""
    if value is None:
        return "empty"
    for types, name in (
        (bool, "true or false"),
        ((int, float), "a number"),
        (str, "text"),
        ((list, tuple), "a list"),
        (Mapping, "a map"),
    ):
        if isinstance(value, types):
            return name
    return "a " + type(value).__name__


def _text(what: str, fix: str) -> Callable[[object], str]:
    def parse(value: object) -> str:
        if not isinstance(value, str):
            raise _bad(f"is {kind(value)} where {what} belongs", fix)
        if not value.strip() or not value.isprintable():
            raise _bad(f"is {'empty' if not value.strip() else 'not printable'} where {what} belongs", fix)
        return value

    return parse


def _pattern(pattern: re.Pattern[str], what: str, fix: str) -> Callable[[object], str]:
    text = _text(what, fix)

    def parse(value: object) -> str:
        if not pattern.fullmatch(text(value)):
            raise _bad(f"{show(value)} is not {what}", fix)
        return str(value)

    return parse


def is_container_name(name: str) -> bool:
    """Whether `name` can be a container's name, and so the first label of its host name."""
    return bool(_LABEL.fullmatch(name))


def is_host_name(name: str) -> bool:
    """Whether `name` can be the name of a container host."""
    return bool(_HOST_NAME.fullmatch(name))


def parse_address(value: object) -> IPv4Address:
    """An IPv4 address written as text."""
    fix = "Write it as four numbers with dots, e.g. 10.87.0.10."
    if not isinstance(value, str):
        raise _bad(f"is {kind(value)} where an IPv4 address belongs", fix)
    try:
        return IPv4Address(value)
    except ValueError:
        raise _bad(f"{show(value)} is not an IPv4 address", fix) from None


def parse_mask(value: object) -> int:
    """A prefix length from `24`, `"24"`, `"/24"` or `"255.255.255.0"`."""
    fix = f"Give a prefix length from {_WIDEST} to {_NARROWEST}, or a netmask such as 255.255.255.0."
    if isinstance(value, bool) or not isinstance(value, (int, str)):
        raise _bad(f"is {kind(value)} where a netmask belongs", fix)
    text = str(value).removeprefix("/") if isinstance(value, str) or abs(value) < 100 else ""
    if re.fullmatch(r"[0-9]{1,2}", text, re.ASCII):
        prefix = int(text)
    else:
        try:
            mask = int(IPv4Address(text))
        except ValueError:
            raise _bad(f"{show(value)} is not a netmask", fix) from None
        prefix = mask.bit_count()
        if mask != int(ipaddress.IPv4Network((0, prefix)).netmask):
            raise _bad(f"{show(value)} is not a netmask", fix)
    if not _WIDEST <= prefix <= _NARROWEST:
        raise _bad(f"/{prefix} is no size for a lab", fix)
    return prefix


def _network(value: object) -> IPv4Network:
    fix = "Write it as address and prefix length, e.g. 10.87.1.0/24."
    if not isinstance(value, str):
        raise _bad(f"is {kind(value)} where a subnet belongs", fix)
    try:
        network = IPv4Network(value)
    except ValueError:
        raise _bad(f"{show(value)} is not a subnet", fix) from None
    if "/" not in value or not _WIDEST <= network.prefixlen <= _NARROWEST:
        raise _bad(f"/{network.prefixlen} is no size for a network", fix)
    return network


def _whole(what: str, low: int, high: int) -> Callable[[object], int]:
    def parse(value: object) -> int:
        fix = f"Give a whole number from {low} to {high}."
        if isinstance(value, bool) or not isinstance(value, int):
            raise _bad(f"is {kind(value)} where {what} belongs", fix)
        if not low <= value <= high:
            raise _bad(f"{show(value)} is not {what}", fix)
        return value

    return parse


def _domain(value: object) -> str:
    fix = "Use lower-case letters, digits and hyphens in labels joined by dots, e.g. dockstack.lab."
    text = _text("a domain", fix)(value)
    if len(text) > 200 or not all(_DOMAIN_LABEL.fullmatch(label) for label in text.split(".")):
        raise _bad(f"{show(value)} is not a domain", fix)
    return text


def _bridge(value: object) -> str:
    fix = f"Use at most {LONGEST_INTERFACE_NAME} letters, digits, dots, hyphens and underscores, e.g. br-lab."
    text = _pattern(_BRIDGE, "an interface name", fix)(value)
    if len(text) > LONGEST_INTERFACE_NAME:
        raise _bad(f"{show(value)} has {len(text)} characters; an interface name has at most 15", fix)
    if text in _NO_INTERFACE_NAMES:
        raise _bad(f"{show(value)} means something else to the kernel or to Open vSwitch", fix)
    return text


def _choice(what: str, allowed: Sequence[str]) -> Callable[[object], str]:
    """Return what reads one of some words, of which the first is the usual one."""

    def parse(value: object) -> str:
        fix = f"Write {one_of(allowed)}, or leave it out for {allowed[0]}."
        text = _text(what, fix)(value)
        if text not in allowed:
            # Said without the article.
            raise _bad(f"{show(value)} is no {what.partition(' ')[2]}", f"{suggest(text, allowed)}{fix}")
        return text

    return parse


def _tenant_networks(value: object) -> str:
    fix = f"Write {' or '.join(TENANT_NETWORKS)}."
    text = _text("a kind of network", fix)(value)
    if text not in TENANT_NETWORKS:
        raise _bad(f"{show(value)} is no kind of tenant network", fix)
    return text


def _path(what: str) -> Callable[[object], str]:
    def parse(value: object) -> str:
        fix = "Give an absolute path without `..`, colon or comma, e.g. /srv/lab/data."
        text = _pattern(_PATH, what, fix)(value)
        if ".." in text.split("/") or not text.strip("/"):
            raise _bad(f"{show(value)} is not {what}", fix)
        return text.rstrip("/")

    return parse


def password_faults(value: object, key: str, readers: Iterable[Reader] = ()) -> list[Fault]:
    """Why `value` can't be a password that `readers` read; it is never quoted, as that would show in a terminal."""
    fix = "Give it as printable text, in quotes, or leave it out to have one generated."
    if not isinstance(value, str):
        return [Fault(key, f"is {kind(value)} where a password belongs", fix)]
    if not value.strip(" "):
        return [Fault(key, "is a password of nothing but blanks" if value else "is an empty password", fix)]
    if odd := sorted({f"U+{ord(c):04X}" for c in value if not c.isprintable()}):
        shown = ", ".join(odd[:_ODD_SHOWN]) + (" and others" if len(odd) > _ODD_SHOWN else "")
        return [Fault(key, f"has what can't be printed: {shown}", fix)]
    fix = "Choose another one, or leave it out to have one generated."
    return [Fault(key, complaint, fix) for reader in readers for complaint in reader.complaints(value)]


def _volume(value: object) -> object:
    if not isinstance(value, str):
        return value
    fix = "Write a volume as SOURCE:TARGET, or SOURCE:TARGET:ro to keep the container from writing."
    source, _, rest = value.partition(":")
    target, _, mode = rest.partition(":")
    if not source or not target or mode not in ("", "ro", "rw"):
        raise _bad(f"{show(value)} is not a volume", fix)
    return {"source": source, "target": target, "readOnly": mode == "ro"}


def _list_if_alone(value: object) -> object:
    return [value] if isinstance(value, str) else value


def _boolean(value: object) -> bool:
    if not isinstance(value, bool):
        raise _bad(f"is {kind(value)} where true or false belongs", "Write true or false.")
    return value


def parse_flag(value: object) -> bool:
    """A value of the configuration's top level as a boolean; Pulumi hands these over as text."""
    return _boolean({"true": True, "false": False}.get(value, value) if isinstance(value, str) else value)


def _like(pattern: re.Pattern[str]) -> str:
    """A pattern for the whole text, as JSON Schema has it."""
    return f"^{pattern.pattern}$"


_DOMAIN_SCHEMA = f"^{_DOMAIN_LABEL.pattern}(\\.{_DOMAIN_LABEL.pattern})*$"
_MTUS = (576, 9216)
_PORTS = (1, 65535)
_ASNS = (1, 65534)
_VOLUME_SCHEMA = "^/[^:,]*:/[^:,]*(:r[ow])?$"
_FLAG_SCHEMA = {"title": "true or false", "enum": [True, False, "true", "false"]}

Address = Annotated[
    IPv4Address,
    PlainValidator(parse_address),
    WithJsonSchema({"title": "IPv4 address", "type": "string", "format": "ipv4"}),
]
Network = Annotated[
    IPv4Network,
    PlainValidator(_network),
    WithJsonSchema({"title": "subnet", "type": "string", "pattern": "^[0-9.]+/[0-9]{1,2}$"}),
]
Mask = Annotated[
    int,
    PlainValidator(parse_mask),
    WithJsonSchema(
        {
            "title": "prefix length or netmask",
            "anyOf": [
                {"type": "integer", "minimum": _WIDEST, "maximum": _NARROWEST},
                {"type": "string", "pattern": "^(/?[0-9]{1,2}|[0-9.]{7,15})$"},
            ],
        }
    ),
]
Mtu = Annotated[
    int,
    PlainValidator(_whole("an MTU", *_MTUS)),
    WithJsonSchema({"title": "bytes", "type": "integer", "minimum": _MTUS[0], "maximum": _MTUS[1]}),
]
Port = Annotated[
    int,
    PlainValidator(_whole("a port", *_PORTS)),
    WithJsonSchema({"title": "port", "type": "integer", "minimum": _PORTS[0], "maximum": _PORTS[1]}),
]
Domain = Annotated[
    str, PlainValidator(_domain), WithJsonSchema({"title": "domain", "type": "string", "pattern": _DOMAIN_SCHEMA})
]
Bridge = Annotated[
    str,
    PlainValidator(_bridge),
    WithJsonSchema(
        {"title": "bridge", "type": "string", "pattern": _like(_BRIDGE), "maxLength": LONGEST_INTERFACE_NAME}
    ),
]
Boolean = Annotated[bool, PlainValidator(_boolean), WithJsonSchema({"title": "true or false", "type": "boolean"})]
Region = Annotated[
    str,
    PlainValidator(_pattern(_REGION, "a region", "Use letters, digits, dots and hyphens, e.g. RegionOne.")),
    WithJsonSchema({"title": "region", "type": "string", "pattern": _like(_REGION)}),
]
VolumeBackend = Annotated[
    str, PlainValidator(_choice("a volume back end", VOLUME_BACKENDS)), WithJsonSchema({"enum": list(VOLUME_BACKENDS)})
]
ImageBackend = Annotated[
    str, PlainValidator(_choice("an image back end", IMAGE_BACKENDS)), WithJsonSchema({"enum": list(IMAGE_BACKENDS)})
]
Networking = Annotated[
    str, PlainValidator(_choice("a kind of networking", NETWORKINGS)), WithJsonSchema({"enum": list(NETWORKINGS)})
]
TenantNetworks = Annotated[str, PlainValidator(_tenant_networks), WithJsonSchema({"enum": list(TENANT_NETWORKS)})]
Registry = Annotated[
    str,
    PlainValidator(
        _pattern(
            _REGISTRY, "a registry", "Write it without a scheme, e.g. docker.io/opensdn or mirror.example:5000/opensdn."
        )
    ),
    WithJsonSchema({"title": "registry", "type": "string", "pattern": _like(_REGISTRY)}),
]
ImageTag = Annotated[
    str,
    PlainValidator(_pattern(_IMAGE_TAG, "an image's tag", "Write it as the registry lists it, e.g. R25.1-2026-05-28.")),
    WithJsonSchema({"title": "tag", "type": "string", "pattern": _like(_IMAGE_TAG)}),
]
AutonomousSystem = Annotated[
    int,
    PlainValidator(_whole("an autonomous system's number", *_ASNS)),
    WithJsonSchema({"title": "number", "type": "integer", "minimum": _ASNS[0], "maximum": _ASNS[1]}),
]
Name = Annotated[
    str,
    PlainValidator(_text("a name", "Write a name as text.")),
    WithJsonSchema({"title": "name", "type": "string", "minLength": 1}),
]
Source = Annotated[
    str,
    PlainValidator(_path("a path on the host")),
    WithJsonSchema({"title": "path on the host", "type": "string", "pattern": _like(_PATH)}),
]
Target = Annotated[
    str,
    PlainValidator(_path("a path in the container")),
    WithJsonSchema({"title": "path in the container", "type": "string", "pattern": _like(_PATH)}),
]
Command = Annotated[
    str,
    PlainValidator(_text("a command", "Write each hook as one line for the shell.")),
    WithJsonSchema({"title": "command", "type": "string", "minLength": 1}),
]
Commands = Annotated[list[Command], BeforeValidator(_list_if_alone, json_schema_input_type=list[Command] | Command)]
Addresses = Annotated[list[Address], BeforeValidator(_list_if_alone, json_schema_input_type=list[Address] | Address)]
Names = Annotated[list[Name], BeforeValidator(_list_if_alone, json_schema_input_type=list[Name] | Name)]
User = Annotated[
    str,
    PlainValidator(_pattern(_USER, "a user name", "Use the user's login name, e.g. root.")),
    WithJsonSchema({"title": "user", "type": "string", "pattern": _like(_USER)}),
]
SshHost = Annotated[
    str,
    PlainValidator(_pattern(_SSH_HOST, "a host name or address", "Give the host's name or IPv4 address.")),
    WithJsonSchema({"title": "host name or address", "type": "string", "pattern": _like(_SSH_HOST)}),
]
HostKey = Annotated[
    str,
    PlainValidator(
        _pattern(_HOST_KEY, "a host key", "Copy it from `ssh-keyscan HOST`, e.g. ssh-ed25519 AAAA…, and compare it.")
    ),
    WithJsonSchema({"title": "host key", "type": "string", "pattern": _like(_HOST_KEY)}),
]
Flag = Annotated[bool, PlainValidator(parse_flag), WithJsonSchema(_FLAG_SCHEMA)]


class In2015:
    """What a key was called in an `environment.yaml` of 2015. One that isn't marked has no word in such a file."""

    def __init__(self, *names: str, above: bool = False) -> None:
        """Mark a key.

        Args:
            names: the names, which mean the same.
            above: whether they stood in the map that holds the key's own, as there was none for it.
        """
        self.names, self.above = names, above


class _Input(BaseModel):
    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        strict=True,
        alias_generator=to_camel,
        arbitrary_types_allowed=True,
        use_attribute_docstrings=True,
    )


class DhcpInput(_Input):
    """The pool of addresses that dnsmasq leases to whoever asks."""

    start: Address | None = None
    """First address of the pool. Required."""
    end: Address | None = None
    """Last address of the pool. Required."""


class SdnInput(_Input):
    """What OpenSDN's control nodes go by."""

    asn: AutonomousSystem | None = None
    """Number of the autonomous system that the control nodes are in, for BGP."""


class CommonInput(_Input):
    """What belongs to the lab as a whole."""

    domain: Annotated[Domain | None, In2015("domain")] = None
    """Domain of all names of the lab. Required."""
    vip: Annotated[Address | None, In2015("vip")] = None
    """Virtual address of the lab, behind which haproxy serves every API. Required."""
    region: Annotated[Region | None, In2015("region")] = None
    """Region of the catalogue's endpoints."""
    dhcp: Annotated[DhcpInput | None, In2015("dhcp")] = None
    """Pool of leases. Without it, dnsmasq gives containers their fixed leases only."""
    networking: Networking | None = None
    """What makes Neutron's networks: its own agents, by Open vSwitch, or the lab's OpenSDN."""
    tenant_networks: Annotated[TenantNetworks | None, In2015("tenantNetworks")] = None
    """What carries the tenants' networks between containers, where Neutron's own agents make them."""
    volume_backend: VolumeBackend | None = None
    """Where Cinder keeps volumes."""
    image_backend: ImageBackend | None = None
    """Where Glance keeps images: as files on its container's volume, or in the lab's Ceph, for several members."""
    tls: Boolean | None = None
    """Whether what the VIP serves by HTTP speaks TLS instead, with a certificate of the lab's own authority."""
    metrics_port: Port | None = None
    """Port at its host's address on the bridge where each keeper serves metrics for Prometheus, and the portal."""
    sdn: SdnInput | None = None
    """What OpenSDN's control nodes go by."""
    may_lose: Names | None = None
    """Containers whose data `pulumi up` may lose for good, which it refuses otherwise."""
    passwords: Annotated[Any, In2015("passwords")] = None
    """Secrets by name. Those that are not given are generated, and kept encrypted in the state."""


class ProviderInput(_Input):
    """The provider network of the lab's Neutron, where floating addresses are."""

    bridge: Bridge | None = None
    """Bridge of its own. Required."""
    network: Network | None = None
    """Subnet. Required."""
    gateway: Address | None = None
    """The host's address in it: the host is the gateway. Required."""


class OpenSdnInput(_Input):
    """Where OpenSDN's published images are, which the images of its roles are made from."""

    registry: Registry | None = None
    """Registry with path: the project's own, or a mirror of it."""
    tag: ImageTag | None = None
    """Tag of all of them."""


class SshInput(_Input):
    """How to reach a container host by ssh."""

    host: Annotated[SshHost | None, In2015("ip", above=True)] = None
    """Name or address. Required."""
    user: User | None = None
    """Login name."""
    port: Port | None = None
    """Port of the ssh server."""
    private_key: Source | None = None
    """File with the private key; without it, those of the user and of the agent are tried."""
    host_key: HostKey | None = None
    """The host's public key; without it, the user's `known_hosts` decides."""


class HostInput(_Input):
    """A machine with a Docker engine and Open vSwitch."""

    ssh: Annotated[SshInput | None, In2015("ssh")] = None
    """How to reach it; without it, the host is the one that Pulumi runs on."""
    home: Source | None = None
    """Directory below which everything generated is on it; where Pulumi runs, `DOCKSTACK_HOME` says so."""
    tunnel_address: Address | None = None
    """Its own address, where its tunnels to the other hosts end. Without it, the one that it is reached at by ssh."""
    uplink: Bridge | None = None
    """Interface to a segment that all hosts share, which joins the lab's bridge with theirs in place of tunnels."""


class VolumeInput(_Input):
    """A directory or file of the host, mounted into a container; in one line `SOURCE:TARGET` or `SOURCE:TARGET:ro`."""

    source: Source | None = None
    """Path on the host. Required."""
    target: Target | None = None
    """Path in the container. Required."""
    read_only: Boolean | None = None
    """Whether the container is kept from writing to it."""


Volumes = list[
    Annotated[
        VolumeInput,
        BeforeValidator(
            _volume,
            json_schema_input_type=Annotated[
                str, WithJsonSchema({"title": "SOURCE:TARGET[:ro]", "type": "string", "pattern": _VOLUME_SCHEMA})
            ]
            | VolumeInput,
        ),
    ]
]


class HooksInput(_Input):
    """Commands that run on the container's host at turns of its life, in order."""

    pre_creation: Annotated[Commands | None, In2015("precreation", above=True)] = None
    """Before the container is made."""
    post_creation: Annotated[Commands | None, In2015("postcreation", above=True)] = None
    """When it is healthy; again for a container that was made anew."""
    pre_destroy: Annotated[Commands | None, In2015("predestroy", above=True)] = None
    """Before it is removed."""
    post_destroy: Annotated[Commands | None, In2015("postdestroy", above=True)] = None
    """After it was removed."""


class DefaultsInput(_Input):
    """What a container takes that does not say otherwise."""

    mask: Annotated[Mask | None, In2015("mask", "netmask")] = None
    """Size of the subnet. Required in the defaults, where it is the lab's."""
    gateway: Annotated[Address | None, In2015("gateway")] = None
    """The bridge's address on the host. Required in the defaults, where it names the lab's subnet."""
    dns: Annotated[Addresses | None, In2015("dns", "dnsServer")] = None
    """Name servers. Without it, the containers of role `dnsmasq`."""
    domain: Annotated[Domain | None, In2015("domain")] = None
    """Domain of the container's full name. Without it, `common.domain`."""
    bridge: Annotated[Bridge | None, In2015("bridge")] = None
    """Bridge that the container has its port on. Required in the defaults."""
    mtu: Annotated[Mtu | None, In2015("mtu")] = None
    """MTU of the port."""
    host: Annotated[Name | None, In2015("host")] = None
    """One of `containerHosts`. Required where there are several."""
    volumes: Annotated[Volumes | None, In2015("volumes")] = None
    """What is mounted from the host."""


class ContainerInput(DefaultsInput):
    """A container. Its name is its host name; any of the defaults may be given here, too."""

    role: Annotated[Name | None, In2015("image")] = None
    """What the container is. Required."""
    address: Annotated[Address | None, In2015("ip")] = None
    """Its fixed address. Required."""
    image: Name | None = None
    """Another image than the role's own: a directory below `Dockerfiles/`, or a full image reference."""
    needs: Names | None = None
    """Containers that have to be healthy before its Puppet run, besides those that its role needs."""
    hooks: HooksInput | None = None
    """Commands that run on its host."""


class StackInput(_Input):
    """The configuration of a stack, as the keys `dockstack:…` of its file."""

    common: Annotated[CommonInput | None, In2015("common")] = None
    """What belongs to the lab as a whole."""
    container_hosts: Annotated[dict[str, HostInput] | None, In2015("containerhosts")] = Field(
        None, json_schema_extra={"propertyNames": {"pattern": _like(_HOST_NAME)}}
    )
    """Machines by name. Left out, it is `{local: {}}`: the one that Pulumi runs on."""
    container_defaults: Annotated[DefaultsInput | None, In2015("containerdefault")] = None
    """What a container takes that does not say otherwise."""
    containers: Annotated[dict[str, ContainerInput] | None, In2015("containers")] = Field(
        None, json_schema_extra={"propertyNames": {"pattern": _like(_LABEL)}}
    )
    """Containers by name."""
    provider: ProviderInput | None = None
    """The provider network of the lab's Neutron."""
    opensdn: OpenSdnInput | None = None
    """Where OpenSDN's published images are, which the images of its roles are made from."""
    demo: Flag | None = None
    """Whether the lab comes with something to boot: a guest image made on the spot, flavors, a tenant network, a
    router, the provider network, a security group and a key, as far as its services allow."""
    environment: Name | None = None
    """Path of a 2015-style file, from the project's directory on. What such a file has no words for, or does not say,
    is given by the other keys beside it; what both say is a fault."""


M = TypeVar("M", bound=_Input)


def read(model: type[M], value: object, keys: Keys, *path: str | int) -> tuple[M, frozenset[str], list[Fault]]:
    """`value` as `model`.

    Returns the model with the keys that could be read, the names (as in the configuration) of those that could
    not, and a fault for each of these. It never raises.
    """
    if value is None:
        return model(), frozenset(), []
    if not isinstance(value, Mapping):
        fault = Fault(
            keys.of(*path), f"is {kind(value)} where a map belongs", f"Known keys: {one_of(key_names(model))}."
        )
        return model(), frozenset(key_names(model)), [fault]
    faults = [odd_key(keys, key, *path) for key in value if not is_key(key)]
    given = {key: item for key, item in value.items() if is_key(key)}
    try:
        return model.model_validate(given), frozenset(), faults
    except ValidationError as error:
        errors = error.errors(include_url=False)
    faults += [_fault(model, detail, keys, path) for detail in errors]
    bad = frozenset(str(detail["loc"][0]) for detail in errors)
    return model.model_validate({k: v for k, v in given.items() if k not in bad}), bad, faults


def is_key(key: object) -> bool:
    """Whether `key` is text that can be a key at all."""
    return isinstance(key, str) and key.isprintable() and bool(key.strip())


def odd_key(keys: Keys, key: object, *path: str | int) -> Fault:
    """The fault of a key that isn't printable text."""
    what = kind(key) if not isinstance(key, str) else "not printable" if key.strip() else "empty"
    reason = f"the key {show(key)} is {what}"
    return Fault(keys.of(*path), reason, "Use plain words as keys, in quotes if they look like something else.")


def unknown_key(keys: Keys, known: frozenset[str] | set[str], *path: str | int) -> Fault:
    """The fault of a key that nothing reads; its name is the last part of `path`."""
    hint = suggest(str(path[-1]), known)
    return Fault(keys.of(*path), "unknown key", f"{hint}Known keys: {one_of(known)}." if known else "Remove it.")


def key_names(model: type[BaseModel]) -> frozenset[str]:
    """The keys of a map that `model` reads."""
    return frozenset(field.alias or name for name, field in model.model_fields.items())


def map_of(annotation: Any) -> type[BaseModel] | None:
    """The model of the map that a value of this type is, or has as its items; None where there is none in it."""
    if isinstance(annotation, type):
        return annotation if issubclass(annotation, BaseModel) else None
    return next((found for part in get_args(annotation) if (found := map_of(part)) is not None), None)


def names_of_2015(model: type[BaseModel]) -> dict[str, tuple[str, ...]]:
    """The keys that a file of 2015 has in place of a map that `model` reads, each with the key of today below it."""
    found: dict[str, tuple[str, ...]] = {}
    for name, field in model.model_fields.items():
        key = field.alias or name
        for mark in (each for each in field.metadata if isinstance(each, In2015) and not each.above):
            found |= dict.fromkeys(mark.names, (key,))
        inner = map_of(field.annotation)
        for below, its in inner.model_fields.items() if inner else ():
            for mark in (each for each in its.metadata if isinstance(each, In2015) and each.above):
                found |= dict.fromkeys(mark.names, (key, its.alias or below))
    return found


def _fault(model: type[BaseModel], detail: Any, keys: Keys, path: tuple[str | int, ...]) -> Fault:
    loc: tuple[str | int, ...] = detail["loc"]
    key = keys.of(*path, *loc)
    value = detail["input"]
    match detail["type"]:
        case "dockstack":
            return Fault(key, detail["ctx"]["reason"], detail["ctx"]["fix"])
        case "extra_forbidden":
            return unknown_key(keys, key_names(_model_at(model, loc[:-1])), *path, *loc)
        case "list_type":
            return Fault(key, f"is {kind(value)} where a list belongs", "Write a list, e.g. [first, second].")
        case "model_type" | "dict_type" | "model_attributes_type":
            known = one_of(key_names(_model_at(model, loc)))
            return Fault(key, f"is {kind(value)} where a map belongs", f"Known keys: {known}.")
        case _:
            return Fault(key, f"can't be read: {plain(detail['msg'])}", "Write it in another way.")


def _model_at(model: type[BaseModel], loc: tuple[str | int, ...]) -> type[BaseModel]:
    """The model of the map at `loc` below `model`."""
    for part in loc:
        fields = (field for name, field in model.model_fields.items() if part == (field.alias or name))
        model = next((map_of(field.annotation) for field in fields), None) or model
    return model
