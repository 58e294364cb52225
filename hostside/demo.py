"""The demo's objects in OpenStack, made and removed by the program in the guest's image."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from hostside import files, labels
from hostside.errors import StepError
from hostside.process import CommandFailed, run, succeeds

PROGRAM = "/usr/share/dockstack/demo"
RECORD = "demo.json"
"""What was made last, in the stack's directory: all that its removal needs, once the configuration has forgotten it."""
SECONDS = 600.0


def container_name(stack: str) -> str:
    """Return the name of the container that the program runs in."""
    return f"{stack}-demo"


def apply(
    directory: Path, container: str, image: str, key: Path, wanted: Mapping[str, Any], login: Mapping[str, str]
) -> None:
    """Bring OpenStack to where it has what is wanted, and nothing of an earlier demo besides.

    Args:
        directory: the stack's directory.
        container: container whose network reaches the lab's endpoints.
        image: image with the program and the guest's disk; empty when nothing is wanted.
        key: the demo's private key (0600), made if it is missing; its public half is beside it.
        wanted: what is to be there; nothing removes the demo.
        login: how to get in, as openstacksdk names it; ``cacert`` is a file of this host.

    Raises:
        StepError: with OpenStack's own words.
    """
    record = directory / RECORD
    before: dict[str, Any] = json.loads(record.read_text()) if record.exists() else {}
    if not wanted and not before:
        return
    image = image or before["image"]
    if "key" in wanted:
        wanted = {**wanted, "key": {**wanted["key"], "public": _public_key(image, key)}}
    made = list(before.get("made", []))
    if wanted and wanted not in made:
        made.append(wanted)
    # Recorded before anything is made: an interrupted run's leftovers are known, too.
    _keep(record, image, made)
    name = container_name(directory.name)
    # The program outlives a client that was cut off.
    succeeds(["docker", "rm", "--force", name])
    order = json.dumps({"login": login, "wanted": wanted, "made": made})
    step = "making the demo" if wanted else "removing the demo"
    options = ["--name", name, "--label", f"{labels.STACK}={directory.name}", "--network", f"container:{container}"]
    if "cacert" in login:
        options += ["--volume", f"{login['cacert']}:{login['cacert']}:ro"]
    done = _run(step, image, options, "apply", order)
    print("".join(f"demo: {line}\n" for line in done.splitlines()), end="", file=sys.stderr)
    if wanted:
        _keep(record, image, [wanted])
    else:
        record.unlink()
        for path in (key, _public(key)):
            path.unlink(missing_ok=True)


def _public(key: Path) -> Path:
    return key.with_name(f"{key.name}.pub")


def _public_key(image: str, key: Path) -> str:
    if not (key.exists() and _public(key).exists()):
        pair = json.loads(_run("making its key", image, ["--network", "none"], "key", ""))
        files.put(key, pair["private"], 0o600)
        files.put(_public(key), pair["public"], 0o600)
    return _public(key).read_text().strip()


def _run(step: str, image: str, options: list[str], mode: str, stdin: str) -> str:
    if not succeeds(["docker", "image", "inspect", image]):
        reason = "the image that made it is gone; set dockstack:demo to true, run `pulumi up`, and then set it to false"
        raise StepError("demo", step, reason)
    # The endpoints are beside us, whatever proxy the engine gives to containers.
    command = ["docker", "run", "--rm", "--interactive", "--no-healthcheck", "--env", "no_proxy=*"]
    try:
        return run([*command, *options, image, PROGRAM, mode], stdin=stdin, timeout=SECONDS)
    except CommandFailed as error:
        raise StepError("demo", step, *_said(str(error))) from None


def _said(message: str) -> tuple[str, list[str]]:
    """Split what a failed run said into the reason and the lines that explain it."""
    _, _, said = message.partition(": ")
    lines = [line for line in said.splitlines() if line.strip()] or [message]
    return lines[-1], lines[:-1]


def _keep(record: Path, image: str, made: Sequence[Mapping[str, Any]]) -> None:
    files.put(record, json.dumps({"image": image, "made": made}, sort_keys=True) + "\n", 0o600)
