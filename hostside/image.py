"""Building an image on the host's engine, once for each content."""

from __future__ import annotations

import contextlib
import io
import os
import re
import shutil
import subprocess
import sys
import tarfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from hostside import containers
from hostside.errors import StepError
from hostside.process import CommandFailed, own_environment, run, succeeds

STEP = "building the image"
PROGRESS_SECONDS = 20.0
PULL_SECONDS = 60.0
AUTHORITIES = Path("/usr/local/share/ca-certificates")
"""Debian's directory for certificate authorities that a machine's owner adds."""
_ASKED = re.compile(r"^ARG CA_CERTIFICATES=$", re.MULTILINE)
SOURCE_SECONDS = 900.0
"""How long pulling an image that others are made of may take: some have a gigabyte."""
CPU_SHARES = "256"
"""A quarter of a container's default: services that start go before the builds of later images."""


def build(
    tag: str,
    parent: str,
    files: Mapping[str, Mapping[str, str]],
    packages: Sequence[str],
    sources: Mapping[str, str] | None = None,
) -> dict[str, object]:
    """Build an image unless the engine has it, and say which it is.

    Args:
        tag: name with the digest of the content as its tag: the same tag is the same content.
        parent: image it is made from, given to the Dockerfile as PARENT.
        files: the build context: relative path to ``{"content", "mode"}``.
        packages: Debian packages whose versions are told.
        sources: images of others that it takes something from: argument of the Dockerfile to full reference.

    Returns:
        ``{"id": image ID, "versions": {package: version}}``.

    Raises:
        StepError: with the end of the build's output.
    """
    if not succeeds(["docker", "image", "inspect", tag]):
        _ensure_distribution(parent)
        for reference in (sources or {}).values():
            _ensure_source(reference)
        _build(tag, files, {"PARENT": parent, **(sources or {})})
    # By hand, `docker build Dockerfiles/NAME` finds its parent under the plain name.
    run(["docker", "tag", tag, tag.split(":")[0] + ":latest"])
    image = run(["docker", "image", "inspect", "--format", "{{.Id}}", tag]).strip()
    return {"id": image, "versions": _versions(image, packages)}


def _build(tag: str, files: Mapping[str, Mapping[str, str]], images: Mapping[str, str]) -> None:
    name = tag.split(":")[0]
    lines: list[str] = []
    started = last = time.monotonic()
    print(f"{name}: building", file=sys.stderr, flush=True)
    # The classic builder is in every engine; BuildKit is a plugin that Debian's doesn't bring.
    command = ["docker", "build", "--force-rm", "--cpu-shares", CPU_SHARES, "--tag", tag]
    command += [word for name, image in images.items() for word in ("--build-arg", f"{name}={image}")]
    behind = proxies()
    if behind:
        # In the host's network, where the proxy is where it is for the host: on its loopback, by a name of its own.
        # Docker keeps arguments of these names out of the image, and takes their values, which may hold a password,
        # from its environment.
        command += ["--network", "host", *(word for name in behind for word in ("--build-arg", name))]
    trusted = authorities() if _ASKED.search(files["Dockerfile"]["content"]) else ""
    if trusted:
        command += ["--build-arg", "CA_CERTIFICATES"]
    environment = {**own_environment(), **behind, "CA_CERTIFICATES": trusted, "DOCKER_BUILDKIT": "0"}
    with subprocess.Popen(
        [*command, "-"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=environment
    ) as process:
        assert process.stdin is not None and process.stdout is not None
        # A client that ends early says why on its output, which is more than a broken pipe does.
        with contextlib.suppress(BrokenPipeError):
            process.stdin.write(_context(files))
        with contextlib.suppress(BrokenPipeError):
            process.stdin.close()
        for raw in process.stdout:
            line = raw.decode(errors="replace").rstrip()
            lines.append(line)
            if time.monotonic() - last >= PROGRESS_SECONDS:
                last = time.monotonic()
                print(f"{name}: building, {last - started:.0f} s: {line[:100]}", file=sys.stderr, flush=True)
    if process.returncode != 0:
        raise StepError(
            name, STEP, f"docker build ended with status {process.returncode}", lines[-containers.LOG_LINES :]
        )
    print(f"{name}: built in {time.monotonic() - started:.0f} s", file=sys.stderr, flush=True)


def proxies() -> dict[str, str]:
    """Return the proxy of this host for the way out, and what it isn't for, under each name that a program may know.

    apt reads lower-case names alone, and ``all_proxy`` not at all. Empty where there is none.
    """

    def given(*names: str) -> str:
        return next((value for name in names for each in (name, name.upper()) if (value := os.environ.get(each))), "")

    found = {name: given(name, "all_proxy") for name in ("http_proxy", "https_proxy")}
    if not any(found.values()):
        return {}
    found["no_proxy"] = given("no_proxy")
    return {each: value for name, value in found.items() if value for each in (name, name.upper())}


def authorities() -> str:
    """Return the certificates of the authorities that this host trusts by its owner's word; empty where there are none.

    A stage that downloads by TLS needs them where a proxy opens it; the image that takes its result doesn't hold them.
    """
    return "\n".join(path.read_text().strip() for path in sorted(AUTHORITIES.glob("**/*.crt")))


def _ensure_distribution(parent: str) -> None:
    """Have the distribution's image: from the registry if that can be reached, else from the package archive."""
    if succeeds(["docker", "image", "inspect", parent]):
        return
    repository, _, tag = parent.partition(":")
    if repository != "debian":
        raise StepError(parent, STEP, "this image isn't on the engine")
    if succeeds(["docker", "pull", "--quiet", parent], timeout=PULL_SECONDS):
        return
    suite = tag.removesuffix("-slim")
    print(f"{parent}: no registry answers, making it from the package archive", file=sys.stderr, flush=True)
    if shutil.which("mmdebstrap") is None:
        raise StepError(
            parent, STEP, "no registry answers, and mmdebstrap isn't installed (apt-get install mmdebstrap)"
        )
    strap = subprocess.Popen(
        ["mmdebstrap", "--quiet", "--variant=minbase", suite, "-"], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        env={**os.environ, **proxies()},
    )  # fmt: skip
    load = subprocess.run(
        ["docker", "import", "-", parent], stdin=strap.stdout, capture_output=True, text=True, check=False,
        env=own_environment(),
    )  # fmt: skip
    _, errors = strap.communicate()
    if strap.returncode != 0 or load.returncode != 0:
        succeeds(["docker", "image", "rm", parent])
        explanation = errors.decode(errors="replace").splitlines() + load.stderr.splitlines()
        raise StepError(parent, STEP, "mmdebstrap failed", explanation[-containers.LOG_LINES :])


def _ensure_source(reference: str) -> None:
    """Have an image of somebody else's, from its registry unless the engine has it."""
    if succeeds(["docker", "image", "inspect", reference]):
        return
    print(f"{reference}: pulling", file=sys.stderr, flush=True)
    try:
        run(["docker", "pull", "--quiet", reference], timeout=SOURCE_SECONDS)
    except CommandFailed as error:
        raise StepError(reference, "pulling the image", str(error)) from error


def _context(files: Mapping[str, Mapping[str, str]]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for path, file in sorted(files.items()):
            data = file["content"].encode()
            entry = tarfile.TarInfo(path)
            entry.size = len(data)
            entry.mode = int(file.get("mode", "644"), 8)
            archive.addfile(entry, io.BytesIO(data))
    return buffer.getvalue()


def _versions(image: str, packages: Sequence[str]) -> dict[str, str]:
    if not packages:
        return {}
    query = ["dpkg-query", "--show", "--showformat", "${Package} ${Version}\\n", *packages]
    try:
        listed = run(["docker", "run", "--rm", "--network", "none", "--entrypoint", query[0], image, *query[1:]])
    except CommandFailed as error:
        raise StepError(image, "reading its versions", str(error)) from error
    return dict(line.split(" ", 1) for line in listed.splitlines())
