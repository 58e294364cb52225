"""How a person on the host gets in: the openrc file, and the VIP's name in /etc/hosts."""

from __future__ import annotations

from pathlib import Path

from hostside import files

HOSTS = Path("/etc/hosts")
MARK = "dockstack:"
"""What the comment of our line begins with; the stack's name follows."""


def publish(stack: str, openrc: Path, text: str, address: str, name: str) -> None:
    """Write the openrc file (0600) and make the VIP's name known to this host.

    The Keystone catalogue names the VIP, so that a client on the host has to resolve it.
    """
    files.put(openrc, text, 0o600)
    _replace(stack, f"{address} {name} {_mark(stack)}\n")


def withdraw(stack: str, openrc: Path) -> None:
    """Undo :func:`publish`."""
    openrc.unlink(missing_ok=True)
    forget(stack)


def forget(stack: str) -> None:
    """Take the VIP's name from this host."""
    _replace(stack, "")


def _replace(stack: str, line: str) -> None:
    before = HOSTS.read_text() if HOSTS.exists() else ""
    kept = "".join(text for text in before.splitlines(keepends=True) if not text.rstrip().endswith(_mark(stack)))
    if line and kept and not kept.endswith("\n"):
        kept += "\n"
    if kept + line != before:
        # In place: where the host is itself a container, this file is a mount and can't be renamed over.
        HOSTS.write_text(kept + line)


def _mark(stack: str) -> str:
    return f"# {MARK}{stack}"
