"""The Docker container itself: no network of Docker's, named capabilities, supervisord as its init."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator, Sequence

import pulumi
import pulumi_docker as docker

from components.configuration.environment import Container, Environment
from components.host.container_host import ContainerHost
from components.services.role import Role
from components.stages import network_port
from hostside.containers import MOUNT_POINT

GRACE_SECONDS = 60
"""How long a container with data may take to end: supervisord ends its programs, a database among them, first."""
HEALTH = docker.ContainerHealthcheckArgs(
    tests=["CMD", f"{MOUNT_POINT}/bin/health"], interval="20s", timeout="5s", start_period="1m0s", retries=2
)
"""Closer than the image's own, as services are few; not closer, as each look takes a tenth of a processor second."""
NO_HEALTH = docker.ContainerHealthcheckArgs(
    tests=["NONE"], interval="30s", timeout="10s", start_period="1m0s", start_interval="0s", retries=3
)
"""Without programs there is nothing to ask after; a hundred asked every 30 s keep half a processor busy.

The intervals are those of the image, which Docker keeps beside a NONE: left out, the first update after an ``up`` would
find the inputs of every container new, and write the state once for each.
"""
KEEPALIVE = {
    "net.ipv4.tcp_keepalive_time": "15",
    "net.ipv4.tcp_keepalive_intvl": "5",
    "net.ipv4.tcp_keepalive_probes": "3",
}
"""Seconds, seconds and a count. A dead peer sends no FIN: a service that waits for the database through a proxy that is
gone notices it in 30 s, not after the kernel's two hours."""
SEVERAL_SERVERS = ("timeout:1", "attempts:3")
"""Options of the resolver where there are several servers: it asks the next one after a second, not after five."""
NOTED_CALLS = 8
"""How much of the stack of calls is noted: six calls of the SDK's, the declaration here, and who asked for it."""


def create(
    host: ContainerHost,
    lab: Environment,
    container: Container,
    role: Role,
    image: pulumi.Input[str],
    mounts: Sequence[docker.ContainerVolumeArgs],
    opts: pulumi.ResourceOptions,
) -> docker.Container:
    """Declare a container that has no network yet; its labels say which port it is to have.

    Args:
        host: where it runs.
        lab: the lab that it belongs to.
        container: the container as configured.
        role: its role.
        image: ID of its image.
        mounts: what is mounted.
        opts: options of the resource. Name and address are fixed, so that the old one goes before a new one comes.
    """
    labels = network_port.labels(container, role, lab)
    capabilities = [f"CAP_{name}" for name in sorted(role.capabilities)]
    devices = [
        docker.ContainerDeviceArgs(host_path=path, container_path=path, permissions="rwm")
        for path in (*role.devices, *filter(host.has, role.optional_devices))
    ]
    with _short_stack():
        return docker.Container(
            container.name,
            name=container.name,
            image=image,
            hostname=container.name,
            domainname=container.domain,
            network_mode="none",
            dns=[str(address) for address in container.dns],
            dns_searches=[container.domain],
            dns_opts=list(SEVERAL_SERVERS) if len(container.dns) > 1 else None,
            # Not unless-stopped: an engine that was killed stops the containers when it returns, as if a user had.
            restart="always",
            capabilities=docker.ContainerCapabilitiesArgs(adds=capabilities) if capabilities else None,
            devices=devices or None,
            security_opts=["apparmor=unconfined"] if role.mounts_filesystems else None,
            sysctls={**(KEEPALIVE if role.provisioned else {}), **role.sysctls} or None,
            labels=[docker.ContainerLabelArgs(label=key, value=value) for key, value in sorted(labels.items())],
            # The options are this driver's, whatever the engine's own is.
            log_driver="json-file",
            log_opts={"max-size": "5m", "max-file": "2"},
            destroy_grace_seconds=GRACE_SECONDS if role.data else None,
            healthcheck=HEALTH if role.provisioned else None if container.image else NO_HEALTH,
            volumes=list(mounts),
            opts=pulumi.ResourceOptions.merge(
                opts,
                pulumi.ResourceOptions(
                    provider=host.provider,
                    delete_before_replace=True,
                    # The provider would record a new health check, and leave the container with its old one.
                    replace_on_changes=["healthcheck"],
                    # A check that a foreign image brings along, a refresh would take for drift.
                    ignore_changes=["healthcheck"] if container.image and not role.provisioned else None,
                ),
            ),
        )


@contextlib.contextmanager
def _short_stack() -> Iterator[None]:
    """Have the SDK note only the nearest calls with a resource: the whole stack is a sixth of a container's state.

    The engine writes it with every container at every step, and nothing reads it but people.
    """
    before = getattr(sys, "tracebacklimit", None)
    sys.tracebacklimit = NOTED_CALLS
    try:
        yield
    finally:
        sys.tracebacklimit = before
