"""What the Puppet server knows of a container: certificate grant, node data, secrets; and all of it undone."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

from hostside import certificate_authority, files

ENVIRONMENT = "code/environments/production"


@dataclass(frozen=True)
class Registration:
    """One container's entry at the Puppet server."""

    fqdn: str
    container_id: str
    """The certificate at the server belongs to this container; another ID means that its key is lost."""
    server: str
    """Name of the Puppet server's container on this host."""
    directory: str
    """The server's rendered directory, mounted at /etc/dockstack."""
    group: int
    """Numeric group of the server's process."""
    data: str
    """Hiera data, YAML."""
    secrets: str
    """Hiera data that are secret, YAML."""
    grant: str
    """What the autosign policy compares: the digest of the container's secret, and its role."""
    own: bool
    """Whether this is the Puppet server itself, whose certificate is made with its authority."""

    @property
    def _public(self) -> Path:
        return Path(self.directory) / ENVIRONMENT / "data/nodes" / f"{self.fqdn}.yaml"

    @property
    def _private(self) -> dict[Path, str]:
        root = Path(self.directory)
        return {root / "secrets/nodes" / f"{self.fqdn}.yaml": self.secrets, root / "autosign" / self.fqdn: self.grant}

    @property
    def _owner(self) -> Path:
        return Path(f"{self.directory}-certificates") / self.fqdn

    def written(self) -> dict[Path, str]:
        """Return the files of the entry and their texts, secret ones among them."""
        return {self._public: self.data, **self._private}

    def register(self) -> None:
        """Write the entry; a certificate of an earlier container of that name is revoked and removed first."""
        files.put(self._public, self.data, 0o644)
        for path, text in self._private.items():
            files.put(path, text, 0o640, self.group)
            shutil.chown(path.parent, group=self.group)
            path.parent.chmod(0o750)
        if self.own:
            return
        if not self._owner.exists() or self._owner.read_text() != self.container_id:
            certificate_authority.clean(self.server, self.fqdn)
            files.put(self._owner, self.container_id, 0o600)

    def withdraw(self) -> None:
        """Remove the entry, and the certificate with it."""
        # A server that was stopped can't be asked. Without our note of the owner, the next registration cleans first.
        if not self.own and certificate_authority.answers(self.server):
            certificate_authority.clean(self.server, self.fqdn)
        self._owner.unlink(missing_ok=True)
        for path in self.written():
            path.unlink(missing_ok=True)
