"""What the policy of the Puppet server's authority signs under a name, and the end of what it has signed."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

from hostside import certificate_authority, files


@dataclass(frozen=True)
class Grant:
    """One name's entry for the policy."""

    certname: str
    """The name."""
    owner: str
    """What the certificate belongs to: another owner means that its key is lost, or is to be another."""
    server: str
    """Name of the Puppet server's container on this host."""
    directory: str
    """The server's rendered directory, mounted at /etc/dockstack."""
    group: int
    """Numeric group of the server's process."""
    text: str
    """What the policy compares, see ``dockervolumes/puppet/bin/autosign``."""

    @property
    def path(self) -> Path:
        """Return the entry's file."""
        return Path(self.directory) / "autosign" / self.certname

    @property
    def _owner(self) -> Path:
        return Path(f"{self.directory}-certificates") / self.certname

    def write(self) -> None:
        """Write the entry; the certificate of another owner is revoked and removed before anyone asks anew."""
        put_private(self.path, self.text, self.group)
        if not self._owner.exists() or self._owner.read_text() != self.owner:
            certificate_authority.clean(self.server, self.certname)
            files.put(self._owner, self.owner, 0o600)

    def withdraw(self) -> None:
        """Remove the entry, and the certificate with it."""
        # A server that was stopped can't be asked. Without our note of the owner, the next entry cleans first.
        if certificate_authority.answers(self.server):
            certificate_authority.clean(self.server, self.certname)
        self._owner.unlink(missing_ok=True)
        self.path.unlink(missing_ok=True)


def put_private(path: Path, text: str, group: int) -> None:
    """Write a file that a group may read besides root, in a directory that only these see into."""
    files.put(path, text, 0o640, group)
    shutil.chown(path.parent, group=group)
    path.parent.chmod(0o750)
