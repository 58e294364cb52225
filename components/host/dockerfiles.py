"""What images are made from: one directory below Dockerfiles/ each, named after the digest of its content.

Nothing here knows Pulumi: what builds images before there is an engine goes by it, too.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path

from components import paths
from components.published import PROJECTS_OWN, Published
from hostside.operations.image_build import ImageBuild

REPOSITORY = "dockstack"
GUEST = "guest"
"""The directory of the image that holds the demo's guest, and the program that makes the demo."""
_PARENT = re.compile(r"^ARG PARENT=(\S+)$", re.MULTILINE)
_PUBLISHED = re.compile(r"^ARG (OPENSDN_\w+)=(\S+)$", re.MULTILINE)


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
def sources(directory: str, published: Published = PROJECTS_OWN) -> Mapping[str, str]:
    """Return the published images that stages of an image begin with: argument of the build to full reference.

    A Dockerfile names them by lines ``ARG OPENSDN_…=NAME``.
    """
    found = _PUBLISHED.findall(context(directory)["Dockerfile"]["content"])
    return {argument: published.reference(name) for argument, name in found}


@cache
def tag(directory: str, published: Published = PROJECTS_OWN) -> str:
    """Return the image's name, whose tag is the digest of its content and of all that it is made from."""
    content: list[object] = [context(directory), parent_tag(directory, published)]
    if taken := sources(directory, published):
        content.append(taken)
    digest = hashlib.sha256(json.dumps(content, sort_keys=True).encode())
    return f"{REPOSITORY}/{directory}:{digest.hexdigest()[:16]}"


def parent_tag(directory: str, published: Published = PROJECTS_OWN) -> str:
    """Return the exact name of the image that this one is made from."""
    name = parent(directory)
    return tag(name.removeprefix(f"{REPOSITORY}/"), published) if name.startswith(f"{REPOSITORY}/") else name


def build(directory: str, packages: Sequence[str] = (), published: Published = PROJECTS_OWN) -> ImageBuild:
    """Return the operation that builds an image.

    Args:
        directory: directory below Dockerfiles/.
        packages: Debian packages whose versions are to be told.
        published: where OpenSDN's images are.
    """
    return ImageBuild(
        tag(directory, published), parent_tag(directory, published), context(directory), list(packages),
        sources(directory, published),
    )  # fmt: skip


def is_directory(name: str) -> bool:
    """Say whether a container's image is one of ours, and not the full reference of somebody else's."""
    return (paths.DOCKERFILES / name / "Dockerfile").is_file()


def images_for(directory: str) -> list[str]:
    """Return the directories of an image and of its ancestors, the eldest first."""
    name = parent(directory)
    before = images_for(name.removeprefix(f"{REPOSITORY}/")) if name.startswith(f"{REPOSITORY}/") else []
    return [*before, directory]


def _mode(path: Path) -> str:
    return "755" if path.stat().st_mode & 0o111 else "644"
