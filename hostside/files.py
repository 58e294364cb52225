"""Rendered files of a container, kept below the stack's directory and mounted read-only."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Mapping
from pathlib import Path

MANIFEST = ".rendered"


def write(root: Path, files: Mapping[str, Mapping[str, str]]) -> int:
    """Make a directory hold exactly these rendered files, besides what others put there; return how many changed.

    A file that has the content already isn't touched. Files of an earlier call that are no longer asked for are
    removed; the list of them is kept in a manifest beside the directory, not in it, as the directory is mounted.

    Args:
        root: directory, made when missing.
        files: relative path to ``{"content": text, "mode": octal digits}``.
    """
    changed = 0
    root.mkdir(mode=0o755, parents=True, exist_ok=True)
    manifest = root.with_name(f"{MANIFEST}-{root.name}")
    before = set(json.loads(manifest.read_text())) if manifest.exists() else set()
    for path in sorted(before - set(files)):
        (root / path).unlink(missing_ok=True)
        changed += 1
    # Written before the files: after an interruption it names too many rather than too few.
    manifest.write_text(json.dumps(sorted(before | set(files))))
    for path, file in sorted(files.items()):
        changed += put(root / path, file["content"], int(file.get("mode", "644"), 8))
    manifest.write_text(json.dumps(sorted(files)))
    return changed


def put(path: Path, content: str, mode: int, group: int | None = None) -> bool:
    """Write one file in a single step, its directories included; return whether anything changed.

    Args:
        path: the file.
        content: its text.
        mode: its permission bits.
        group: numeric group that may read it besides root, when it isn't for all.
    """
    data = content.encode()
    if path.is_file() and path.read_bytes() == data and path.stat().st_mode & 0o777 == mode:
        return False
    path.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
    fresh = path.with_name(f".{path.name}.new")
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as stream:
        stream.write(data)
    if group is not None:
        os.chown(fresh, 0, group)
    os.chmod(fresh, mode)
    os.replace(fresh, path)
    return True


def remove(root: Path) -> None:
    """Remove a container's directory and its manifest."""
    shutil.rmtree(root, ignore_errors=True)
    root.with_name(f"{MANIFEST}-{root.name}").unlink(missing_ok=True)


def digest(text: str) -> str:
    """Return what is recorded of a file's content."""
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def changed(digests: Mapping[str, str]) -> str:
    """Tell which of some files is gone or has another content; nothing where all are as they were.

    Args:
        digests: path to :func:`digest`.
    """
    for name, expected in sorted(digests.items()):
        path = Path(name)
        if not path.is_file():
            return f"{name} is gone"
        if hashlib.sha256(path.read_bytes()).hexdigest()[:16] != expected:
            return f"{name} was edited"
    return ""
