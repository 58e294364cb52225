"""Captures of a container's packets by the owner's command, for the tests."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from collections.abc import Iterator, Mapping

from tests.lab.harness import PROJECT, outside_of_make

PCAP = 0xA1B2C3D4
"""What a file of packets begins with: draft-ietf-opsawg-pcap."""


@contextlib.contextmanager
def captured(
    stack: str, container: str, *words: str, env: Mapping[str, str] = os.environ
) -> Iterator[subprocess.Popen[bytes]]:
    """Run a capture in a process group of its own, as a terminal does."""
    command = ["make", "capture", f"STACK={stack}", f"CONTAINER={container}", *words]
    with subprocess.Popen(
        command, cwd=PROJECT, env=outside_of_make(env), stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        start_new_session=True,
    ) as process:  # fmt: skip
        try:
            assert process.stderr
            said = [process.stderr.readline()]
            while b"listening on" not in said[-1]:
                assert said[-1], said
                said.append(process.stderr.readline())
            yield process
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
