"""``make hosts`` prepares the container hosts behind ssh as ``make prepare`` does this one; ``make purge`` clears them.

What a preparation needs is sent along, and nothing of it stays there but what was installed and started.
"""

from __future__ import annotations

import argparse
import io
import shlex
import subprocess
import sys
import tarfile
import threading
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import PurePosixPath

from commands import stack_file
from components import paths, services, ssh
from components.configuration import environment
from components.configuration.environment import ConfiguredHost
from components.host.container_host import installation, packed_tool, removal

SCRIPTS = ("lib.sh", "paths.sh", "proxy.sh", "packages", "docker", "openvswitch")
STEPS = ("packages", "docker", "openvswitch")
"""What is done on a host: install, and start both daemons. Images come from here, and the rest is for Pulumi."""


def main(arguments: list[str]) -> int:
    """Prepare the hosts of a stack that are behind ssh.

    Returns:
        0, or 1 when one of them could not be prepared, or is not known for want of a stack file.
    """
    parser = argparse.ArgumentParser(prog="make hosts", description=__doc__)
    parser.add_argument("stack")
    parser.add_argument("--clear", action="store_true", help="take away all that carries the stack's name there")
    given = parser.parse_args(arguments)
    try:
        hosts = behind_ssh(given.stack)
    except ValueError as error:
        # A stack is cleared here although its file is gone.
        left = "; hosts behind ssh are left as they are" if given.clear else ""
        print(f"make hosts: {error}{left}", file=sys.stderr)
        return 0 if given.clear else 1
    if not hosts and given.clear:
        return 0
    if not hosts:
        print(f"stack {given.stack} has no host behind ssh: `make prepare` prepares this one")
        return 0
    package = scripts()
    with ThreadPoolExecutor(len(hosts)) as pool:
        if given.clear:
            list(pool.map(lambda host: _say(clear(host, given.stack)), hosts))
            return 0
        done = list(pool.map(lambda host: prepare(host, package, _say), hosts))
    return 0 if all(done) else 1


def clear(host: ConfiguredHost, stack: str) -> str:
    """Remove all that carries a stack's name on a host; return what is to be said of it.

    One that can't be reached is left as it is: it may be gone for good, and the others are to be cleared.
    """
    assert host.ssh is not None
    directory = paths.stack_directory(stack, PurePosixPath(host.home))
    done = subprocess.run(
        ssh.command(host.ssh, [f"{installation(directory)} && {removal(directory, shlex.quote(stack))}"]),
        input=packed_tool(), capture_output=True, text=True, check=False,
    )  # fmt: skip
    if done.returncode == 0:
        return f"{host.name}: nothing of stack {stack} is left"
    said = done.stderr.strip().splitlines()
    return f"{host.name}: left as it is: {said[-1] if said else f'exit status {done.returncode}'}"


def behind_ssh(stack: str) -> list[ConfiguredHost]:
    """Return the hosts of a stack that are behind ssh, as its file has them, whatever else is wrong in it.

    Raises:
        ValueError: when the file can't be read.
    """
    read = environment.survey(stack_file.read(stack), stack=stack, roles=services.facts(), base_dir=paths.PROJECT)
    hosts: Iterable[ConfiguredHost] = read.environment.hosts.values() if read.environment else ()
    return [host for host in hosts if host.ssh is not None]


def scripts() -> bytes:
    """Return what a preparation needs, as a tar file."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        for name in SCRIPTS:
            archive.add(paths.PROJECT / "prepare" / name, f"prepare/{name}")
    return packed.getvalue()


def prepare(host: ConfiguredHost, package: bytes, say: Callable[[str], None]) -> bool:
    """Prepare a host, and hand over each line of what is said on the way; return whether it is prepared."""
    assert host.ssh is not None
    home = f"DOCKSTACK_HOME={shlex.quote(host.home)}"
    steps = "".join(f' && {home} "$where/prepare/{step}"' for step in STEPS)
    where = "where=$(mktemp -d -t dockstack-hosts.XXXXXX) && trap 'rm -rf \"$where\"' EXIT"
    script = f'{where} && tar -x -C "$where" -f -{steps}'
    with subprocess.Popen(
        ssh.command(host.ssh, [f"exec 2>&1; {script}"]),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    ) as process:
        assert process.stdin is not None and process.stdout is not None
        sending = threading.Thread(target=_send, args=(process.stdin, package), daemon=True)
        sending.start()
        for line in process.stdout:
            say(f"{host.name}: {line.decode(errors='replace').rstrip()}")
    say(f"{host.name}: {'prepared' if process.returncode == 0 else 'not prepared'}")
    return process.returncode == 0


def _send(stream: io.BufferedIOBase, package: bytes) -> None:
    # An ssh that was refused has closed its input.
    try:
        stream.write(package)
        stream.close()
    except OSError:
        return


def _say(line: str) -> None:
    print(line, flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
