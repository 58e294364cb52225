"""``make backup`` and ``make restore``: the data of a stack's containers as one file, and a lab that has them again.

The data are the containers' own volumes: databases, images, volumes of guests, guests' disks, message queues, keys of
tokens, the Puppet CA; and the demo's key, which opens its guests. Passwords aren't among them: a restored lab keeps its
own, and its Puppet runs set them in what was restored. What the configuration mounts from the host isn't part of it.
A stack that is on several hosts stands still on all of them at the same time, and each gets back what was its own.
"""

from __future__ import annotations

import argparse
import signal
import sys
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from commands import places
from commands.jobs import together
from commands.keeping import HERE, Here, Place, There, standing_still
from components import demo, paths
from components.configuration import names
from components.outputs import outputs_of
from hostside import archive, report
from hostside.archive import Saved
from hostside.errors import Refused, StepError
from hostside.process import CommandFailed

FORMAT = 2
READABLE = (1, FORMAT)
"""The first had the manifest and the volumes of one host in one archive, which is read in the same way."""
MUST_AGREE = ("role", "address", "fqdn", "volumes", "host")
"""What of a container its data are bound to: a monitor's map holds addresses, a certificate a name."""


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


@dataclass(frozen=True)
class Lab:
    """What is up of a stack."""

    hosts: dict[str, Place]
    """The hosts that have containers of it."""
    saved: dict[str, Saved]
    """What a backup saves of each."""
    containers: dict[str, dict[str, Any]]
    """The containers that have volumes, with what their data are bound to."""


def backup(stack: str, file: Path) -> None:
    """Write a stack's data to a file, while all of its containers stand still.

    Raises:
        Refused: when not all of the stack is up, or a host doesn't answer.
        StepError, CommandFailed, OSError: when it fails on the way; the lab goes on.
    """
    lab = look(stack)
    beside = {name: saved.beside for name, saved in lab.saved.items()}
    keeping = [name for name, saved in lab.saved.items() if saved.volumes or saved.beside]
    told = {"format": FORMAT, "stack": stack, "taken": _now(), "containers": lab.containers, "beside": beside}
    with ExitStack() as held:
        part = held.enter_context(archive.whole(file))
        aside = held.enter_context(archive.aside(file))
        archive.begin(part, told)
        outs = {
            name: held.enter_context(part.open("ab") if name == HERE else (aside / archive.member(name)).open("wb"))
            for name in keeping
        }
        with standing_still(list(lab.hosts.values())):
            begun = time.monotonic()
            together([lab.hosts[name].packing(beside[name], outs[name]) for name in keeping], archive.SECONDS)
            took = time.monotonic() - begun
        for name in keeping:
            if name != HERE:
                archive.append(part, aside, name)
    volumes = sum(len(saved.volumes) for saved in lab.saved.values())
    print(f"{file}: {volumes} volumes, {file.stat().st_size / 2**20:.0f} MiB. The lab stood still for {took:.1f} s.")
    print("It holds keys and hashes of passwords, and only root can read it: keep it so.")


def restore(stack: str, file: Path) -> None:
    """Put a file's data in the place of a stack's, and remove its containers, which the next ``up`` makes anew.

    Everything is unpacked, on every host, before the first container goes: a file that is damaged changes nothing.

    Raises:
        Refused: when the file isn't one of this lab's, or a host doesn't answer.
        CommandFailed, OSError: when it fails on the way; it may be repeated.
    """
    told = archive.manifest(file)
    lab = look(stack)
    if faults := differences(told, lab.containers):
        raise Refused("\n".join([f"{file} does not fit stack {stack}:", *faults]))
    beside = {name: _beside(told, name) for name in lab.hosts}
    getting = {name: host for name, host in lab.hosts.items() if lab.saved[name].volumes or beside[name]}
    print(f"{file}, taken at {told['taken']}: unpacking", flush=True)
    try:
        with file.open("rb") as source:
            jobs = [job for name, host in getting.items() for job in host.unpacking(source, beside[name])]
            together(jobs, archive.SECONDS)
    except BaseException:
        for host in getting.values():
            with suppress(Refused, OSError):
                host.discard()
        raise
    keeper = names.keeper(stack)
    anew = [each for saved in lab.saved.values() for each in saved.containers if each != keeper]
    print(f"making {len(anew)} containers anew from it", flush=True)
    with ThreadPoolExecutor(len(lab.hosts)) as pool:
        list(pool.map(lambda name: lab.hosts[name].make_anew(beside[name], keeper), lab.hosts))


def look(stack: str) -> Lab:
    """Return what is up of a stack, and on which hosts.

    Raises:
        Refused: when it isn't up, not all of it is there, a host doesn't answer, or there is nothing to save.
        OSError: when the engine here can't be asked.
    """
    outputs = outputs_of(stack)
    if outputs is None:
        raise Refused(f"stack {stack} is not up. Fix: Bring it up with `{report.again(stack)}`.")
    hosts = hosts_of(stack, outputs)
    files = [path.name for path in demo.files(paths.stack_directory(stack))]
    saved, faults = {}, []
    with ThreadPoolExecutor(len(hosts)) as pool:
        for name, asked in [(name, pool.submit(host.saved, files)) for name, host in hosts.items()]:
            try:
                saved[name] = asked.result()
            except Refused as error:
                faults.append(str(error))
    if faults:
        raise Refused("\n".join(faults))
    found = {name: (host, each) for host, of in saved.items() for name, each in of.containers.items()}
    gone = sorted(name for name in outputs["addresses"] if name not in found)
    if gone:
        raise Refused(f"not there: {', '.join(gone)}. Fix: Bring back what is gone with `{report.again(stack)}`.")
    if not any(each.volumes for each in saved.values()):
        raise Refused(f"the containers of stack {stack} have no volumes: there is nothing to save. Fix: None needed.")
    described = {
        name: {
            "role": outputs["services"][name]["role"],
            "address": outputs["addresses"][name],
            "host": found[name][0],
            **found[name][1],
        }
        for name in outputs["addresses"]
        if found[name][1]["volumes"]
    }
    return Lab(hosts, saved, described)


def hosts_of(stack: str, outputs: Mapping[str, Any]) -> dict[str, Place]:
    """Return the hosts that have containers of a stack by its outputs: this one is the one that isn't behind ssh.

    Raises:
        Refused: when it isn't known how another one is reached.
    """
    placed = places.placed(outputs)
    there = places.elsewhere(stack, outputs)
    found: dict[str, Place] = {host.name: There(stack, host) for host in there if host.name in placed.values()}
    if set(placed.values()) <= found.keys() and placed:
        return found
    return {HERE: Here(stack, Path(paths.stack_directory(stack))), **found}


def differences(told: Mapping[str, Any], here: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Return why a file's data can't be this lab's: each fault with the fix; none when they can."""
    if told.get("format") not in READABLE:
        return [
            f"  its format is {told.get('format')}, and this is {FORMAT}. Fix: Restore it with the release it is of."
        ]
    there: Mapping[str, Mapping[str, Any]] = told["containers"]
    faults = [
        f"  it has nothing of {name}. Fix: Take {name} out for now." for name in sorted(here.keys() - there.keys())
    ]
    faults += [f"  the lab has no {name}. Fix: Add it as it was." for name in sorted(there.keys() - here.keys())]
    faults += [
        f"  {name}: {key} is {_shown(now)} here, and was {_shown(was)}. Fix: Make it the same for the restore."
        for name in sorted(here.keys() & there.keys())
        for key in MUST_AGREE
        if (now := here[name].get(key, HERE)) != (was := there[name].get(key, HERE))
    ]
    return faults


def _shown(value: object) -> object:
    """Return a value for the reader of a fault; in the first format no host is named, as there was one."""
    return "the one that the command runs on" if value == HERE else value


def _beside(told: Mapping[str, Any], host: str) -> list[str]:
    """Return the names of the files that a backup has of a host beside its volumes."""
    beside = told["beside"]
    # In the first format there was one host.
    by_host = beside if isinstance(beside, Mapping) else {HERE: beside}
    return list(by_host.get(host, ()))


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
