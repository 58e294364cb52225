"""The configuration of a lab as typed, frozen models, read from the stack's configuration or a 2015-style file.

`load` reports every fault of a configuration at once. It looks at no host and starts nothing; the only file it
reads is the 2015-style one that a stack may name. What needs a look at the hosts is in `preflight`.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field
from pydantic_core import PydanticCustomError

from components import paths
from components.configuration import legacy, names, rules, spans
from components.configuration.duties import Duties
from components.configuration.faults import ConfigurationFaults, Fault, Keys, Note, one_of, show, suggest
from components.configuration.rules import RawConfiguration, RawContainer, RawProvider, RawVolume, RoleSpec
from components.configuration.schema import (
    IMAGE_BACKENDS,
    NETWORKINGS,
    TENANT_NETWORKS,
    VOLUME_BACKENDS,
    CommonInput,
    ContainerInput,
    DefaultsInput,
    HooksInput,
    HostInput,
    OpenSdnInput,
    ProviderInput,
    StackInput,
    is_host_name,
    is_key,
    key_names,
    kind,
    odd_key,
    parse_flag,
    password_faults,
    read,
    unknown_key,
)
from components.published import REGISTRY, TAG, Published

__all__ = [
    "ConfiguredHost",
    "Container",
    "Environment",
    "HookScripts",
    "OpenSdn",
    "Provider",
    "RoleSpec",
    "Sdn",
    "Ssh",
    "Survey",
    "Volume",
    "builder",
    "decode",
    "load",
    "survey",
]

CONFIGURATION_KEYS = key_names(StackInput)
DEFAULT_REGION = "RegionOne"
DEFAULT_MTU = 1500
METRICS_PORT = 9105
TUNNEL_MTU = DEFAULT_MTU - spans.OVERHEAD
LOCAL_HOST = "local"

T = TypeVar("T")
R = TypeVar("R", bound=Duties)
FrozenMap = Annotated[Mapping[str, T], AfterValidator(lambda value: MappingProxyType(dict(value)))]


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, arbitrary_types_allowed=True)


class Ssh(_Model):
    """How to reach a container host; without `host_key` the user's known_hosts decides whether it is the right one."""

    host: str
    user: str = "root"
    port: int = 22
    private_key: str | None = None
    host_key: str | None = None


class ConfiguredHost(_Model):
    """A machine with a Docker engine and Open vSwitch; without `ssh` it is the one that Pulumi runs on.

    `tunnel_address` is where its tunnels to other hosts end, once that is known (`preflight.locate`). `absent` are
    those of the paths it was asked for that it lacks, and `silent` says that it didn't answer: what
    `preflight.apply_facts` knows of it.
    """

    name: str
    ssh: Ssh | None = None
    home: str = str(paths.HOME)
    tunnel_address: IPv4Address | None = None
    uplink: str | None = None
    absent: frozenset[str] = frozenset()
    silent: bool = False


class Volume(_Model):
    """A path of the container host, mounted at `target`.

    `optional` marks one from a 2015-style file that stands for what the role mounts anyway: it is left out where
    the host has no such source (`preflight.apply_facts`).
    """

    source: str
    target: str
    read_only: bool = False
    optional: bool = False


class HookScripts(_Model):
    """Shell commands that run on the container's host, in order."""

    pre_creation: tuple[str, ...] = ()
    post_creation: tuple[str, ...] = ()
    pre_destroy: tuple[str, ...] = ()
    post_destroy: tuple[str, ...] = ()


class Container(_Model):
    """A container of the lab with all defaults filled in.

    `image` is a directory under Dockerfiles/ or a full image reference; None stands for the role's own.
    `needs` are containers that have to be up before this one, besides those that its role needs.
    """

    name: str
    role: str
    address: IPv4Address
    prefix: int
    gateway: IPv4Address
    dns: tuple[IPv4Address, ...]
    domain: str
    bridge: str
    mtu: int = DEFAULT_MTU
    host: str
    image: str | None = None
    volumes: tuple[Volume, ...] = ()
    needs: tuple[str, ...] = ()
    hooks: HookScripts = HookScripts()

    @property
    def fqdn(self) -> str:
        """The container's full name, which is also its certificate's."""
        return f"{self.name}.{self.domain}"

    def mac(self, interface: int = 0) -> str:
        """The locally administered Ethernet address that belongs to the container's IPv4 address, by interface."""
        return f"02:{0x42 + interface:02x}:{self.address.packed.hex(':')}"

    @property
    def network(self) -> IPv4Network:
        """The subnet that the container's bridge carries."""
        return IPv4Network((self.gateway, self.prefix), strict=False)


class Provider(_Model):
    """The bridge that carries the provider network; the host holds the network's gateway on it."""

    bridge: str
    network: IPv4Network
    gateway: IPv4Address


class OpenSdn(_Model):
    """Where OpenSDN's published images are."""

    registry: str = REGISTRY
    tag: str = TAG

    @property
    def published(self) -> Published:
        """The same for what makes images of them."""
        return Published(self.registry, self.tag)


class Sdn(_Model):
    """What OpenSDN's control nodes go by."""

    asn: int = 64512


class Environment(_Model):
    """A lab. `passwords` holds the given ones only, by secret name; it never shows in a repr."""

    stack: str
    domain: str
    region: str = DEFAULT_REGION
    network: IPv4Network
    gateway: IPv4Address
    vip: IPv4Address
    dhcp: tuple[IPv4Address, IPv4Address] | None = None
    volume_backend: str = VOLUME_BACKENDS[0]
    image_backend: str = IMAGE_BACKENDS[0]
    provider: Provider | None = None
    opensdn: OpenSdn = OpenSdn()
    sdn: Sdn = Sdn()
    demo: bool = False
    networking: str = NETWORKINGS[0]
    tenant_networks: str = TENANT_NETWORKS[0]
    tls: bool = False
    """Whether what is served at the VIP is spoken to by TLS."""
    metrics_port: int = METRICS_PORT
    """Port of each keeper's metrics, at the gateway's address."""
    may_lose: frozenset[str] = frozenset()
    """The containers whose data may be lost for good."""
    passwords: FrozenMap[str] = Field(default_factory=lambda: MappingProxyType({}), repr=False)
    hosts: FrozenMap[ConfiguredHost]
    containers: tuple[Container, ...]
    keys: Keys = Field(default_factory=Keys, repr=False, exclude=True)
    """Names places of the configuration the way its author wrote them, for faults that are found later."""

    def members(self, role: str) -> tuple[Container, ...]:
        """The containers of a role, in the order of the configuration."""
        return tuple(c for c in self.containers if c.role == role)

    def members_that(self, duty: Callable[[R], bool], roles: Mapping[str, R]) -> tuple[Container, ...]:
        """The containers whose role has a duty, in the order of the configuration."""
        return tuple(c for c in self.containers if c.role in roles and duty(roles[c.role]))

    def container(self, name: str) -> Container:
        """The container of this name; KeyError if there is none."""
        for container in self.containers:
            if container.name == name:
                return container
        raise KeyError(name)

    @property
    def used_hosts(self) -> tuple[ConfiguredHost, ...]:
        """The hosts that have containers."""
        used = {c.host for c in self.containers}
        return tuple(host for host in self.hosts.values() if host.name in used)


def builder(environment: Environment) -> ConfiguredHost:
    """The host whose engine builds the images of all: the one that Pulumi runs on if it has containers, or the first.

    Raises:
        ValueError: no host has containers.
    """
    return min(environment.used_hosts, key=lambda host: host.ssh is not None)


@dataclass(frozen=True)
class Survey:
    """All that could be made of a configuration.

    With faults, `environment` holds the part that could be read, good enough to look at the hosts for more faults
    and for nothing else; it is None if not even the lab's subnet is known.
    """

    environment: Environment | None
    faults: tuple[Fault, ...]
    notes: tuple[Note, ...]


def decode(raw: Mapping[str, str], project: str = "dockstack") -> dict[str, object]:
    """The configuration of `project` from Pulumi's flat map of texts, in which objects are JSON."""
    result: dict[str, object] = {}
    for key, value in raw.items():
        namespace, _, name = key.partition(":")
        if namespace != project:
            continue
        result[name] = value
        if value.lstrip()[:1] in ("{", "["):
            try:
                result[name] = json.loads(value)
            except (ValueError, RecursionError):
                continue
    return result


def load(
    config: Mapping[str, object],
    *,
    stack: str,
    roles: Mapping[str, RoleSpec],
    base_dir: Path,
    local_addresses: frozenset[str] = legacy.LOOPBACK,
) -> tuple[Environment, list[Note]]:
    """The lab that `config` (keys without `dockstack:`) describes, and what was read differently than written.

    `base_dir` is where a relative path of a 2015-style file starts; a host of such a file is the local one if its
    address is among `local_addresses`. Raises ConfigurationFaults with every fault, and nothing else.
    """
    result = survey(config, stack=stack, roles=roles, base_dir=base_dir, local_addresses=local_addresses)
    if result.faults or result.environment is None:
        raise ConfigurationFaults(result.faults)
    return result.environment, list(result.notes)


def survey(
    config: Mapping[str, object],
    *,
    stack: str,
    roles: Mapping[str, RoleSpec],
    base_dir: Path,
    local_addresses: frozenset[str] = legacy.LOOPBACK,
    read_text: Callable[[Path], str] = lambda path: path.read_text(encoding="utf-8"),
) -> Survey:
    """Like `load`, but returns faults and what could be read beside them."""
    # A key that Pulumi fills in for lack of a value is empty.
    if config.get("environment") in (None, ""):
        reader = _Reader(Keys(), stack, roles)
        return reader.read(config)
    return _survey_file(config, stack, roles, base_dir, local_addresses, read_text)


def _survey_file(
    config: Mapping[str, object],
    stack: str,
    roles: Mapping[str, RoleSpec],
    base_dir: Path,
    local_addresses: frozenset[str],
    read_text: Callable[[Path], str],
) -> Survey:
    keys, path = Keys(), config["environment"]
    faults = _top_level(config, keys)
    # A key that Pulumi fills in for lack of a value is empty.
    beside = {
        key: config[key]
        for key in CONFIGURATION_KEYS - {"environment"}
        if config.get(key) not in (None, {}, False, "false")
    }
    place = keys.of("environment")
    if not isinstance(path, str) or not is_key(path):
        return Survey(None, (*faults, Fault(place, f"is {kind(path)} where a path belongs", "Give a file's path.")), ())
    try:
        text = read_text(base_dir / path)
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or "it is not UTF-8 text"
        fault = Fault(place, f"{show(path)} can't be read: {why}", "Give the path of a 2015-style environment.yaml.")
        return Survey(None, tuple(sorted({*faults, fault})), ())
    reading = legacy.read(text, file=Path(path).name, roles=roles, local_addresses=local_addresses, beside=beside)
    if reading.config is None:
        return Survey(None, tuple(sorted({*faults, *reading.faults})), tuple(sorted(reading.notes)))
    result = _Reader(reading.keys, stack, roles, optional=legacy.stands_for_ours).read(reading.config, reading.faults)
    return Survey(
        result.environment,
        tuple(sorted({*faults, *result.faults})),
        tuple(sorted({*reading.notes, *result.notes})),
    )


def _top_level(config: Mapping[str, object], keys: Keys) -> list[Fault]:
    faults = [odd_key(keys, key) for key in config if not is_key(key)]
    unknown = [key for key in config if is_key(key) and key not in CONFIGURATION_KEYS]
    return faults + [unknown_key(keys, CONFIGURATION_KEYS, key) for key in unknown]


def _first(*values: T | None) -> T | None:
    return next((value for value in values if value is not None), None)


class _Reader:
    """Reads one configuration; collects faults on the way."""

    def __init__(
        self,
        keys: Keys,
        stack: str,
        roles: Mapping[str, RoleSpec],
        optional: Callable[[str], bool] = lambda source: False,
    ) -> None:
        self.keys, self.stack, self.roles, self.optional = keys, stack, roles, optional
        self.faults: list[Fault] = []

    def read(self, config: Mapping[str, object], known_faults: tuple[Fault, ...] = ()) -> Survey:
        self.faults += known_faults
        self.faults += _top_level(config, self.keys)
        hosts = self._hosts(config.get("containerHosts"))
        common = self._common(config.get("common"))
        passwords = self._passwords(common.passwords)
        defaults = self._defaults(config.get("containerDefaults"))
        raw = RawConfiguration(self.keys, self.roles, hosts)
        raw.domain, raw.vip = common.domain, common.vip
        # One that can't be read is reported, and stands for none.
        if "volumeBackend" not in self.bad_common:
            raw.volume_backend = common.volume_backend or VOLUME_BACKENDS[0]
        if "imageBackend" not in self.bad_common:
            raw.image_backend = common.image_backend or IMAGE_BACKENDS[0]
        if "networking" not in self.bad_common:
            raw.networking = common.networking or NETWORKINGS[0]
        raw.gateway, raw.prefix, raw.bridge = defaults.gateway, defaults.mask, defaults.bridge
        raw.uplinks = {name: host.uplink for name, host in hosts.items() if host.uplink}
        if common.dhcp is not None:
            raw.dhcp_start, raw.dhcp_end = common.dhcp.start, common.dhcp.end
        raw.provider = self._provider(config.get("provider"))
        self.opensdn = self._opensdn(config.get("opensdn"))
        raw.demo = self._demo(config.get("demo"))
        inputs = self._containers(config.get("containers"), raw, defaults)
        self.faults += rules.check(raw)
        containers = [self._container(c, inputs[c.name], raw) for c in raw.containers]
        environment = self._environment(raw, common, passwords, hosts, [c for c in containers if c is not None])
        if environment is not None:
            self.faults += names.check(environment, self.roles)
            self.faults += spans.check(environment, self.roles)
        return Survey(environment, tuple(sorted(set(self.faults))), ())

    def _fault(self, reason: str, fix: str, *path: str | int) -> None:
        self.faults.append(Fault(self.keys.of(*path), reason, fix))

    def _map(self, value: object, *path: str) -> dict[str, object]:
        """The entries of a map that are named by the user."""
        if value is None:
            return {}
        if not isinstance(value, Mapping):
            self._fault(f"is {kind(value)} where a map belongs", "Write NAME: {…} for each.", *path)
            return {}
        self.faults += [odd_key(self.keys, key, *path) for key in value if not is_key(key)]
        return {key: item for key, item in value.items() if is_key(key)}

    def _common(self, value: object) -> CommonInput:
        common, bad, faults = read(CommonInput, value, self.keys, "common")
        self.faults += faults
        self.bad_common = bad
        if common.domain is None and "domain" not in bad:
            self._fault("is missing", "Give the lab's domain, e.g. dockstack.lab.", "common", "domain")
        if common.vip is None and "vip" not in bad:
            self._fault("is missing", "Give a free address of the lab's subnet.", "common", "vip")
        if common.dhcp is not None:
            for name in ("start", "end"):
                if getattr(common.dhcp, name) is None:
                    self._fault("is missing", "Give the pool's first and last address.", "common", "dhcp", name)
        return common

    def _provider(self, value: object) -> RawProvider | None:
        given, bad, faults = read(ProviderInput, value, self.keys, "provider")
        self.faults += faults
        if not value:
            return None
        for name, fix in (
            ("bridge", "Name the bridge, e.g. br-ext."),
            ("network", "Give the provider network's subnet, e.g. 10.87.1.0/24."),
            ("gateway", "Give an address of the provider network for the host, e.g. 10.87.1.1."),
        ):
            if getattr(given, name) is None and name not in bad:
                self._fault("is missing", fix, "provider", name)
        if given.bridge is None or given.network is None or given.gateway is None:
            return None
        return RawProvider(given.bridge, given.network, given.gateway)

    def _opensdn(self, value: object) -> OpenSdn:
        given, _, faults = read(OpenSdnInput, value, self.keys, "opensdn")
        self.faults += faults
        return OpenSdn(**given.model_dump(exclude_none=True))

    def _demo(self, value: object) -> bool:
        try:
            return value is not None and parse_flag(value)
        except PydanticCustomError as error:
            detail = error.context or {}
            self._fault(detail["reason"], detail["fix"], "demo")
            return False

    def _passwords(self, given: object) -> dict[str, str]:
        known = frozenset(name for role in self.roles.values() for name in role.secrets)
        result = {}
        for name, value in self._map(given, "common", "passwords").items():
            key = self.keys.of("common", "passwords", name)
            if name not in known:
                fix = f"{suggest(name, known)}Names: {one_of(known)}."
                self.faults.append(Fault(key, "no role has a secret of this name", fix))
                continue
            readers = [reader for role in self.roles.values() for reader in role.readers.get(name, ())]
            if faults := password_faults(value, key, readers):
                self.faults += faults
            else:
                result[name] = str(value)
        return result

    def _hosts(self, value: object) -> dict[str, ConfiguredHost]:
        result: dict[str, ConfiguredHost] = {}
        self.broken_hosts: set[str] = set()
        engines: dict[tuple[str, int] | None, str] = {}
        for name, item in self._map({LOCAL_HOST: {}} if value in (None, {}) else value, "containerHosts").items():
            given, bad, faults = read(HostInput, item, self.keys, "containerHosts", name)
            self.faults += faults
            if not is_host_name(name):
                fix = "Use letters, digits, dots, hyphens and underscores."
                self._fault(f"{show(name)} is no name for a host", fix, "containerHosts", name)
                bad |= {name}
            if given.ssh is not None and given.ssh.host is None and not bad:
                self._fault("is missing", "Give the host's name or address.", "containerHosts", name, "ssh", "host")
                bad |= {"ssh"}
            if bad:
                self.broken_hosts.add(name)
                continue
            ssh = None
            if given.ssh is not None:
                ssh = Ssh(**{key: field for key, field in given.ssh if field is not None})
            engine = (ssh.host, ssh.port) if ssh else None
            if engine in engines:
                where = f"at {ssh.host}" if ssh else "this machine"
                fix = "Leave one of the two out." if ssh else "Leave one of the two out, or give it `ssh`."
                self._fault(f"is {where}, like {engines[engine]}", fix, "containerHosts", name)
            engines.setdefault(engine, name)
            result[name] = ConfiguredHost(
                name=name,
                ssh=ssh,
                home=given.home or str(paths.DEFAULT_HOME if ssh else paths.HOME),
                tunnel_address=given.tunnel_address,
                uplink=given.uplink,
            )
        return result

    def _defaults(self, value: object) -> DefaultsInput:
        defaults, bad, faults = read(DefaultsInput, value, self.keys, "containerDefaults")
        self.faults += faults
        self.bad_defaults = bad
        for name, fix in (
            ("gateway", "Give the address that the lab's bridge has on its host, e.g. 10.87.0.1."),
            ("mask", "Give the prefix length of the lab's subnet, e.g. 24."),
            ("bridge", "Name the lab's bridge, e.g. br-lab."),
        ):
            if getattr(defaults, name) is None and name not in bad:
                self._fault("is missing", fix, "containerDefaults", name)
        return defaults

    def _containers(self, value: object, raw: RawConfiguration, defaults: DefaultsInput) -> dict[str, ContainerInput]:
        given = self._map(value, "containers")
        if not given and (value is None or isinstance(value, Mapping)):
            fix = "Name at least one, e.g. `dnsmasq1: {role: dnsmasq, address: 10.87.0.53}`."
            self._fault("no container is configured", fix, "containers")
        inputs: dict[str, ContainerInput] = {}
        only_host = next(iter(raw.hosts)) if len(raw.hosts) == 1 and not self.broken_hosts else None
        for name, item in given.items():
            container, bad, faults = read(ContainerInput, item, self.keys, "containers", name)
            self.faults += faults
            inputs[name] = container
            for key, fix in (
                ("role", f"Name one of {one_of(self.roles)}."),
                ("address", "Give a free address of the lab's subnet."),
            ):
                if getattr(container, key) is None and key not in bad:
                    self._fault("is missing", fix, "containers", name, key)
            host = _first(container.host, defaults.host, only_host if "host" not in bad | self.bad_defaults else None)
            if host is None and "host" not in bad | self.bad_defaults and not self.broken_hosts and raw.hosts:
                fix = f"Name one of {one_of(raw.hosts)}, or set it in the defaults."
                self._fault("is missing, and there are several hosts", fix, "containers", name, "host")
            own = frozenset(key for key in type(container).model_fields if getattr(container, key) is not None)
            if host is not None and host not in raw.hosts:
                if host not in self.broken_hosts:
                    place = ("containers", name, "host") if "host" in own else ("containerDefaults", "host")
                    fix = f"{suggest(host, raw.hosts)}Hosts: {one_of(raw.hosts)}."
                    self._fault(f"unknown host {show(host)}", fix, *place)
                host = None
            # A key that can't be read is not replaced by the default: what follows from that would mislead.
            fill = defaults.model_copy(update={key: None for key in bad if key in DefaultsInput.model_fields})
            raw.containers.append(
                RawContainer(
                    name=name,
                    own=own,
                    role=container.role,
                    address=container.address,
                    prefix=_first(container.mask, fill.mask),
                    gateway=_first(container.gateway, fill.gateway),
                    bridge=_first(container.bridge, fill.bridge),
                    mtu=_first(container.mtu, fill.mtu),
                    host=host,
                    domain=_first(container.domain, fill.domain, raw.domain),
                    dns=self._dns(container, fill),
                    image=container.image,
                    volumes=self._volumes(container, fill),
                    needs=tuple(container.needs or ()),
                )
            )
        return inputs

    @staticmethod
    def _dns(container: ContainerInput, defaults: DefaultsInput) -> tuple[IPv4Address, ...] | None:
        given = _first(container.dns, defaults.dns)
        return None if given is None else tuple(given)

    def _volumes(self, container: ContainerInput, defaults: DefaultsInput) -> tuple[RawVolume, ...]:
        return tuple(
            RawVolume(v.source, v.target, bool(v.read_only), bool(v.source and self.optional(v.source)))
            for v in _first(container.volumes, defaults.volumes) or []
        )

    def _container(self, raw: RawContainer, given: ContainerInput, lab: RawConfiguration) -> Container | None:
        """The container, or None if something without which it can't be described is missing (and reported)."""
        role, address, prefix, gateway = raw.role, raw.address, raw.prefix, raw.gateway
        bridge, host, domain = raw.bridge, raw.host, raw.domain or "invalid"
        if role is None or role not in self.roles or address is None or prefix is None:
            return None
        if gateway is None or bridge is None or host is None:
            return None
        dns = raw.dns
        if dns is None:
            serving = lab.members_that(lambda role: role.serves_dns)
            dns = tuple(c.address for c in serving if c.address is not None)
        hooks = given.hooks or HooksInput()
        return Container(
            name=raw.name,
            role=role,
            address=address,
            prefix=prefix,
            gateway=gateway,
            dns=dns,
            domain=domain,
            bridge=bridge,
            mtu=raw.mtu or (TUNNEL_MTU if self._tunnelled(raw, lab) else DEFAULT_MTU),
            host=host,
            image=raw.image,
            volumes=tuple(
                Volume(source=v.source, target=v.target, read_only=v.read_only, optional=v.optional)
                for v in raw.volumes
                if v.source is not None and v.target is not None
            ),
            needs=raw.needs,
            hooks=HookScripts(**{name: tuple(commands) for name, commands in hooks if commands is not None}),
        )

    @staticmethod
    def _tunnelled(raw: RawContainer, lab: RawConfiguration) -> bool:
        """Whether packets of a container may have to pass a tunnel between hosts."""
        hosts = {c.host for c in lab.containers if c.bridge == raw.bridge and c.host is not None}
        of_the_lab = raw.bridge == lab.bridge
        if len(hosts) > 1 and not (of_the_lab and all(lab.uplinks.get(host) for host in hosts)):
            return True
        role = lab.roles.get(raw.role or "")
        return bool(role and role.provider_port and lab.provider) and len({c.host for c in lab.containers}) > 1

    def _environment(
        self,
        raw: RawConfiguration,
        common: CommonInput,
        passwords: dict[str, str],
        hosts: dict[str, ConfiguredHost],
        containers: list[Container],
    ) -> Environment | None:
        network, gateway = raw.network, raw.gateway
        if network is None or gateway is None:
            return None
        dhcp = None
        if raw.dhcp_start is not None and raw.dhcp_end is not None:
            dhcp = (raw.dhcp_start, raw.dhcp_end)
        # The stand-ins below are only ever used beside a fault that says that the value is missing.
        return Environment(
            stack=self.stack,
            domain=common.domain or "invalid",
            region=common.region or DEFAULT_REGION,
            network=network,
            gateway=gateway,
            vip=raw.vip or gateway,
            dhcp=dhcp,
            demo=raw.demo,
            networking=common.networking or NETWORKINGS[0],
            tenant_networks=common.tenant_networks or TENANT_NETWORKS[0],
            volume_backend=common.volume_backend or VOLUME_BACKENDS[0],
            image_backend=common.image_backend or IMAGE_BACKENDS[0],
            tls=common.tls or False,
            metrics_port=common.metrics_port or METRICS_PORT,
            provider=raw.provider and Provider(**raw.provider._asdict()),
            opensdn=self.opensdn,
            sdn=Sdn(**(common.sdn.model_dump(exclude_none=True) if common.sdn else {})),
            may_lose=frozenset(common.may_lose or ()),
            passwords=passwords,
            hosts=hosts,
            containers=tuple(containers),
            keys=self.keys,
        )
