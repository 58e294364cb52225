"""A container's ports: the one with its fixed address, and further ones without where its role has them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

import pulumi
import pulumi_docker as docker

from components.configuration.environment import Container, Environment
from components.host.container_host import ContainerHost
from components.services.role import Role
from hostside import labels as label
from hostside.operations.port_attach import PortAttach
from hostside.operations.ports_attach import PortsAttach
from hostside.ports import INTERFACE, PROVIDER_INTERFACE, TENANT_INTERFACE, Port, labelled


def labels(container: Container, role: Role, lab: Environment) -> dict[str, str]:
    """Return the labels from which the ports can be made again at any time, by the keeper or by ``up``."""
    first = Port(
        container=container.name,
        stack=lab.stack,
        interface=INTERFACE,
        bridge=container.bridge,
        address=f"{container.address}/{container.prefix}",
        gateway=str(container.gateway),
        mac=container.mac(),
        mtu=container.mtu,
    )
    further = [replace(first, interface=i, bridge=bridge, mac=mac) for i, bridge, mac in _further(container, role, lab)]
    return {label.ROLE: container.role, label.FQDN: container.fqdn, **labelled(first, further)}


def bridges(container: Container, role: Role, lab: Environment) -> list[str]:
    """Return the bridges that a container has ports on, each once."""
    return list(dict.fromkeys([container.bridge, *(bridge for _, bridge, _ in _further(container, role, lab))]))


def _further(container: Container, role: Role, lab: Environment) -> Iterator[tuple[str, str, str]]:
    """Tell interface, bridge and Ethernet address of each port besides the one with the container's address."""
    if role.provider_port and lab.provider:
        yield PROVIDER_INTERFACE, lab.provider.bridge, container.mac(1)
    if role.tenant_port:
        yield TENANT_INTERFACE, container.bridge, container.mac(2)


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
        identifiers = pulumi.Output.all(**{name: container.id for name, container in running.items()})
        # They go all together, before the containers: one by one, the switch would look at all its ports for each.
        self.resource = host.declare(
            f"{host.host.name}-ports",
            PortsAttach,
            identifiers.apply(lambda known: PortsAttach(dict(known))),
            subject=f"{len(running)} containers",
            opts=opts,
        )


class NetworkPort:
    """The stage *attached*: ``ovs-docker add-port`` has given the container its address, gateway and MTU."""

    def __init__(
        self,
        host: ContainerHost,
        container: Container,
        bridges: Sequence[str],
        running: docker.Container,
        opts: pulumi.ResourceOptions,
    ) -> None:
        """Declare the ports of a container that has been created.

        Args:
            host: where the container runs.
            container: the container as configured.
            bridges: the bridges that its ports are on.
            running: its resource; a new container is attached again.
            opts: options of the resource.
        """
        self.resource = host.declare(
            f"{container.name}-port",
            PortAttach,
            running.id.apply(lambda identifier: PortAttach(container.name, identifier, list(bridges))),
            subject=container.name,
            # The port's end inside goes with the container, and the keeper removes the bridge's end.
            opts=pulumi.ResourceOptions.merge(opts, pulumi.ResourceOptions(deleted_with=running)),
        )
