"""What a role does for the lab as a whole: what the rest of the program asks for, in place of a role's name."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from components.configuration.rules import RawConfiguration


@dataclass(frozen=True)
class Choice:
    """Something that a lab may choose, and that a role needs other roles for."""

    key: str
    """The key of `common` that makes the choice."""
    made: Callable[[RawConfiguration], bool]
    """Whether a lab makes it."""
    needs: tuple[str, ...]
    """The roles that have to be there then."""
    why: str
    """The beginning of the fault where they aren't, up to the word need."""
    otherwise: str
    """What else to do about it."""


@dataclass(frozen=True, kw_only=True)
class Duties:
    """What a role does in a lab, or has there, that others go by."""

    provisioned: bool = True
    """Whether Puppet provisions it."""
    numbered: bool = False
    """Whether its members are known to each other by the last byte of their address, which none may share."""
    provider_port: bool = False
    """Whether its containers have a port without an address, eth1, on the provider bridge where the lab has one."""
    tenant_port: bool = False
    """Whether its containers have a port without an address, eth2, on the lab's bridge.

    It is for the tenants' networks.
    """
    provider_address: bool = False
    """Whether each of its containers gives itself an address of the provider network that the demo's pools leave."""
    serves_dns: bool = False
    """Whether its containers are the lab's name servers, and lease the DHCP pool."""
    serves_catalogs: bool = False
    """Whether the others' catalogs come from it: it has the Hiera data that all have in common."""
    issues_tokens: bool = False
    """Whether it is the lab's identity service.

    People log in to it, services have their users there, and the demo's program runs beside it.
    """
    serves_databases: bool = False
    """Whether the others' databases are made in it."""
    holds_vip: bool = False
    """Whether one of its containers has the VIP, and hands on what comes there."""
    makes_networks: bool = False
    """Whether it makes the tenants' networks, unless the lab's OpenSDN does."""
    runs_guests: bool = False
    """Whether guests run in its containers."""
    handles_volumes: bool = False
    """Whether its containers work with the volumes themselves.

    They do so by the means that a back end asks of the kernel.
    """
    choices: tuple[Choice, ...] = ()
    """What it needs for what a lab may choose."""
