"""What a backup and a restore do on each host of a stack: on this one directly, on the others by the tool there."""

from __future__ import annotations

import subprocess
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from commands import places
from commands.jobs import Job
from components import ssh
from components.configuration.environment import ConfiguredHost
from components.host import distance
from hostside import archive, docker_api
from hostside.archive import Saved
from hostside.errors import StepError

HERE = ""
"""What this host is called in a backup; the others go by their names."""
END_SECONDS = 60.0
"""How long a host may take to let all of its containers go on."""
MAKE_SECONDS = 1800.0
"""How long it may take to remove all of them, and what their volumes had."""


class Here:
    """This host."""

    name = HERE

    def __init__(self, stack: str, directory: Path) -> None:
        """Take the stack, and its directory here."""
        self._stack, self._directory = stack, directory
        self._still = ExitStack()

    def saved(self, beside: Sequence[str]) -> Saved:
        """Return what a backup saves of it, given the files that may lie beside its volumes.

        Raises:
            OSError: when the engine can't be asked.
        """
        return archive.saved(self._stack, self._directory, beside)

    def freeze(self) -> None:
        """Have all containers stand still.

        Raises:
            StepError: when one can't be frozen; then none is.
        """
        self._still.enter_context(archive.standing_still(self._stack))

    def thaw(self) -> None:
        """Let those go on that :meth:`freeze` has frozen."""
        self._still.close()

    def packing(self, beside: Sequence[str], out: BinaryIO) -> Job:
        """Return what writes the data to a file."""
        files = [self._directory / name for name in beside]
        return Job("this host", archive.packing(docker_api.volumes(self._stack), files), out=out)

    def unpacking(self, file: BinaryIO, beside: Sequence[str]) -> list[Job]:
        """Return what lays the data of a backup beside those that there are."""
        command = archive.unpacking(docker_api.volumes(self._stack), beside, self._directory)
        return [Job("this host", command, stdin=file)]

    def discard(self) -> None:
        """Remove what :meth:`unpacking` has laid there."""
        archive.discard(docker_api.volumes(self._stack), self._directory)

    def make_anew(self, beside: Sequence[str], keeper: str) -> None:
        """Remove the containers but for the keeper, and put the data in their place.

        Raises:
            OSError: when it fails; it may be repeated.
        """
        archive.make_anew(self._stack, self._directory, beside, keeper)


class There:
    """A host behind ssh."""

    def __init__(self, stack: str, host: ConfiguredHost) -> None:
        """Take the stack and the host."""
        self.name = host.name
        self._stack, self._host = stack, host
        self._still: subprocess.Popen[str] | None = None
        self._frozen, self._over = False, threading.Event()

    def saved(self, beside: Sequence[str]) -> Saved:
        """Return what a backup saves of it, given the files that may lie beside its volumes.

        Raises:
            Refused: when it can't be asked.
        """
        return Saved(**places.have(self._host, self._stack, "saved", {"beside": list(beside)}))

    def freeze(self) -> None:
        """Have all containers stand still, as long as we tell it every other second.

        Raises:
            StepError: when one can't be frozen; then none is.
        """
        self._still = subprocess.Popen(
            self._command("stand-still"),
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        assert self._still.stdout is not None
        if self._still.stdout.readline().strip() != archive.FROZEN:
            self._end("it did not freeze its containers")
        self._frozen = True
        threading.Thread(target=self._beat, daemon=True).start()

    def thaw(self) -> None:
        """Let those go on that :meth:`freeze` has frozen.

        Raises:
            StepError: when they went on before.
        """
        self._over.set()
        if self._frozen:
            self._tell(archive.LET_GO)
            self._end("its containers went on before all was saved", archive.HELD)

    def _beat(self) -> None:
        while not self._over.wait(archive.BEAT_SECONDS):
            self._tell(archive.BEAT)

    def _tell(self, word: str) -> None:
        assert self._still is not None and self._still.stdin is not None
        # A host that has ended already doesn't read it; its exit status tells how it ended.
        with suppress(OSError, ValueError):
            self._still.stdin.write(f"{word}\n")
            self._still.stdin.flush()

    def _end(self, fault: str, last_word: str | None = None) -> None:
        """Wait for the end of a freeze, which comes with that of what it hears.

        Raises:
            StepError: with the fault, unless all is well and the last word is the one that is expected.
        """
        assert self._still is not None
        try:
            said, errors = self._still.communicate(timeout=END_SECONDS)
        except subprocess.TimeoutExpired:
            self._still.kill()
            said, errors = self._still.communicate()
        if self._still.returncode != 0 or said.strip() != last_word:
            raise StepError(f"host {self.name}", archive.STEP, fault, errors.strip().splitlines()[-5:])

    def packing(self, beside: Sequence[str], out: BinaryIO) -> Job:
        """Return what writes the data to a file here."""
        return Job(f"host {self.name}", self._command("pack", beside), out=out)

    def unpacking(self, file: BinaryIO, beside: Sequence[str]) -> list[Job]:
        """Return what lays the data of a backup beside those that there are."""
        source = Job(file.name, archive.handing_out(Path(file.name), self.name))
        return [source, Job(f"host {self.name}", self._command("unpack", beside), source=source)]

    def discard(self) -> None:
        """Remove what :meth:`unpacking` has laid there.

        Raises:
            Refused: when it can't be asked.
        """
        places.have(self._host, self._stack, "discard", {})

    def make_anew(self, beside: Sequence[str], keeper: str) -> None:
        """Remove the containers but for the keeper, and put the data in their place.

        Raises:
            Refused: when it fails; it may be repeated.
        """
        places.have(self._host, self._stack, "make-anew", {"beside": list(beside), "keeper": keeper}, MAKE_SECONDS)

    def _command(self, service: str, words: Sequence[str] = ()) -> list[str]:
        assert self._host.ssh is not None
        # The data have a connection of their own, so that no message waits behind them.
        return ssh.command(self._host.ssh, [distance.line(self._host, self._stack, service, words)], alone=True)


Place = Here | There


@contextmanager
def standing_still(hosts: Sequence[Place]) -> Iterator[None]:
    """Have the containers of all hosts stand still at the same time, and let all go on afterwards, whatever happens.

    Raises:
        StepError: when one host could not do it, or its containers went on before the end.
    """
    with ThreadPoolExecutor(len(hosts)) as pool:
        frozen = [pool.submit(host.freeze) for host in hosts]
        try:
            for each in frozen:
                each.result()
            yield
        finally:
            # A host that is still freezing is thawed once that is done.
            wait(frozen)
            thawed = [pool.submit(host.thaw) for host in hosts]
            wait(thawed)
        for each in thawed:
            each.result()
