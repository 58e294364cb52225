"""A container's port on the bridge, with its fixed address."""

from __future__ import annotations

from collections.abc import Mapping

import pulumi
import pulumi_docker as docker

from components.container_host import ContainerHost
from components.environment import Container


def labels(container: Container, stack: str) -> dict[str, str]:
    """Return the labels from which the port can be made again at any time, by the keeper or by ``up``."""
    return {
        "dockstack.stack": stack,
        "dockstack.role": container.role,
        "dockstack.fqdn": container.fqdn,
        "dockstack.bridge": container.bridge,
        "dockstack.address": f"{container.address}/{container.prefix}",
        "dockstack.gateway": str(container.gateway),
        "dockstack.mac": container.mac,
        "dockstack.mtu": str(container.mtu),
    }


class SharedPorts:
    """The stage *attached* of all the plain containers of a host, as one resource.

    The keeper attaches each when it starts; this proves that all have their ports, and attaches what is missing. With a
    resource a port, a lab of hundreds would write its state, which grows with every resource, twice as often.
    """

    def __init__(
        self, host: ContainerHost, running: Mapping[str, docker.Container], opts: pulumi.ResourceOptions
    ) -> None:
        """Declare the ports.

        Args:
            host: where the containers run.
            running: their resources by name; a new container among them has the ports looked at again.
            opts: options of the resource.
        """
        self.resource = host.verb(
            f"{host.host.name}-ports",
            "ports-attach",
            {"containers": {name: container.id for name, container in running.items()}},
            subject=f"{len(running)} containers",
            opts=opts,
        )


class NetworkPort:
    """The stage *attached*: ``ovs-docker add-port`` has given the container its address, gateway and MTU."""

    def __init__(
        self, host: ContainerHost, container: Container, running: docker.Container, opts: pulumi.ResourceOptions
    ) -> None:
        """Declare the port of a container that has been created.

        Args:
            host: where the container runs.
            container: the container as configured.
            running: its resource; a new container is attached again.
            opts: options of the resource.
        """
        self.resource = host.verb(
            f"{container.name}-port",
            "port-attach",
            {"container": container.name, "id": running.id, "bridge": container.bridge},
            subject=container.name,
            delete="port-detach",
            # The port's end inside goes with the container, and the keeper removes the bridge's end.
            opts=pulumi.ResourceOptions.merge(opts, pulumi.ResourceOptions(deleted_with=running)),
        )
