"""Which containers have had their ports taken away for good, so that the keeper does not attach them again."""

from __future__ import annotations

import json
from collections.abc import Collection
from pathlib import Path

from hostside import files

FILE = "leaving"


def going(directory: Path) -> frozenset[str]:
    """Return the IDs of the containers that are going."""
    try:
        return frozenset(json.loads((directory / FILE).read_text()))
    except (FileNotFoundError, ValueError):
        # What a power cut left of it is as good as none: the ports come back, and go with their containers.
        return frozenset()


def mark(directory: Path, identifiers: Collection[str]) -> None:
    """Note that these containers are going, and no others."""
    files.put(directory / FILE, json.dumps(sorted(identifiers)), 0o600)


def forget(directory: Path) -> None:
    """Note that no container is going."""
    (directory / FILE).unlink(missing_ok=True)
