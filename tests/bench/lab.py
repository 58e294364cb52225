"""A lab's own figures: nothing to do, destroy, and up again with its images built."""

from __future__ import annotations

from pathlib import Path

from tests.bench.contenders import configuration
from tests.bench.figures import Figures
from tests.bench.ground import Ground
from tests.bench.recording import Recording, record
from tests.lab.harness import PROJECT, Stack, run

SMALL = {1: "dnsmasq", 2: "puppet", 3: "memcached"}
"""Roles of the throwaway lab by the numbers of its containers."""


def measure(stack: str) -> tuple[Figures, Recording]:
    """Measure a stack of the checkout that is up; it is taken down, comes up again, and is up at the end.

    Returns:
        The figures, and the recording of its coming up.

    Raises:
        AssertionError: when a command fails, or finds something to do where it should not.
    """

    def pulumi(*arguments: str) -> None:
        run("pulumi", *arguments, "--stack", stack, "--non-interactive", cwd=PROJECT, timeout=3600)

    figures = Figures()
    quiet = ("--yes", "--skip-preview")
    figures.take(stack, "no-op up", lambda: pulumi("up", *quiet, "--expect-no-changes"))
    figures.take(stack, "preview", lambda: pulumi("preview", "--expect-no-changes"))
    try:
        figures.take(stack, "destroy", lambda: pulumi("destroy", *quiet))
    except BaseException:
        pulumi("cancel", "--yes")
        pulumi("up", *quiet)
        raise
    recordings: list[Recording] = []
    figures.take(stack, "up, images built", lambda: recordings.append(record(stack)))
    return figures, recordings[0]


def measure_small(ground: Ground, directory: Path) -> Figures:
    """Measure a throwaway lab of DNS, Puppet server and memcached; nothing of it is left at the end.

    Raises:
        AssertionError: when a command fails, or finds something to do where it should not.
    """
    wanted = ground.containers(len(SMALL))
    roles = {wanted[number - 1].name: role for number, role in SMALL.items()}
    figures = Figures()
    small = Stack(ground.name, directory / "small", configuration(ground, wanted, roles))
    try:
        # The first one builds images, and pays for whatever else a fresh machine lacks.
        small.up()
        small.destroy()
        figures.take("small lab", "up, images built", small.up)
        verify_gone = ground.verify(wanted)
        figures.take(
            "small lab",
            "no-op up",
            lambda: small.pulumi("up", "--yes", "--skip-preview", "--suppress-outputs", "--expect-no-changes"),
        )
        figures.take("small lab", "preview", lambda: small.preview("--expect-no-changes"))
        figures.take("small lab", "destroy", small.destroy)
        verify_gone()
    finally:
        try:
            small.end()
        finally:
            ground.clear()
    return figures
