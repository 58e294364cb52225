"""The birth of what the members of a role keep together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from hostside import containers
from hostside.errors import StepError
from hostside.operations.base import Operation
from hostside.process import CommandFailed

SECONDS = 150.0


@dataclass(frozen=True)
class ClusterBirth(Operation):
    """A member was told to make what the members keep together, which none of them does by itself.

    It is told once, when the lab gets the role: a member whose data were lost later gets them from the others.
    """

    NAME = "cluster-birth"

    container: str
    """The member."""
    command: Sequence[str]
    """Run in it; does nothing where a member has something already."""

    def run(self, directory: Path) -> None:
        try:
            containers.execute(self.container, self.command, timeout=SECONDS)
        except CommandFailed as error:
            raise StepError(self.container, "making its cluster", str(error)) from error


OPERATION = ClusterBirth
