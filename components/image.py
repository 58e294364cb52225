"""Images: one directory below Dockerfiles/ each, built once for each content."""

from __future__ import annotations

import hashlib
import json
import re
from functools import cache
from pathlib import Path
from typing import Any

import pulumi
import pulumi_docker as docker

from components import paths
from components.container_host import ContainerHost

REPOSITORY = "dockstack"
_PARENT = re.compile(r"^ARG PARENT=(\S+)$", re.MULTILINE)


@cache
def context(directory: str) -> dict[str, dict[str, str]]:
    """Return the build context of an image: relative path to content and mode."""
    root = paths.DOCKERFILES / directory
    return {
        str(path.relative_to(root)): {"content": path.read_text(), "mode": _mode(path)}
        for path in sorted(root.rglob("*"))
        if path.is_file()
    }


@cache
def parent(directory: str) -> str:
    """Return what an image is made from: another of our directories as ``dockstack/NAME``, or the distribution.

    Raises:
        ValueError: when the Dockerfile has no line ``ARG PARENT=…``.
    """
    found = _PARENT.search(context(directory)["Dockerfile"]["content"])
    if found is None:
        raise ValueError(f"Dockerfiles/{directory}/Dockerfile: the line ARG PARENT=... is missing")
    return found[1]


@cache
def tag(directory: str) -> str:
    """Return the image's name, whose tag is the digest of its content and of all that it is made from."""
    digest = hashlib.sha256(json.dumps([context(directory), parent_tag(directory)], sort_keys=True).encode())
    return f"{REPOSITORY}/{directory}:{digest.hexdigest()[:16]}"


def parent_tag(directory: str) -> str:
    """Return the exact name of the image that this one is made from."""
    name = parent(directory)
    return tag(name.removeprefix(f"{REPOSITORY}/")) if name.startswith(f"{REPOSITORY}/") else name


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
        self.resource = host.verb(
            f"{host.host.name}-image-{directory}",
            "image-build",
            {
                "tag": self.tag,
                "parent": parent_tag(directory),
                "files": context(directory),
                "packages": list(packages),
            },
            subject=directory,
            show=True,
            opts=opts,
        )
        told: pulumi.Output[dict[str, Any]] = self.resource.stdout.apply(json.loads)
        self.id: pulumi.Output[str] = told.apply(lambda answer: str(answer["id"]))
        """The image's ID: exact, whatever the tag points at later."""
        self.versions: pulumi.Output[dict[str, str]] = told.apply(lambda answer: dict(answer["versions"]))


def is_directory(name: str) -> bool:
    """Say whether a container's image is one of ours, and not the full reference of somebody else's."""
    return (paths.DOCKERFILES / name / "Dockerfile").is_file()


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


def images_for(directory: str) -> list[str]:
    """Return the directories of an image and of its ancestors, the eldest first."""
    name = parent(directory)
    before = images_for(name.removeprefix(f"{REPOSITORY}/")) if name.startswith(f"{REPOSITORY}/") else []
    return [*before, directory]


def _mode(path: Path) -> str:
    return "755" if path.stat().st_mode & 0o111 else "644"
