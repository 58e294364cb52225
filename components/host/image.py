"""Images as resources: each is built once for each content."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import pulumi
import pulumi_command as command
import pulumi_docker as docker

from components.host.container_host import COMMAND_VERSION, ContainerHost
from components.host.dockerfiles import build, tag
from components.published import Published
from hostside.operations.image_build import ImageBuild

_COPY = r"""
tags=$(grep -v '^#' | tr '\n' ' ')
lacking="for tag in $tags; do docker image inspect \$tag >/dev/null 2>&1 || echo \$tag; done"
missing=$(echo "$lacking" | {target} | tr '\n' ' ')
[ -z "$missing" ] || {{
    echo "{name}: loading $missing" >&2
    echo "docker save $missing" | {source} | {load} >/dev/null
}}
left=$(echo "$lacking; echo asked" | {target})
[ "$left" = asked ] || {{ echo "{name} has not got all images: $left" >&2; exit 1; }}
""".strip()
"""Has a host load what it lacks of the tags on standard input, from a host that has them."""


class Image:
    """An image on a host's engine. It stays there when the lab is destroyed, for the next one."""

    def __init__(
        self,
        host: ContainerHost,
        directory: str,
        packages: tuple[str, ...],
        published: Published,
        opts: pulumi.ResourceOptions,
    ) -> None:
        """Declare the image.

        Args:
            host: the host whose engine builds it.
            directory: directory below Dockerfiles/.
            packages: Debian packages whose versions are told.
            published: where OpenSDN's images are.
            opts: options of the resource; it depends on the image it is made from.
        """
        self.tag = tag(directory, published)
        self.resource = host.declare(
            f"{host.host.name}-image-{directory}",
            ImageBuild,
            build(directory, packages, published),
            subject=directory,
            show=True,
            opts=opts,
        )
        told: pulumi.Output[dict[str, Any]] = self.resource.stdout.apply(json.loads)
        self.id: pulumi.Output[str] = told.apply(lambda answer: str(answer["id"]))
        """The image's ID: exact, whatever the tag points at later."""
        self.versions: pulumi.Output[dict[str, str]] = told.apply(lambda answer: dict(answer["versions"]))


class ImageCopies:
    """Images that another host's engine has built, on a host that needs them too; what is there is not sent again.

    They pass through the machine that Pulumi runs on, from one client of Docker to the other.
    """

    def __init__(
        self,
        host: ContainerHost,
        source: ContainerHost,
        directories: Sequence[str],
        published: Published,
        built: Sequence[pulumi.Resource],
        opts: pulumi.ResourceOptions,
    ) -> None:
        """Declare the images.

        Args:
            host: the host that gets them.
            source: the host that builds them.
            directories: their directories below Dockerfiles/.
            published: where published images are from.
            built: the resources of the images on the other host.
            opts: options of the resource.
        """
        tags = [tag(directory, published) for directory in directories]
        gates = pulumi.ResourceOptions(depends_on=[*built, host.tool], version=COMMAND_VERSION)
        self.resource = command.local.Command(
            f"{host.host.name}-images",
            create=_COPY.format(
                name=host.host.name,
                source=source.line("sh"),
                target=host.line("sh"),
                load=host.line("docker", "load", "--quiet"),
            ),
            # Where the host has lost one, its own operation is repeated after this.
            stdin=host.losses(ImageBuild, directories).apply(
                lambda count: "\n".join([*tags, *([f"# {count}"] if count else []), ""])
            ),
            logging=command.local.Logging.STDERR,
            opts=pulumi.ResourceOptions.merge(opts, gates),
        )


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
