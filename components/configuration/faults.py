"""What is wrong with a configuration, in the user's terms, and how it is written down.

Nothing here raises on odd input: the text of a fault may quote anything that a configuration can hold.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass

_LONGEST = 60


def show(value: object) -> str:
    """`value` in backquotes, on one line, printable, and cut to a length that a message can carry."""
    return f"`{plain(value)}`"


def plain(value: object) -> str:
    """`value` as printable text on one line, at most 60 characters."""
    text = value if isinstance(value, str) else repr(value)
    text = "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text[: _LONGEST + 1])
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"


def one_of(names: Iterable[str]) -> str:
    """`names` sorted and joined by commas, for the end of a sentence."""
    return ", ".join(sorted(plain(name) for name in names))


def closest(name: str, known: Iterable[str]) -> str | None:
    """The one of `known` that `name` looks like a misspelling of."""
    close = difflib.get_close_matches(name[: 4 * _LONGEST], sorted(known), n=1, cutoff=0.6)
    return close[0] if close else None


def suggest(name: str, known: Iterable[str]) -> str:
    """The start of a fix for a misspelt name: `Did you mean X? `, or nothing if none of `known` is close."""
    close = closest(name, known)
    return f"Did you mean `{close}`? " if close else ""


@dataclass(frozen=True, order=True)
class Fault:
    """One thing that keeps a lab from being built: where (`key`), what (`reason`) and what to do (`fix`)."""

    key: str
    reason: str
    fix: str

    def __str__(self) -> str:
        return f"{self.key}: {self.reason}. Fix: {self.fix}"


@dataclass(frozen=True, order=True)
class Note:
    """Something that was read differently from how it is written, and the lab is built all the same."""

    key: str
    text: str

    def __str__(self) -> str:
        return f"{self.key}: {self.text}"


class ConfigurationFaults(Exception):
    """Every fault of a configuration, sorted by key, each once; `str()` has one line for each."""

    def __init__(self, faults: Iterable[Fault]) -> None:
        self.faults: tuple[Fault, ...] = tuple(sorted(set(faults)))
        super().__init__("\n".join(str(fault) for fault in self.faults))


class Keys:
    """Names places in a configuration the way its author wrote them.

    The rest of the program speaks of places as paths in the stack's configuration, such as
    `("containers", "puppet1", "address")`; another source of configuration overrides `path`.
    """

    def __init__(self, prefix: str = "dockstack:") -> None:
        self.prefix = prefix

    def path(self, parts: tuple[str | int, ...]) -> tuple[str | int, ...]:
        """The place that `parts` has in this source."""
        return parts

    def of(self, *parts: str | int) -> str:
        """The key to print for a place, e.g. `dockstack:containers.puppet1.dns[0]`."""
        text = ""
        for part in self.path(parts):
            text += f"[{part}]" if isinstance(part, int) else f".{plain(part)}"
        return self.prefix + text.removeprefix(".")
