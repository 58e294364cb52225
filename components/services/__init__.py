"""The registry of roles: one module a role, one line here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, replace
from functools import partial
from typing import Any

from components.configuration.duties import Duties
from components.configuration.environment import Environment
from components.configuration.rules import RoleSpec
from components.services import (
    analytics,
    cassandra,
    ceph,
    cinder,
    compute,
    config,
    control,
    dashboard,
    dnsmasq,
    galera,
    glance,
    haproxy,
    keeper,
    keystone,
    memcached,
    neutron,
    nova,
    placement,
    plain,
    portal,
    puppet,
    rabbitmq,
    redis,
    tempest,
    webui,
)
from components.services.role import Requirements, Role, Stage

ROLES: Mapping[str, Role] = {
    module.ROLE.name: module.ROLE
    for module in (
        dnsmasq,
        puppet,
        haproxy,
        galera,
        rabbitmq,
        memcached,
        keystone,
        ceph,
        cinder,
        glance,
        placement,
        nova,
        neutron,
        compute,
        dashboard,
        portal,
        redis,
        cassandra,
        config,
        analytics,
        control,
        webui,
        tempest,
        plain,
    )
}
"""Every role that a container of the configuration can have."""

IMPLIED_NEEDS: Mapping[str, Stage] = {puppet.ROLE.name: Stage.HEALTHY, dnsmasq.ROLE.name: Stage.HEALTHY}
"""What every provisioned role needs besides what it names: a server to ask, and its name resolved."""

KEEPER = keeper.ROLE
"""The keeper is placed by the lab itself, once a host."""


def for_lab(environment: Environment) -> Mapping[str, Role]:
    """Return the roles as they are in a lab."""
    return {name: replace(role, **role.overrides(environment)) for name, role in ROLES.items()}


def needs_of(role: Role) -> dict[str, Stage]:
    """Return what a role's Puppet run waits for: role to stage."""
    if not role.provisioned:
        return {}
    return {**{name: stage for name, stage in IMPLIED_NEEDS.items() if name != role.name}, **role.needs, **role.wants}


def _image_in(role: Role, environment: Environment) -> str:
    return replace(role, **role.overrides(environment)).image_directory


def duties_of(role: Role) -> dict[str, Any]:
    """Return a role's duties by the names of their fields."""
    return {duty.name: getattr(role, duty.name) for duty in fields(Duties)}


def facts() -> dict[str, RoleSpec]:
    """Return what the check of a configuration has to know of the roles."""
    requirements = Requirements.of(ROLES.values())
    return {
        role.name: RoleSpec(
            name=role.name,
            memory_mib=role.memory_mib,
            disk_mib=role.disk_mib,
            images=(role.image_directory,),
            aliases=frozenset(role.aliases),
            # The Puppet server and dnsmasq need each other's Puppet runs only after both have booted: no cycle.
            needs=tuple(
                name
                for name in needs_of(role)
                if name not in role.wants and not (role.boots_alone and name in IMPLIED_NEEDS)
            ),
            wants=tuple(role.wants),
            mounts=role.mount_points,
            secrets={name: role.secret_aliases.get(name, ()) for name in sorted(role.secret_names(requirements))},
            readers=role.secret_readers(requirements),
            at_most=role.most,
            unfit=role.unfit,
            in_turn=role.in_turn,
            at_most_because=role.most_because,
            alone=role.alone,
            volumes=tuple(role.data),
            devices=tuple(role.optional_devices),
            in_demo=role.in_demo,
            image_in=partial(_image_in, role),
            **duties_of(role),
        )
        for role in ROLES.values()
    }
