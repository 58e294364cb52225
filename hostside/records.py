"""DNS records of the containers that run: one file each in the directory that dnsmasq reads.

Those of another host's containers are one file, which the program has written: they stand whether or not these run.
"""

from __future__ import annotations

import os
from pathlib import Path

OF_HOST = "at_"
"""What the name of the file of another host begins with: no container is called so."""


def line(address: str, fqdn: str) -> str:
    """Return the record of a container: its address under its full and its short name."""
    return f"{address} {fqdn} {fqdn.split('.')[0]}\n"


class Records:
    """The directory of address records, written by the keeper and mounted into the dnsmasq container."""

    def __init__(self, directory: Path) -> None:
        """Take the directory; one that isn't there yet is made at the first record."""
        self._directory = directory

    def add(self, container: str, address: str, fqdn: str) -> None:
        """Publish a container's address under its full and its short name."""
        self._write(container, line(address, fqdn))

    def remove(self, container: str) -> None:
        """Withdraw a container's address."""
        if (self._directory / container).exists():
            self._write(container, "")
            (self._directory / container).unlink(missing_ok=True)

    def names(self) -> set[str]:
        """Return the containers of this host whose address is published."""
        if not self._directory.is_dir():
            return set()
        return {path.name for path in self._directory.iterdir() if not path.name.startswith((".", OF_HOST))}

    def _write(self, container: str, text: str) -> None:
        path = self._directory / container
        if path.exists() and path.read_text() == text:
            return
        self._directory.mkdir(mode=0o755, parents=True, exist_ok=True)
        # dnsmasq skips dot files, so it never reads half a record.
        fresh = self._directory / f".{container}"
        fresh.write_text(text)
        os.replace(fresh, path)
