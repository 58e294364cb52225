"""Figures of several rounds: medians, ranges, ratios, and the table that shows them."""

from __future__ import annotations

import json
import os
import platform
import statistics
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any


@dataclass
class Figures:
    """Seconds by contender and step, one of each a round."""

    seconds: dict[tuple[str, str], list[float]] = field(default_factory=dict)

    def take(self, contender: str, step: str, work: Callable[[], object]) -> float:
        """Do a step, keep the seconds that it took, and return them."""
        say(f"{contender}: {step} ... ", end="")
        started = time.monotonic()
        work()
        took = time.monotonic() - started
        self.seconds.setdefault((contender, step), []).append(took)
        say(f"{took:.1f} s")
        return took

    def contenders(self) -> list[str]:
        """Return the contenders in the order of their first figures."""
        return list(dict.fromkeys(contender for contender, _ in self.seconds))

    def steps(self, contender: str) -> list[str]:
        """Return a contender's steps in the order of their first figures."""
        return list(dict.fromkeys(step for name, step in self.seconds if name == contender))

    def ratios(self, ours: str, other: str, step: str) -> list[float]:
        """Return ours divided by the other's of the same round, round by round."""
        return [a / b for a, b in zip(self.seconds[ours, step], self.seconds[other, step], strict=False)]

    def rows(self, ours: str) -> list[list[str]]:
        """Return a row for each step of each contender: seconds, and how many times as long ours took."""
        rows = []
        for contender in self.contenders():
            for step in self.steps(contender):
                comparable = contender != ours and (ours, step) in self.seconds
                ratios = self.ratios(ours, contender, step) if comparable else []
                rows.append([contender, step, spread(self.seconds[contender, step], 1), spread(ratios, 2)])
        return rows

    def record(self, ours: str) -> list[dict[str, Any]]:
        """Return all of it for a file."""
        return [
            {
                "contender": contender,
                "step": step,
                "seconds": [round(value, 3) for value in values],
                "median": round(statistics.median(values), 3),
                "ours_to_this": [round(ratio, 4) for ratio in self.ratios(ours, contender, step)]
                if (ours, step) in self.seconds and contender != ours
                else [],
            }
            for (contender, step), values in self.seconds.items()
        ]


def spread(values: Sequence[float], digits: int) -> str:
    """Return median and range of some values; nothing for none, and the one alone where there is only one."""
    if not values:
        return ""
    median = f"{statistics.median(values):.{digits}f}"
    return median if len(values) == 1 else f"{median} ({min(values):.{digits}f}-{max(values):.{digits}f})"


def table(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table of left-aligned columns."""
    lines = [list(headings), *map(list, rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(headings))]
    return "\n".join(
        "  ".join(f"{cell:{width}}" for cell, width in zip(line, widths, strict=True)).rstrip() for line in lines
    )


def say(text: str, end: str = "\n") -> None:
    """Tell the person who waits; the table itself is all that goes to standard output."""
    print(text, end=end, file=sys.stderr, flush=True)


def machine() -> Mapping[str, object]:
    """Return what the figures depend on."""
    return {
        "processors": os.cpu_count(),
        "load_before": round(os.getloadavg()[0], 2),
        "kernel": platform.release(),
        "python": platform.python_version(),
    }


def write(path: str, document: Mapping[str, object]) -> None:
    """Write figures to a file as JSON."""
    with open(path, "w") as stream:
        json.dump(document, stream, indent=1)
        stream.write("\n")
