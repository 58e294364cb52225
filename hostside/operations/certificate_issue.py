"""A container's certificate from the Puppet server's authority."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from hostside import certificate
from hostside.operations.base import Operation, Record

if TYPE_CHECKING:
    from hostside.inspection import Inspection


@dataclass(frozen=True)
class Issue(Operation):
    """A container has a certificate, under a name that may be another than its own."""

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
    """With it, this container and no other gets the certificate."""

    def record(self) -> Record:
        return {"container": self.container, "id": self.id, "fqdn": self.fqdn, "server": self.server}

    @classmethod
    def drift(cls, inspection: Inspection, record: Record) -> str:
        return inspection.missing_certificate(record["container"], record["id"], record["fqdn"], record["server"])

    def repair(self) -> None:
        certificate.drop(self.container, fqdn=self.fqdn, server=self.server)


@dataclass(frozen=True)
class CertificateIssue(Issue):
    """A container has a certificate of its own."""

    NAME = "certificate-issue"

    role: str

    def run(self, directory: Path) -> None:
        certificate.issue(self.container, fqdn=self.fqdn, server=self.server, role=self.role, secret=self.secret)


OPERATION = CertificateIssue
