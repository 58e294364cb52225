"""The data of a stack's containers on a host: taken while all stand still, and put back in one go.

A file is tar archives packed by zstd, one behind the other: the manifest; the volumes of the host that the backup is
taken on; and for each other host, as one member, what that has packed in the same way. A volume's directory is
``<volume>/_data`` below Docker's directory of volumes, and an archive has it by that name.
What is put back lies beside the data until all of it is there.
"""

from __future__ import annotations

import json
import os
import select
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from hostside import docker_api
from hostside.errors import StepError
from hostside.process import run

AT_ONCE = 8
STEP = "standing still"
MANIFEST = "manifest.json"
HOSTS = "hosts"
"""The directory of the members that are other hosts' archives."""
DATA = "_data"
RESTORED, FORMER = f"{DATA}.restored", f"{DATA}.former"
BESIDE_RESTORED = "restored"
"""Directory, in the stack's, of the restored files that belong beside the volumes."""
SECONDS = 3600.0
"""How long packing or unpacking may take."""
FROZEN, BEAT, LET_GO, HELD = "frozen", "beat", "let go", "held"
"""Messages between the machine that takes a backup and a host that is frozen for it."""
BEAT_SECONDS, SILENT_SECONDS = 2.0, 20.0
"""How often that host is told to go on standing still, and how long it does so without being told."""
_KEEPING = ("--zstd", "--numeric-owner", "--acls", "--xattrs")


@dataclass(frozen=True)
class Saved:
    """What a backup saves of a host."""

    containers: dict[str, dict[str, Any]]
    """The stack's containers: ``fqdn``, and ``volumes`` with where each is mounted."""
    volumes: list[str]
    beside: list[str]
    """Those of the files beside the volumes that there are."""


def saved(stack: str, directory: Path, beside: Sequence[str]) -> Saved:
    """Return what a backup saves of this host.

    Args:
        stack: the stack.
        directory: its directory on this host.
        beside: names of files in it that belong to the volumes.

    Raises:
        OSError: when the engine can't be asked.
    """
    volumes = docker_api.volumes(stack)
    containers = {}
    for name in map(docker_api.name, docker_api.containers(stack)):
        if found := docker_api.inspect(name):
            containers[name] = {
                "fqdn": f"{found['Config']['Hostname']}.{found['Config']['Domainname']}",
                "volumes": {m["Name"]: m["Destination"] for m in found["Mounts"] if m.get("Name") in volumes},
            }
    return Saved(containers, list(volumes), [name for name in beside if (directory / name).exists()])


@contextmanager
def standing_still(stack: str) -> Iterator[None]:
    """Freeze all of a stack's containers on this host that run, and let them go on afterwards.

    What they have written by then is what a power cut would leave, and a service comes back from that; nothing of it
    is between two of them, as long as none goes on before the last has stopped.

    Raises:
        StepError: when one can't be frozen.
    """
    names = [docker_api.name(summary) for summary in docker_api.containers(stack) if summary["State"] == "running"]
    with ThreadPoolExecutor(AT_ONCE) as pool:
        try:
            list(pool.map(docker_api.pause, names))
            for summary in docker_api.containers(stack):
                if summary["State"] == "running":
                    raise StepError(docker_api.name(summary), STEP, "the engine did not freeze it")
            yield
        finally:
            list(pool.map(docker_api.unpause, names))


def stand_still(stack: str, orders: int, say: Callable[[str], None]) -> None:
    """Freeze a stack's containers on this host until somebody elsewhere says that they may go on.

    They go on as well when nothing is heard any more: whoever takes the backup may have lost power, and nobody else
    would know why the lab stands still.

    Args:
        stack: the stack.
        orders: what is read from, as a file descriptor.
        say: tells that all stand still, and at the end that they did so until it was allowed.

    Raises:
        StepError: when one can't be frozen, or all went on before they were allowed to.
    """
    heard = ""
    with standing_still(stack):
        say(FROZEN)
        while LET_GO not in heard.splitlines():
            ready, _, _ = select.select([orders], [], [], SILENT_SECONDS)
            came = os.read(orders, 4096).decode() if ready else ""
            if not came:
                raise StepError(stack, STEP, "whoever takes the backup is not heard any more; all go on")
            # What came before the last line break has been looked at.
            heard = heard.rpartition("\n")[2] + came
    say(HELD)


@contextmanager
def whole(file: Path) -> Iterator[Path]:
    """Give a file beside another to write to, that only root can read; it takes the other's place once it is whole."""
    part = file.with_name(f"{file.name}.part")
    part.unlink(missing_ok=True)
    part.touch(mode=0o600)
    try:
        yield part
        with part.open("rb") as written:
            os.fsync(written.fileno())
        part.replace(file)
    finally:
        part.unlink(missing_ok=True)


@contextmanager
def aside(file: Path) -> Iterator[Path]:
    """Give a directory beside a file for what other hosts pack, until it is appended; it is gone afterwards."""
    directory = file.with_name(f"{file.name}.{HOSTS}")
    # A run that was killed has left it.
    shutil.rmtree(directory, ignore_errors=True)
    (directory / HOSTS).mkdir(parents=True)
    directory.chmod(0o700)
    try:
        yield directory
    finally:
        shutil.rmtree(directory, ignore_errors=True)


def packing(volumes: Mapping[str, Path], beside: Sequence[Path] = ()) -> list[str]:
    """Return the command that writes volumes to its standard output.

    Args:
        volumes: each volume's directory, by its name.
        beside: files that belong to them, each of another name.
    """
    members = [word for path in beside for word in ("-C", str(path.parent), path.name)]
    if volumes:
        members += ["-C", str(_root(volumes)), *(f"{name}/{DATA}" for name in volumes)]
    return ["tar", "--create", "--file=-", "--sparse", *_KEEPING, *members]


def begin(file: Path, manifest: Mapping[str, Any]) -> None:
    """Write what a file begins with.

    Args:
        file: the file, which is there and empty.
        manifest: what :func:`manifest` is to return.

    Raises:
        CommandFailed: when it could not be written.
    """
    with tempfile.TemporaryDirectory() as directory, file.open("wb") as out:
        path = Path(directory, MANIFEST)
        path.write_text(json.dumps(manifest, indent=1))
        run(packing({}, [path]), out=out)


def member(host: str) -> str:
    """Return the name of the member that has what another host has packed."""
    return f"{HOSTS}/{host}.tar.zst"


def append(file: Path, directory: Path, host: str) -> None:
    """Add to a file what another host has packed, and remove that.

    Args:
        file: the file.
        directory: the directory that has :func:`member`.
        host: the other host.

    Raises:
        CommandFailed: when not all of it could be written.
    """
    command = ["tar", "--create", "--file=-", "--zstd", "-C", str(directory), member(host)]
    with file.open("ab") as out:
        run(command, out=out, timeout=SECONDS)
    (directory / member(host)).unlink()


def handing_out(file: Path, host: str) -> list[str]:
    """Return the command that writes what another host has packed to its standard output."""
    return ["tar", "--extract", "--to-stdout", "--ignore-zeros", "--zstd", f"--file={file}", member(host)]


def manifest(file: Path) -> dict[str, Any]:
    """Return what a file says of itself.

    Raises:
        CommandFailed: when it isn't such a file.
    """
    told = run(["tar", "--extract", "--to-stdout", "--zstd", "--occurrence=1", f"--file={file}", MANIFEST])
    return dict(json.loads(told))


def unpacking(volumes: Mapping[str, Path], beside: Sequence[str], directory: Path) -> list[str]:
    """Return the command that lays what a host has packed, on its standard input, beside what there is.

    What an earlier one has laid there is removed.

    Args:
        volumes: each volume's directory, by its name.
        beside: the files that lie beside the volumes.
        directory: the stack's directory on this host, where they belong.
    """
    discard(volumes, directory)
    members: list[str] = []
    if beside:
        place = directory / BESIDE_RESTORED
        place.mkdir(mode=0o700)
        members += ["-C", str(place), *beside]
    if volumes:
        members += ["-C", str(_root(volumes)), *(f"{name}/{DATA}" for name in volumes)]
    # In links as well where they lead within the archive, which symbolic ones never do.
    renamed = f"--transform=s,^\\([^/]*\\)/{DATA},\\1/{RESTORED},rhS"
    return ["tar", "--extract", "--file=-", "--ignore-zeros", "--same-permissions", *_KEEPING, renamed, *members]


def unpack(source: BinaryIO, volumes: Mapping[str, Path], beside: Sequence[str], directory: Path) -> None:
    """Lay what a host has packed beside its volumes' data and its files, which stay as they are.

    Args:
        source: what it has packed, or a file that begins with that.
        volumes: each volume's directory, by its name.
        beside: the files that lie beside the volumes.
        directory: the stack's directory on this host, where they belong.

    Raises:
        CommandFailed: when the source is damaged, or lacks something.
    """
    try:
        run(unpacking(volumes, beside, directory), stdin=source, timeout=SECONDS)
    except BaseException:
        discard(volumes, directory)
        raise


def discard(volumes: Mapping[str, Path], directory: Path) -> None:
    """Remove what was laid beside the volumes' data and the files of the stack's directory."""
    for path in volumes.values():
        shutil.rmtree(path.with_name(RESTORED), ignore_errors=True)
    shutil.rmtree(directory / BESIDE_RESTORED, ignore_errors=True)


def make_anew(stack: str, directory: Path, beside: Sequence[str], keeper: str) -> None:
    """Remove a stack's containers on this host but for its keeper, and put what was unpacked in its place.

    The next ``up`` makes them anew.

    Raises:
        OSError: when it fails on the way; it may be repeated.
    """
    for name in map(docker_api.name, docker_api.containers(stack)):
        if name != keeper:
            docker_api.remove(name)
    swap(docker_api.volumes(stack))
    place = directory / BESIDE_RESTORED
    for name in beside:
        (place / name).replace(directory / name)
    shutil.rmtree(place, ignore_errors=True)


def swap(volumes: Mapping[str, Path]) -> None:
    """Put what :func:`unpack` has laid there in the place of the volumes' data; no container may use them."""
    for path in volumes.values():
        former = path.with_name(FORMER)
        # One that was cut off here before has none, and is repeated.
        if path.exists():
            shutil.rmtree(former, ignore_errors=True)
            path.rename(former)
        path.with_name(RESTORED).rename(path)
    for path in volumes.values():
        shutil.rmtree(path.with_name(FORMER), ignore_errors=True)


def _root(volumes: Mapping[str, Path]) -> Path:
    """Return Docker's directory of volumes."""
    (root,) = {path.parent.parent for path in volumes.values()}
    return root
