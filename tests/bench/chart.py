"""A chart of an ``up``: a row a container, a bar a stage, the critical path outlined; written as SVG.

``python3 -m tests.bench.chart`` (or ``make chart``) brings the stack up, whatever there is to do, and draws that.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

import matplotlib
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from tests.bench.figures import say, table
from tests.bench.recording import Recording, Step, record
from tests.lab.harness import ARTIFACTS

STAGES = {
    "image": "#8c6d31",
    "files": "#9e9e9e",
    "container": "#1f77b4",
    "port": "#17becf",
    "registration": "#bcbd22",
    "certificate": "#9467bd",
    "provisioning": "#ff7f0e",
    "health": "#2ca02c",
    "membership": "#e377c2",
    "agents": "#f7b6d2",
    "queues": "#d62728",
    "other": "#c7c7c7",
}
"""Stage to colour; ``other`` is what belongs to no container's way: secrets, bridges, keepers, hooks."""
NAMES = {"provisioning": "Puppet run"}
SHARED = "lab"
"""The row of what belongs to no container."""
CONTAINER_TYPE = "docker:index/container:Container"
OWNER = "dockstack:index:ServiceContainer"
INCH_PER_ROW = 0.3


def place(step: Step) -> tuple[str, str]:
    """Return the row of a step and its stage."""
    _, _, kinds, name = step.urn.split("::", 3)
    kind = kinds.split("$")[-1]
    if "-image-" in name or kind.startswith("docker:index/remoteImage"):
        return name.split("-image-")[-1] + " (image)", "image"
    row, _, stage = name.rpartition("-")
    if OWNER not in kinds:
        return SHARED, "other"
    if kind == CONTAINER_TYPE:
        return name, "container"
    if stage in STAGES:
        return row, stage
    return row or name, "other"


def rows(recording: Recording) -> dict[str, list[Step]]:
    """Return the steps by row, the rows in the order in which their last stage ended."""
    found: dict[str, list[Step]] = {}
    for step in recording.steps:
        found.setdefault(place(step)[0], []).append(step)
    ends = {row: max(step.ended for step in steps) for row, steps in found.items()}
    return {row: found[row] for row in sorted(found, key=lambda row: ends[row])}


def draw(recording: Recording, title: str) -> Figure:
    """Return the chart."""
    matplotlib.rcParams["svg.fonttype"] = "none"
    # The same recording gives the same file.
    matplotlib.rcParams["svg.hashsalt"] = "dockstack"
    found = rows(recording)
    figure = Figure(figsize=(14, 1.6 + INCH_PER_ROW * max(len(found), 3)), layout="constrained")
    axes = figure.subplots()
    critical = set(recording.critical_path())
    for position, steps in enumerate(found.values()):
        for step in steps:
            edge = {"edgecolor": "black", "linewidth": 1.4, "zorder": 3} if step in critical else {"zorder": 2}
            colour = STAGES[place(step)[1]]
            axes.barh(position, max(step.seconds, 0.1), left=step.begun, height=0.7, color=colour, **edge)
            if step.failed:
                axes.text(step.ended, position, " failed", va="center", color="red")
    axes.set_yticks(range(len(found)), list(found))
    axes.invert_yaxis()
    axes.set_xlim(0, recording.seconds)
    axes.set_xlabel("seconds since the command was given")
    axes.xaxis.grid(True, color="#e0e0e0", zorder=0)
    axes.set_axisbelow(True)
    axes.set_title(title, loc="left")
    used = {place(step)[1] for step in recording.steps}
    legend = [Patch(color=colour, label=NAMES.get(stage, stage)) for stage, colour in STAGES.items() if stage in used]
    legend.append(Patch(facecolor="none", edgecolor="black", label="critical path"))
    figure.legend(handles=legend, ncols=len(legend), loc="outside lower left", frameon=False, fontsize=8)
    return figure


def write(recording: Recording, stack: str, path: Path) -> None:
    """Draw a recording into an SVG file, and say what its critical path is."""
    path.parent.mkdir(parents=True, exist_ok=True)
    title = f"up of stack {stack}: {recording.seconds:.0f} s, {len(recording.steps)} steps"
    draw(recording, title).savefig(path, format="svg", metadata={"Date": None})
    print(table(["critical path", "stage", "from", "to", "seconds"], path_rows(recording)))
    say(f"chart: {path}")


def path_rows(recording: Recording) -> list[list[str]]:
    """Return the critical path as rows of a table."""
    return [
        [row, NAMES.get(stage, stage), f"{step.begun:.1f}", f"{step.ended:.1f}", f"{step.seconds:.1f}"]
        for step in recording.critical_path()
        for row, stage in [place(step)]
    ]


def main(arguments: Sequence[str]) -> int:
    """Bring a stack up and draw it; return the exit status."""
    parser = argparse.ArgumentParser(prog="python3 -m tests.bench.chart", description=__doc__)
    parser.add_argument("--stack", default=os.environ.get("STACK", "lab"), help="the stack (lab)")
    parser.add_argument("--output", type=Path, help="the SVG file (up-STACK.svg among the artefacts)")
    asked = parser.parse_args(arguments)
    try:
        recording = record(asked.stack)
    except AssertionError as error:
        say(f"chart: {error}")
        return 1
    if not recording.steps:
        say(f"chart: nothing to draw: stack {asked.stack} was up to date after {recording.seconds:.1f} s")
        return 0
    write(recording, asked.stack, asked.output or ARTIFACTS / f"up-{asked.stack}.svg")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
