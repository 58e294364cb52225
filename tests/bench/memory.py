"""What a stack's containers hold in memory, as Docker tells it: without what the kernel could drop at once."""

from __future__ import annotations

from collections.abc import Mapping

from tests.lab.harness import Runs, listing, run

_UNITS = {"B": 1 / 2**20, "KiB": 1 / 2**10, "MiB": 1.0, "GiB": 2.0**10}


def measure(stack: str, on: Runs = run) -> dict[str, float]:
    """Return MiB by container of a host, this machine unless said otherwise; the keeper included, the largest first."""
    names = on(*listing(stack)).stdout.split()
    if not names:
        return {}
    told = on("docker", "stats", "--no-stream", "--format", "{{.Name}}\t{{.MemUsage}}", *names).stdout
    used = dict(line.split("\t") for line in told.splitlines())
    held = {name: mebibytes(usage.split("/")[0].strip()) for name, usage in used.items()}
    return dict(sorted(held.items(), key=lambda item: -item[1]))


def mebibytes(text: str) -> float:
    """Return an amount as Docker writes it, e.g. ``1.5GiB``, in MiB.

    Raises:
        ValueError: when it is none.
    """
    number = text.rstrip("BKMGi")
    unit = text.removeprefix(number)
    if unit not in _UNITS:
        raise ValueError(f"{text} is no amount of memory")
    return float(number) * _UNITS[unit]


def rows(held: Mapping[str, float]) -> list[list[str]]:
    """Return the rows of a table, the sum last."""
    return [[name, f"{amount:.0f}"] for name, amount in held.items()] + [["all", f"{sum(held.values()):.0f}"]]
