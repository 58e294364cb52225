"""The errors that are told to the person who runs ``pulumi up`` or a command, in their own words."""

from __future__ import annotations

from collections.abc import Sequence


class Refused(Exception):
    """It can't be done as things are: the reason and, where there is one, the fix."""


class StepError(Exception):
    """A step of a container failed.

    Rendered as the container, the step, the reason, and the last lines of the log that explains it.
    """

    def __init__(self, container: str, step: str, reason: str, log: Sequence[str] = ()) -> None:
        """Keep the parts; ``log`` holds the explaining lines, oldest first."""
        super().__init__(reason)
        self.container = container
        self.step = step
        self.reason = reason
        self.log = tuple(log)

    def __str__(self) -> str:
        """Return the whole message, the log indented below the reason."""
        lines = [f"{self.container}: {self.step} failed: {self.reason}"]
        lines += [f"    {line.rstrip()}" for line in self.log]
        return "\n".join(lines)


def raise_as_one(failed: Sequence[StepError]) -> None:
    """Raise the same step's errors in several containers as one, which names the first container and tells all.

    Raises:
        StepError: unless there is none.
    """
    if failed:
        first, *others = failed
        raise StepError(first.container, first.step, first.reason, [str(error) for error in others])
