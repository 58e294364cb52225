"""What a program registers with Pulumi, recorded in full: inputs with their secrets, dependencies, options."""

from __future__ import annotations

import asyncio
import copy
import json
from collections.abc import Callable, Collection, Iterator, Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any

import pulumi
import pulumi_command
import pulumi_docker
import yaml
from pulumi.runtime import mocks, rpc
from pulumi.runtime.settings import SETTINGS
from pulumi.runtime.stack import run_pulumi_func

from components import paths, services
from components.configuration import environment
from components.lab import Lab
from hostside.drift import Finding

# Loaded lazily by the SDKs while a program runs, which the first test would pay for in its threads.
_SDKS = (pulumi_command.local.Command, pulumi_command.remote.Command, pulumi_docker.Container)

CONTAINER = "docker:index/container:Container"
REMOTE_IMAGE = "docker:index/remoteImage:RemoteImage"
LOCAL_COMMAND = "command:local:Command"
REMOTE_COMMAND = "command:remote:Command"
UNKNOWN = rpc.UNKNOWN
GIVEN = "given-in-the-configuration"
GENERATED = "made-by-"
AUTHORITY = "the authority's certificate"

CONFIG: dict[str, Any] = {
    "common": {"domain": "dockstack.lab", "vip": "10.87.0.250", "passwords": {"keystone_admin": GIVEN}},
    "containerDefaults": {"mask": 24, "gateway": "10.87.0.1", "bridge": "br-lab", "dns": ["10.87.0.53"]},
    "containers": {
        "dnsmasq1": {"role": "dnsmasq", "address": "10.87.0.53"},
        "puppet1": {"role": "puppet", "address": "10.87.0.10"},
        "haproxy1": {"role": "haproxy", "address": "10.87.0.20"},
        "galera1": {"role": "galera", "address": "10.87.0.30"},
        "rabbitmq1": {"role": "rabbitmq", "address": "10.87.0.40"},
        "memcached1": {"role": "memcached", "address": "10.87.0.45"},
        "redis1": {"role": "redis", "address": "10.87.0.43"},
        "cassandra1": {"role": "cassandra", "address": "10.87.0.48"},
        "keystone1": {"role": "keystone", "address": "10.87.0.50"},
        "ceph1": {"role": "ceph", "address": "10.87.0.70"},
        "cinder1": {"role": "cinder", "address": "10.87.0.75"},
        "glance1": {"role": "glance", "address": "10.87.0.60"},
        "placement1": {"role": "placement", "address": "10.87.0.65"},
        "neutron1": {"role": "neutron", "address": "10.87.0.85"},
        "nova1": {"role": "nova", "address": "10.87.0.80"},
        "compute1": {"role": "compute", "address": "10.87.0.90"},
        "dashboard1": {"role": "dashboard", "address": "10.87.0.95"},
        "portal1": {"role": "portal", "address": "10.87.0.96"},
        "config1": {"role": "config", "address": "10.87.0.56"},
        "analytics1": {"role": "analytics", "address": "10.87.0.57"},
        "control1": {"role": "control", "address": "10.87.0.58"},
        "webui1": {"role": "webui", "address": "10.87.0.59"},
        "tempest1": {"role": "tempest", "address": "10.87.0.98"},
        "plain1": {"role": "plain", "address": "10.87.0.99"},
    },
}
"""A lab with every role, one container each."""

FACTS: Mapping[str, environment.RoleSpec] = {
    name: replace(facts, at_most=None, unfit={}) for name, facts in services.facts().items()
}
"""Without the limits of roles: several members are recorded also of one whose programs work alone."""

PROVISIONED = [name for name, given in CONFIG["containers"].items() if given["role"] != "plain"]


@dataclass(frozen=True)
class Secret:
    """A value that was marked as a secret."""

    value: Any


@dataclass(frozen=True)
class Resource:
    """One resource as the engine gets it."""

    urn: str
    type: str
    name: str
    custom: bool
    parent: str
    inputs: Mapping[str, Any]
    dependencies: frozenset[str]
    provider: str
    version: str
    delete_before_replace: bool
    deleted_with: str
    secret_outputs: frozenset[str]
    ignored: frozenset[str]
    stack: tuple[str, ...] = field(compare=False)
    """Files of the calls that declared it, the nearest first."""

    def shown(self, key: str) -> Any:
        """Return an input, whether it is secret or not."""
        value = self.inputs.get(key)
        return value.value if isinstance(value, Secret) else value

    def operation(self) -> str:
        """Return the name of the operation that a command resource carries out, or nothing."""
        words = str(self.inputs.get("create", "")).split()
        return words[3] if len(words) > 3 and words[2].endswith("/tool") else ""

    def parameters(self) -> dict[str, Any]:
        """Return the inputs of an operation, as it gets them on its standard input."""
        return dict(json.loads(self.shown("stdin")))


class _Answers(mocks.Mocks):
    def __init__(self, preview: bool) -> None:
        self._preview = preview

    def new_resource(self, args: mocks.MockResourceArgs) -> tuple[str | None, dict[Any, Any]]:
        state = dict(args.inputs)
        if self._preview:
            return "", state
        if args.typ in (LOCAL_COMMAND, REMOTE_COMMAND):
            state["stdout"] = _stdout(args)
        if args.typ == REMOTE_IMAGE:
            state["imageId"] = f"sha256:{args.inputs['name']}"
        return f"{args.name}-id", state

    def call(self, args: mocks.MockCallArgs) -> tuple[dict[Any, Any], list[tuple[str, str]] | None]:
        raise AssertionError(f"nothing is looked up while a lab is declared, but {args.token} was")


def _stdout(args: mocks.MockResourceArgs) -> str:
    if args.name.startswith("secret-"):
        return f"{GENERATED}{args.name}"
    if "/tool authority-publish" in args.inputs.get("create", ""):
        return json.dumps({"certificate": AUTHORITY})
    if " image-build " in args.inputs.get("create", ""):
        given = json.loads(args.inputs["stdin"])
        return json.dumps({"id": f"sha256:{given['tag']}", "versions": dict.fromkeys(given["packages"], "1.0")})
    return ""


class _Monitor(mocks.MockMonitor):
    def __init__(self, answers: mocks.Mocks) -> None:
        super().__init__(answers)
        self.requests: list[Any] = []

    def RegisterResource(self, request: Any) -> Any:
        answer = super().RegisterResource(request)  # type: ignore[no-untyped-call]
        if request.type != "pulumi:pulumi:Stack":
            self.requests.append((answer.urn, request))
        return answer


@dataclass(frozen=True)
class Graph:
    """Everything that one program registered, in the order in which the engine got it, and its outputs."""

    resources: tuple[Resource, ...]
    outputs: Mapping[str, Any]

    def __iter__(self) -> Iterator[Resource]:
        return iter(self.resources)

    def one(self, name: str, type_: str = "") -> Resource:
        """Return the one custom resource of a name."""
        found = [r for r in self if r.name == name and r.custom and type_ in r.type]
        assert len(found) == 1, f"{name}: {[r.urn for r in found]}"
        return found[0]

    def container(self, name: str) -> Resource:
        """Return a Docker container by its name on the host."""
        found = [r for r in self.of_type(CONTAINER) if r.inputs["name"] == name]
        assert len(found) == 1, f"{name}: {[r.urn for r in found]}"
        return found[0]

    def of_type(self, type_: str) -> list[Resource]:
        """Return all resources of a type."""
        return [r for r in self if r.type == type_]

    def commands(self) -> list[Resource]:
        """Return all command resources, local and remote."""
        return [r for r in self if r.type in (LOCAL_COMMAND, REMOTE_COMMAND)]

    def operations(self, name: str, **parameters: Any) -> list[Resource]:
        """Return the command resources that carry out an operation with these inputs."""
        found = [r for r in self.commands() if r.operation() == name]
        return [r for r in found if parameters.items() <= (r.parameters() if parameters else {}).items()]

    def the(self, name: str, **parameters: Any) -> Resource:
        """Return the one command resource that carries out an operation with these inputs."""
        found = self.operations(name, **parameters)
        assert len(found) == 1, f"{name} {parameters}: {[r.name for r in found]}"
        return found[0]

    def direct(self, resource: Resource) -> set[str]:
        """Return the names of the custom resources that one waits for directly."""
        return {r.name for r in self if r.urn in resource.dependencies and r.custom}

    def before(self, resource: Resource) -> set[str]:
        """Return the URNs of all that has to be there before a resource: what it waits for, and what that waits for."""
        by_urn = {r.urn: r for r in self}
        seen: set[str] = set()
        wanted = [resource.urn]
        while wanted:
            for urn in by_urn[wanted.pop()].dependencies - seen:
                seen.add(urn)
                wanted.append(urn)
        return seen

    def comes_before(self, first: Resource, then: Resource) -> bool:
        """Say whether one is made before another, and therefore destroyed after it."""
        return first.urn in self.before(then)


def record(
    program: Callable[[], Mapping[str, Any] | None],
    *,
    stack: str = "lab",
    preview: bool = False,
) -> Graph:
    """Run a program against a recording engine, with an event loop of its own."""
    monitor = _Monitor(_Answers(preview))
    outputs: dict[str, Any] = {}

    async def run() -> None:
        made = program() or {}
        for key, value in made.items():
            output = pulumi.Output.from_input(value)
            known = await output.is_known()
            resolved = await output.future()
            outputs[key] = Secret(resolved) if await output.is_secret() else resolved if known else UNKNOWN

    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    SETTINGS.outputs.clear()
    try:
        pulumi.runtime.set_mocks(_Answers(preview), project="dockstack", stack=stack, preview=preview, monitor=monitor)
        loop.run_until_complete(run_pulumi_func(run))
    finally:
        for task in asyncio.all_tasks(loop):
            task.cancel()
        loop.run_until_complete(loop.shutdown_default_executor())
        loop.close()
        asyncio.set_event_loop(None)
    return Graph(tuple(_resource(urn, request) for urn, request in monitor.requests), outputs)


def _done(finding: Finding) -> Future[Finding]:
    done: Future[Finding] = Future()
    done.set_result(finding)
    return done


def record_lab(config: Mapping[str, Any], *, preview: bool = False) -> Graph:
    """Record the lab that a configuration describes; the same configuration is recorded once."""
    return _recorded(json.dumps(config), preview)


Found = Mapping[tuple[str, str], Finding]


def record_lab_anew(
    config: Mapping[str, Any],
    found: Found | None = None,
    standing: Collection[str] = (),
    elsewhere: Mapping[str, Found] | None = None,
    absent: Mapping[str, Collection[str]] | None = None,
) -> Graph:
    """Record a lab that may have been recorded before.

    Args:
        config: the lab's configuration.
        found: what was found changed on its host.
        standing: the containers that there are already.
        elsewhere: what was found changed on hosts behind ssh, by host.
        absent: what hosts behind ssh lack, by host.
    """
    return _recorded.__wrapped__(json.dumps(config), False, found, standing, elsewhere, absent)


@cache
def _recorded(
    text: str,
    preview: bool,
    found: Found | None = None,
    standing: Collection[str] = (),
    elsewhere: Mapping[str, Found] | None = None,
    absent: Mapping[str, Collection[str]] | None = None,
) -> Graph:
    checked, _ = environment.load(json.loads(text), stack="lab", roles=FACTS, base_dir=paths.PROJECT)
    lacking = {
        name: host.model_copy(update={"absent": frozenset((absent or {}).get(name, ()))})
        for name, host in checked.hosts.items()
    }
    checked = checked.model_copy(update={"hosts": lacking})

    def program() -> Mapping[str, Any]:
        far = {name: _all_done(each) for name, each in (elsewhere or {}).items()}
        lab = Lab(checked, services.for_lab(checked), _all_done(found or {}), standing, far)
        return {name: getattr(lab, name) for name in ("addresses", "endpoints", "openrc", "clouds", "services")}

    return record(program, preview=preview)


def _all_done(found: Found) -> dict[tuple[str, str], Future[Finding]]:
    return {key: _done(finding) for key, finding in found.items()}


def config(**changes: Any) -> dict[str, Any]:
    """Return the lab's configuration with whole top-level keys replaced."""
    return copy.deepcopy(CONFIG) | changes


def with_tls(**containers: Any) -> dict[str, Any]:
    """Return the lab's configuration with TLS at the VIP, and with further containers."""
    result = config(common=CONFIG["common"] | {"tls": True})
    result["containers"] |= containers
    return result


def container(name: str, **changes: Any) -> dict[str, Any]:
    """Return the lab's configuration with one container changed or added."""
    result = config()
    result["containers"][name] = result["containers"].get(name, {}) | changes
    return result


def plain_config(count: int) -> dict[str, Any]:
    """Return a lab of plain containers only."""
    made = {f"c{n}": {"role": "plain", "address": f"10.87.0.{n + 10}"} for n in range(count)}
    result = config(containers=made, common={"domain": "dockstack.lab", "vip": "10.87.0.250"})
    result["containerDefaults"].pop("dns")
    return result


def data_of(resource: Resource, key: str = "data") -> dict[str, Any]:
    """Return the Hiera data that the registration of a container writes."""
    return dict(yaml.safe_load(resource.parameters()[key]))


def texts(value: Any, *, secrets: bool) -> Iterator[str]:
    """Yield every text inside a value; what is secret only when asked for."""
    if isinstance(value, Secret):
        if secrets:
            yield from texts(value.value, secrets=True)
    elif isinstance(value, Mapping):
        for key, item in value.items():
            yield str(key)
            yield from texts(item, secrets=secrets)
    elif isinstance(value, list):
        for item in value:
            yield from texts(item, secrets=secrets)
    else:
        yield str(value)


def _resource(urn: str, request: Any) -> Resource:
    return Resource(
        urn=urn,
        type=request.type,
        name=request.name,
        custom=request.custom,
        parent=request.parent,
        inputs=_plain(request.object),
        dependencies=frozenset(request.dependencies),
        provider=request.provider,
        version=request.version,
        delete_before_replace=request.deleteBeforeReplace,
        deleted_with=request.deletedWith,
        secret_outputs=frozenset(request.additionalSecretOutputs),
        ignored=frozenset(request.ignoreChanges),
        stack=tuple(frame.pc.uri for frame in request.stackTrace.frames),
    )


def _plain(value: Any) -> Any:
    if hasattr(value, "keys"):
        if rpc._special_sig_key in value and value[rpc._special_sig_key] == rpc._special_secret_sig:
            return Secret(_plain(value["value"]))
        return {key: _plain(value[key]) for key in value.keys()}  # noqa: SIM118 a Struct is iterated by its fields
    return [_plain(item) for item in value] if hasattr(value, "extend") else value
