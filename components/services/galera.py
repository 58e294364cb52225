"""MariaDB with Galera: the database of the OpenStack services."""

from __future__ import annotations

from components.configuration.environment import Container
from components.configuration.readers import MYSQL_HASH, PYMYSQL
from components.services.role import Check, Demands, Frontend, Hiera, Role, SecretNames
from components.services.view import LabView


def _hiera(view: LabView, container: Container) -> Hiera:
    members = view.members("galera")
    return {
        "profile::galera::address": str(container.address),
        "profile::galera::members": [m.fqdn for m in members],
        "profile::galera::bootstrap": container == members[0],
        "profile::galera::databases": list(view.demands.databases),
        "profile::galera::former_databases": sorted(
            {name for role in view.roles.values() for name in role.databases} - set(view.demands.databases)
        ),
    }


def _secrets(demands: Demands) -> SecretNames:
    return {
        "profile::galera::root_password": "galera_root",
        "profile::galera::database_passwords": {name: f"{name}_database" for name in demands.databases},
    }


ROLE = Role(
    name="galera",
    aliases=("mysql", "mariadb", "database"),
    memory_mib=300,
    data={"data": "/var/lib/mysql"},
    frontends=(Frontend(name="galera", port=3306, mode="tcp"),),
    checks=(Check(port=3306), Check(command=("/etc/dockstack/bin/galera-ready",))),
    packages=("mariadb-server", "galera-4"),
    hiera=_hiera,
    secrets=_secrets,
    readers={
        "profile::galera::root_password": (MYSQL_HASH,),
        "profile::galera::database_passwords": (PYMYSQL, MYSQL_HASH),
    },
    secret_aliases={"galera_root": ("galera_password",)},
)
