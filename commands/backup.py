"""``make backup`` and ``make restore``: the data of a stack's containers as one file, and a lab that has them again.

The data are the containers' own volumes: databases, images, volumes of guests, guests' disks, message queues, keys of
tokens, the Puppet CA; and the demo's key, which opens its guests. Passwords aren't among them: a restored lab keeps its
own, and its Puppet runs set them in what was restored. What the configuration mounts from the host isn't part of it.
"""

from __future__ import annotations

import argparse
import signal
import sys
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from components import demo, paths
from components.host import keeper
from components.outputs import outputs_of
from hostside import archive, engine
from hostside.errors import StepError
from hostside.process import CommandFailed

FORMAT = 1
MUST_AGREE = ("role", "address", "fqdn", "volumes")
"""What of a container its data are bound to: a monitor's map holds addresses, a certificate a name."""


class Refused(Exception):
    """It can't be done as things are: the reason and the fix."""


def main(arguments: list[str]) -> int:
    """Take or put back a backup; return the exit status."""
    parser = argparse.ArgumentParser(prog="python3 -m commands.backup", description=__doc__)
    parser.add_argument("what", choices=("backup", "restore"))
    parser.add_argument("stack")
    parser.add_argument("file", type=Path, help="the archive, a tar file packed by zstd")
    given = parser.parse_args(arguments)
    # As Ctrl-C does: containers that stand still are let go on.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        {"backup": backup, "restore": restore}[given.what](given.stack, given.file)
    except (Refused, StepError, CommandFailed, OSError) as error:
        print(f"make {given.what}: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print(f"make {given.what}: interrupted; it may be repeated", file=sys.stderr)
        return 130
    return 0


def backup(stack: str, file: Path) -> None:
    """Write a stack's data to a file, while all of its containers stand still.

    Raises:
        Refused: when not all of the stack is on this host.
        StepError, CommandFailed, OSError: when it fails on the way; the lab goes on.
    """
    volumes = engine.volumes(stack)
    beside = [path for path in map(Path, demo.files(paths.stack_directory(stack))) if path.exists()]
    told = {
        "format": FORMAT,
        "stack": stack,
        "taken": _now(),
        "containers": describe(stack, volumes),
        "beside": [path.name for path in beside],
    }
    with archive.standing_still(stack):
        begun = time.monotonic()
        archive.pack(file, told, volumes, beside)
        took = time.monotonic() - begun
    size = file.stat().st_size / 2**20
    print(f"{file}: {len(volumes)} volumes, {size:.0f} MiB. The lab stood still for {took:.1f} s.")
    print("It holds keys and hashes of passwords, and only root can read it: keep it so.")


def restore(stack: str, file: Path) -> None:
    """Put a file's data in the place of a stack's, and remove its containers, which the next ``up`` makes anew.

    Everything is unpacked before the first container goes: a file that is damaged changes nothing.

    Raises:
        Refused: when the file isn't one of this lab's.
        CommandFailed, OSError: when it fails on the way; it may be repeated.
    """
    volumes = engine.volumes(stack)
    told = archive.manifest(file)
    faults = differences(told, describe(stack, volumes))
    if faults:
        raise Refused("\n".join([f"{file} does not fit stack {stack}:", *faults]))
    print(f"{file}, taken at {told['taken']}: unpacking", flush=True)
    archive.unpack(file, volumes)
    names = [name for name in map(engine.name, engine.containers(stack)) if name != keeper.name(stack)]
    print(f"making {len(names)} containers anew from it", flush=True)
    for name in names:
        engine.remove(name)
    archive.swap(volumes)
    archive.place(file, told["beside"], Path(paths.stack_directory(stack)))


def describe(stack: str, volumes: Mapping[str, Path]) -> dict[str, dict[str, Any]]:
    """Return the containers of a stack that have volumes, with what their data are bound to.

    Raises:
        Refused: when the stack isn't up, or not all of it on this host.
    """
    outputs = outputs_of(stack)
    if outputs is None:
        raise Refused(f"stack {stack} is not up. Fix: Bring it up with `make lab`.")
    found = {name: engine.inspect(name) for name in outputs["addresses"]}
    gone = sorted(name for name, inspected in found.items() if inspected is None)
    if gone:
        raise Refused(
            f"not on this host: {', '.join(gone)}. Fix: Bring back what is gone with `make lab`; labs with "
            "containers on other hosts can't be saved in one file."
        )
    if not volumes:
        raise Refused(f"the containers of stack {stack} have no volumes: there is nothing to save. Fix: None needed.")
    described = {}
    for name, inspected in found.items():
        assert inspected is not None
        own = {m["Name"]: m["Destination"] for m in inspected["Mounts"] if m.get("Name") in volumes}
        if own:
            described[name] = {
                "role": outputs["services"][name]["role"],
                "address": outputs["addresses"][name],
                "fqdn": f"{inspected['Config']['Hostname']}.{inspected['Config']['Domainname']}",
                "volumes": own,
            }
    return described


def differences(told: Mapping[str, Any], here: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Return why a file's data can't be this lab's: each fault with the fix; none when they can."""
    if told.get("format") != FORMAT:
        return [
            f"  its format is {told.get('format')}, and this is {FORMAT}. Fix: Restore it with the release it is of."
        ]
    there: Mapping[str, Mapping[str, Any]] = told["containers"]
    faults = [
        f"  it has nothing of {name}. Fix: Take {name} out for now." for name in sorted(here.keys() - there.keys())
    ]
    faults += [f"  the lab has no {name}. Fix: Add it as it was." for name in sorted(there.keys() - here.keys())]
    faults += [
        f"  {name}: {key} is {here[name][key]} here, and was {there[name][key]}. Fix: Make it the same for the restore."
        for name in sorted(here.keys() & there.keys())
        for key in MUST_AGREE
        if here[name][key] != there[name][key]
    ]
    return faults


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
