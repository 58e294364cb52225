"""An image on a host's engine."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from hostside import image
from hostside.operations.base import File, Operation, Record

if TYPE_CHECKING:
    from hostside.inspection import Inspection


@dataclass(frozen=True)
class ImageBuild(Operation):
    """The engine has an image of this content."""

    NAME = "image-build"

    tag: str
    """Name with the digest of the content as its tag: the same tag is the same content."""
    parent: str
    """Image that it is made from, given to the Dockerfile as PARENT."""
    files: Mapping[str, File]
    """The build context, by path."""
    packages: Sequence[str] = ()
    """Debian packages whose versions are told."""
    sources: Mapping[str, str] = field(default_factory=dict)
    """Other images that the Dockerfile takes something from: argument of the build to full reference."""

    def dumped(self) -> str:
        """Return its inputs without ``sources`` where there are none, as earlier versions wrote them."""
        given = json.loads(super().dumped())
        return json.dumps({key: value for key, value in given.items() if key != "sources" or value}, sort_keys=True)

    def run(self, directory: Path) -> dict[str, object]:
        return self.build()

    def build(self) -> dict[str, object]:
        """Build it; see :func:`hostside.image.build`."""
        return image.build(self.tag, self.parent, self.files, self.packages, self.sources)

    def record(self) -> Record:
        return {"tag": self.tag}

    @classmethod
    def drift(cls, inspection: Inspection, record: Record) -> str:
        return "" if record["tag"] in inspection.images else f"image {record['tag']} is gone"


OPERATION = ImageBuild
