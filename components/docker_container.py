"""The Docker container itself: no network of Docker's, named capabilities, supervisord as its init."""

from __future__ import annotations

from collections.abc import Sequence

import pulumi
import pulumi_docker as docker

from components import network_port
from components.container_host import ContainerHost
from components.environment import Container, Environment
from components.services.role import Role

GRACE_SECONDS = 60
"""How long a container with data may take to end: supervisord ends its programs, a database among them, first."""
HEALTH = docker.ContainerHealthcheckArgs(
    tests=["CMD", "/etc/dockstack/bin/health"], interval="10s", timeout="5s", start_period="1m0s", retries=2
)
"""Closer than the image's own: each look costs a process, and services are few."""
NO_HEALTH = docker.ContainerHealthcheckArgs(tests=["NONE"])
"""Without programs there is nothing to ask after; a hundred asked every 30 s keep half a processor busy."""


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
    return docker.Container(
        container.name,
        name=container.name,
        image=image,
        hostname=container.name,
        domainname=container.domain,
        network_mode="none",
        dns=[str(address) for address in container.dns],
        dns_searches=[container.domain],
        # Not unless-stopped: an engine that comes back from a kill stops what still runs, and takes that for a wish.
        restart="always",
        capabilities=docker.ContainerCapabilitiesArgs(adds=capabilities) if capabilities else None,
        devices=devices or None,
        security_opts=["apparmor=unconfined"] if role.mounts_filesystems else None,
        sysctls=dict(role.sysctls) or None,
        labels=[docker.ContainerLabelArgs(label=key, value=value) for key, value in sorted(labels.items())],
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
                # Beside a NONE, Docker keeps the image's intervals, which a refresh would take for drift.
                ignore_changes=None if role.provisioned else ["healthcheck"],
            ),
        ),
    )
