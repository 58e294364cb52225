"""Stand-ins for OpenSDN's published images, built where these can't be pulled: ``python3 -m tests.standins.images``.

They get a registry's name of their own, so that nobody takes them for the project's, and a tag that follows from their
content. What is printed belongs into a stack's configuration, as ``dockstack:opensdn``.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import sys
from pathlib import Path

from components import paths
from components.host import dockerfiles
from hostside import image
from hostside.process import own_environment, run, succeeds

DIRECTORY = Path(__file__).parent / "opensdn"
REGISTRY = "dockstack-standins"
BUILD_SECONDS = 600.0


def names() -> list[str]:
    """Return the published images that an image of ours is made from."""
    directories = [path.name for path in paths.DOCKERFILES.iterdir() if (path / "Dockerfile").is_file()]
    found = {name for each in directories for name in dockerfiles.sources(each).values()}
    return sorted({name.rpartition("/")[2].partition(":")[0] for name in found})


def given() -> list[str]:
    """Return those that there are stand-ins for."""
    return sorted(set(re.findall(r"^FROM \S+ AS (opensdn-\S+)$", (DIRECTORY / "Dockerfile").read_text(), re.MULTILINE)))


def tag() -> str:
    """Return the tag of all of them, which follows from their content."""
    files = sorted(path for path in DIRECTORY.rglob("*") if path.is_file() and "__pycache__" not in path.parts)
    content = [(str(path.relative_to(DIRECTORY)), path.read_text(), path.stat().st_mode & 0o111) for path in files]
    return hashlib.sha256(json.dumps([content, dockerfiles.tag("base")]).encode()).hexdigest()[:16]


def build() -> dict[str, str]:
    """Build those that the engine lacks, and return the configuration's value that has them used."""
    base = dockerfiles.build("base")
    image.build(base.tag, base.parent, base.files, ())
    proxies = image.proxies()
    network = ["--network", "host", *(word for name in proxies for word in ("--build-arg", name))] if proxies else []
    for name in given():
        reference = f"{REGISTRY}/{name}:{tag()}"
        if not succeeds(["docker", "image", "inspect", reference]):
            run(
                [
                    *("docker", "build", "--quiet", "--build-arg", f"PARENT={base.tag}", *network),
                    *("--target", name, "--tag", reference, str(DIRECTORY)),
                ],
                timeout=BUILD_SECONDS,
                environment={**own_environment(), **proxies, "DOCKER_BUILDKIT": "0"},
            )
    return {"registry": REGISTRY, "tag": tag()}


if __name__ == "__main__":
    os.umask(0o022)
    json.dump(build(), sys.stdout)
    print()
