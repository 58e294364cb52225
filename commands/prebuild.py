"""The images that a stack will ask this host's engine for, told before there is a Pulumi to run its program.

What they are made of doesn't depend on it: an image's tag is the digest of its content. So they can be built while the
engine is being compiled, and ``pulumi up`` then finds them.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from commands import stack_file
from components import paths, services
from components.configuration import preflight
from components.configuration.environment import Environment, builder
from components.configuration.faults import ConfigurationFaults
from components.host.dockerfiles import GUEST, build, images_for, is_directory, tag
from components.published import Published
from hostside.process import CommandFailed, run


def wanted(lab: Environment) -> list[str]:
    """Return the directories below Dockerfiles/ of a lab's images, each after the one it is made from.

    None for a lab that is on other hosts only: one of these builds them.
    """
    if not lab.containers or builder(lab).ssh is not None:
        return []
    roles = services.for_lab(lab)
    names = [container.image or roles[container.role].image_directory for container in lab.containers]
    names = [services.KEEPER.image_directory, *names, *([GUEST] if lab.demo else [])]
    return list(dict.fromkeys(name for last in names if is_directory(last) for name in images_for(last)))


def late(lab: Environment) -> set[str]:
    """Return the directories of the images that ``pulumi up`` builds while the lab's first services come up."""
    roles = [role for each in (services.ROLES, services.for_lab(lab)) for role in each.values()]
    return {GUEST, *(role.image_directory for role in roles if role.built_late)}


def configured(stack: str) -> Environment:
    """Read a stack's configuration from its file and check it, with its hosts, as the program does.

    Raises:
        ConfigurationFaults: as for the program, which will tell them all again.
        ValueError: when the file can't be read.
    """
    config = stack_file.read(stack)
    return preflight.verify(config, stack=stack, roles=services.facts(), base_dir=paths.PROJECT).environment


def missing(directories: list[str], published: Published) -> list[dict[str, Any]]:
    """Return the operation that builds it, and the directory, for each image that the engine lacks."""
    listed = run(["docker", "image", "ls", "--format", "{{.Repository}}:{{.Tag}}"]).split()
    return [
        {"directory": name, **vars(build(name, (), published))}
        for name in directories
        if tag(name, published) not in listed
    ]


def main(stack: str) -> int:
    """Write the missing images of a stack to standard output, as JSON; none where ``pulumi up`` is going to refuse it.

    Returns:
        0, or 1 when the engine can't tell what it has.
    """
    try:
        lab = configured(Path(stack).name)
        left = late(lab)
        images = missing([name for name in wanted(lab) if name not in left], lab.opensdn.published)
    except (ConfigurationFaults, ValueError) as error:
        print(f"images: none is built before `pulumi up`, which will refuse this:\n{error}", file=sys.stderr)
        images = []
    except CommandFailed as error:
        print(f"images: {error}", file=sys.stderr)
        return 1
    print(json.dumps(images))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
