"""The portal: a live page of the lab, at the VIP. It shows what the keepers tell, and changes nothing."""

from __future__ import annotations

from components.configuration.environment import Container
from components.services.role import Check, Frontend, Hiera, Requirements, Role, SecretNames, Stage
from components.services.topology import Topology
from hostside import report

PORT = 8400
KEEPER_SECRET = "portal_keeper"
"""Name of the secret that the keepers know the portal by."""
LOGIN_SECRET = "portal_login"
"""Name of the secret that people log in with where no Keystone answers."""


def _hiera(topology: Topology, container: Container) -> Hiera:
    lab = topology.environment
    return {
        "profile::portal::address": str(container.address),
        "profile::portal::keepers": {
            host.name: f"http://{topology.host_address(host.name)}:{lab.metrics_port}" for host in lab.used_hosts
        },
        "profile::portal::lab": picture(topology),
        **({"profile::portal::keystone_url": topology.identity_api} if topology.members("keystone") else {}),
    }


def picture(topology: Topology) -> dict[str, object]:
    """Return what the page draws before anything is known of what runs: the picture of `make graph`."""
    # It is drawn from the registry of roles, which this module is a part of.
    from components.drawing import Picture

    drawn = Picture(topology)
    lab = topology.environment
    return {
        "stack": lab.stack,
        "again": report.again(lab.stack),
        "vip": {"name": topology.vip_name, "address": str(lab.vip)},
        "networks": {container.bridge: str(container.network) for container in lab.containers},
        "boxes": [
            {
                "key": box.key,
                "role": box.role,
                "host": box.host,
                "bridge": box.bridge,
                "containers": [[name, address] for name, address in box.containers],
            }
            for box in drawn.boxes()
        ],
        "needs": [[one, other, own] for one, other, own in drawn.lines()],
        "endpoints": _endpoints(topology),
    }


def _endpoints(topology: Topology) -> dict[str, list[str]]:
    """Return the endpoints of each container: those at the VIP that it stands behind, and its own."""
    found: dict[str, list[str]] = {}
    for role in topology.used_roles:
        shared = [topology.endpoint(frontend) for frontend in role.frontends]
        for member in topology.members(role.name):
            own = [url.format(address=member.address) for url in role.endpoints.values()]
            if shared or own:
                found[member.name] = [*shared, *own]
    return found


def _secrets(_requirements: Requirements) -> SecretNames:
    return {
        "profile::portal::keeper_secret": KEEPER_SECRET,
        "profile::portal::login_password": LOGIN_SECRET,
        "profile::portal::session_secret": "portal_session",
    }


ROLE = Role(
    name="portal",
    # Sessions are signed, and kept by the browsers: any member takes any other's.
    most=None,
    memory_mib=60,
    needs={"haproxy": Stage.HEALTHY},
    frontends=(Frontend(name="portal", port=PORT, check_path="/healthz", url="/"),),
    checks=(Check(port=PORT, path="/healthz"),),
    packages=("python3-aiohttp",),
    hiera=_hiera,
    secrets=_secrets,
    watcher_secret=KEEPER_SECRET,
    login_secret=LOGIN_SECRET,
)
