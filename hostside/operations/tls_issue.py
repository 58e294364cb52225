"""The certificate that haproxy serves at the VIP."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from hostside import vip_certificate
from hostside.operations.certificate_issue import Issue


@dataclass(frozen=True)
class TlsIssue(Issue):
    """A container of haproxy has key and certificate for the VIP; with another secret, another key."""

    NAME = "tls-issue"
    UNDO = "tls-withdraw"

    names: Sequence[str]
    """What it is a certificate for, such as ``DNS:vip.lab``."""

    def run(self, directory: Path) -> None:
        vip_certificate.issue(self.container, fqdn=self.fqdn, server=self.server, secret=self.secret, names=self.names)

    def undo(self, directory: Path) -> None:
        vip_certificate.withdraw(self.container, fqdn=self.fqdn)


OPERATION = TlsIssue
