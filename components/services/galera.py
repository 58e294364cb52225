"""MariaDB with Galera: the database of the OpenStack services."""

from __future__ import annotations

from components.configuration.environment import Container
from components.configuration.readers import MYSQL_HASH, PYMYSQL
from components.services.role import Check, Frontend, Hiera, Requirements, Role, SecretNames
from components.services.topology import Topology


def _hiera(topology: Topology, container: Container) -> Hiera:
    return {
        "profile::galera::address": str(container.address),
        "profile::galera::databases": list(topology.requirements.databases),
        "profile::galera::former_databases": sorted(
            {name for role in topology.roles.values() for name in role.databases} - set(topology.requirements.databases)
        ),
    }


def _secrets(requirements: Requirements) -> SecretNames:
    return {
        "profile::galera::root_password": "galera_root",
        "profile::galera::database_passwords": {name: f"{name}_database" for name in requirements.databases},
    }


ROLE = Role(
    name="galera",
    most=None,
    unfit={2: "with two, the loss of one stops the other"},
    birth=("/etc/dockstack/bin/galera-member", "birth"),
    aliases=("mysql", "mariadb", "database"),
    memory_mib=300,
    quorum=True,
    serves_databases=True,
    keeps="rows",
    data={"data": "/var/lib/mysql"},
    frontends=(Frontend(name="galera", port=3306, mode="tcp", health_port=9200, speaks_first=True),),
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
