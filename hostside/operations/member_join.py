"""What a container's coming and going means to another role."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from hostside import membership
from hostside.operations.base import Operation, Record

if TYPE_CHECKING:
    from hostside.inspection import Inspection


@dataclass(frozen=True)
class MemberJoin(Operation):
    """A container is a member of a role, by a command in one of that role's other containers."""

    NAME = "member-join"
    UNDO = "member-leave"

    container: str
    fqdn: str
    id: str
    other: str
    """The first of the containers that the commands may run in; each gets the names of the one that comes or goes. None
    is named for the only member of a role."""
    join: Sequence[str]
    leave: Sequence[str]
    joined: Sequence[str]
    """Prints why it is no member; nothing where it is one."""
    others: Sequence[str] = ()
    """The rest of these containers."""
    retire: Sequence[str] = ()
    """Runs in the one that goes, before its programs end; prints why it stays a member, if it does."""
    stops: bool = True
    """Whether its programs end before it leaves, as they would say that they are there."""

    def dumped(self) -> str:
        """Return its inputs without defaults, as earlier versions wrote them."""
        given = json.loads(super().dumped())
        usual = {"others": [], "retire": [], "stops": True}
        return json.dumps({key: value for key, value in given.items() if usual.get(key) != value}, sort_keys=True)

    @property
    def _asked(self) -> Sequence[str]:
        return (self.other, *self.others) if self.other else ()

    def run(self, directory: Path) -> None:
        membership.join(self.container, self.fqdn, self._asked, self.join)

    def undo(self, directory: Path) -> None:
        membership.leave(self.container, self.fqdn, self._asked, self.leave, self.retire, stops=self.stops)

    def record(self) -> Record:
        kept = {key: getattr(self, key) for key in ("container", "id", "fqdn", "other", "joined")}
        return {**kept, "others": list(self.others)}

    @classmethod
    def drift(cls, inspection: Inspection, record: Record) -> str:
        asked = [name for name in _asked(record) if inspection.running(name)]
        if not inspection.runs(record["container"], record["id"]) or not asked:
            return ""
        return membership.absence(record["container"], record["fqdn"], asked, record["joined"])

    @classmethod
    def failure(cls, inspection: Inspection, record: Record) -> str:
        return membership.absence(record["container"], record["fqdn"], _asked(record), record["joined"])


def _asked(record: Record) -> list[str]:
    # A record of an earlier version names one container.
    return [each for each in (record["other"], *record.get("others", ())) if each]


OPERATION = MemberJoin
