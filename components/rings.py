"""Rings of keys: the next one, the one in use, and the one before, whose data can still be read."""

from __future__ import annotations

import re
from collections.abc import Mapping

KEYS = 3
"""How many a ring has: one to be used next, which all members have before any uses it, the one in use, one before."""
_KEY = re.compile(rf"(?P<ring>\w+)_key_[1-{KEYS}]")


def ring(name: str) -> dict[str, str]:
    """Return the names of the secrets that are a ring's keys, by their places in it, which say nothing of the order."""
    return {str(place): f"{name}_key_{place}" for place in range(1, KEYS + 1)}


def ring_of(secret: str) -> str:
    """Return the name of the ring that a secret is a key of; nothing for any other secret."""
    found = _KEY.fullmatch(secret)
    return found["ring"] if found else ""


def oldest(keys: Mapping[str, str]) -> str:
    """Return the name of a ring's oldest key, whose place the next one takes.

    Args:
        keys: value by name; a value begins with the moment that it was made at.
    """
    return min(keys, key=lambda name: int(keys[name].split()[0]))
