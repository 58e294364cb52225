"""Containers that have an address and nothing else."""

from __future__ import annotations

from collections.abc import Mapping

import pulumi
import pulumi_docker as docker

from components.configuration.environment import Container
from components.host.container_host import ContainerHost
from components.services.role import Role
from components.services.topology import Topology
from components.stages import volumes
from components.stages.docker_container import create
from components.stages.network_port import SharedPorts
from hostside.containers import MOUNT_POINT
from hostside.operations.files_write import FilesWrite


class PlainContainers:
    """The plain containers of a lab.

    One resource each, and for all of a host one with their ports and one with their rendered files: the file backend
    writes the whole state at every step, so the time for a lab of hundreds grows with the square of its resources.
    """

    def __init__(
        self, topology: Topology, base: Mapping[str, list[pulumi.Resource]], opts: pulumi.ResourceOptions
    ) -> None:
        """Take the lab, what each host's containers depend on, and the options of the resources."""
        self._topology, self._base, self._opts = topology, base, opts
        self.running: dict[str, docker.Container] = {}
        self._running: dict[str, tuple[ContainerHost, dict[str, docker.Container]]] = {}
        self._mounts: dict[tuple[str, str], tuple[pulumi.Resource, str]] = {}

    def add(self, container: Container, role: Role, host: ContainerHost, image: pulumi.Input[str]) -> None:
        """Declare a container."""
        files, directory = self._files(role, host)
        mounts = [
            docker.ContainerVolumeArgs(host_path=directory, container_path=MOUNT_POINT, read_only=True),
            *volumes.own_mounts(container),
        ]
        gates = pulumi.ResourceOptions(depends_on=[*self._base[container.host], files])
        opts = pulumi.ResourceOptions.merge(self._opts, gates)
        _, running = self._running.setdefault(container.host, (host, {}))
        running[container.name] = create(host, self._topology.environment, container, role, image, mounts, opts)
        self.running[container.name] = running[container.name]

    def attach(self) -> dict[str, pulumi.Resource]:
        """Declare the ports of all that were added; return them by container, those of one host being one resource."""
        ports: dict[str, pulumi.Resource] = {}
        for host, running in self._running.values():
            ports |= dict.fromkeys(running, SharedPorts(host, running, self._opts).resource)
        return ports

    def _files(self, role: Role, host: ContainerHost) -> tuple[pulumi.Resource, str]:
        key = (host.host.name, role.name)
        if key not in self._mounts:
            directory = f"{host.directory}/volumes/{role.name}"
            rendered = FilesWrite(directory, volumes.render_shared(self._topology, role, host.host))
            written = host.declare(
                f"{host.host.name}-{role.name}-files", FilesWrite, rendered, subject=role.name, opts=self._opts
            )
            self._mounts[key] = (written, directory)
        return self._mounts[key]
