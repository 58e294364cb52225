"""Horizon: the dashboard, at the VIP. It keeps nothing: sessions are in memcached, everything else in the services."""

from __future__ import annotations

from components.configuration.environment import Container
from components.services.role import Check, Frontend, Hiera, Requirements, Role, SecretNames, Stage
from components.services.topology import Topology


def _hiera(topology: Topology, container: Container) -> Hiera:
    return {
        "profile::dashboard::keystone_url": topology.identity_api,
        "profile::dashboard::memcached_hosts": [m.fqdn for m in topology.members("memcached")],
        # The names that people, haproxy's check and our own call it by; Horizon refuses others.
        "profile::dashboard::hosts": [
            *(topology.vip_name, str(topology.environment.vip)),
            *(container.fqdn, str(container.address), "localhost"),
        ],
    }


def _secrets(_requirements: Requirements) -> SecretNames:
    return {"profile::dashboard::session_secret": "dashboard_session"}


ROLE = Role(
    name="dashboard",
    aliases=("horizon", "openstack-dashboard"),
    memory_mib=150,
    most=None,
    built_late=True,
    # Keystone is asked when the service is, so that it may come up at the same time.
    needs={"haproxy": Stage.HEALTHY, "keystone": Stage.ATTACHED, "memcached": Stage.HEALTHY},
    # Without a session it answers with a way to the login page, and that takes it next to nothing.
    frontends=(
        Frontend(name="dashboard", port=80, tls_port=443, check_path="/horizon/", url="/horizon/", page="Horizon"),
    ),
    checks=(Check(port=80, path="/horizon/auth/login/"),),
    packages=("openstack-dashboard",),
    hiera=_hiera,
    secrets=_secrets,
)
