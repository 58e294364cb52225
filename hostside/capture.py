"""The packets of a container's interface, by this host's tcpdump in the container's network namespace."""

from __future__ import annotations

import os
import select
import shutil
import signal
import subprocess
from collections.abc import Sequence
from types import FrameType
from typing import BinaryIO

from hostside import docker_api, namespace, ports
from hostside.errors import Refused

END_SECONDS = 20.0
"""How long tcpdump may take to write out what it has."""
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_ENDED = (0, -signal.SIGINT, -signal.SIGPIPE)
"""Exit statuses of a capture that ended as it was to: SIGPIPE is a reader that has gone."""


def command(stack: str, container: str, interface: str, expression: str) -> list[str]:
    """Return the command that writes the packets of a container's interface to its standard output.

    Args:
        stack: the stack.
        container: the container.
        interface: the interface, or ``any``.
        expression: which packets, as pcap-filter(7) has it; empty for all.

    Raises:
        Refused: when it can't be had.
        OSError: when the engine can't be asked, or the container has just ended.
    """
    if shutil.which("tcpdump") is None:
        raise Refused("tcpdump is not installed on that host. Fix: `make prepare`; `make hosts` where it is behind ssh")
    pid = docker_api.process_of(stack, container)
    known = sorted(namespace.names(pid))
    if interface not in (*known, "any"):
        raise Refused(f"{container} has no interface {interface}; it has {' '.join(known)}.")
    words = ["tcpdump", "-n", "-U", "-s", "0", "-i", interface, "-w", "-"]
    # Behind `--`, so that no word of it is an option.
    return ports.inside(pid, *words, *(["--", expression] if expression else []))


def run(command: Sequence[str], out: BinaryIO, *, until: BinaryIO | None = None, elsewhere: bool = False) -> bool:
    """Capture until a signal, the end of the container, or until nobody reads any more.

    Args:
        command: what writes the packets.
        out: where to.
        until: something at whose end the capture ends, too.
        elsewhere: whether the command runs on another host, and ends there when its standard input does.

    Returns:
        Whether it ended as it should.
    """
    with subprocess.Popen(
        command,
        stdin=subprocess.PIPE if elsewhere else subprocess.DEVNULL,
        stdout=out,
        # Ctrl-C is not to reach ssh itself: it ends with its input, and hands over the last packets first.
        start_new_session=elsewhere,
    ) as process:
        before = {number: signal.signal(number, _interrupted) for number in SIGNALS}
        try:
            _await_end(process, out, until)
        except KeyboardInterrupt:
            return True
        finally:
            _end(process)
            for number, handler in before.items():
                signal.signal(number, handler)
    return process.returncode in _ENDED


def _await_end(process: subprocess.Popen[bytes], out: BinaryIO, until: BinaryIO | None) -> None:
    """Wait for tcpdump's end, or for that of the reader: tcpdump hears of it with the next packet, if there is one."""
    watched = select.poll()
    ended = os.pidfd_open(process.pid)
    try:
        watched.register(ended, select.POLLIN)
        # An empty mask reports errors alone: a pipe whose reader has gone is one.
        watched.register(out.fileno(), 0)
        if until is not None:
            watched.register(until.fileno(), select.POLLIN)
        watched.poll()
    finally:
        os.close(ended)


def _end(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is not None:
        return
    seconds = END_SECONDS
    if process.stdin is not None:
        process.stdin.close()
        # As long as tcpdump may take there, and the way back.
        seconds *= 2
    else:
        process.send_signal(signal.SIGINT)
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        process.kill()


def _interrupted(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt
