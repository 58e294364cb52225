"""What a change of a lab means to those who use it: told by every preview, and by the picture of a change.

Pure: from what there was and what is planned, to sentences. The figures of majorities are those of the services' own
rules: Galera's primary component, Raft in RabbitMQ's Khepri and quorum queues, Ceph's monitors, Cassandra's QUORUM.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from components.services.role import Role


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
    lost: tuple[tuple[str, str], ...] = ()
    """Volumes that go with all that is in them, each with its container."""

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


def warnings(change: Change, before: Mapping[str, str], roles: Mapping[str, Role], holder: str = "") -> list[str]:
    """Return what of a change its owner has to know before it happens.

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
                f"interrupts an API: the programs of {_listed(members)} are restarted; until they are back, nobody "
                f"answers for {_served(role)}."
            )
    found += [
        f"loses data: volume {volume} of {container} is removed, with all that is in it. `make backup` keeps it."
        for volume, container in sorted(change.lost)
        if not _is_kept_by_others(container, before, away, roles)
    ]
    return found


def _is_kept_by_others(
    container: str, before: Mapping[str, str], away: Collection[str], roles: Mapping[str, Role]
) -> bool:
    """Say whether members stay that have a container's data, or get it as that leaves: a majority of them, or any."""
    name = before.get(container, "")
    members = [other for other, of in before.items() if of == name]
    left = [other for other in members if other not in away]
    if name not in roles or not roles[name].quorum:
        return False
    hands_over = any(each.role == name and not each.entry for each in roles[name].memberships)
    return len(left) >= (1 if hands_over else majority(len(members)))


def _at_once(role: Role, gone: list[str], change: Change) -> list[str]:
    """Return those of the members that go which are away at the same time: where they have turns, one is replaced."""
    replaced = [container for container in gone if container in change.replaced]
    return [container for container in gone if not role.in_turn or container not in replaced[1:]]


def _of_the_vip(members: list[str], gone: list[str], change: Change, holder: str) -> Iterable[str]:
    left = [container for container in members if container not in gone]
    # Those that are replaced have their turns.
    if not left and len(change.replaced.intersection(gone)) < 2:
        back = "until it is back" if change.replaced.intersection(gone) else "for good"
        yield f"interrupts all APIs: the VIP goes with {_listed(gone)} {back}."
    elif (holds := holder if holder in members else members[0]) in gone:
        left = left or [container for container in members if container != holds]
        next_one = left[0] if len(left) == 1 else f"one of {_listed(left)}"
        yield (
            f"moves the VIP: {holds}, which holds it, {_verb([holds], change)}; connections through it end, and "
            f"{next_one} takes over."
        )


def _of_members(role: Role, members: list[str], gone: list[str], change: Change) -> Iterable[str]:
    left = len(members) - len(gone)
    together = f"{_listed(gone)} {_verb(gone, change)}"
    if role.quorum and len(members) > 1 and left < majority(len(members)):
        if not change.removed.intersection(gone):
            way_out = "`make upgrade` replaces one service after the other."
        elif between := [number for number in range(left + 1, len(members)) if number in role.unfit]:
            way_out = f"No lab has {between[-1]} of them, so there is no step between: `make backup` before."
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
    return _listed([frontend.name for frontend in role.frontends])


def _listed(names: Collection[str]) -> str:
    *others, last = sorted(names)
    return f"{', '.join(others)} and {last}" if others else last
