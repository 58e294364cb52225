"""The port of a container: ``ovs-docker add-port`` with the fixed address, and what has to be true around it."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from hostside import engine, namespace, ovs
from hostside.errors import StepError
from hostside.process import CommandFailed, run, succeeds

INTERFACE = "eth0"
USUAL_MTU = 1500
"""What a veth has without being told."""
STEP = "attaching its port"
SHIM = Path(__file__).resolve().parent / "bin"
"""Directory of the `docker` that ovs-docker finds first."""


@dataclass(frozen=True)
class Port:
    """What the labels of a container ask for."""

    container: str
    stack: str
    bridge: str
    address: str
    """Address with prefix length, e.g. 10.87.0.50/24; empty for a container that asks DHCP."""
    gateway: str
    mac: str
    mtu: int

    @classmethod
    def of(cls, container: str, labels: Mapping[str, str]) -> Port | None:
        """Read the labels ``dockstack.*``; None for a container that has no port (the keeper)."""
        if "dockstack.bridge" not in labels:
            return None
        return cls(
            container=container,
            stack=labels[engine.STACK_LABEL],
            bridge=labels["dockstack.bridge"],
            address=labels.get("dockstack.address", ""),
            gateway=labels.get("dockstack.gateway", ""),
            mac=labels["dockstack.mac"],
            mtu=int(labels.get("dockstack.mtu", "1500")),
        )


def attach(container: str, locks: Path) -> str:
    """Give a running container its port, unless it has it already.

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
        port = Port.of(container, found["Config"]["Labels"] or {})
        pid = int(found["State"]["Pid"])
        if port is None or pid == 0:
            return "none"
        names = ovs.ports_of(container)
        if is_attached(port, pid, names):
            return "present"
        try:
            _attach(port, pid, names)
        except CommandFailed as error:
            # A container that ended meanwhile needs no port; its next start is another event.
            if not Path(f"/proc/{pid}").exists():
                return "none"
            raise StepError(container, STEP, str(error)) from error
        return "attached"


def attach_all(containers: Sequence[str], locks: Path) -> None:
    """Give every container its port that has not got it from the keeper yet.

    Args:
        containers: their names.
        locks: directory of the lock files.

    Raises:
        StepError: when ports can't be attached; it names the first container and tells all.
    """
    held = ovs.ports_by_container()
    missing = [name for name in containers if not present(name, held.get(name, []))]
    failed = []
    for name in missing:
        try:
            if attach(name, locks) == "none":
                raise StepError(name, STEP, "the container does not run")
        except StepError as error:
            failed.append(error)
    if failed:
        raise StepError(failed[0].container, STEP, failed[0].reason, [str(error) for error in failed[1:]])


def present(container: str, names: Sequence[str]) -> bool:
    """Say whether a container has its port, given the names of its ports on the bridges; changes nothing."""
    found = engine.inspect(container)
    if found is None or not found["State"]["Running"]:
        return False
    port = Port.of(container, found["Config"]["Labels"] or {})
    return port is not None and is_attached(port, int(found["State"]["Pid"]), names)


def detach(container: str, bridge: str, locks: Path) -> None:
    """Take the container's ports off the bridge; one without ports is no error."""
    with _locked(container, locks):
        _detach(bridge, ovs.ports_of(container))


def _attach(port: Port, pid: int, before: Sequence[str]) -> None:
    _detach(port.bridge, before)
    # An attachment that was cut off half-way leaves its end inside; a new one needs the name.
    if namespace.has(pid, INTERFACE):
        succeeds(_inside(pid, "ip", "link", "delete", INTERFACE))
    options = [f"--macaddress={port.mac}"]
    if port.mtu != USUAL_MTU:
        options += [f"--mtu={port.mtu}"]
    if port.address:
        options += [f"--ipaddress={port.address}", f"--gateway={port.gateway}"]
    name = link_prefix(port.stack) + _hex(port.container, 8)
    for end in (f"{name}_l", f"{name}_c"):
        if Path("/sys/class/net", end).exists():
            succeeds(["ip", "link", "delete", end])
    environment = {
        **os.environ,
        "PATH": f"{SHIM}:{os.environ['PATH']}",
        "DOCKSTACK_PID": str(pid),
        "DOCKSTACK_PORT": name,
    }
    run(["ovs-docker", "add-port", port.bridge, INTERFACE, port.container, *options], environment=environment)
    if ovs.is_userspace(port.bridge):
        # A userspace datapath passes on packets whose checksum the kernel meant to fill in later: TCP would hang.
        run(_inside(pid, "ethtool", "-K", INTERFACE, "tx", "off"))
    if not is_attached(port, pid, ovs.ports_of(port.container)):
        raise CommandFailed(f"ovs-docker add-port left {INTERFACE} without what was asked: {port}")


def _detach(bridge: str, names: Sequence[str]) -> None:
    for name in names:
        run(["ovs-vsctl", "--if-exists", "del-port", bridge, name])
        # Gone already when the container's network namespace is.
        if Path("/sys/class/net", name).exists():
            succeeds(["ip", "link", "delete", name])


def is_attached(port: Port, pid: int, names: Sequence[str]) -> bool:
    """Compare the namespace's interface and the bridge's ports of the container (their names) with what is asked."""
    if len(names) != 1 or not Path("/sys/class/net", names[0]).exists():
        return False
    link = namespace.read(pid, INTERFACE)
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
