"""What a container's coming and going means to another role."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from hostside import membership
from hostside.operations.base import Operation, Record

if TYPE_CHECKING:
    from hostside.reality import Reality


@dataclass(frozen=True)
class MemberJoin(Operation):
    """A container is a member of another role, by a command in one of that role's containers."""

    NAME = "member-join"
    UNDO = "member-leave"

    container: str
    fqdn: str
    id: str
    other: str
    """The container that the commands run in; each is given the names of the one that comes or goes."""
    join: Sequence[str]
    leave: Sequence[str]
    joined: Sequence[str]
    """Prints why it is no member; nothing where it is one."""

    def run(self, directory: Path) -> None:
        membership.join(self.container, self.fqdn, self.other, self.join)

    def undo(self, directory: Path) -> None:
        membership.leave(self.container, self.fqdn, self.other, self.leave)

    def record(self) -> Record:
        return {key: getattr(self, key) for key in ("container", "id", "fqdn", "other", "joined")}

    @classmethod
    def drift(cls, reality: Reality, record: Record) -> str:
        if not reality.runs(record["container"], record["id"]) or not reality.running(record["other"]):
            return ""
        return cls.failure(record)

    @classmethod
    def failure(cls, record: Record) -> str:
        return membership.absence(record["container"], record["fqdn"], record["other"], record["joined"])


OPERATION = MemberJoin
