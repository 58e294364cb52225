"""``make capture``: the packets of a container's interface, as a pcap stream on standard output or a file.

The tcpdump of the container's host runs in the container's network namespace, so the container needs none. On an
interface that tunnels end at (the port with the container's address), it sees what is in the tunnels as well.
"""

from __future__ import annotations

import argparse
import os
import sys
from contextlib import suppress
from pathlib import Path

from commands import places
from components import ssh
from components.host import distance
from hostside import capture, ports
from hostside.errors import Refused


def main(arguments: list[str]) -> int:
    """Capture until a signal, the end of the container, or until nobody reads any more.

    Returns:
        0, or 1 with a sentence on standard error.
    """
    parser = argparse.ArgumentParser(prog="make capture", description=__doc__)
    parser.add_argument("stack")
    parser.add_argument("--container", default="")
    parser.add_argument("--interface", default=ports.INTERFACE)
    parser.add_argument("--filter", default="")
    parser.add_argument("--file", type=Path)
    given = parser.parse_args(arguments)
    if given.file is None and sys.stdout.isatty():
        return _refuse("a terminal can't show packets: give FILE=..., or `| wireshark -k -i -` behind it.")
    wanted = (given.container, given.interface, given.filter)
    try:
        host = places.host_of(given.stack, given.container, "capture")
        if host is None:
            command = capture.command(given.stack, *wanted)
        else:
            assert host.ssh is not None
            command = ssh.command(host.ssh, [distance.line(host, given.stack, "capture", wanted)], alone=True)
        if given.file is None:
            return 0 if capture.run(command, sys.stdout.buffer, elsewhere=host is not None) else 1
        with open(given.file, "wb", opener=_private) as file:
            return 0 if capture.run(command, file, elsewhere=host is not None) else 1
    except (Refused, OSError) as error:
        return _refuse(str(error))


def _private(path: str, flags: int) -> int:
    # Packets behind the VIP carry passwords in clear.
    return os.open(path, flags, 0o600)


def _refuse(sentence: str) -> int:
    print(f"make capture: {sentence}", file=sys.stderr)
    return 1


if __name__ == "__main__":
    status = main(sys.argv[1:])
    with suppress(BrokenPipeError):
        sys.stdout.flush()
    sys.exit(status)
