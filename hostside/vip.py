"""Which proxy holds the VIP, as its keepalived has noted (dockervolumes/haproxy/bin/note-vrrp-state)."""

from __future__ import annotations

from hostside import tails

HOLDER = "haproxy"
"""The role whose containers hold the VIP."""
STATE = ("run", "vrrp-state")
"""The note, below a container's root."""


def is_held_by(pid: int) -> bool:
    """Say whether a container holds the VIP, by its first process."""
    return "MASTER" in tails.read(f"/proc/{pid}/root", *STATE)
