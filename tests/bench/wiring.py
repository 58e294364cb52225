"""Plain containers up and down: ours, docker-compose with a loop of ovs-docker, one by one; in turns."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from tests.bench.contenders import ComposeAndLoop, Contender, Dockstack, OneByOne, compose_command
from tests.bench.figures import Figures, say
from tests.bench.ground import Ground
from tests.bench.likeness import Likeness

UP, DOWN = "up", "destroy"
NO_COMPOSE = "docker-compose is not installed, so that competitor is left out (`make bench` installs it)"


def contenders(ground: Ground, directory: Path) -> list[Contender]:
    """Return who takes part; one container of ours goes up and down first, which also builds what images are missing.

    Args:
        ground: where.
        directory: an empty directory for what they need.
    """
    ours = Dockstack(ground, directory / "dockstack")
    (wanted,) = ground.containers(1)
    try:
        ours.prepare([wanted])
        say("warming up with one container")
        ours.up()
        likeness = Likeness.of(wanted.name, directory / "mounts")
        ours.down()
    finally:
        try:
            ours.clean()
        finally:
            ground.clear()
    say(f"every container: {likeness}")
    command = compose_command()
    if command is None:
        say(NO_COMPOSE)
    compose = [ComposeAndLoop(ground, likeness, directory / "compose", command)] if command else []
    return [ours, *compose, OneByOne(ground, likeness)]


def measure(ground: Ground, taking_part: Sequence[Contender], count: int, rounds: int) -> Figures:
    """Bring the containers up and down in turns, and prove each time that they are wired and that nothing is left.

    Args:
        ground: where.
        taking_part: who; every second round goes the other way about, as a machine's load may grow or shrink.
        count: how many containers.
        rounds: how often each has its turn.

    Raises:
        NotWired: when a contender's containers are not as they have to be.
    """
    figures = Figures()
    for number in range(rounds):
        say(f"round {number + 1} of {rounds}, {count} containers")
        for contender in taking_part if number % 2 == 0 else reversed(taking_part):
            turn(ground, contender, count, figures)
    return figures


def turn(ground: Ground, contender: Contender, count: int, figures: Figures) -> None:
    """Give one contender its turn; what it made is removed however the turn ends."""
    wanted = ground.containers(count)
    try:
        contender.prepare(wanted)
        figures.take(contender.name, UP, contender.up)
        verify_gone = ground.verify(wanted)
        for step, work in contender.between():
            figures.take(contender.name, step, work)
        figures.take(contender.name, DOWN, contender.down)
        verify_gone()
    finally:
        try:
            contender.clean()
        finally:
            ground.clear()
