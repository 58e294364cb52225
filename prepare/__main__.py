"""``prepare/run``: everything that a machine needs for a stack, at the same time as far as possible.

Runs on the distribution's Python, as it is there before the environment of ``requirements.lock`` is.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from components.host import dockerfiles
from prepare.jobs import Interrupted, Job, JobFailed, run

HERE = Path(__file__).resolve().parent
AT_ONCE = min(2 + (os.cpu_count() or 2), 8)
"""Jobs at the same time: two more than processors, as what downloads and unpacks waits in between."""
SECONDS: Mapping[str, float] = {
    "engine": 200, "python": 30, "images": 5,
    "image base": 35, "image openstack": 100, "image network": 40, "image puppet": 60, "image cinder": 50,
    "image compute": 45, "image nova": 40, "image ceph": 40, "image glance": 30, "image keystone": 25,
    "image neutron": 25, "image galera": 25, "image haproxy": 20, "image placement": 10,
}  # fmt: skip
"""About how long each job takes alone on a machine that has nothing yet; what isn't here is short."""
SHORT = 10.0
"""Seconds of an image that isn't among them."""


def jobs(stack: str, *, images: bool) -> list[Job]:
    """Return what is to be done once the packages are there.

    Args:
        stack: the stack's name.
        images: whether the images of the stack are built, too.
    """
    chosen = [
        _script("docker"),
        _script("openvswitch"),
        _script("python"),
        _script("engine"),
        _script("backend", "engine", "python"),
        _script("stack", "backend"),
        _script("cleanup", "stack", "docker"),
    ]
    if images:
        # What every image is made from needs no reading of the configuration, and every other image waits for it.
        base = _image({"directory": "base", **vars(dockerfiles.build("base"))}, ("docker",))
        listing = Job(
            "images",
            [str(HERE / "images"), stack],
            # The check of the configuration looks at both daemons.
            ("docker", "openvswitch", "python"),
            SECONDS["images"],
            answer=_found_out,
        )
        chosen += [base, listing]
    return chosen


def _script(name: str, *needs: str) -> Job:
    return Job(name, [str(HERE / name)], needs, SECONDS.get(name, 1.0))


def _found_out(answer: str) -> Iterable[Job]:
    """Return the jobs for the images that :mod:`commands.prebuild` tells, each after the one it is made from."""
    told = [image for image in json.loads(answer) if image["directory"] != "base"]
    by_tag = {image["tag"]: f"image {image['directory']}" for image in told}
    for image in told:
        yield _image(image, (by_tag.get(image["parent"], "image base"),))


def _image(image: Mapping[str, Any], needs: tuple[str, ...]) -> Job:
    name = f"image {image['directory']}"
    given = {key: value for key, value in image.items() if key != "directory"}
    command = [sys.executable, "-SEB", "-m", "hostside.build"]
    return Job(name, command, needs, SECONDS.get(name, SHORT), json.dumps(given))


def main(arguments: list[str]) -> int:
    """Prepare this machine.

    Returns:
        0, 1 with the reason on standard error, or 128 and the number of the signal that interrupted it.
    """
    parser = argparse.ArgumentParser(prog="prepare/run", description="Prepare this machine for stack STACK (lab).")
    parser.add_argument("--without-images", action="store_true", help="leave the images to `pulumi up`")
    given = parser.parse_args(arguments)
    begin = time.monotonic()
    try:
        run(jobs(os.environ.get("STACK") or "lab", images=not given.without_images), AT_ONCE, _say)
    except Interrupted as error:
        print(f"prepare: {error}; the next run goes on from here", file=sys.stderr)
        return 128 + error.number
    except JobFailed as error:
        print(f"prepare: {error}\nprepare: what is done stays done; the next run goes on from here", file=sys.stderr)
        return 1
    print(f"prepare: ready after {time.monotonic() - begin:.0f} s")
    return 0


def _say(line: str) -> None:
    print(line, flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
