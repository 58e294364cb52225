"""What all operations have in common."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

if TYPE_CHECKING:
    from hostside.inspection import Inspection

Record = Mapping[str, Any]
"""What is recorded of an operation, as JSON: enough to tell later whether its effect is still there. Never a secret."""
File = Mapping[str, str]
"""A file to write: ``{"content": text, "mode": octal digits}``."""
O = TypeVar("O", bound="Operation")  # noqa: E741


@dataclasses.dataclass(frozen=True)
class Operation:
    """Something that is done on a host, with its inputs as fields. It may be repeated at any time, over its own effect.

    The fields are what JSON can hold. A field with a default may be absent in what an earlier version has sent.
    """

    NAME: ClassVar[str]
    """The command that does it."""
    UNDO: ClassVar[str] = ""
    """The command that undoes it, if there is one."""
    ENDS: ClassVar[Sequence[str]] = ()
    """Other operations on the same subject of which, with this one's effect, nothing is left."""
    OF_ALL: ClassVar[bool] = False
    """Whether it is about all that there is, however many these are: then only its last record holds."""

    @classmethod
    def parse(cls: type[O], given: Mapping[str, Any]) -> O:
        """Return the operation that a JSON object describes.

        Raises:
            TypeError: it lacks an input, or has one that is unknown.
        """
        return cls(**given)

    def dumped(self) -> str:
        """Return the JSON object that describes it."""
        return json.dumps({each.name: getattr(self, each.name) for each in dataclasses.fields(self)}, sort_keys=True)

    def run(self, directory: Path) -> Mapping[str, object] | None:
        """Do it.

        Args:
            directory: the stack's directory on this host.

        Returns:
            What the program is to know of it, if anything.

        Raises:
            StepError: it can't be done.
        """
        raise NotImplementedError

    def undo(self, directory: Path) -> None:
        """Undo it; what is undone already is no error.

        Raises:
            StepError: it can't be undone.
        """
        raise NotImplementedError

    def record(self) -> Record | None:
        """Return the record of it; None where its drift isn't detected."""
        return None

    @classmethod
    def drift(cls, inspection: Inspection, record: Record) -> str:
        """Return what is different from what the operation has left, for people; nothing where all is as it was.

        Args:
            inspection: what there is on the host.
            record: the operation's.
        """
        return ""

    @classmethod
    def failure(cls, inspection: Inspection, record: Record) -> str | None:
        """Repeat the checks by which a container was taken for working; return what fails, or nothing."""
        return None

    @classmethod
    def gone(cls, inspection: Inspection, record: Record) -> Sequence[str]:
        """Return containers that are gone altogether, which only a refresh of the engine's state can repair."""
        return ()

    def repair(self) -> None:
        """Take away what keeps the operation from being repeated, when drift was found."""


class OnContainers(Operation):
    """An operation on containers that are to run and to be reached: it records their IDs by name, as ``containers``."""

    @classmethod
    def drift(cls, inspection: Inspection, record: Record) -> str:
        """Tell of the first container that was stopped, lacks a port or isn't reached."""
        return next(filter(None, (inspection.absence(*each) for each in sorted(record["containers"].items()))), "")

    @classmethod
    def gone(cls, inspection: Inspection, record: Record) -> Sequence[str]:
        """Return those of the containers that are gone altogether."""
        return inspection.lacking(record["containers"])
