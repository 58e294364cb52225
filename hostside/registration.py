"""What the Puppet server knows of a container: certificate grant, node data, secrets; and all of it undone."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from hostside import files
from hostside.grant import Grant, put_private

ENVIRONMENT = "code/environments/production"


@dataclass(frozen=True)
class NodeEntry:
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
    def _private(self) -> Path:
        return Path(self.directory) / "secrets/nodes" / f"{self.fqdn}.yaml"

    @property
    def _grant(self) -> Grant:
        return Grant(self.fqdn, self.container_id, self.server, self.directory, self.group, self.grant)

    def written(self) -> dict[Path, str]:
        """Return the files of the entry and their texts, secret ones among them."""
        return {self._public: self.data, self._private: self.secrets, self._grant.path: self.grant}

    def register(self) -> None:
        """Write the entry; a certificate of an earlier container of that name is revoked and removed first."""
        files.put(self._public, self.data, 0o644)
        put_private(self._private, self.secrets, self.group)
        if self.own:
            put_private(self._grant.path, self.grant, self.group)
        else:
            self._grant.write()

    def withdraw(self) -> None:
        """Remove the entry, and the certificate with it."""
        if not self.own:
            self._grant.withdraw()
        for path in self.written():
            path.unlink(missing_ok=True)
