"""The port of a container: ``ovs-docker add-port`` with the fixed address, and what has to be true around it."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hostside import engine, ovs
from hostside.errors import StepError
from hostside.process import CommandFailed, run, succeeds

INTERFACE = "eth0"
STEP = "attaching its port"
SHIM = Path(__file__).resolve().parent / "bin"
"""Directory of the `docker` that ovs-docker finds first."""


@dataclass(frozen=True)
class Port:
    """What the labels of a container ask for."""

    container: str
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
        if _is_attached(port, pid):
            return "present"
        try:
            _attach(port, pid)
        except CommandFailed as error:
            # A container that ended meanwhile needs no port; its next start is another event.
            if not Path(f"/proc/{pid}").exists():
                return "none"
            raise StepError(container, STEP, str(error)) from error
        return "attached"


def detach(container: str, bridge: str, locks: Path) -> None:
    """Take the container's ports off the bridge; one without ports is no error."""
    with _locked(container, locks):
        _detach(container, bridge)


def _attach(port: Port, pid: int) -> None:
    _detach(port.container, port.bridge)
    # An attachment that was cut off half-way leaves its end inside; a new one needs the name.
    succeeds(_inside(pid, "ip", "link", "delete", INTERFACE))
    options = [f"--macaddress={port.mac}", f"--mtu={port.mtu}"]
    if port.address:
        options += [f"--ipaddress={port.address}", f"--gateway={port.gateway}"]
    environment = {**os.environ, "PATH": f"{SHIM}:{os.environ['PATH']}", "DOCKSTACK_PID": str(pid)}
    run(["ovs-docker", "add-port", port.bridge, INTERFACE, port.container, *options], environment=environment)
    if ovs.is_userspace(port.bridge):
        # A userspace datapath passes on packets whose checksum the kernel meant to fill in later: TCP would hang.
        run(_inside(pid, "ethtool", "-K", INTERFACE, "tx", "off"))
    if not _is_attached(port, pid):
        raise CommandFailed(f"ovs-docker add-port left {INTERFACE} without what was asked: {port}")


def _detach(container: str, bridge: str) -> None:
    for name in ovs.ports_of(container):
        run(["ovs-vsctl", "--if-exists", "del-port", bridge, name])
        # Gone already when the container's network namespace is.
        succeeds(["ip", "link", "delete", name])


def _is_attached(port: Port, pid: int) -> bool:
    """Compare the namespace's interface and the bridge's port with what is asked."""
    names = ovs.ports_of(port.container)
    if len(names) != 1 or not Path("/sys/class/net", names[0]).exists():
        return False
    try:
        link: list[dict[str, Any]] = json.loads(run(_inside(pid, "ip", "-j", "address", "show", "dev", INTERFACE)))
        routes: list[dict[str, Any]] = json.loads(run(_inside(pid, "ip", "-j", "route", "show", "default")))
    except (CommandFailed, ValueError):
        return False
    if not link or link[0]["mtu"] != port.mtu or link[0]["address"] != port.mac or "UP" not in link[0]["flags"]:
        return False
    if not port.address:
        return True
    addresses = [f"{a['local']}/{a['prefixlen']}" for a in link[0]["addr_info"] if a["family"] == "inet"]
    return port.address in addresses and any(route.get("gateway") == port.gateway for route in routes)


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
