"""Where OpenSDN's own programs come from: the images that its project publishes, all under one tag.

https://hub.docker.com/u/opensdn. Nothing here needs more than Python: what builds images before there is an
environment for it goes by it, too.
"""

from __future__ import annotations

from dataclasses import dataclass

REGISTRY = "docker.io/opensdn"
TAG = "R25.1-2026-05-28"
"""A dated tag, which the project doesn't move: what was tested together stays together."""


@dataclass(frozen=True)
class Published:
    """A registry with OpenSDN's images: the project's own, or a mirror of it."""

    registry: str = REGISTRY
    tag: str = TAG

    def reference(self, name: str) -> str:
        """Return the full reference of an image, e.g. of ``opensdn-controller-control-dns``."""
        return f"{self.registry}/{name}:{self.tag}"


PROJECTS_OWN = Published()
