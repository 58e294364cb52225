"""What of a stack is broken on this host, why, and the command that mends it."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

from hostside import applied, bridge, engine, ovs, passage, ports, programs, ways
from hostside.errors import StepError
from hostside.operations import named
from hostside.process import CommandFailed


@dataclass(frozen=True)
class Fault:
    """Something that doesn't work: what, why, and the command that mends it."""

    subject: str
    """A container, a bridge, an endpoint, or ``host``."""
    reason: str
    mend: str


def broken(stack: str, names: Sequence[str]) -> list[Fault]:
    """Return what is seen of this host from the outside.

    Args:
        stack: the stack's name.
        names: the containers that are to be here, the keeper first.
    """
    try:
        held, bridges = ovs.ports_by_container(), ovs.bridges(stack)
        listed = {engine.name(summary): summary for summary in engine.containers(stack)}
    except (CommandFailed, OSError) as error:
        return [Fault("host", str(error).splitlines()[0], again(stack))]
    faults = [
        Fault(name, "the host's address is not on the bridge", f"docker restart {names[0]}")
        for name, identifiers in bridges.items()
        if not bridge.is_up(bridge.Bridge.recorded(name, identifiers))
    ]
    joined = {name: ways.recorded(identifiers) for name, identifiers in bridges.items()}
    lacking = {name: ways.lack(way) for name, way in joined.items() if way is not None}
    faults += [Fault(name, reason, f"docker restart {names[0]}") for name, reason in lacking.items() if reason]
    with ThreadPoolExecutor(max_workers=8) as pool:
        for seen in pool.map(lambda name: look_at(stack, name, name in listed, held.get(name, {})), names):
            faults += seen.faults
    told = {fault.subject for fault in faults}
    blocked = passage.blocked([each for name, each in listed.items() if name not in told])
    return faults + [Fault(name, reason, again(stack)) for name, reason in blocked.items()]


@dataclass(frozen=True)
class Seen:
    """What is seen of a container from the outside."""

    name: str
    status: str
    """The engine's word for what it does: running, exited, paused, ...; ``gone`` where there is none."""
    started: str = ""
    """When it was started last: RFC 3339, in UTC."""
    pid: int = 0
    supervised: tuple[programs.Program, ...] = ()
    """Its programs, as its supervisord sees them."""
    faults: tuple[Fault, ...] = ()

    @property
    def starting(self) -> bool:
        """Whether nothing is wrong with it but that programs haven't run for long enough yet."""
        awaited = [program for program in self.supervised if program.state == "STARTING"]
        return bool(awaited) and len(awaited) == len(self.faults)


def look_at(stack: str, name: str, there: bool, held: ovs.Held) -> Seen:
    """Look at a container.

    Args:
        stack: its stack.
        name: the container.
        there: whether the engine has it.
        held: the ports that Open vSwitch has for it.
    """
    found = engine.inspect(name) if there else None
    if found is None:
        return Seen(name, "gone", faults=(Fault(name, "the container is gone", again(stack)),))
    state = found["State"]
    seen = Seen(name, state["Status"], state.get("StartedAt", ""))
    if state["Paused"] or not state["Running"]:
        how = "unpause" if state["Paused"] else "start"
        return replace(seen, faults=(Fault(name, f"the container is {state['Status']}", f"docker {how} {name}"),))
    faults = []
    if ports.Port.of(name, found["Config"]["Labels"] or {}) and not ports.present(name, held):
        faults.append(Fault(name, "it lacks its port, or has another address", again(stack)))
    listed: list[programs.Program] = []
    if state.get("Health"):
        try:
            listed = programs.listed(name, programs.SOCKET.format(pid=state["Pid"]))
        except StepError as error:
            # Its supervisord knows more, and sooner, than Docker's health.
            faults.append(Fault(name, error.reason, f"docker restart {name}"))
    faults += [
        Fault(name, f"its program {program}", f"docker exec {name} supervisorctl restart {program.name}")
        for program in listed
        if not program.runs
    ]
    return replace(seen, pid=state["Pid"], supervised=tuple(listed), faults=tuple(faults))


def failing(stack: str, directory: Path) -> list[Fault]:
    """Repeat the checks by which the last ``up`` took each container for healthy and for a member, as recorded here.

    They tell of what has no name in any list: a compute that Nova has forgotten, a program that ends again and again.
    """
    kept = applied.everything(directory)
    with ThreadPoolExecutor(max_workers=8) as pool:
        failures = list(pool.map(lambda each: named(each.name).failure(each.record), kept))
    return [
        Fault(each.record["container"], f"it does not work: {failure}", again(stack))
        for each, failure in zip(kept, failures, strict=True)
        if failure
    ]


def again(stack: str) -> str:
    """Return the command that mends what is gone: a look at what there is, and an ``up``."""
    return "make lab" if stack == "lab" else f"make lab STACK={stack}"
