"""What has to be seen on a container host before anything is made there.

`gather` asks a host everything in one round trip; `check` compares the answer with the lab and changes nothing.
`verify` joins both with the rules of `environment`, so that a person sees every fault at once.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import socket
import subprocess
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path, PurePosixPath
from types import MappingProxyType
from typing import Any

from components import paths, ssh
from components.configuration import names, spans
from components.configuration.environment import (
    ConfiguredHost,
    Container,
    Environment,
    RoleSpec,
    Ssh,
    Survey,
    builder,
    survey,
)
from components.configuration.faults import ConfigurationFaults, Fault, Note, plain, show
from components.configuration.rules import OPENSDN, USUAL_DISK_MIB, mounted_already
from components.host import dockerfiles
from hostside import bridge as bridges
from hostside import labels, process, ways
from hostside.access import MARK
from hostside.ovs import STACK_KEY

Runner = Callable[[str], str]
"""Runs a shell script on a host and returns what it writes; raises OSError or subprocess.SubprocessError."""

IMAGE_PREFIX = "dockstack/"
TOOLS = ("docker", "ovs-vsctl", "ovs-docker", "ip", "nsenter", "ethtool", "python3")

OLDEST_ENGINE = (20, 10)
OLDEST_PYTHON = (3, 11)
_RUNTIMES = frozenset({"runc", "crun", "io.containerd.runc.v2", "nvidia"})
"""What starts containers as processes of this kernel, whose network the host can get at."""
_HINDERING = {
    "userns": (
        "gives containers users of their own, and the lab's work with the host's network and files",
        'Remove "userns-remap" from /etc/docker/daemon.json, and restart Docker.',
    ),
    "rootless": (
        "runs without root's rights, and can't give them to the containers that make bridges and networks",
        "Use an engine that root runs.",
    ),
    "no-new-privileges": (
        "keeps programs from gaining rights, and OpenStack's services do by sudo",
        'Remove "no-new-privileges" from /etc/docker/daemon.json, and restart Docker.',
    ),
}
"""Security options of an engine, by Docker's names, with what they mean for a lab."""

MIB_PER_IMAGE = 700
"""Disk that building one image takes, its parents' share included."""
COPIES = 4
"""How often an image is on the disk with the storage driver vfs, which copies all that is below each layer."""

_ANSWER_WITHIN = 30
_REGISTRY_ANSWERS_WITHIN = 10
_PREPARE, _PREPARE_FAR = "Run `make lab`, or `prepare/run` on that host.", "Run `make hosts`, which prepares it."
_NOT_ROUTES = frozenset({"multicast", "anycast"})
_NOTHING_THERE = frozenset({"blackhole", "unreachable", "prohibit", "throw"})
_MARK = "\x1e"

_SCRIPT = r"""
PATH=${PATH:-/usr/bin:/bin}:/usr/local/sbin:/usr/sbin:/sbin
say() { printf '\036%s\n' "$1"; }
ask() {
    say "$1"; shift
    { wrong=$(timeout 10 "$@" 2>&1 >&3); status=$?; } 3>&1
    [ "$status" = 0 ] || printf '\036failed\n%s' "${wrong:-exit status $status}"
}
say engine
named=${DOCKER_HOST:-} by=DOCKER_HOST
if [ -z "$named" ]; then
    context=${DOCKSTACK_DOCKER_CONTEXT:-${DOCKER_CONTEXT:-$(sed -n 's/.*"currentContext": *"\([^"]*\)".*/\1/p' \
        "${DOCKER_CONFIG:-$HOME/.docker}/config.json" 2>/dev/null)}}
    by="docker context ${context:=default}"
    [ "$context" = default ] || named=$(docker context inspect --format '{{.Endpoints.docker.Host}}' "$context" 2>&1)
fi
case $named in unix://*) [ "$(readlink -f "${named#unix://}")" != "$(readlink -f SOCKET)" ] || named= ;; esac
[ -z "$named" ] || printf '%s\n%s\n' "$by" "$named"
unset DOCKER_CONTEXT DOCKER_TLS DOCKER_TLS_VERIFY DOCKER_CERT_PATH DOCKER_API_VERSION
export DOCKER_HOST=unix://SOCKET
say missing
for tool in TOOLS; do command -v "$tool" >/dev/null 2>&1 || echo "$tool"; done
say python
python3 -SE -c 'import sys; print(*sys.version_info[:2])' 2>/dev/null
ask routes ip -j -4 route show table all
ask links ip -j -d link
ask bridges ovs-vsctl --timeout=5 --format=json --columns=name,external_ids list bridge
ask containers docker ps -a --no-trunc --format '{{.Names}}|{{.State}}|{{.Label "LABEL"}}|{{.Mounts}}|{{.ID}}'
ask volumes docker volume ls --format '{{.Name}}|{{.Label "LABEL"}}'
ask images docker image ls --format '{{.Repository}}:{{.Tag}}'
ask hosts cat /etc/hosts
say info
info=$(timeout 10 docker info --format '{{json .}}' 2>/dev/null)
printf '%s\n' "$info"
root=$(printf '%s' "$info" | sed -n 's/.*"DockerRootDir":"\([^"]*\)".*/\1/p')
[ -d "$root" ] || root=/var/lib
ask disk df -Pm "$root"
ask memory cat /proc/meminfo
say kernel
lacks() { # NAME MODULE COMMAND...: a name that COMMAND doesn't find, and no module of that name to load.
    name=$1 module=$2; shift 2
    "$@" >/dev/null 2>&1 || modprobe --dry-run --quiet "$module" 2>/dev/null || echo "$name"
}
lacks device-mapper dm_mod grep -qw device-mapper /proc/misc
lacks nfs nfsv4 grep -qw nfs4 /proc/filesystems
lacks vrouter vrouter test -d /sys/module/vrouter
say directory
# As hostside.purge.is_ours.
if [ -e DIRECTORY/backend ] || [ -e DIRECTORY/tool ]; then
    echo ours
elif [ -L DIRECTORY ] || [ -n "$(ls -A DIRECTORY 2>/dev/null)" ]; then
    echo foreign
fi
say published
# What the engine is told of an image in a registry: /distribution of its API, which needs no pull.
[ PUBLISHED = '[]' ] || python3 - PUBLISHED <<'END' 2>/dev/null
import http.client, json, socket, sys
from concurrent.futures import ThreadPoolExecutor
class Engine(http.client.HTTPConnection):
    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(REGISTRY_SECONDS)
        self.sock.connect("SOCKET")
def ask(path):
    engine = Engine("docker")
    engine.request("GET", path)
    answer = engine.getresponse()
    return answer.status, answer.read()
def lacks(image):
    return ask(f"/images/{image}/json")[0] != 200
def refused(reference):
    try:
        status, told = ask(f"/distribution/{reference}/json")
        return "" if status == 200 else json.loads(told).get("message") or f"status {status}"
    except TimeoutError:
        return "no answer within REGISTRY_SECONDS s"
wanted = [each for built, *of in json.loads(sys.argv[1]) if lacks(built) for each in of if lacks(each)]
with ThreadPoolExecutor(16) as pool:
    for reference, said in zip(wanted, pool.map(refused, wanted)):
        if said:
            print(reference, " ".join(said.split()))
            # All are in one registry under one tag.
            break
END
say backend
cat DIRECTORY/backend 2>/dev/null
say absent
for path in PATHS; do [ -e "$path" ] || printf '%s\n' "$path"; done
say end
"""


@dataclass(frozen=True)
class Route:
    """One IPv4 route of a host, from any of its routing tables; `device` is empty for those without."""

    destination: IPv4Network
    device: str = ""
    type: str = "unicast"
    protocol: str = ""
    metric: int = 0
    table: str = "main"

    def __str__(self) -> str:
        return f"{'' if self.type == 'unicast' else self.type + ' '}{self.destination}" + (
            f" dev {self.device}" if self.device else ""
        )


@dataclass(frozen=True)
class Engine:
    """What matters of the settings of a Docker engine; empty where it didn't tell.

    `version` is the engine's, `storage` its storage driver, `runtime` what starts containers that don't say otherwise,
    and `security` the names of its security options.
    """

    version: str = ""
    storage: str = ""
    runtime: str = ""
    security: frozenset[str] = frozenset()


@dataclass(frozen=True)
class HostFacts:
    """What a container host has and lacks. Memory and disk are in MiB, None where they could not be read.

    `bridges` and `volumes` map each Open vSwitch bridge and Docker volume to the stack that owns it, `containers` each
    name to that stack and whether it runs; None stands for nobody of ours. `carried` maps each bridge to the subnet
    that is recorded of it. `pairs` are those of the `links` that are one end of a pair. `directory` says whether what
    is in the stack's directory is `ours` or `foreign`, and is empty where nothing is. `known` maps each name in the
    host's /etc/hosts to its address and the stack that wrote it there. `kernel_lacks` names what volumes and networks
    could need of the kernel and it has not. `other_engine` is what names a Docker engine that is not the host's own,
    and where that is. `unpublished` is an image that one of ours is made from, which neither the engine has nor a
    registry gives, and why. `unreachable`, `docker_error` and `ovs_error` say why there is no answer.
    """

    routes: tuple[Route, ...] = ()
    links: frozenset[str] = frozenset()
    pairs: frozenset[str] = frozenset()
    bridges: Mapping[str, str | None] = field(default_factory=dict)
    carried: Mapping[str, IPv4Network] = field(default_factory=dict)
    containers: Mapping[str, tuple[str | None, bool]] = field(default_factory=dict)
    ids: Mapping[str, str] = field(default_factory=dict)
    volumes: Mapping[str, str | None] = field(default_factory=dict)
    mtus: Mapping[str, int] = field(default_factory=dict)
    directory: str = ""
    backend: str = ""
    python: tuple[int, ...] = ()
    known: Mapping[str, tuple[str, str | None]] = field(default_factory=dict)
    engine: Engine = Engine()
    images: frozenset[str] = frozenset()
    memory_available_mib: int | None = None
    disk_free_mib: int | None = None
    missing_tools: tuple[str, ...] = ()
    absent_paths: frozenset[str] = frozenset()
    kernel_lacks: frozenset[str] = frozenset()
    other_engine: tuple[str, str] | None = None
    unpublished: tuple[str, str] | None = None
    unreachable: str | None = None
    docker_error: str | None = None
    ovs_error: str | None = None


def local(script: str) -> str:
    """Runs `script` on this machine."""
    done = subprocess.run(
        ["sh", "-s"], input=script, capture_output=True, text=True, timeout=_ANSWER_WITHIN, errors="replace", check=True
    )
    return done.stdout


def over_ssh(given: Ssh) -> Runner:
    """A runner for the host that `given` leads to; it asks for no password and trusts no unknown host."""

    def run(script: str) -> str:
        done = subprocess.run(
            ssh.command(given, ["sh", "-s"]),
            input=script,
            capture_output=True,
            text=True,
            timeout=_ANSWER_WITHIN,
            errors="replace",
            check=True,
        )
        return done.stdout

    return run


def runner_for(host: ConfiguredHost) -> Runner:
    """The way to run a script on `host`."""
    return local if host.ssh is None else over_ssh(host.ssh)


def gather(
    runner: Runner,
    stack: str,
    sources: Iterable[str] = (),
    published: Iterable[Sequence[str]] = (),
    home: PurePosixPath = paths.HOME,
) -> HostFacts:
    """The facts of the host that `runner` leads to, in one round trip.

    `sources` are paths, tested for being there, and `home` is where on it everything generated is.

    `published` are images of ours, each with the published ones that it is made from.

    It never raises: what could not be learnt is said in the facts.
    """
    script = _SCRIPT.replace("TOOLS", " ".join(TOOLS)).replace("LABEL", labels.STACK)
    script = script.replace("PUBLISHED", shlex.quote(json.dumps([list(images) for images in published])))
    script = script.replace("REGISTRY_SECONDS", str(_REGISTRY_ANSWERS_WITHIN))
    script = script.replace("SOCKET", process.SOCKET)
    script = script.replace("DIRECTORY", shlex.quote(str(paths.stack_directory(stack, home))))
    script = script.replace("PATHS", " ".join(shlex.quote(path) for path in sorted(set(sources))))
    try:
        output = runner(script)
    except subprocess.TimeoutExpired as error:
        return HostFacts(unreachable=f"no answer within {error.timeout:.0f} s")
    except subprocess.CalledProcessError as error:
        lines = str(error.stderr or "").strip().splitlines()
        return HostFacts(unreachable=plain(lines[-1]) if lines else f"exit status {error.returncode}")
    except (OSError, subprocess.SubprocessError) as error:
        return HostFacts(unreachable=plain(str(error)))
    return _parse(output)


def _parse(output: str) -> HostFacts:
    sections: dict[str, str] = {}
    errors: dict[str, str] = {}
    last = ""
    for part in output.split(_MARK)[1:]:
        name, _, body = part.partition("\n")
        if name == "failed":
            errors[last] = plain((body.strip().splitlines() or [""])[-1])
        else:
            sections[name], last = body, name
    if "end" not in sections:
        return HostFacts(unreachable="its answer is cut short")
    containers, mounted, ids = _containers(sections["containers"])
    links = [link for link in _json(sections["links"]) if "ifname" in link]
    bridges = _bridges(sections["bridges"])
    return HostFacts(
        routes=tuple(_routes(_json(sections["routes"]))),
        links=frozenset(link["ifname"] for link in links),
        mtus={link["ifname"]: link["mtu"] for link in links if isinstance(link.get("mtu"), int)},
        pairs=frozenset(link["ifname"] for link in links if _kind(link) == "veth"),
        bridges={name: identifiers.get(STACK_KEY) for name, identifiers in bridges.items()},
        carried={name: network for name, identifiers in bridges.items() if (network := _carried(identifiers))},
        containers=containers,
        ids=ids,
        volumes=_volumes(sections["volumes"], mounted),
        directory=sections["directory"].strip(),
        backend=sections["backend"].strip(),
        python=tuple(int(part) for part in sections["python"].split() if part.isdigit()),
        known=_known(sections["hosts"]),
        engine=_engine(sections["info"]),
        images=frozenset(sections["images"].split()),
        memory_available_mib=_memory(sections["memory"]),
        disk_free_mib=_disk(sections["disk"]),
        missing_tools=tuple(sections["missing"].split()),
        absent_paths=frozenset(sections["absent"].splitlines()),
        kernel_lacks=frozenset(sections["kernel"].split()),
        other_engine=(other[0], other[1]) if len(other := sections["engine"].splitlines()) > 1 else None,
        unpublished=(told[0], told[1])
        if len(told := sections.get("published", "").strip().split(" ", 1)) > 1
        else None,
        docker_error=errors.get("containers"),
        ovs_error=errors.get("bridges"),
    )


def _containers(text: str) -> tuple[dict[str, tuple[str | None, bool]], dict[str, str], dict[str, str]]:
    """Stack and state of each container; for each volume that one of a stack has mounted that stack; and the IDs."""
    containers: dict[str, tuple[str | None, bool]] = {}
    mounted: dict[str, str] = {}
    ids: dict[str, str] = {}
    for line in text.splitlines():
        called, state, stack, mounts, identifier = [*line.split("|", 4), "", "", "", ""][:5]
        containers |= dict.fromkeys(called.split(","), (stack or None, state == "running"))
        mounted |= dict.fromkeys(mounts.split(",") if stack else (), stack)
        ids |= dict.fromkeys(called.split(","), identifier)
    return containers, mounted, ids


def _volumes(text: str, mounted: Mapping[str, str]) -> dict[str, str | None]:
    """The stack that each volume belongs to; one without a label, that of the container that Docker made it for."""
    found = [[*line.split("|", 1), ""][:2] for line in text.splitlines()]
    return {name: stack or mounted.get(name) for name, stack in found}


def _known(text: str) -> dict[str, tuple[str, str | None]]:
    """The IPv4 addresses of names in a file as /etc/hosts, the first of each, with the stack that its line is from."""
    found: dict[str, tuple[str, str | None]] = {}
    for line in text.splitlines():
        entry, _, comment = line.partition("#")
        address, *names_there = entry.split() or [""]
        _, ours, stack = comment.partition(MARK)
        for name in names_there if ":" not in address else ():
            found.setdefault(name.lower(), (address, stack.strip() if ours else None))
    return found


def _engine(text: str) -> Engine:
    try:
        told = json.loads(text)
        options = [option.split(",")[0].removeprefix("name=") for option in told.get("SecurityOptions") or ()]
        version, storage, runtime = (
            str(told.get(name) or "") for name in ("ServerVersion", "Driver", "DefaultRuntime")
        )
        return Engine(version, storage, runtime, frozenset(options))
    except (ValueError, AttributeError, TypeError):
        return Engine()


def _kind(link: Mapping[str, Any]) -> str:
    """What sort of interface a link is; empty for a physical one."""
    told = link.get("linkinfo")
    return str(told.get("info_kind", "")) if isinstance(told, Mapping) else ""


def _json(text: str) -> list[dict[str, Any]]:
    try:
        value = json.loads(text)
    except ValueError:
        return []
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def _routes(routes: list[dict[str, Any]]) -> Iterator[Route]:
    for route in routes:
        text = route.get("dst", "")
        try:
            destination = IPv4Network("0.0.0.0/0" if text == "default" else text)
        except ValueError:
            continue
        yield Route(
            destination,
            route.get("dev", ""),
            route.get("type", "unicast"),
            route.get("protocol", ""),
            route.get("metric", 0),
            route.get("table", "main"),
        )


def _bridges(text: str) -> dict[str, dict[str, str]]:
    """The external_ids of each bridge."""
    try:
        return {name: dict(external_ids[1]) for name, external_ids in json.loads(text)["data"]}
    except (ValueError, KeyError, TypeError, IndexError):
        return {}


def _carried(identifiers: Mapping[str, str]) -> IPv4Network | None:
    try:
        return IPv4Network(identifiers[bridges.NETWORK_KEY])
    except (KeyError, ValueError):
        return None


def _memory(text: str) -> int | None:
    for line in text.splitlines():
        name, _, value = line.partition(":")
        amount = value.split()[:1]
        if name == "MemAvailable" and amount and amount[0].isdigit():
            return int(amount[0]) // 1024
    return None


def _disk(text: str) -> int | None:
    fields = text.splitlines()[-1].split() if text.strip() else []
    return int(fields[3]) if len(fields) > 4 and fields[3].isdigit() else None


def apply_facts(environment: Environment, facts: Mapping[str, HostFacts]) -> tuple[Environment, list[Note]]:
    """`environment` with what its hosts have told, and a note for each container that goes without optional volumes."""
    notes = []
    containers = []
    for container in environment.containers:
        absent = facts[container.host].absent_paths if container.host in facts else frozenset()
        gone = [v.source for v in container.volumes if v.optional and v.source in absent]
        if gone:
            kept = tuple(v for v in container.volumes if v.source not in gone)
            container = container.model_copy(update={"volumes": kept})
            text = f"left out, as the role mounts its own: {', '.join(plain(source) for source in gone)}"
            notes.append(Note(environment.keys.of("containers", container.name, "volumes"), text))
        containers.append(container)
    hosts = {name: _known_host(host, facts.get(name)) for name, host in environment.hosts.items()}
    return environment.model_copy(update={"containers": tuple(containers), "hosts": MappingProxyType(hosts)}), notes


def _known_host(host: ConfiguredHost, found: HostFacts | None) -> ConfiguredHost:
    """The host with what was learnt of it; its key is the one that it was asked with, for all that comes after."""
    if host.ssh is None or found is None:
        return host
    key = host.ssh.host_key or ssh.known_key(host.ssh)
    given = host.ssh.model_copy(update={"host_key": key})
    silent = found.unreachable is not None
    return host.model_copy(update={"ssh": given, "absent": found.absent_paths, "silent": silent})


def locate(environment: Environment, roles: Mapping[str, RoleSpec]) -> tuple[Environment, list[Fault]]:
    """`environment` with the ends of the tunnels between its hosts, and a fault for each that can't be told."""
    laid = spans.spans(environment, roles)
    tunnelled = [name for name, mine in laid.items() if any(span.tunnelled for span in mine)]
    ends = {name: _far_end(environment.hosts[name]) for name in tunnelled if environment.hosts[name].ssh is not None}
    known = [end for end in ends.values() if end is not None]
    for name in tunnelled:
        if name not in ends:
            ends[name] = environment.hosts[name].tunnel_address or next(filter(None, map(_near_end, known)), None)
    faults, seen = [], dict[IPv4Address, str]()
    for name, end in ends.items():
        key = environment.keys.of("containerHosts", name, "tunnelAddress")
        fix = "Give the address by which the other hosts reach it."
        if end is None:
            faults.append(Fault(key, "is not known: nothing tells the host's own address", fix))
        elif end.is_loopback:
            faults.append(Fault(key, f"{end} leads to no other host", fix))
        elif end in seen:
            faults.append(Fault(key, f"{end} is that of {plain(seen[end])} already", fix))
        else:
            seen[end] = name
    hosts = {n: h.model_copy(update={"tunnel_address": ends.get(n)}) for n, h in environment.hosts.items()}
    return environment.model_copy(update={"hosts": MappingProxyType(hosts)}), faults


def _far_end(host: ConfiguredHost) -> IPv4Address | None:
    assert host.ssh is not None
    if host.tunnel_address is not None:
        return host.tunnel_address
    try:
        return IPv4Address(socket.getaddrinfo(host.ssh.host, None, socket.AF_INET)[0][4][0])
    except (OSError, ValueError, IndexError):
        return None


def _near_end(far: IPv4Address) -> IPv4Address | None:
    """The address of this machine that packets for another host have; none is sent to find out."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
        try:
            asking.connect((str(far), ways.PORT))
        except OSError:
            return None
        return IPv4Address(asking.getsockname()[0])


def check(
    environment: Environment,
    facts: Mapping[str, HostFacts],
    roles: Mapping[str, RoleSpec],
    has: Callable[[str], bool] = lambda host: False,
) -> list[Fault]:
    """Every fault that the hosts of `environment` show, sorted; `facts` are by host name.

    One that doesn't answer is a fault unless it is behind ssh and the lab `has` something there already: then the lab
    may be changed elsewhere meanwhile.
    """
    faults: list[Fault] = []
    laid = spans.spans(environment, roles)
    for host in environment.used_hosts:
        if host.name not in facts:
            continue
        found = facts[host.name]
        containers = [c for c in environment.containers if c.host == host.name]
        key = environment.keys.of("containerHosts", host.name)
        if found.unreachable is not None:
            if host.ssh is not None and has(host.name):
                continue
            fix = "Check that Pulumi's user can run `sh` here." if host.ssh is None else f"Try `{_ssh_line(host.ssh)}`."
            faults.append(Fault(key, f"doesn't answer: {found.unreachable}", fix))
            continue
        faults += _engines(key, host, found)
        faults += _ways(environment, key, host, found, laid[host.name])
        faults += _routes_and_bridges(environment, host, found, containers, laid[host.name])
        faults += _settings(key, found.engine)
        faults += _published(environment, host, found)
        faults += _taken_names(environment, host, found, roles)
        faults += _vip_name(environment, host, found, roles)
        faults += _sources(environment, host, found, containers, roles)
        faults += _volume_backend(environment, host, found, containers, roles)
        faults += _networking(environment, host, found, containers, roles)
        faults += _room(environment, key, host, found, containers, roles)
    return sorted(set(faults))


def _ssh_line(ssh: Ssh) -> str:
    port = f" -p {ssh.port}" if ssh.port != 22 else ""
    return f"ssh{port} {ssh.user}@{ssh.host} true"


def _engines(key: str, host: ConfiguredHost, found: HostFacts) -> Iterator[Fault]:
    if found.other_engine is not None:
        by, address = (plain(word) for word in found.other_engine)
        reason = f"names the Docker engine at {address}, and the lab of host {plain(host.name)} is at unix://{process.SOCKET}"
        undo = "unset DOCKER_HOST" if by == "DOCKER_HOST" else "unset DOCKER_CONTEXT; docker context use default"
        yield Fault(by, reason, f"Run `{undo}` first; another machine's engine is one of `containerHosts`, with `ssh`.")
    fix = _PREPARE_FAR if host.ssh else _PREPARE
    if found.missing_tools:
        yield Fault(key, f"has no {', '.join(found.missing_tools)}", fix)
    if found.python and found.python < OLDEST_PYTHON:
        reason = (
            f"its Python is {'.'.join(map(str, found.python))}, and our tool needs {'.'.join(map(str, OLDEST_PYTHON))}"
        )
        yield Fault(key, reason, "Use a host with Debian 12 or later.")
    if found.docker_error is not None and "docker" not in found.missing_tools:
        yield Fault(key, f"its Docker engine doesn't answer: {found.docker_error}", fix)
    if found.ovs_error is not None and "ovs-vsctl" not in found.missing_tools:
        yield Fault(key, f"its Open vSwitch doesn't answer: {found.ovs_error}", fix)


def _ways(
    environment: Environment, key: str, host: ConfiguredHost, found: HostFacts, mine: list[spans.Span]
) -> Iterator[Fault]:
    """What keeps a host's bridges from being joined with the others'."""
    uplinked = {span.uplink: span for span in mine if span.uplink}
    for name, span in uplinked.items():
        place = environment.keys.of("containerHosts", host.name, "uplink")
        if name not in found.links:
            yield Fault(place, f"host {plain(host.name)} has no interface {show(name)}", "Name one of its interfaces.")
        elif held := [r for r in found.routes if r.device == name and r.type == "local"]:
            reason = f"{name} has the address {held[0].destination.network_address}, which nothing would reach any more"
            yield Fault(place, reason, "Name an interface without an address, which nothing else uses.")
        elif found.mtus.get(name, span.mtu) < span.mtu:
            reason = f"{name} carries {found.mtus[name]} bytes, and containers have an MTU of {span.mtu}"
            yield Fault(place, reason, f"Give it an MTU of {span.mtu}, or the containers a smaller one (`mtu`).")
    end = host.tunnel_address
    tunnelled = [span for span in mine if span.tunnelled]
    if end is None or not tunnelled or not found.routes:
        return
    device = next((r.device for r in found.routes if r.type == "local" and end in r.destination), None)
    if device is None:
        place = environment.keys.of("containerHosts", host.name, "tunnelAddress")
        reason = f"host {plain(host.name)} has no address {end}, where its tunnels are to end"
        yield Fault(place, reason, "Give the address by which the other hosts reach it.")
        return
    mtu, carried = max(span.mtu for span in tunnelled), found.mtus.get(device)
    if carried is not None and mtu + spans.OVERHEAD > carried:
        reason = (
            f"{device} carries {carried} bytes, and a packet of the containers' MTU {mtu} has {mtu + spans.OVERHEAD} in"
            " a tunnel"
        )
        yield Fault(key, reason, f"Give the containers an MTU (`mtu`) of at most {carried - spans.OVERHEAD}.")


def _settings(key: str, engine_there: Engine) -> Iterator[Fault]:
    """What an engine is set to that the lab's containers can't work with."""
    oldest = ".".join(map(str, OLDEST_ENGINE))
    version = tuple(map(int, re.findall(r"[0-9]+", engine_there.version)[:2]))
    if version and version < OLDEST_ENGINE:
        yield Fault(key, f"its Docker engine is {plain(engine_there.version)}", f"Install Docker {oldest} or later.")
    for option, (reason, fix) in _HINDERING.items():
        if option in engine_there.security:
            yield Fault(key, f"its Docker engine {reason}", fix)
    if engine_there.runtime and engine_there.runtime not in _RUNTIMES:
        reason = f"its Docker engine starts containers by {plain(engine_there.runtime)}, which the lab was not made for"
        yield Fault(key, reason, 'Set "default-runtime" to "runc" in /etc/docker/daemon.json, and restart Docker.')


def _published(environment: Environment, host: ConfiguredHost, found: HostFacts) -> Iterator[Fault]:
    """OpenSDN's images are there where they are needed, or can be pulled."""
    if found.unpublished is None:
        return
    reference, told = found.unpublished
    # An engine tells of its way to the registry before it comes to what it met there.
    why = plain(told.rpartition(": ")[2])
    reason = f"host {plain(host.name)} lacks {reference}, and its registry doesn't give it: {why}"
    fix = (
        "Name a mirror by `registry`, or a tag that there is by `tag`; or bring the images of this name to that host's"
        " engine, by `docker pull` with a login or by `docker load`."
    )
    yield Fault(environment.keys.of("opensdn"), reason, fix)


def _vip_name(
    environment: Environment, host: ConfiguredHost, found: HostFacts, roles: Mapping[str, RoleSpec]
) -> Iterator[Fault]:
    """The VIP's name is written where Pulumi runs, for people's clients, in a lab with an API to talk to."""
    name = f"vip.{environment.domain}"
    identity = environment.members_that(lambda role: role.issues_tokens, roles)
    if host.ssh is not None or not identity or name not in found.known:
        return
    address, owner = found.known[name]
    if owner != environment.stack and (owner or address != str(environment.vip)):
        whose = _whose(owner)
        reason = f"the /etc/hosts of host {plain(host.name)} says that {name} is {plain(address)}, by {whose}"
        fix = "Give each lab a domain of its own." if owner else "Remove that line, or choose another domain."
        yield Fault(environment.keys.of("common", "domain"), reason, fix)


def _routes_and_bridges(
    environment: Environment,
    host: ConfiguredHost,
    found: HostFacts,
    containers: list[Container],
    mine: list[spans.Span],
) -> Iterator[Fault]:
    networks = {span.bridge: span.network for span in mine}
    provider = environment.provider
    places = {c.bridge: c.name for c in containers if c.bridge != _default_bridge(environment)}
    ours = {bridge for bridge, owner in found.bridges.items() if owner == environment.stack}
    own_routes = {found.carried[bridge] for bridge in ours if bridge in found.carried}
    for bridge, network in networks.items():

        def key(name: str, bridge: str = bridge) -> str:
            if bridge in places:
                return environment.keys.of("containers", places[bridge], name)
            if provider and bridge == provider.bridge:
                return environment.keys.of("provider", "network" if name == "gateway" else name)
            return environment.keys.of("containerDefaults", name)

        overlapping = [
            route
            for route in found.routes
            if route.destination.overlaps(network) and not _is_harmless(route, network, ours, own_routes)
        ]
        for route in overlapping:
            if any(_stands_for(other, route) for other in overlapping):
                continue
            reason = f"{network} overlaps the route {route} of host {plain(host.name)}"
            yield Fault(key("gateway"), reason, "Choose a subnet that the host has no route to.")
        if bridge in ours:
            continue
        if bridge in found.bridges:
            owner = found.bridges[bridge]
            whose = _whose(owner)
            reason = f"bridge {bridge} of host {plain(host.name)} is in use by {whose}"
            yield Fault(key("bridge"), reason, "Choose another name for the bridge.")
        elif bridge in found.links and found.ovs_error is None:
            reason = f"host {plain(host.name)} has an interface {bridge} that is no Open vSwitch bridge"
            yield Fault(key("bridge"), reason, "Choose another name for the bridge.")


def _whose(owner: str | None) -> str:
    """Who has something on a host, by the stack that it is marked with."""
    return f"stack {plain(owner)}" if owner else "something that is not Dockstack"


def _default_bridge(environment: Environment) -> str | None:
    """The bridge of the lab's own subnet."""
    return next((c.bridge for c in environment.containers if c.network == environment.network), None)


def _is_harmless(route: Route, network: IPv4Network, our_bridges: set[str], our_routes: set[IPv4Network]) -> bool:
    destination = route.destination
    # Two halves of everything are how a VPN writes its default route.
    if destination.prefixlen <= 1 or route.type in _NOT_ROUTES or route.device in our_bridges:
        return True
    if route.type in _NOTHING_THERE:
        # Ours, also where the lab is about to leave it, or a wider one: there is nothing that the lab could hide.
        wider = network.subnet_of(destination) and not _is_in_our_place(route, network)
        return destination in our_routes or wider
    return False


def _is_in_our_place(route: Route, network: IPv4Network) -> bool:
    """Whether somebody else's route would be replaced by the lab's own, or come before that of the lab's bridge."""
    ours = route.protocol == bridges.ROUTE_PROTOCOL
    same = route.destination == network and route.table == "main"
    return same and not ours and route.metric in (0, bridges.BLACKHOLE_METRIC)


def _stands_for(route: Route, other: Route) -> bool:
    """Whether `other` is there just because `route` is, as an interface's own addresses are."""
    return (
        other.type in ("local", "broadcast")
        and route.type not in ("local", "broadcast")
        and route.device == other.device
        and other.destination.subnet_of(route.destination)
    )


def _taken_names(
    environment: Environment, host: ConfiguredHost, found: HostFacts, roles: Mapping[str, RoleSpec]
) -> Iterator[Fault]:
    """What the host has under names of the lab's without it being the lab's."""
    stack, where = environment.stack, f"host {plain(host.name)}"
    containers = {name: owner for name, (owner, _) in found.containers.items()}
    for kind, there, wanted in (
        ("container", containers, names.containers(environment, host.name, roles)),
        ("volume", found.volumes, names.volumes(environment, host.name, roles)),
    ):
        for name, key in wanted.items():
            if there.get(name, stack) != stack:
                owner = there[name]
                whose = _whose(owner)
                fix = f"Choose another name, or remove that {kind} if nobody needs it."
                yield Fault(key, f"{where} has a {kind} {name}, in use by {whose}", fix)
    made = found.pairs if found.directory == "ours" else frozenset()
    for link, key in names.links(environment, host.name, roles):
        if link in found.links - made:
            fix = f"Remove it with `ip link delete {link}`, or choose another name."
            yield Fault(key, f"{where} has an interface {link}, which the port's link is to be called", fix)
    if found.directory == "foreign":
        directory = paths.stack_directory(stack, PurePosixPath(host.home))
        reason = f"{where} has something in {directory} that is not this stack's"
        yield Fault(names.STACK, reason, "Move it away, or choose another name for the stack.")


def _sources(
    environment: Environment,
    host: ConfiguredHost,
    found: HostFacts,
    containers: list[Container],
    roles: Mapping[str, RoleSpec],
) -> Iterator[Fault]:
    for container in containers:
        key = environment.keys.of("containers", container.name, "volumes")
        for volume in container.volumes:
            absent = volume.source in found.absent_paths
            if absent and not volume.optional:
                reason = f"host {plain(host.name)} has no {show(volume.source)}"
                yield Fault(key, reason, "Create it there, or leave the volume out.")
            elif volume.optional and not absent:
                fault = mounted_already(key, volume.target, roles.get(container.role))
                if fault is not None:
                    yield fault


def _volume_backend(
    environment: Environment,
    host: ConfiguredHost,
    found: HostFacts,
    containers: list[Container],
    roles: Mapping[str, RoleSpec],
) -> Iterator[Fault]:
    """What keeps the volume service and the computes of a host from the back end that the lab has chosen."""
    concerned = [c.name for c in containers if roles[c.role].handles_volumes]
    if not concerned:
        return
    key = environment.keys.of("common", "volumeBackend")
    where = f"host {plain(host.name)} ({', '.join(plain(name) for name in concerned)})"
    if environment.volume_backend == "nfs" and "nfs" in found.kernel_lacks:
        reason = f"volumes on NFS are mounted by the kernel, and that of {where} has no NFS client"
        yield Fault(key, reason, "Choose rbd, which needs nothing of the kernel, or a host with the module nfsv4.")
    if environment.volume_backend == "lvm" and "device-mapper" in found.kernel_lacks:
        reason = f"volumes in LVM are made by the kernel's device-mapper, and {where} has none"
        yield Fault(key, reason, "Choose rbd, which needs nothing of the kernel, or a host with the module dm_mod.")
    elif environment.volume_backend == "lvm":
        # Docker's provider writes no device rules; and the kernel answers an iSCSI initiator in its first network
        # namespace only, which no compute is in.
        reason = f"LVM makes block devices while it runs, and a container of {where} has those from before its start"
        yield Fault(key, reason, "Choose rbd or nfs.")


def _networking(
    environment: Environment,
    host: ConfiguredHost,
    found: HostFacts,
    containers: list[Container],
    roles: Mapping[str, RoleSpec],
) -> Iterator[Fault]:
    """What keeps the computes of a host from the networks of OpenSDN: guests are joined by its vrouter."""
    concerned = [c for c in containers if roles[c.role].runs_guests]
    if not concerned or environment.networking != OPENSDN:
        return
    where = f"host {plain(host.name)} ({', '.join(plain(c.name) for c in concerned)})"
    if "vrouter" in found.kernel_lacks:
        reason = f"OpenSDN joins guests by its vrouter, a module of the kernel, and that of {where} has none"
    else:
        # The module is the host's; its agent would have to be in the compute's container.
        reason = f"{where} has OpenSDN's module vrouter, and role {concerned[0].role} has no agent for it yet"
    fix = "Leave the computes out, or choose ovs, which needs nothing of the kernel."
    yield Fault(environment.keys.of("common", "networking"), reason, fix)


def _room(
    environment: Environment,
    key: str,
    host: ConfiguredHost,
    found: HostFacts,
    containers: list[Container],
    roles: Mapping[str, RoleSpec],
) -> Iterator[Fault]:
    ours = {name: running for name, (stack, running) in found.containers.items() if stack == environment.stack}
    starting = [c for c in containers if not ours.get(c.name)]
    memory = sum(roles[c.role].memory_mib for c in starting)
    if found.memory_available_mib is not None and memory > found.memory_available_mib:
        reason = (
            f"{_count(starting, 'container')} to start {_verb(starting)} {memory} MiB of memory,"
            f" and {found.memory_available_mib} MiB are available"
        )
        yield Fault(key, reason, "Leave containers out, or free memory on that host.")
    repositories = {reference.rpartition(":")[0] for reference in found.images} | found.images
    # The builder has all images, and every other host those of its containers.
    having = environment.containers if host == builder(environment) else containers
    wanted = {c.image or roles[c.role].image(environment) for c in having if c.image or roles[c.role].images}
    missing = [name for name in wanted if name not in repositories and IMAGE_PREFIX + name not in repositories]
    new = [c for c in containers if c.name not in ours]
    # What an image of the owner's writes is not known.
    takes = [USUAL_DISK_MIB if c.image else roles[c.role].disk_mib for c in new]
    if found.engine.storage == "vfs":
        takes = [MIB_PER_IMAGE + own for own in takes]
    each = MIB_PER_IMAGE * (COPIES if found.engine.storage == "vfs" else 1)
    disk = each * len(missing) + sum(takes)
    if found.disk_free_mib is not None and disk > found.disk_free_mib:
        reason = (
            f"{_count(missing, 'image')} to build and {_count(new, 'container')} to make need about {disk} MiB of disk"
            f" ({each} for an image, {sum(takes)} for all containers), and {found.disk_free_mib} MiB are free"
        )
        yield Fault(key, reason, "Free disk space below Docker's directory, e.g. with `docker image prune`.")


def _count(items: list[Any], noun: str) -> str:
    return f"{len(items)} {noun}{'' if len(items) == 1 else 's'}"


def _verb(items: list[Any]) -> str:
    return "needs" if len(items) == 1 else "need"


@dataclass(frozen=True)
class Examined:
    """A lab that is in order, with what was read differently than written, and the facts of its hosts by name."""

    environment: Environment
    notes: tuple[Note, ...]
    facts: Mapping[str, HostFacts]


def verify(
    config: Mapping[str, object],
    *,
    stack: str,
    roles: Mapping[str, RoleSpec],
    base_dir: Path,
    runner: Callable[[ConfiguredHost], Runner] = runner_for,
    has: Callable[[str], bool] = lambda host: False,
) -> Examined:
    """The lab that `config` describes, once both it and its hosts are in order, ready to be built.

    Like `environment.load`, it raises ConfigurationFaults; with everything that could be found out, on the hosts too.
    For `has` see `check`.
    """
    legacy = config.get("environment") not in (None, "")
    addresses = own_addresses() if legacy else frozenset()
    result: Survey = survey(config, stack=stack, roles=roles, base_dir=base_dir, local_addresses=addresses)
    if result.environment is None:
        raise ConfigurationFaults(result.faults)
    environment, unlocated = locate(result.environment, roles)
    facts = gather_all(environment, runner, roles)
    faults = [*result.faults, *unlocated, *check(environment, facts, roles, has)]
    if faults:
        raise ConfigurationFaults(faults)
    environment, notes = apply_facts(environment, facts)
    return Examined(environment, tuple(sorted([*result.notes, *notes])), facts)


def gather_all(
    environment: Environment,
    runner: Callable[[ConfiguredHost], Runner] = runner_for,
    roles: Mapping[str, RoleSpec] = MappingProxyType({}),
) -> dict[str, HostFacts]:
    """The facts of every host that has containers, asked at the same time."""

    def ask(host: ConfiguredHost) -> HostFacts:
        containers = [c for c in environment.containers if c.host == host.name]
        sources = {v.source for c in containers for v in c.volumes}
        devices = {path for c in containers if c.role in roles for path in roles[c.role].devices}
        # All of our images are built on one host.
        published = _made_of_published(environment, roles) if host == builder(environment) else ()
        return gather(runner(host), environment.stack, sources | devices, published, PurePosixPath(host.home))

    hosts = environment.used_hosts
    if not hosts:
        return {}
    with ThreadPoolExecutor(max_workers=min(16, len(hosts))) as pool:
        return dict(zip((host.name for host in hosts), pool.map(ask, hosts), strict=True))


def _made_of_published(environment: Environment, roles: Mapping[str, RoleSpec]) -> list[tuple[str, ...]]:
    """The images of a lab that are made from published ones, each followed by these."""
    published = environment.opensdn.published
    names = {c.image or roles[c.role].image(environment) for c in environment.containers if c.role in roles}
    found = []
    for name in sorted(filter(dockerfiles.is_directory, names)):
        if taken := dockerfiles.sources(name, published):
            found.append((dockerfiles.tag(name, published), *taken.values()))
    return found


def own_addresses() -> frozenset[str]:
    """The names and IPv4 addresses of this machine; a host of a 2015-style file with one of them is this one."""
    names = {os.uname().nodename, "localhost", "127.0.0.1"}
    try:
        output = subprocess.run(
            ["ip", "-j", "-4", "address"], capture_output=True, text=True, timeout=_ANSWER_WITHIN, check=True
        ).stdout
    except (OSError, subprocess.SubprocessError):
        return frozenset(names)
    return frozenset(names | {a["local"] for link in _json(output) for a in link.get("addr_info", ()) if "local" in a})
