"""The ports of many containers at once: each step of what ``ovs-docker`` does for one, done for all of them together.

ovs-docker starts some twenty programs for a port, and has the switch look at all its ports for each change. What is
left in Open vSwitch is the same, so that ``ovs-docker del-port`` works on it. One container alone is ovs-docker's.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from hostside import ovs, ports, ways
from hostside.errors import StepError, raise_as_one
from hostside.ports import Port
from hostside.process import CommandFailed, run

AT_ONCE = 4
"""How many namespaces are entered at the same time."""


def attach(containers: Collection[str], locks: Path) -> dict[str, str | StepError]:
    """Give running containers their ports, unless they have them already.

    Args:
        containers: their names.
        locks: directory of the lock files, see :func:`ports.attach`.

    Returns:
        What :func:`ports.attach` returns or raises, by container.

    Raises:
        CommandFailed: when Open vSwitch's database can't be asked.
    """
    with ports.locked(containers, locks):
        states = {name: ports.running(name) for name in containers}
        held = ovs.ports_by_container() if any(wanted for _, wanted in states.values()) else {}
        done: dict[str, str | StepError] = {
            name: "present" if wanted else "none" for name, (_, wanted) in states.items()
        }
        missing = {
            port: pid
            for name, (pid, wanted) in states.items()
            for port in wanted
            if not ports.is_attached(port, pid, held.get(name, {}))
        }
        if len({port.container for port in missing}) > 1 and _attach(missing, held):
            done |= {port.container: "attached" for port in missing}
            missing = {
                port: pid
                for port, pid in missing.items()
                if not ports.is_attached(port, pid, {port.interface: [port.name]})
            }
    # One by one, which also tells of each why it can't be done.
    done |= {name: _alone(name, locks) for name in sorted({port.container for port in missing})}
    ways.announce(port for name, (_, wanted) in states.items() if done[name] == "attached" for port in wanted)
    return done


def attach_all(containers: Collection[str], locks: Path) -> None:
    """Give all containers their ports that have not got them from the keeper yet.

    Args:
        containers: their names.
        locks: directory of the lock files.

    Raises:
        StepError: when ports can't be attached; it names the first container and tells all.
    """
    failed = []
    for name, done in attach(containers, locks).items():
        if done == "none":
            failed.append(StepError(name, ports.STEP, "the container does not run"))
        elif isinstance(done, StepError):
            failed.append(done)
    raise_as_one(failed)


def detach(containers: Collection[str], stack: str, locks: Path) -> None:
    """Take the ports of containers off the stack's bridges, unless they run again by now."""
    with ports.locked(containers, locks):
        _remove([name for name in containers if not ports.running(name)[1]], stack)


def release(containers: Collection[str], stack: str, locks: Path) -> None:
    """Take the ports of containers off the stack's bridges, though they run."""
    with ports.locked(containers, locks):
        _remove(containers, stack)


def _remove(containers: Collection[str], stack: str) -> None:
    held = ovs.ports_by_container()
    found = (names for owner in containers for names in held.get(owner, {}).values())
    ports.remove(name for names in found for name in ports.own(names, stack))


def _alone(container: str, locks: Path) -> str | StepError:
    try:
        return ports.attach(container, locks)
    except StepError as error:
        return error


def _attach(missing: Mapping[Port, int], held: Mapping[str, ovs.Held]) -> bool:
    """Attach ports; the caller compares each afterwards. False if the switch refused them."""
    try:
        before = ((port, held.get(port.container, {}).get(port.interface, [])) for port in missing)
        ports.remove(name for port, names in before for name in ports.own(names, port.stack))
        for port, pid in missing.items():
            ports.clear(port, pid)
        ports.links(line for port, pid in missing.items() for line in _pair(port, pid))
        # A pair that can't be made is that of a container that has ended; the others are there.
        made = [port for port in missing if (ports.LINKS / port.name).exists()]
        ovs.change(command for port in made for command in _entry(port))
    except CommandFailed:
        return False
    with ThreadPoolExecutor(AT_ONCE) as pool:
        list(pool.map(_configure, made, (missing[port] for port in made)))
    return True


def _pair(port: Port, pid: int) -> list[str]:
    mtu = f"mtu {port.mtu} " if port.mtu != ports.USUAL_MTU else ""
    return [
        f"link add {port.name} type veth peer name {port.interface} address {port.mac} {mtu}netns {pid}",
        f"link set {port.name} {mtu}up",
    ]


def _entry(port: Port) -> list[list[str]]:
    identifiers = {"container_id": port.container, "container_iface": port.interface}
    return [
        ["--may-exist", "add-port", port.bridge, port.name],
        ["set", "interface", port.name, *(f"external_ids:{key}={value}" for key, value in identifiers.items())],
    ]


def _configure(port: Port, pid: int) -> None:
    """Configure a port's end inside; a failure shows when the port is compared afterwards."""
    lines = [f"link set {port.interface} up"]
    if port.address:
        lines += [f"address add {port.address} dev {port.interface}", f"route add default via {port.gateway}"]
    try:
        run(ports.inside(pid, "ip", "-batch", "-"), stdin="\n".join([*lines, ""]))
        if ovs.is_userspace(port.bridge):
            run(ports.inside(pid, *ports.unload(port)))
    except CommandFailed:
        return
