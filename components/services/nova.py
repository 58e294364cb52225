"""Nova's control plane: compute API, metadata API, conductor, scheduler, and the proxy of the guests' screens."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from components.configuration.environment import Container
from components.configuration.rules import OPENSDN
from components.paths import DEMO_KEY
from components.services import neutron, rabbitmq
from components.services.role import (
    UWSGI_FILES,
    Agents,
    Check,
    Frontend,
    Hiera,
    Membership,
    Requirements,
    Role,
    SecretNames,
    ServiceUser,
    Stage,
)
from components.services.topology import Topology


def common_hiera(topology: Topology, container: Container) -> Hiera:
    """Return the parameters that Nova's programs share, wherever they run."""
    return {
        "profile::nova::common::address": str(container.address),
        "profile::nova::common::vip_name": topology.vip_name,
        "profile::nova::common::keystone_url": topology.keystone_url,
        "profile::nova::common::region": topology.environment.region,
        "profile::nova::common::memcached_servers": topology.memcached_servers,
        "profile::nova::common::rabbit_hosts": [m.fqdn for m in topology.members("rabbitmq")],
    }


def common_secrets() -> SecretNames:
    """Return the secrets that Nova's programs share, wherever they run."""
    return {
        "profile::nova::common::identity_password": "nova_identity",
        "profile::nova::common::rabbit_password": "rabbitmq_openstack",
    }


def _hiera(topology: Topology, container: Container) -> Hiera:
    return {
        **common_hiera(topology, container),
        "profile::nova::database_host": topology.vip_name,
        **({"profile::nova::lenient": True} if topology.environment.networking == OPENSDN else {}),
    }


def _secrets(_requirements: Requirements) -> SecretNames:
    return {
        **common_secrets(),
        "profile::nova::database_passwords": {name: f"{name}_database" for name in ROLE.databases},
        "profile::nova::metadata_secret": neutron.METADATA_SECRET,
    }


def _demo(_topology: Topology, _disk: str) -> Mapping[str, Any]:
    """Return the flavors that are enough for the demo's guests, and the key that opens these."""
    flavors = [
        {"name": "tiny", "vcpus": 1, "ram": 160, "disk": 1},
        {"name": "small", "vcpus": 1, "ram": 256, "disk": 1},
    ]
    return {"flavors": flavors, "key": {"name": DEMO_KEY}}


ROLE = Role(
    name="nova",
    memory_mib=850,
    most=None,
    shares=(UWSGI_FILES,),
    # Scheduler and conductor end where Keystone knows no user nova yet.
    needs={"keystone": Stage.HEALTHY, "galera": Stage.HEALTHY, "rabbitmq": Stage.HEALTHY, "placement": Stage.ATTACHED},
    wants={"memcached": Stage.HEALTHY},
    frontends=(
        Frontend(name="nova", port=8774, check_path="/", url="/v2.1"),
        Frontend(name="nova-metadata", port=8775, check_path="/"),
        Frontend(name="novncproxy", port=6080, check_path="/vnc_lite.html", reads_only=True),
    ),
    service_users=(
        ServiceUser(name="nova", type="compute", description="OpenStack Compute", frontend="nova", path="/v2.1"),
    ),
    databases=("nova", "nova_api", "nova_cell0"),
    checks=(Check(port=8774, path="/"), Check(port=8775, path="/"), Check(port=6080, path="/vnc_lite.html")),
    secret_aliases={"nova_identity": ("nova_password",)},
    memberships=(
        Membership(name="services", role="nova", leave=("/etc/dockstack/bin/remove-services",)),
        rabbitmq.queues(),
    ),
    agents=Agents("compute", "services"),
    demo=_demo,
    packages=("nova-api", "nova-conductor", "nova-scheduler", "nova-consoleproxy"),
    hiera=_hiera,
    secrets=_secrets,
)
