"""How the time of each step grows with the number of containers: table, exponents, and the lines as SVG."""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path

import matplotlib
from matplotlib.figure import Figure
from matplotlib.ticker import NullLocator

from components.services.plain import ROLE
from tests.bench.figures import Figures, spread

COUNTS = (50, 100, 200, 500)
SPARE_GIB = 3.0
"""Memory that is left to others."""
COLOURS = ("#1f77b4", "#e07b00", "#2ca02c", "#b05fc4")
MARKERS = "osD^"
INK = "#7a828c"
"""Legible on white and on black; the ground itself is left transparent."""


def room(available_gib: float) -> int:
    """Return how many containers the host has memory for, given what is available, in GiB."""
    return max(0, int((available_gib - SPARE_GIB) * 1024 / ROLE.memory_mib))


def available_gib() -> float:
    """Return the host's available memory in GiB."""
    told = dict(line.split(":") for line in Path("/proc/meminfo").read_text().splitlines())
    return int(told["MemAvailable"].split()[0]) / 2**20


def medians(grown: Mapping[int, Figures], contender: str) -> dict[str, dict[int, float]]:
    """Return the median seconds by step and number of containers."""
    found: dict[str, dict[int, float]] = {}
    for count, figures in grown.items():
        for step in figures.steps(contender):
            found.setdefault(step, {})[count] = statistics.median(figures.seconds[contender, step])
    return found


def exponent(seconds: Mapping[int, float]) -> float:
    """Return the power of the number of containers that the seconds grow with: least squares of the logarithms.

    Raises:
        ValueError: with less than two numbers.
    """
    if len(seconds) < 2:
        raise ValueError("one number of containers does not tell how the time grows")
    fitted = statistics.linear_regression([math.log(count) for count in seconds], list(map(math.log, seconds.values())))
    return float(fitted.slope)


def headings(grown: Mapping[int, Figures], contender: str) -> list[str]:
    """Return the headings of the table."""
    return ["containers", *medians(grown, contender)]


def rows(grown: Mapping[int, Figures], contender: str) -> list[list[str]]:
    """Return a row for each number of containers, and one with the exponents where there are several."""
    found = medians(grown, contender)
    made = [
        [str(count), *(spread(figures.seconds[contender, step], 1) for step in found)]
        for count, figures in grown.items()
    ]
    return made + ([["exponent", *(f"{exponent(found[step]):.2f}" for step in found)]] if len(grown) > 1 else [])


def draw(found: Mapping[str, Mapping[int, float]]) -> Figure:
    """Return the chart of seconds by step and number of containers, both axes logarithmic."""
    matplotlib.rcParams["svg.fonttype"] = "none"
    # The same figures give the same file.
    matplotlib.rcParams["svg.hashsalt"] = "dockstack"
    figure = Figure(figsize=(7, 4.2), layout="constrained")
    figure.patch.set_alpha(0)
    axes = figure.subplots()
    axes.patch.set_alpha(0)
    for (step, seconds), colour, marker in zip(found.items(), COLOURS, MARKERS, strict=False):
        counts = sorted(seconds)
        label = step if len(counts) < 2 else f"{step}: n^{exponent(seconds):.2f}"
        axes.loglog(counts, [seconds[count] for count in counts], color=colour, marker=marker, label=label)
    _ticks(axes.xaxis, sorted({count for seconds in found.values() for count in seconds}))
    highest = max(value for seconds in found.values() for value in seconds.values())
    _ticks(axes.yaxis, [tick for tick in (2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000) if tick <= 2 * highest])
    axes.set_xlabel("plain containers", color=INK)
    axes.set_ylabel("seconds", color=INK)
    axes.tick_params(colors=INK)
    axes.grid(True, color=INK, alpha=0.25)
    for side, spine in axes.spines.items():
        spine.set_visible(side in ("left", "bottom"))
        spine.set_color(INK)
    axes.legend(frameon=False, labelcolor=INK)
    return figure


def write(found: Mapping[str, Mapping[int, float]], path: Path) -> None:
    """Draw the chart into an SVG file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draw(found).savefig(path, format="svg", metadata={"Date": None})


def _ticks(axis: matplotlib.axis.Axis, values: Sequence[int]) -> None:
    axis.set_ticks(list(values), labels=[str(value) for value in values])
    axis.set_minor_locator(NullLocator())
