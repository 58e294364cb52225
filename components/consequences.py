"""What a change of a lab means to those who use it: told by every preview, and by the picture of a change.

What would be lost for good, `up` refuses unless the configuration says that it may be.

Pure: from what there was and what is planned, to sentences. The figures of majorities are those of the services' own
rules: Galera's primary component, Raft in RabbitMQ's Khepri and quorum queues, Ceph's monitors, Cassandra's QUORUM.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from components.services.role import Role

MAY_LOSE = "dockstack:common.mayLose"
"""The key that names the containers whose data may be lost."""


class Fate(StrEnum):
    """What becomes of a container in a change, the gravest first."""

    REMOVED = "removed"
    REPLACED = "replaced"
    ADDED = "added"
    RESTARTED = "programs restarted"
    PROVISIONED = "provisioned again"


@dataclass(frozen=True)
class Change:
    """A planned change, by the names of containers; one may be in several sets."""

    added: frozenset[str] = frozenset()
    removed: frozenset[str] = frozenset()
    replaced: frozenset[str] = frozenset()
    restarted: frozenset[str] = frozenset()
    """Those whose programs are started anew, as what supervisord reads of them is another."""
    provisioned: frozenset[str] = frozenset()
    """Those that have a Puppet run."""

    def fate(self, container: str) -> Fate | None:
        """Return the gravest of what becomes of a container; None where nothing does."""
        sets = {
            Fate.REMOVED: self.removed,
            Fate.REPLACED: self.replaced,
            Fate.ADDED: self.added,
            Fate.RESTARTED: self.restarted,
            Fate.PROVISIONED: self.provisioned,
        }
        return next((fate for fate in Fate if container in sets[fate]), None)


@dataclass(frozen=True)
class Gone:
    """What goes with a change, with all that is in it."""

    volumes: tuple[tuple[str, str], ...] = ()
    """Volumes that somebody would miss, each with its container."""
    databases: tuple[tuple[str, tuple[str, ...]], ...] = ()
    """Databases of roles that the lab has no longer, each with the role's containers."""
    staying: frozenset[str] = frozenset()
    """The containers that have a role before and after, on the same host."""
    elsewhere: frozenset[str] = frozenset()
    """Those that begin anew on another host, and leave their volumes behind."""


@dataclass(frozen=True)
class Loss:
    """Something that nobody has any more after a change."""

    what: str
    containers: tuple[str, ...]
    """The containers that it goes with."""
    because: str
    """Why nobody else in the lab has it."""
    instead: str
    """What to do so that it isn't lost."""

    def untold(self, may_lose: Collection[str]) -> list[str]:
        """Return those of its containers that aren't among those whose data may be lost."""
        return [name for name in self.containers if name not in may_lose]

    def sentence(self, may_lose: Collection[str]) -> str:
        """Return what a preview tells of it.

        Args:
            may_lose: the containers whose data may be lost.
        """
        told = f"loses data: {self.what} of {listed(self.containers)} is removed, with all that is in it."
        if untold := self.untold(may_lose):
            return f"{told} `make backup` keeps it. `pulumi up` refuses this unless {MAY_LOSE} names {listed(untold)}."
        return f"{told} {MAY_LOSE} allows it."


def losses(gone: Gone, before: Mapping[str, str], roles: Mapping[str, Role], mute: Collection[str] = ()) -> list[Loss]:
    """Return what of that which goes with a change nobody else has.

    Args:
        gone: what goes.
        before: the containers that there are, each with its role.
        roles: the roles.
        mute: those of them that don't run, or are on hosts which don't answer.
    """
    found = []
    for volume, container in sorted(gone.volumes):
        if reasons := _unkept(container, gone, before, roles, mute):
            found.append(Loss(f"volume {volume}", (container,), *reasons))
    for database, containers in sorted(gone.databases):
        because = f"no container of role {before[containers[0]]} is left"
        found.append(Loss(f"database {database}", containers, because, "Put one back"))
    return found


def _unkept(
    container: str, gone: Gone, before: Mapping[str, str], roles: Mapping[str, Role], mute: Collection[str]
) -> tuple[str, str] | None:
    """Say why nobody has what a container's volumes have, and what to do instead.

    Returns:
        None where others have it, or get it as the container leaves.
    """
    alone = ("nobody else in the lab has it", "Leave it there" if container in gone.elsewhere else "Put it back")
    role = roles.get(before.get(container, ""))
    if role is None:
        return alone
    members = [name for name, of in before.items() if of == role.name]
    left = [name for name in members if name in gone.staying]
    if not left or not (role.quorum or role.in_turn):
        return alone
    if not role.quorum:
        # Members that stand in for each other have the same, or nothing of their own.
        return None
    there = [name for name in left if name not in mute]
    # One that is made anew elsewhere hands nothing over.
    giving = [name for name in members if name not in {*left, *gone.elsewhere, *mute}] if role.hands_over else []
    having, enough = len(there) + len(giving), majority(len(members))
    if there and having >= enough:
        return None
    told = f"{having if there else 'none'} would be left{' or would hand it over' if role.hands_over else ''}"
    because = (
        f"of {len(members)} members of {role.name} that have it, {told}, and it takes {enough} to have everything for"
        " certain"
    )
    if without := [name for name in members if name in mute]:
        return because, f"Have {listed(without)} run before"
    if gone.elsewhere.intersection(members):
        return because, "Move one at a time, with an update for each"
    return because, "Put it back" if _between(role, left, members) else "Remove one at a time, with an update for each"


def _between(role: Role, left: Collection[str], members: Collection[str]) -> int | None:
    """Return a number of members, between those that are left and those that there are, that no lab can have."""
    return next((number for number in range(len(members) - 1, len(left), -1) if number in role.unfit), None)


def dropped(
    before: Mapping[str, str], after: Mapping[str, str], roles: Mapping[str, Role]
) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """Return the databases of the roles that a change takes away, each with the role's containers.

    Args:
        before: the containers that there are, each with its role.
        after: those that there will be.
        roles: the roles.

    Returns:
        Nothing where what serves databases goes as well, with its volumes.
    """
    staying = set(before.values()).intersection(after.values())
    if not any(role.serves_databases and role.name in staying for role in roles.values()):
        return ()
    going = [roles[name] for name in dict.fromkeys(before.values()) if name in roles and name not in after.values()]
    return tuple(
        (database, tuple(container for container, of in before.items() if of == role.name))
        for role in going
        for database in role.databases
    )


def warnings(change: Change, before: Mapping[str, str], roles: Mapping[str, Role], holder: str = "") -> list[str]:
    """Return what of a change its owner has to know before it happens, besides what is lost.

    Args:
        change: the change.
        before: the containers that there are, each with its role.
        roles: the roles.
        holder: the container that holds the VIP now; where that isn't known, the first of its role.
    """
    away = change.removed | change.replaced
    found: list[str] = []
    for name in dict.fromkeys(before.values()):
        role = roles.get(name)
        members = [container for container, of in before.items() if of == name]
        gone = [container for container in members if container in away]
        if role is None:
            continue
        if gone and role.holds_vip:
            found += _of_the_vip(members, gone, change, holder)
        elif gone:
            found += _of_members(role, members, _at_once(role, gone, change), change)
        elif role.frontends and change.restarted.issuperset(members) and not (role.in_turn and len(members) > 1):
            found.append(
                f"interrupts an API: the programs of {listed(members)} are restarted; until they are back, nobody "
                f"answers for {_served(role)}."
            )
    return found


def _at_once(role: Role, gone: list[str], change: Change) -> list[str]:
    """Return those of the members that go which are away at the same time: where they have turns, one is replaced."""
    replaced = [container for container in gone if container in change.replaced]
    return [container for container in gone if not role.in_turn or container not in replaced[1:]]


def _of_the_vip(members: list[str], gone: list[str], change: Change, holder: str) -> Iterable[str]:
    left = [container for container in members if container not in gone]
    # Those that are replaced have their turns.
    if not left and len(change.replaced.intersection(gone)) < 2:
        back = "until it is back" if change.replaced.intersection(gone) else "for good"
        yield f"interrupts all APIs: the VIP goes with {listed(gone)} {back}."
    elif (holds := holder if holder in members else members[0]) in gone:
        left = left or [container for container in members if container != holds]
        next_one = left[0] if len(left) == 1 else f"one of {listed(left)}"
        yield (
            f"moves the VIP: {holds}, which holds it, {_verb([holds], change)}; connections through it end, and "
            f"{next_one} takes over."
        )


def _of_members(role: Role, members: list[str], gone: list[str], change: Change) -> Iterable[str]:
    left = len(members) - len(gone)
    together = f"{listed(gone)} {_verb(gone, change)}"
    if role.quorum and len(members) > 1 and left < majority(len(members)):
        if not change.removed.intersection(gone):
            way_out = "`make upgrade` replaces one service after the other."
        elif between := _between(role, [name for name in members if name not in gone], members):
            way_out = f"No lab has {between} of them, so there is no step between: `make backup` before."
        else:
            way_out = "Remove one at a time, with an update for each."
        yield (
            f"breaks a quorum: {together}, at once; of {len(members)} members of {role.name} {left or 'none'} would be "
            f"left, and {majority(len(members))} are a majority. {way_out}"
        )
    if left == 0 and role.frontends:
        returns = change.replaced.intersection(gone)
        yield (
            f"interrupts an API: {together}; {'until that is provisioned' if returns else 'from then on'}, nobody "
            f"answers for {_served(role)}."
        )
    elif left == 0 and role.quorum:
        yield f"interrupts all that needs {role.name}: {together}, and no other member is there."


def majority(members: int) -> int:
    """Return how many of some members are more than half of them."""
    return members // 2 + 1


def _verb(gone: Collection[str], change: Change) -> str:
    how = "removed" if change.removed.issuperset(gone) else "replaced" if change.replaced.issuperset(gone) else ""
    return f"{'is' if len(gone) == 1 else 'are'} {how or 'replaced or removed'}"


def _served(role: Role) -> str:
    return listed([frontend.name for frontend in role.frontends])


def listed(names: Collection[str]) -> str:
    """Return names for people, sorted."""
    *others, last = sorted(names)
    return f"{', '.join(others)} and {last}" if others else last
