"""The certificate that haproxy serves at the VIP."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from hostside import certificate, vip_certificate
from hostside.operations.base import Operation, Record

if TYPE_CHECKING:
    from hostside.reality import Reality


@dataclass(frozen=True)
class TlsIssue(Operation):
    """A container of haproxy has key and certificate for the VIP."""

    NAME = "tls-issue"
    UNDO = "tls-withdraw"

    container: str
    fqdn: str
    """Name of the certificate at the authority."""
    id: str
    """The container's; a new one needs a new certificate."""
    server: str
    """Full name of the Puppet server."""
    authority: str
    """ID of the Puppet server's container; a new one may have lost its authority with its volume."""
    secret: str
    """With it, this container and no other gets the certificate; with another, there is another key."""
    names: Sequence[str]
    """What it is a certificate for, such as ``DNS:vip.lab``."""

    def run(self, directory: Path) -> None:
        vip_certificate.issue(self.container, fqdn=self.fqdn, server=self.server, secret=self.secret, names=self.names)

    def undo(self, directory: Path) -> None:
        vip_certificate.withdraw(self.container, fqdn=self.fqdn)

    def record(self) -> Record:
        return {"container": self.container, "id": self.id, "fqdn": self.fqdn, "server": self.server}

    @classmethod
    def drift(cls, reality: Reality, record: Record) -> str:
        return reality.missing_certificate(record["container"], record["id"], record["fqdn"], record["server"])

    def repair(self) -> None:
        certificate.drop(self.container, fqdn=self.fqdn, server=self.server)


OPERATION = TlsIssue
