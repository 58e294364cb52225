"""Keystone: identity. Its endpoint is the VIP's."""

from __future__ import annotations

from components.configuration.environment import Container
from components.configuration.readers import KEYSTONE
from components.services.role import UWSGI_FILES, Check, Demands, Frontend, Hiera, Role, SecretNames, Stage
from components.services.view import IDENTITY_PORT, LabView


def _hiera(view: LabView, _container: Container) -> Hiera:
    return {
        "profile::keystone::vip_name": view.vip_name,
        "profile::keystone::region": view.environment.region,
        "profile::keystone::memcached_servers": view.memcached_servers,
        "profile::keystone::database_host": view.vip_name,
        "profile::keystone::rabbit_hosts": [m.fqdn for m in view.members("rabbitmq")],
        "profile::keystone::identities": view.catalogue(),
    }


def _secrets(demands: Demands) -> SecretNames:
    passwords = {identity.name: identity.secret for identity in demands.identities}
    return {
        # Puppet would make an array of an empty hash when it makes it Sensitive.
        **({"profile::keystone::identity_passwords": passwords} if passwords else {}),
        "profile::keystone::admin_password": "keystone_admin",
        "profile::keystone::database_password": "keystone_database",
        "profile::keystone::rabbit_password": "rabbitmq_openstack",
    }


ROLE = Role(
    name="keystone",
    memory_mib=350,
    shares=(UWSGI_FILES,),
    # It would have something to say to RabbitMQ only if notifications were turned on.
    needs={"haproxy": Stage.HEALTHY, "galera": Stage.HEALTHY, "rabbitmq": Stage.ATTACHED},
    wants={"memcached": Stage.HEALTHY},
    secret_aliases={"keystone_admin": ("keystone_admin_password",)},
    data={"fernet": "/etc/keystone/fernet-keys", "credential": "/etc/keystone/credential-keys"},
    frontends=(Frontend(name="keystone", port=IDENTITY_PORT, check_path="/v3", url="/v3"),),
    databases=("keystone",),
    checks=(Check(port=IDENTITY_PORT, path="/v3"),),
    packages=("keystone",),
    hiera=_hiera,
    secrets=_secrets,
    readers={
        "profile::keystone::admin_password": (KEYSTONE,),
        "profile::keystone::identity_passwords": (KEYSTONE,),
    },
)
