"""One more compute, and what OpenStack knows of it while it is there and when it has gone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tests.lab.cloud import BOOT_SECONDS, Cloud, has
from tests.lab.conftest import Lab
from tests.lab.harness import inside


@dataclass(frozen=True)
class Extra:
    """A compute beside those of the configuration."""

    name: str
    fqdn: str


def add_to(settings: dict[str, Any], lab: Lab) -> Extra:
    """Put one more compute into a configuration of the lab."""
    model = lab.of_role("compute")
    name = f"{model.rstrip('0123456789')}9"
    containers = settings["config"]["dockstack:containers"]
    network = lab.addresses[model].rpartition(".")[0]
    free = next(f"{network}.{n}" for n in range(199, 99, -1) if f"{network}.{n}" not in lab.addresses.values())
    containers[name] = {**containers[model], "address": free}
    return Extra(name, f"{name}.{settings['config']['dockstack:common']['domain']}")


def traces(lab: Lab, cloud: Cloud, host: Extra) -> dict[str, list[Any]]:
    """Return all that OpenStack knows of a compute, by kind."""
    names = {host.name, host.fqdn}
    mapped = "SELECT host FROM nova_api.host_mappings"
    nodes = "SELECT host FROM nova.compute_nodes WHERE deleted = 0"
    galera = lab.of_role("galera")
    found = {
        "services": [each.host for each in cloud.compute.services()],
        "hypervisors": [each.name for each in cloud.compute.hypervisors()],
        "providers": [each.name for each in cloud.placement.resource_providers()],
        "mappings": inside(galera, "mariadb", "--batch", "--skip-column-names", "--execute", mapped).split(),
        "nodes": inside(galera, "mariadb", "--batch", "--skip-column-names", "--execute", nodes).split(),
        "agents": [each.host for each in cloud.network.agents()] if has(cloud, "network") else [],
    }
    return {kind: sorted(names.intersection(each)) for kind, each in found.items() if names.intersection(each)}


def takes_a_guest(lab: Lab, cloud: Cloud, extra: Extra) -> str:
    """See a compute known everywhere, and leave a guest there; return the guest's number."""
    known = traces(lab, cloud, extra)
    assert {"services", "hypervisors", "providers", "mappings", "nodes"} <= set(known)
    server = cloud.compute.create_server(
        name="test-on-the-new-one",
        image_id=cloud.image.find_image("guest", ignore_missing=False).id,
        flavor_id=cloud.compute.find_flavor("tiny", ignore_missing=False).id,
        networks=[{"uuid": cloud.network.find_network("demo", ignore_missing=False).id}],
        # Nobody has to map the host first, or guests could not be put there.
        availability_zone=f"nova:{extra.name}",
    )
    server = cloud.compute.wait_for_server(server, wait=BOOT_SECONDS, interval=1)
    assert server.compute_host == extra.name
    assert _allocations(cloud, server.id)
    return str(server.id)


def has_left_nothing(lab: Lab, cloud: Cloud, extra: Extra, server: str) -> None:
    """See that OpenStack keeps nothing of a compute that has gone, nor of the guest that was there."""
    assert traces(lab, cloud, extra) == {}
    assert cloud.compute.find_server(server) is None
    assert not _allocations(cloud, server)
    assert not list(cloud.network.ports(device_id=server))


def _allocations(cloud: Cloud, consumer: str) -> dict[str, Any]:
    return dict(cloud.placement.get(f"/allocations/{consumer}").json()["allocations"])
