"""The ports of a container: ``ovs-docker add-port`` with the fixed address, and what has to be true around it."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from hostside import docker_api, labels, namespace, ovs
from hostside.errors import StepError
from hostside.process import CommandFailed, own_environment, run, succeeds

INTERFACE, PROVIDER_INTERFACE, TENANT_INTERFACE = "eth0", "eth1", "eth2"
"""The first has the container's address; the others have none."""
ENDS = ("_l", "_c")
"""What ovs-docker ends the names of a pair of links with: the host's end, and the container's until it is inside."""
NAMESPACES = Path("/var/run/netns")
"""Where `ip netns` keeps the namespaces that have a name."""
USUAL_MTU = 1500
"""What a veth has without being told."""
STEP = "attaching its port"
LINKS = Path("/sys/class/net")
SHIM = Path(__file__).resolve().parent / "bin"
"""Directory of the programs that ovs-docker finds first."""


@dataclass(frozen=True)
class Port:
    """One interface that the labels of a container ask for."""

    container: str
    stack: str
    interface: str
    bridge: str
    address: str
    """Address with prefix length, e.g. 10.87.0.50/24; empty for one without, or that asks DHCP."""
    gateway: str
    mac: str
    mtu: int

    @property
    def pair(self) -> str:
        """Return the name of the pair of links that the port is; ovs-docker would draw it by lot."""
        return link_name(self.stack, self.container, self.interface)

    @property
    def name(self) -> str:
        """Return the port's name on the bridge."""
        return f"{self.pair}{ENDS[0]}"

    @classmethod
    def of(cls, container: str, given: Mapping[str, str]) -> list[Port]:
        """Read a container's labels; no port for a container without them (the keeper)."""
        if labels.BRIDGE not in given:
            return []
        first = cls(
            container=container,
            stack=given[labels.STACK],
            interface=INTERFACE,
            bridge=given[labels.BRIDGE],
            address=given.get(labels.ADDRESS, ""),
            gateway=given.get(labels.GATEWAY, ""),
            mac=given[labels.MAC],
            mtu=int(given.get(labels.MTU, USUAL_MTU)),
        )
        further = [text.split("|") for text in given.get(labels.PORTS, "").split()]
        return [first] + [
            replace(first, interface=interface, bridge=bridge, address="", gateway="", mac=mac)
            for interface, bridge, mac in further
        ]


def labelled(first: Port, further: Sequence[Port]) -> dict[str, str]:
    """Return the labels from which :meth:`Port.of` reads a container's ports; the first has the address."""
    found = {
        labels.STACK: first.stack,
        labels.BRIDGE: first.bridge,
        labels.ADDRESS: first.address,
        labels.GATEWAY: first.gateway,
        labels.MAC: first.mac,
        labels.MTU: str(first.mtu),
    }
    told = " ".join(f"{port.interface}|{port.bridge}|{port.mac}" for port in further)
    return {**found, labels.PORTS: told} if told else found


def attach(container: str, locks: Path) -> str:
    """Give a running container its ports, unless it has them already.

    Safe to call from several processes at once (the keeper and ``pulumi up`` both do): one does the work, the others
    find it done.

    Args:
        container: name of the container.
        locks: directory of the lock files.

    Returns:
        ``attached``, ``present``, or ``none`` for a container that doesn't run or asks for no port.

    Raises:
        StepError: when the port can't be attached.
    """
    with locked([container], locks):
        pid, wanted = running(container)
        if not wanted:
            return "none"
        held = ovs.ports_of(container)
        missing = [port for port in wanted if not is_attached(port, pid, held)]
        try:
            for port in missing:
                _attach(port, pid, held)
        except CommandFailed as error:
            # A container that ended meanwhile needs no port; its next start is another event.
            if not Path(f"/proc/{pid}").exists():
                return "none"
            raise StepError(container, STEP, str(error)) from error
        return "attached" if missing else "present"


def running(container: str) -> tuple[int, list[Port]]:
    """Return a container's first process, and the ports that it is to have; no ports where it doesn't run."""
    found = docker_api.inspect(container)
    if found is None or not found["State"]["Running"]:
        return 0, []
    pid = int(found["State"]["Pid"])
    return pid, Port.of(container, found["Config"]["Labels"] or {}) if pid else []


def present(container: str, held: ovs.Held) -> bool:
    """Say whether a container has its ports, given those that it holds on the bridges; changes nothing."""
    pid, wanted = running(container)
    return bool(wanted) and are_attached(wanted, pid, held)


def are_attached(wanted: Iterable[Port], pid: int, held: ovs.Held) -> bool:
    """Say whether the ports that a running container is to have are there, given those that it holds on the bridges."""
    return all(is_attached(port, pid, held) for port in wanted)


def detach(container: str, stack: str, locks: Path) -> None:
    """Take the container's ports off the stack's bridges; one without ports is no error.

    Others may have given it ports on bridges of theirs.
    """
    with locked([container], locks):
        remove(name for names in ovs.ports_of(container).values() for name in own(names, stack))


def _attach(port: Port, pid: int, before: ovs.Held) -> None:
    remove(own(before.get(port.interface, []), port.stack))
    clear(port, pid)
    refuse_foreign_namespace(pid)
    options = [f"--macaddress={port.mac}"]
    if port.mtu != USUAL_MTU:
        options += [f"--mtu={port.mtu}"]
    if port.address:
        options += [f"--ipaddress={port.address}", f"--gateway={port.gateway}"]
    environment = {
        **own_environment(),
        "PATH": f"{SHIM}:{os.environ['PATH']}",
        "DOCKSTACK_PID": str(pid),
        "DOCKSTACK_PORT": port.pair,
    }
    run(["ovs-docker", "add-port", port.bridge, port.interface, port.container, *options], environment=environment)
    if port.mtu != USUAL_MTU:
        # ovs-docker sets that of the end inside alone, and the other would drop what is larger.
        run(["ip", "link", "set", port.name, "mtu", str(port.mtu)])
    if ovs.is_userspace(port.bridge):
        run(inside(pid, *unload(port)))
    if not is_attached(port, pid, ovs.ports_of(port.container)):
        raise CommandFailed(f"ovs-docker add-port left {port.interface} without what was asked: {port}")


def refuse_foreign_namespace(pid: int) -> None:
    """Make sure that ovs-docker, which calls a container's namespace by its process's number, doesn't take another's.

    Raises:
        CommandFailed: with the way out.
    """
    named = NAMESPACES / str(pid)
    if named.exists() and not named.samefile(f"/proc/{pid}/ns/net"):
        raise CommandFailed(
            f"a network namespace is called {pid}, like this container's process, and is not the container's. "
            f"Fix: Remove it with `ip netns delete {pid}`, or restart the container, which gives it another number."
        )


def unload(port: Port) -> list[str]:
    """Return the command, to be run inside, that has the kernel fill in the checksums of what leaves by a port.

    A userspace datapath passes on packets whose checksum the kernel meant to fill in later: TCP would hang.
    """
    return ["ethtool", "-K", port.interface, "tx", "off"]


def clear(port: Port, pid: int) -> None:
    """Remove the links that an attachment that was cut off half-way has left: a new one needs their names."""
    if namespace.has(pid, port.interface):
        succeeds(inside(pid, "ip", "link", "delete", port.interface))
    for end in ENDS:
        if (LINKS / f"{port.pair}{end}").exists():
            succeeds(["ip", "link", "delete", f"{port.pair}{end}"])


def remove(names: Iterable[str]) -> None:
    """Take ports off their bridges, all of them in one transaction, and remove their links."""
    given = list(names)
    if not given:
        return
    ovs.change(["--if-exists", "del-port", name] for name in given)
    # Those whose container's network namespace is gone, are gone already.
    left = [name for name in given if (LINKS / name).exists()]
    if left:
        links([f"link delete {name}" for name in left])


def links(changes: Iterable[str]) -> bool:
    """Make changes to the host's links, given as arguments of ``ip``; say whether all of them could be made."""
    return succeeds(["ip", "-force", "-batch", "-"], stdin="\n".join([*changes, ""]))


def is_attached(port: Port, pid: int, held: ovs.Held) -> bool:
    """Compare the namespace's interface and the ports that the container holds on the bridges with what is asked."""
    names = own(held.get(port.interface, []), port.stack)
    if len(names) != 1 or namespace.mtu(names[0]) != port.mtu:
        return False
    link = namespace.read(pid, port.interface)
    if link is None or link.mtu != port.mtu or link.mac != port.mac or not link.up:
        return False
    return not port.address or (port.address in link.addresses and port.gateway in link.gateways)


def own(names: Sequence[str], stack: str) -> list[str]:
    """Return those of some ports that are called like the ports of a stack."""
    return [name for name in names if name.startswith(link_prefix(stack))]


def link_name(stack: str, container: str, interface: str) -> str:
    """Return what the links of a port are called, without their ends."""
    # The first port's name is the container's alone, as it was when there was no other.
    return link_prefix(stack) + _hex(container + interface.removeprefix(INTERFACE), 8)


def link_prefix(stack: str) -> str:
    """Return what the names of the links of a stack's ports begin with: 5 of the 13 characters that ovs-docker uses."""
    return _hex(stack, 5)


def loose_links(stack: str) -> list[str]:
    """Return the host's ends of pairs that are called like the links of a stack's ports, and that no bridge has."""
    pairs: list[dict[str, str]] = json.loads(run(["ip", "-j", "link", "show", "type", "veth"]) or "[]")
    called = re.compile(f"{link_prefix(stack)}[0-9a-f]{{8}}{ENDS[0]}")
    held = {name for (name,) in ovs.rows("interface", "name")}
    return [link["ifname"] for link in pairs if called.fullmatch(link.get("ifname", "")) and link["ifname"] not in held]


def _hex(text: str, length: int) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:length]


def inside(pid: int, *arguments: str) -> list[str]:
    """Return a command that runs in the network namespace of a process."""
    return ["nsenter", f"--net=/proc/{pid}/ns/net", *arguments]


@contextlib.contextmanager
def locked(containers: Collection[str], locks: Path) -> Iterator[None]:
    """Keep other processes from the ports of some containers, or what else has a lock of its name, meanwhile.

    The locks are taken in alphabetical order, so that no two who want several wait for each other.
    """
    locks.mkdir(mode=0o700, parents=True, exist_ok=True)
    with contextlib.ExitStack() as held:
        for name in sorted(containers):
            descriptor = os.open(locks / name, os.O_CREAT | os.O_RDWR, 0o600)
            held.callback(os.close, descriptor)
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
