"""The command: choose what to measure, measure, show."""

from __future__ import annotations

import argparse
import ipaddress
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from tests.bench import chart, growth, lab, memory, wiring
from tests.bench.contenders import Contender, Dockstack
from tests.bench.figures import Figures, machine, say, table, write
from tests.bench.ground import Ground, NotWired
from tests.lab.harness import ARTIFACTS

LAB_HEADINGS = ["stack", "step", "seconds", ""]
EXPLANATION = """\
Seconds: median (least-most) of the rounds. Ours/this: how many times as long Dockstack took in the same round, so less
than 1 is faster. All have the same image, first process, mount and health check. Beyond what the others do, Dockstack
sets MAC and MTU, switches off checksum offloading, checks every port, and keeps a keeper that mends them."""


def main(arguments: Sequence[str]) -> int:
    """Measure what the command line asks for; return the exit status."""
    asked = _parser().parse_args(arguments)
    if os.geteuid() != 0 or shutil.which("pulumi") is None:
        say("bench: needs root and the environment of the checkout: run `make bench`, or `. ./activate` first")
        return 1
    ground = Ground(asked.name, asked.network)
    if ground.present() or ground.ports():
        say(f"bench: containers or ports {asked.name}-* are there already; remove them, or choose another --name")
        return 1
    # As Ctrl-C does: what was made is removed before the end.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    document: dict[str, object] = {"machine": machine()}
    with tempfile.TemporaryDirectory(prefix="dockstack-bench-") as directory:
        try:
            document |= _measure(asked, ground, Path(directory))
        except KeyboardInterrupt:
            say("\nbench: interrupted; everything of it is removed")
            return 130
        except (NotWired, AssertionError) as error:
            say(f"\nbench: {error}")
            return 1
    if asked.json:
        write(asked.json, document)
    return 0


def _measure(asked: argparse.Namespace, ground: Ground, directory: Path) -> dict[str, object]:
    if asked.lab:
        return _lab(asked.stack)
    if asked.small_lab:
        figures = lab.measure_small(ground, directory)
        print(table(LAB_HEADINGS, figures.rows("")))
        return {"lab": figures.record("")}
    taking_part = wiring.contenders(ground, directory)
    if asked.growth:
        return _growth(ground, taking_part[0], asked.rounds, asked.output)
    figures = wiring.measure(ground, taking_part, asked.containers, asked.rounds)
    print(f"{asked.containers} plain containers, {asked.rounds} rounds")
    print(table(["contender", "step", "seconds", "ours/this"], figures.rows(Dockstack.name)))
    print(EXPLANATION)
    return {"containers": asked.containers, "wiring": figures.record(Dockstack.name)}


def _lab(stack: str) -> dict[str, object]:
    figures, recording = lab.measure(stack)
    print(table(LAB_HEADINGS, figures.rows("")) + "\n")
    held = memory.measure(stack)
    print(table(["container", "MiB"], memory.rows(held)) + "\n")
    drawing = ARTIFACTS / f"up-{stack}.svg"
    chart.write(recording, stack, drawing)
    return {"lab": figures.record(""), "memory_mib": held, "chart": str(drawing)}


def _growth(ground: Ground, ours: Contender, rounds: int, drawing: Path) -> dict[str, object]:
    grown: dict[int, Figures] = {}
    for count in growth.COUNTS:
        if count > growth.room(growth.available_gib()):
            say(f"{count} containers and more are left out: {growth.SPARE_GIB:.0f} GiB of memory have to stay free")
            break
        try:
            grown[count] = wiring.measure(ground, [ours], count, rounds)
        except (NotWired, AssertionError, subprocess.TimeoutExpired) as error:
            if not grown:
                raise
            # What was measured before is worth showing.
            say(f"\n{count} containers: {error}")
            break
    if not grown:
        raise NotWired("no memory for containers")
    print(f"{ours.name}, seconds by number of plain containers")
    print(table(growth.headings(grown, ours.name), growth.rows(grown, ours.name)))
    growth.write(growth.medians(grown, ours.name), drawing)
    say(f"chart: {drawing}")
    return {
        "growth": {str(count): figures.record(ours.name) for count, figures in grown.items()},
        "chart": str(drawing),
    }


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python3 -m tests.bench",
        description="Plain containers wired and taken down by Dockstack, by docker-compose with a loop of ovs-docker, "
        "and one after the other as in 2015; all in one run, in turns. Nothing of it is left at the end.",
    )
    kinds = parser.add_mutually_exclusive_group()
    kinds.add_argument(
        "--lab",
        action="store_true",
        help="measure a stack that is up instead, with its memory and a chart: TAKES IT DOWN and up again",
    )
    kinds.add_argument("--small-lab", action="store_true", help="measure a throwaway lab with a Puppet server instead")
    kinds.add_argument(
        "--growth",
        action="store_true",
        help=f"measure Dockstack alone at {growth.COUNTS} containers instead, as far as memory goes, and draw that",
    )
    parser.add_argument("--containers", type=int, default=100, help="how many (100)")
    parser.add_argument("--rounds", type=int, default=2, help="how often each has its turn (2)")
    parser.add_argument("--stack", default=os.environ.get("STACK", "lab"), help="the stack that --lab measures (lab)")
    parser.add_argument(
        "--name", default="bench", help="prefix of the containers, and name of stack and bridge (bench)"
    )
    parser.add_argument("--network", type=ipaddress.IPv4Network, default="10.94.0.0/22", help="subnet (10.94.0.0/22)")
    parser.add_argument(
        "--output",
        type=Path,
        default=ARTIFACTS / "growth.svg",
        help="the SVG file of --growth (growth.svg among the artefacts)",
    )
    parser.add_argument("--json", metavar="FILE", help="write all figures there as well")
    return parser


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
