"""The images that a stack will ask this host's engine for, told before there is a Pulumi to run its program.

What they are made of doesn't depend on it: an image's tag is the digest of its content. So they can be built while the
engine is being compiled, and ``pulumi up`` then finds them.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from components import paths, services
from components.configuration import environment, preflight
from components.configuration.environment import Environment
from components.configuration.faults import ConfigurationFaults
from components.host.dockerfiles import GUEST, build, images_for, is_directory, tag
from hostside.process import CommandFailed, run

SECRET = "secure"
"""What marks a value in a stack's file that only its key opens."""


def wanted(lab: Environment) -> list[str]:
    """Return the directories below Dockerfiles/ of a lab's images on this host, each after the one it is made from."""
    local = {host.name for host in lab.hosts.values() if host.ssh is None}
    roles = services.for_lab(lab)
    here = [c for c in lab.containers if c.host in local]
    names = [container.image or roles[container.role].image_directory for container in here]
    if here:
        names = [services.KEEPER.image_directory, *names, *([GUEST] if lab.demo else [])]
    return list(dict.fromkeys(name for last in names if is_directory(last) for name in images_for(last)))


def configured(stack: str) -> Environment:
    """Read a stack's configuration from its file and check it, with this host, as the program does.

    Raises:
        ConfigurationFaults: as for the program, which will tell them all again.
        ValueError: when the file can't be read.
    """
    try:
        given = yaml.safe_load((paths.PROJECT / f"Pulumi.{stack}.yaml").read_text()) or {}
        config = environment.decode({key: _text(value) for key, value in given.get("config", {}).items()})
    except (OSError, AttributeError, yaml.YAMLError) as error:
        raise ValueError(f"Pulumi.{stack}.yaml has no configuration to read: {error}") from error
    lab, _ = preflight.verify(config, stack=stack, roles=services.facts(), base_dir=paths.PROJECT)
    return lab


def _text(value: Any) -> str:
    """Return a value as Pulumi hands it to the program."""
    plain = _opened(value)
    return plain if isinstance(plain, str) else json.dumps(plain)


def _opened(value: Any) -> Any:
    """Return a value with something in the place of each secret: no image depends on one."""
    if isinstance(value, Mapping):
        return SECRET if set(value) == {SECRET} else {key: _opened(inner) for key, inner in value.items()}
    return [_opened(inner) for inner in value] if isinstance(value, list) else value


def missing(directories: list[str]) -> list[dict[str, Any]]:
    """Return the operation that builds it, and the directory, for each image that the engine lacks."""
    listed = run(["docker", "image", "ls", "--format", "{{.Repository}}:{{.Tag}}"]).split()
    return [{"directory": name, **vars(build(name))} for name in directories if tag(name) not in listed]


def main(stack: str) -> int:
    """Write the missing images of a stack to standard output, as JSON; none where ``pulumi up`` is going to refuse it.

    Returns:
        0, or 1 when the engine can't tell what it has.
    """
    try:
        images = missing(wanted(configured(Path(stack).name)))
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
