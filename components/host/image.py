"""Images as resources: each is built once for each content."""

from __future__ import annotations

import json
from typing import Any

import pulumi
import pulumi_docker as docker

from components.host.container_host import ContainerHost
from components.host.dockerfiles import build, tag
from hostside.operations.image_build import ImageBuild


class Image:
    """An image on a host's engine. It stays there when the lab is destroyed, for the next one."""

    def __init__(
        self, host: ContainerHost, directory: str, packages: tuple[str, ...], opts: pulumi.ResourceOptions
    ) -> None:
        """Declare the image.

        Args:
            host: the host whose engine builds it.
            directory: directory below Dockerfiles/.
            packages: Debian packages whose versions are told.
            opts: options of the resource; it depends on the image it is made from.
        """
        self.tag = tag(directory)
        self.resource = host.declare(
            f"{host.host.name}-image-{directory}",
            ImageBuild,
            build(directory, packages),
            subject=directory,
            show=True,
            opts=opts,
        )
        told: pulumi.Output[dict[str, Any]] = self.resource.stdout.apply(json.loads)
        self.id: pulumi.Output[str] = told.apply(lambda answer: str(answer["id"]))
        """The image's ID: exact, whatever the tag points at later."""
        self.versions: pulumi.Output[dict[str, str]] = told.apply(lambda answer: dict(answer["versions"]))


class ForeignImage:
    """An image from a registry, by its full reference."""

    def __init__(self, host: ContainerHost, reference: str, opts: pulumi.ResourceOptions) -> None:
        """Declare the image; it stays on the host's engine when the lab is destroyed.

        Args:
            host: the host whose engine pulls it.
            reference: the full reference.
            opts: options of the resource.
        """
        self.tag = reference
        self.resource = docker.RemoteImage(
            f"{host.host.name}-image-{reference}",
            name=reference,
            keep_locally=True,
            opts=pulumi.ResourceOptions.merge(opts, pulumi.ResourceOptions(provider=host.provider)),
        )
        self.id: pulumi.Output[str] = self.resource.image_id
        self.versions: pulumi.Output[dict[str, str]] = pulumi.Output.from_input({})
