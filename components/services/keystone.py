"""Keystone: identity. Its endpoint is the VIP's."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from components.configuration.environment import Container, Environment
from components.configuration.readers import KEYSTONE
from components.rings import ring
from components.services.role import UWSGI_FILES, Check, Frontend, Hiera, Requirements, Role, SecretNames, Stage
from components.services.topology import IDENTITY_PORT, Topology


def _hiera(topology: Topology, _container: Container) -> Hiera:
    return {
        "profile::keystone::url": topology.keystone_url,
        "profile::keystone::region": topology.environment.region,
        "profile::keystone::memcached_servers": topology.memcached_servers,
        "profile::keystone::database_host": topology.vip_name,
        "profile::keystone::rabbit_hosts": [m.fqdn for m in topology.members("rabbitmq")],
        "profile::keystone::identities": topology.catalogue(),
    }


def _secrets(requirements: Requirements) -> SecretNames:
    passwords = {user.name: user.secret for user in requirements.service_users}
    return {
        # Puppet would make an array of an empty hash when it makes it Sensitive.
        **({"profile::keystone::identity_passwords": passwords} if passwords else {}),
        "profile::keystone::admin_password": "keystone_admin",
        "profile::keystone::database_password": "keystone_database",
        "profile::keystone::rabbit_password": "rabbitmq_openstack",
    }


def _shared_secrets(requirements: Requirements) -> SecretNames:
    """Return the secrets of one of several members, which have to read each other's tokens and credentials."""
    return {
        **_secrets(requirements),
        "profile::keystone::fernet_keys": ring("keystone_fernet"),
        "profile::keystone::credential_keys": ring("keystone_credential"),
    }


def _overrides(environment: Environment) -> Mapping[str, Any]:
    """Return what several members have in common. A single one has keys that it has made itself, and keeps them."""
    several = sum(container.role == "keystone" for container in environment.containers) > 1
    return {"secrets": _shared_secrets} if several else {}


ROLE = Role(
    name="keystone",
    memory_mib=350,
    most=None,
    shares=(UWSGI_FILES,),
    issues_tokens=True,
    # It would have something to say to RabbitMQ only if notifications were turned on.
    needs={"haproxy": Stage.HEALTHY, "galera": Stage.HEALTHY, "rabbitmq": Stage.ATTACHED},
    wants={"memcached": Stage.HEALTHY},
    secret_aliases={"keystone_admin": ("keystone_admin_password",)},
    data={"fernet": "/etc/keystone/fernet-keys", "credential": "/etc/keystone/credential-keys"},
    frontends=(Frontend(name="keystone", port=IDENTITY_PORT, check_path="/v3", url="/v3"),),
    databases=("keystone",),
    keeps="users",
    logins="/etc/keystone/keystone.conf",
    checks=(Check(port=IDENTITY_PORT, path="/v3"),),
    packages=("keystone",),
    hiera=_hiera,
    secrets=_secrets,
    overrides=_overrides,
    readers={
        "profile::keystone::admin_password": (KEYSTONE,),
        "profile::keystone::identity_passwords": (KEYSTONE,),
    },
)
