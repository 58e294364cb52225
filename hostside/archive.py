"""The data of a stack's containers as one file: taken while all stand still, and put back in one go.

A volume's directory is ``<volume>/_data`` below Docker's directory of volumes; the file has it by that name. What is
put back lies beside it until all of it is there.
"""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from hostside import engine
from hostside.errors import StepError
from hostside.process import run

AT_ONCE = 8
STEP = "standing still"
MANIFEST = "manifest.json"
DATA = "_data"
RESTORED, FORMER = f"{DATA}.restored", f"{DATA}.former"
_KEEPING = ("--zstd", "--numeric-owner", "--acls", "--xattrs")
_SECONDS = 3600.0


@contextmanager
def standing_still(stack: str) -> Iterator[None]:
    """Freeze all of a stack's containers that run, and let them go on afterwards.

    What they have written by then is what a power cut would leave, and a service comes back from that; nothing of it
    is between two of them, as long as none goes on before the last has stopped.

    Raises:
        StepError: when one can't be frozen.
    """
    names = [engine.name(summary) for summary in engine.containers(stack) if summary["State"] == "running"]
    with ThreadPoolExecutor(AT_ONCE) as pool:
        try:
            list(pool.map(engine.pause, names))
            for summary in engine.containers(stack):
                if summary["State"] == "running":
                    raise StepError(engine.name(summary), STEP, "the engine did not freeze it")
            yield
        finally:
            list(pool.map(engine.unpause, names))


def pack(file: Path, manifest: Mapping[str, Any], volumes: Mapping[str, Path], beside: Sequence[Path] = ()) -> None:
    """Write volumes into a file that only root can read; it appears once it is whole.

    Args:
        file: the file; one that is there is replaced.
        manifest: what :func:`manifest` is to return.
        volumes: each volume's directory, by its name.
        beside: files of the host that belong to them, each of another name.

    Raises:
        CommandFailed: when not all of it could be written.
    """
    part = file.with_name(f"{file.name}.part")
    part.unlink(missing_ok=True)
    part.touch(mode=0o600)
    try:
        with tempfile.TemporaryDirectory() as directory:
            Path(directory, MANIFEST).write_text(json.dumps(manifest, indent=1))
            run(
                ["tar", "--create", f"--file={part}", "--sparse", *_KEEPING, "-C", directory, MANIFEST,
                 "-C", str(_root(volumes)), *(f"{name}/{DATA}" for name in volumes),
                 *(word for path in beside for word in ("-C", str(path.parent), path.name))],
                timeout=_SECONDS,
            )  # fmt: skip
        with part.open("rb") as written:
            os.fsync(written.fileno())
        part.replace(file)
    finally:
        part.unlink(missing_ok=True)


def manifest(file: Path) -> dict[str, Any]:
    """Return what a file says of itself.

    Raises:
        CommandFailed: when it isn't such a file.
    """
    told = run(["tar", "--extract", "--to-stdout", "--zstd", "--occurrence=1", f"--file={file}", MANIFEST])
    return dict(json.loads(told))


def unpack(file: Path, volumes: Mapping[str, Path]) -> None:
    """Lay what a file holds beside the volumes' data, which stay as they are.

    Raises:
        CommandFailed: when the file is damaged, or lacks a volume.
    """
    discard(volumes)
    try:
        run(
            ["tar", "--extract", f"--file={file}", "--same-permissions", *_KEEPING,
             # In links as well where they lead within the archive, which symbolic ones never do.
             f"--transform=s,^\\([^/]*\\)/{DATA},\\1/{RESTORED},rhS",
             "-C", str(_root(volumes)), *(f"{name}/{DATA}" for name in volumes)],
            timeout=_SECONDS,
        )  # fmt: skip
    except BaseException:
        discard(volumes)
        raise


def place(file: Path, names: Sequence[str], directory: Path) -> None:
    """Put files that lay beside the volumes into a directory of the host, over those of these names.

    Raises:
        CommandFailed: when the file lacks one.
    """
    if names:
        run(["tar", "--extract", f"--file={file}", *_KEEPING, "-C", str(directory), *names], timeout=_SECONDS)


def discard(volumes: Mapping[str, Path]) -> None:
    """Remove what was laid beside the volumes' data."""
    for path in volumes.values():
        shutil.rmtree(path.with_name(RESTORED), ignore_errors=True)


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
