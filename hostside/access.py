"""How a person on the host gets in: openrc and clouds.yaml, and the VIP's name in /etc/hosts."""

from __future__ import annotations

from pathlib import Path

from hostside import files

HOSTS = Path("/etc/hosts")
CLOUDS = "clouds.yaml"
"""The file's name: OpenStack's clients look for no other."""
MARK = "dockstack:"
"""What the comment of our line begins with; the stack's name follows."""


def publish(stack: str, openrc: Path, text: str, address: str, name: str, clouds: str) -> None:
    """Write the openrc file, and clouds.yaml beside it (0600), and make the VIP's name known to this host.

    The Keystone catalogue names the VIP, so that a client on the host has to resolve it.

    Args:
        stack: the stack's name.
        openrc: the openrc file.
        text: its text.
        address: the VIP.
        name: the VIP's name.
        clouds: the text of clouds.yaml.
    """
    for path, content in texts(openrc, text, clouds).items():
        files.put(path, content, 0o600)
    _replace(stack, line(stack, address, name))


def texts(openrc: Path, text: str, clouds: str) -> dict[Path, str]:
    """Return the files and their texts."""
    return {openrc: text, openrc.with_name(CLOUDS): clouds}


def line(stack: str, address: str, name: str) -> str:
    """Return a stack's line in /etc/hosts."""
    return f"{address} {name} {_mark(stack)}\n"


def is_known(line: str) -> bool:
    """Say whether /etc/hosts has a line."""
    return HOSTS.exists() and line in HOSTS.read_text().splitlines(keepends=True)


def withdraw(stack: str, openrc: Path) -> None:
    """Undo :func:`publish`."""
    openrc.unlink(missing_ok=True)
    openrc.with_name(CLOUDS).unlink(missing_ok=True)
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
