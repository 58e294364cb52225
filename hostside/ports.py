"""The ports of a container: ``ovs-docker add-port`` with the fixed address, and what has to be true around it."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from hostside import engine, namespace, ovs
from hostside.errors import StepError
from hostside.process import CommandFailed, run, succeeds

INTERFACE = "eth0"
"""The one with the container's address; further ones have none."""
USUAL_MTU = 1500
"""What a veth has without being told."""
STEP = "attaching its port"
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

    @classmethod
    def of(cls, container: str, labels: Mapping[str, str]) -> list[Port]:
        """Read the labels ``dockstack.*``; none for a container without ports (the keeper)."""
        if "dockstack.bridge" not in labels:
            return []
        first = cls(
            container=container,
            stack=labels[engine.STACK_LABEL],
            interface=INTERFACE,
            bridge=labels["dockstack.bridge"],
            address=labels.get("dockstack.address", ""),
            gateway=labels.get("dockstack.gateway", ""),
            mac=labels["dockstack.mac"],
            mtu=int(labels.get("dockstack.mtu", "1500")),
        )
        further = [text.split("|") for text in labels.get("dockstack.ports", "").split()]
        return [first] + [
            replace(first, interface=interface, bridge=bridge, address="", gateway="", mac=mac)
            for interface, bridge, mac in further
        ]


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
    with _locked(container, locks):
        found = engine.inspect(container)
        if found is None or not found["State"]["Running"]:
            return "none"
        wanted = Port.of(container, found["Config"]["Labels"] or {})
        pid = int(found["State"]["Pid"])
        if not wanted or pid == 0:
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


def attach_all(containers: Sequence[str], locks: Path) -> None:
    """Give every container its port that has not got it from the keeper yet.

    Args:
        containers: their names.
        locks: directory of the lock files.

    Raises:
        StepError: when ports can't be attached; it names the first container and tells all.
    """
    held = ovs.ports_by_container()
    missing = [name for name in containers if not present(name, held.get(name, {}))]
    failed = []
    for name in missing:
        try:
            if attach(name, locks) == "none":
                raise StepError(name, STEP, "the container does not run")
        except StepError as error:
            failed.append(error)
    if failed:
        raise StepError(failed[0].container, STEP, failed[0].reason, [str(error) for error in failed[1:]])


def present(container: str, held: ovs.Held) -> bool:
    """Say whether a container has its ports, given those that it holds on the bridges; changes nothing."""
    found = engine.inspect(container)
    if found is None or not found["State"]["Running"]:
        return False
    wanted = Port.of(container, found["Config"]["Labels"] or {})
    pid = int(found["State"]["Pid"])
    return bool(wanted) and all(is_attached(port, pid, held) for port in wanted)


def detach(container: str, locks: Path) -> None:
    """Take the container's ports off their bridges; one without ports is no error."""
    with _locked(container, locks):
        for names in ovs.ports_of(container).values():
            _detach(names)


def _attach(port: Port, pid: int, before: ovs.Held) -> None:
    _detach(before.get(port.interface, []))
    # An attachment that was cut off half-way leaves its end inside; a new one needs the name.
    if namespace.has(pid, port.interface):
        succeeds(_inside(pid, "ip", "link", "delete", port.interface))
    options = [f"--macaddress={port.mac}"]
    if port.mtu != USUAL_MTU:
        options += [f"--mtu={port.mtu}"]
    if port.address:
        options += [f"--ipaddress={port.address}", f"--gateway={port.gateway}"]
    # The first port's name is the container's alone, as it was when there was no other.
    name = link_prefix(port.stack) + _hex(port.container + port.interface.removeprefix(INTERFACE), 8)
    for end in (f"{name}_l", f"{name}_c"):
        if Path("/sys/class/net", end).exists():
            succeeds(["ip", "link", "delete", end])
    environment = {
        **os.environ,
        "PATH": f"{SHIM}:{os.environ['PATH']}",
        "DOCKSTACK_PID": str(pid),
        "DOCKSTACK_PORT": name,
    }
    run(["ovs-docker", "add-port", port.bridge, port.interface, port.container, *options], environment=environment)
    if port.mtu != USUAL_MTU:
        # ovs-docker sets that of the end inside alone, and the other would drop what is larger.
        run(["ip", "link", "set", f"{name}_l", "mtu", str(port.mtu)])
    if ovs.is_userspace(port.bridge):
        # A userspace datapath passes on packets whose checksum the kernel meant to fill in later: TCP would hang.
        run(_inside(pid, "ethtool", "-K", port.interface, "tx", "off"))
    if not is_attached(port, pid, ovs.ports_of(port.container)):
        raise CommandFailed(f"ovs-docker add-port left {port.interface} without what was asked: {port}")


def _detach(names: Sequence[str]) -> None:
    for name in names:
        run(["ovs-vsctl", "--timeout=30", "--if-exists", "del-port", name])
        # Gone already when the container's network namespace is.
        if Path("/sys/class/net", name).exists():
            succeeds(["ip", "link", "delete", name])


def is_attached(port: Port, pid: int, held: ovs.Held) -> bool:
    """Compare the namespace's interface and the ports that the container holds on the bridges with what is asked."""
    names = held.get(port.interface, [])
    if len(names) != 1 or namespace.mtu(names[0]) != port.mtu:
        return False
    link = namespace.read(pid, port.interface)
    if link is None or link.mtu != port.mtu or link.mac != port.mac or not link.up:
        return False
    return not port.address or (port.address in link.addresses and port.gateway in link.gateways)


def link_prefix(stack: str) -> str:
    """Return what the names of the links of a stack's ports begin with: 5 of the 13 characters that ovs-docker uses."""
    return _hex(stack, 5)


def _hex(text: str, length: int) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:length]


def _inside(pid: int, *arguments: str) -> list[str]:
    return ["nsenter", f"--net=/proc/{pid}/ns/net", *arguments]


@contextlib.contextmanager
def _locked(container: str, locks: Path) -> Iterator[None]:
    locks.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor = os.open(locks / container, os.O_CREAT | os.O_RDWR, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
