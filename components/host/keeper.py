"""The keeper of a host: the container that puts ports back after any restart."""

from __future__ import annotations

import pulumi
import pulumi_docker as docker

from components.configuration import names
from components.host.container_host import ContainerHost
from components.host.image import ForeignImage, Image
from components.services import KEEPER
from components.stages.volumes import Files, digest
from hostside import labels as label
from hostside import process
from hostside.containers import MOUNT_POINT
from hostside.operations.files_write import FilesWrite
from hostside.operations.keeper_start import KeeperStart

name = names.keeper


class Keeper:
    """A container in the host's network and process namespaces, with the Docker socket and Open vSwitch's database."""

    def __init__(
        self, host: ContainerHost, image: Image | ForeignImage, files: Files, opts: pulumi.ResourceOptions
    ) -> None:
        """Declare the keeper.

        Args:
            host: which host.
            image: its image.
            files: its rendered files.
            opts: options of the resources; it depends on the bridges, so that it is gone before they go.
        """
        container = name(host.stack)
        directory = f"{host.directory}/volumes/{container}"
        rendered = host.declare(
            f"{host.host.name}-keeper-files",
            FilesWrite,
            FilesWrite(directory, files),
            subject=container,
            opts=pulumi.ResourceOptions(parent=opts.parent),
        )
        labels = {
            label.STACK: host.stack,
            label.ROLE: KEEPER.name,
            # The tool and its files are mounted: a change of them needs a new process.
            label.TOOL: host.tool_digest,
            label.FILES: digest(files),
        }
        self.resource = docker.Container(
            f"{host.host.name}-keeper",
            name=container,
            image=image.id,
            command=[f"{MOUNT_POINT}/bin/start"],
            restart="always",
            # When everything starts at once, all that starts waits for the keeper.
            cpu_shares=16384,
            network_mode="host",
            pid_mode="host",
            capabilities=docker.ContainerCapabilitiesArgs(adds=[f"CAP_{c}" for c in sorted(KEEPER.capabilities)]),
            # ovs-docker enters namespaces with `ip netns exec`, which mounts /sys anew.
            security_opts=["apparmor=unconfined"],
            labels=[docker.ContainerLabelArgs(label=key, value=value) for key, value in sorted(labels.items())],
            # The options are this driver's, whatever the engine's own is.
            log_driver="json-file",
            log_opts={"max-size": "5m", "max-file": "2"},
            volumes=[
                docker.ContainerVolumeArgs(host_path=directory, container_path=MOUNT_POINT, read_only=True),
                docker.ContainerVolumeArgs(host_path=str(host.directory), container_path=str(host.directory)),
                docker.ContainerVolumeArgs(host_path=process.SOCKET, container_path=process.SOCKET),
                docker.ContainerVolumeArgs(host_path="/var/run/openvswitch", container_path="/var/run/openvswitch"),
            ],
            opts=pulumi.ResourceOptions.merge(
                opts,
                pulumi.ResourceOptions(
                    provider=host.provider,
                    depends_on=[rendered, host.tool],
                    # For the host's process namespace Docker adds one of its own, which a refresh would take for drift.
                    ignore_changes=["securityOpts"],
                ),
            ),
        )
        # Pulumi sees a container that a person has stopped only when it refreshes its state. Nothing waits for this
        # resource: a container that starts meanwhile gets its port from its own operation.
        host.declare(
            f"{host.host.name}-keeper-running",
            KeeperStart,
            self.resource.id.apply(lambda identifier: KeeperStart(container, identifier)),
            subject=container,
            opts=pulumi.ResourceOptions(parent=opts.parent),
        )
