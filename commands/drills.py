"""The drills that a lab can have: what each takes from it, and what brings that back."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from commands import places
from components import paths
from components.configuration import names
from components.configuration.environment import ConfiguredHost
from components.services import KEEPER
from hostside import losses, ways

HOLD_SECONDS = 15.0
"""How long what is stopped, frozen or cut off stays so."""
POWER_CUT, PARTITION = "power-cut", "partition"
EVERY = "all"
"""Stands for all drills that are listed."""
BY_DOCKER, BY_KEEPER, BY_DRILL = "Docker, the keeper", "the keeper", "the drill itself"
"""What brings back what was lost."""
Act = Callable[[str, str], None]
"""Does something, by its name in :mod:`hostside.losses`, to a container; without one, to all."""


@dataclass(frozen=True)
class Drill:
    """Something to lose."""

    name: str
    says: str
    """What is lost, for people."""
    by: str
    """What brings it back, for people."""
    lose: Callable[[], None] = lambda: None
    restore: Callable[[], None] | None = None
    """Brings it back; None where the lab does that by itself."""
    hold: float = 0.0
    """Seconds from the loss to the restoration."""
    victim: str = ""
    """The container that is lost, where it is a single one."""
    lacking: str = ""
    """Why this lab can't have it; empty where it can."""


def listed(stack: str, outputs: Mapping[str, Any], hosts: Sequence[ConfiguredHost] = ()) -> dict[str, Drill]:
    """Return the drills of a lab by name: of all at once, of its hosts, and of each role the first container.

    Args:
        stack: the stack's name.
        outputs: the outputs of its last ``up``.
        hosts: its hosts behind ssh.
    """
    act = _actions(stack, outputs, hosts)
    roles: dict[str, str] = {}
    for container, service in outputs["services"].items():
        roles.setdefault(str(service["role"]), container)
    found = [_power_cut(act), _partition(stack)]
    for role, container in roles.items():
        found += _of(role, container, act)
    found += _of_keeper(stack, act)
    return {drill.name: drill for drill in found}


def chosen(wanted: str, stack: str, outputs: Mapping[str, Any], hosts: Sequence[ConfiguredHost] = ()) -> list[Drill]:
    """Return the drills that somebody wants, each once.

    Args:
        wanted: names, divided by blanks, where ``*`` stands for any text; or ``all``. Instead of a role's, a name may
            be that of a single container.
        stack: the stack's name.
        outputs: the outputs of its last ``up``.
        hosts: its hosts behind ssh.

    Raises:
        ValueError: a name is none of a drill, or this lab can't have that one.
    """
    known = listed(stack, outputs, hosts)
    act = _actions(stack, outputs, hosts)
    named = {drill.name: drill for name in outputs["services"] for drill in _of(name, name, act)} | known
    found: dict[str, Drill] = {}
    for word in wanted.split():
        if word in named:
            if named[word].lacking:
                raise ValueError(f"NAME={word} can't be had here: {named[word].lacking}")
            found[word] = named[word]
            continue
        matching = {
            name: drill
            for name, drill in known.items()
            if not drill.lacking and (word == EVERY or fnmatchcase(name, word))
        }
        if not matching:
            raise ValueError(f"NAME={word} is no drill of this lab. All that are: make drill LIST=1")
        found |= matching
    if not found:
        raise ValueError("say which: make drill NAME=... All that there are: make drill LIST=1")
    return list(found.values())


def here(outputs: Mapping[str, Any], hosts: Iterable[ConfiguredHost] = ()) -> dict[str, str]:
    """Return the role of each container of this machine."""
    elsewhere = {host.name for host in hosts}
    return {
        name: str(each["role"]) for name, each in outputs["services"].items() if each.get("host", "") not in elsewhere
    }


def _actions(stack: str, outputs: Mapping[str, Any], hosts: Sequence[ConfiguredHost]) -> Act:
    """Return what does something to a container on the host that it is on; without a name, to all on all hosts."""
    directory = Path(paths.stack_directory(stack))
    placed = places.placed(outputs)

    def act(what: str, name: str) -> None:
        given = {"what": what, "containers": [name] if name else []}
        asked = [host for host in hosts if not name or host.name == placed.get(name)]
        with ThreadPoolExecutor(len(asked) + 1) as pool:
            told = [pool.submit(places.have, host, stack, "act", given) for host in asked]
            if not name or not asked:
                losses.act(stack, directory, what, given["containers"])
            for each in told:
                each.result()

    return act


def _power_cut(act: Act) -> Drill:
    says = "process 1 of all containers at once, `kill -9`"
    return Drill(POWER_CUT, says, BY_DOCKER, lambda: act(losses.KILL, ""))


def _partition(stack: str) -> Drill:
    """Return the loss of what joins this host's part of the lab with those on other hosts."""
    says = f"the way between this host and the others, for {HOLD_SECONDS:.0f} s"
    lacking = "the lab is on one host, which has no other to be cut off from; cut-ROLE cuts a single container off"
    return Drill(
        PARTITION,
        says,
        BY_DRILL,
        lambda: ways.block(stack),
        lambda: ways.unblock(stack),
        HOLD_SECONDS,
        lacking="" if ways.of(stack) else lacking,
    )


def _of_keeper(stack: str, act: Act) -> Iterator[Drill]:
    # Its network is its host's, so that it has no port to be cut off at.
    return (drill for drill in _of(KEEPER.name, names.keeper(stack), act) if not drill.name.startswith("cut-"))


def _of(what: str, name: str, act: Act) -> Iterator[Drill]:
    held = f"for {HOLD_SECONDS:.0f} s"

    def acts(done: str) -> Callable[[], None]:
        return lambda: act(done, name)

    def kept_for_a_while(drill: str, says: str, lose: str, restore: str) -> Drill:
        return Drill(f"{drill}-{what}", f"{says} {held}", BY_DRILL, acts(lose), acts(restore), HOLD_SECONDS, name)

    yield Drill(f"kill-{what}", f"process 1 of {name}, `kill -9`", BY_DOCKER, acts(losses.KILL), victim=name)
    # The start is a restoration, so that it comes after an interruption, too.
    yield Drill(f"restart-{what}", f"{name}, restarted", BY_KEEPER, acts("stop"), acts("start"), victim=name)
    yield kept_for_a_while("stop", f"{name}, stopped", "stop", "start")
    yield kept_for_a_while("freeze", f"{name}, which stands still", "freeze", "thaw")
    yield kept_for_a_while("cut", f"the network of {name},", "cut off", "join")
