"""What one of our plain containers is, so that the others' are the same."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.lab.harness import run


@dataclass(frozen=True)
class Likeness:
    """Image, first process, mounts and health check of a plain container; the network is none."""

    image: str
    """The image's ID."""
    healthcheck: dict[str, Any]
    """Docker's record of it; ``{"Test": ["NONE"]}`` when it is switched off."""
    inherited: bool
    """Whether that is what the image says."""
    mounts: tuple[str, ...]
    """``source:target:ro``."""

    @classmethod
    def of(cls, container: str, directory: Path) -> Likeness:
        """Read a container of ours; what it has mounted is copied, as it goes with its stack."""
        told = json.loads(run("docker", "inspect", container).stdout)[0]
        image = json.loads(run("docker", "image", "inspect", told["Image"]).stdout)[0]
        mounts = []
        for number, mount in enumerate(told["Mounts"]):
            shutil.copytree(mount["Source"], directory / str(number))
            mounts.append(f"{directory / str(number)}:{mount['Destination']}:ro")
        check = told["Config"].get("Healthcheck") or {"Test": ["NONE"]}
        return cls(told["Image"], check, check == image["Config"].get("Healthcheck"), tuple(mounts))

    def compose(self) -> dict[str, Any]:
        """Return it as a service of a compose file."""
        service: dict[str, Any] = {"image": self.image, "network_mode": "none", "volumes": list(self.mounts)}
        return service if self.inherited else {**service, "healthcheck": {"test": self._test}}

    def run_options(self) -> list[str]:
        """Return it as options of ``docker run``, the image last.

        Raises:
            ValueError: for a health check that is neither the image's nor none.
        """
        if not self.inherited and self._test != ["NONE"]:
            raise ValueError(f"docker run can't be given the health check {self._test}")
        mounts = [part for mount in self.mounts for part in ("--volume", mount)]
        off = [] if self.inherited else ["--no-healthcheck"]
        return ["--network", "none", *mounts, *off, self.image]

    @property
    def _test(self) -> list[str]:
        return list(self.healthcheck.get("Test", ["NONE"]))

    def __str__(self) -> str:
        mode = "the image's health check" if self.inherited else f"health check {' '.join(self._test)}"
        return f"image {self.image[:19]}, {mode}, {len(self.mounts)} mount, no network but the port"
