"""The demo's objects in OpenStack."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hostside import demo
from hostside.operations.base import Operation


@dataclass(frozen=True)
class Demo(Operation):
    """OpenStack has what the demo consists of; nothing, where the demo is off."""

    NAME = "demo"

    container: str
    """Whose network reaches the lab's endpoints."""
    image: str
    """ID of the image with the program and the guest's disk; empty when the demo is off."""
    key: str
    """Path of the private key."""
    wanted: Mapping[str, Any]
    login: Mapping[str, str]
    """How to get in, as openstacksdk names it."""

    def run(self, directory: Path) -> None:
        demo.apply(directory, self.container, self.image, Path(self.key), self.wanted, self.login)


OPERATION = Demo
