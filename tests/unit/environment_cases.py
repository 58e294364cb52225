"""Roles and a sound lab for the tests of the configuration."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import yaml

from components import services
from components.configuration.environment import RoleSpec, Survey, survey

DATA = Path(__file__).parent / "data"


def played(name: str, memory_mib: int, **facts: Any) -> RoleSpec:
    """A role with the duties of the real one of this name, and of all else what is given."""
    role = services.ROLES[name]
    return RoleSpec(name, memory_mib, (name,), in_demo=role.in_demo, **services.duties_of(role), **facts)


ROLES = {
    role.name: role
    for role in (
        RoleSpec("plain", 16, ("base",), provisioned=False),
        played("dnsmasq", 30, aliases=frozenset({"dns"}), at_most=1),
        played("puppet", 1700, needs=("dnsmasq",), at_most=1),
        played("haproxy", 64, aliases=frozenset({"vip"}), needs=("dnsmasq", "puppet")),
        played(
            "galera",
            300,
            needs=("dnsmasq", "puppet"),
            mounts=frozenset({"/var/lib/mysql"}),
            volumes=("data",),
            secrets={"galera_root_password": ("galera_password",)},
        ),
        played("rabbitmq", 150, needs=("dnsmasq", "puppet")),
        played("memcached", 64, needs=("dnsmasq", "puppet")),
        played(
            "keystone",
            400,
            needs=("galera", "haproxy", "puppet", "rabbitmq"),
            wants=("memcached",),
            secrets={"keystone_admin_password": ()},
        ),
    )
}

LAB: dict[str, Any] = {
    "common": {
        "domain": "dockstack.lab",
        "vip": "10.87.0.250",
        "dhcp": {"start": "10.87.0.200", "end": "10.87.0.239"},
    },
    "containerHosts": {"local": {}},
    "containerDefaults": {"mask": 24, "gateway": "10.87.0.1", "bridge": "br-lab", "dns": ["10.87.0.53"]},
    "containers": {
        "dnsmasq1": {"role": "dnsmasq", "address": "10.87.0.53"},
        "puppet1": {"role": "puppet", "address": "10.87.0.10"},
        "haproxy1": {"role": "haproxy", "address": "10.87.0.20"},
        "galera1": {"role": "galera", "address": "10.87.0.30"},
        "rabbitmq1": {"role": "rabbitmq", "address": "10.87.0.40"},
        "memcached1": {"role": "memcached", "address": "10.87.0.45"},
        "keystone1": {"role": "keystone", "address": "10.87.0.50"},
    },
}


def lab(changes: dict[str, Any] | None = None) -> dict[str, Any]:
    """The sound lab with `changes` merged in; the text `REMOVE` takes a key away."""
    result = copy.deepcopy(LAB)
    _merge(result, changes or {})
    return result


def _merge(base: dict[str, Any], changes: dict[str, Any]) -> None:
    for key, value in changes.items():
        if value == "REMOVE":
            base.pop(key, None)
        elif isinstance(value, dict) and isinstance(base.get(key), dict):
            _merge(base[key], value)
        else:
            base[key] = value


def look(config: dict[str, Any], **arguments: Any) -> Survey:
    """What the configuration comes to with the roles above."""
    return survey(config, stack="lab", roles=ROLES, base_dir=DATA / "legacy", **arguments)


def changes_in(path: Path) -> Any:
    """The changes that a case's file holds."""
    return yaml.safe_load(path.read_text(encoding="utf-8"))
