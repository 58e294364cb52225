"""``make logs``: what all programs of a lab's containers have written, in one order of time, from all of its hosts.

That is each program's own log, what supervisord and the keeper write to Docker's, the output of each Puppet run, and
what of the lab was brought up when, as each host's tool has recorded it. It reads, and changes nothing.
"""

from __future__ import annotations

import argparse
import re
import sys
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

from commands import places
from components import paths
from components.configuration import names
from hostside import logs
from hostside.errors import Refused
from hostside.logs import Entry, Written

UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
HERE = ""
"""This host among the others, which go by their names."""
_DURATION = re.compile(r"(\d+)([smhd])")


def main(arguments: list[str]) -> int:
    """Print the logs of a stack.

    Returns:
        0, or 1 with a sentence on standard error: there is no such container, or something was not told right.
    """
    parser = argparse.ArgumentParser(prog="make logs", description=__doc__)
    parser.add_argument("stack")
    parser.add_argument("--container", default="")
    parser.add_argument("--since", default="10m")
    parser.add_argument("--grep", default="")
    given = parser.parse_args(arguments)
    wanted = given.container.split()
    try:
        since, pattern = time.time() - seconds(given.since), re.compile(given.grep)
        found, faults = gathered(given.stack, wanted, since, pattern)
    except re.error as error:
        return _refuse(f"GREP={given.grep} is no regular expression of Python's: {error}.")
    except (ValueError, Refused, OSError) as error:
        return _refuse(str(error))
    for fault in faults:
        _refuse(fault)
    there = {name for each in found.values() for name in each.containers}
    if unknown := [name for name in wanted if name not in there]:
        return _refuse(f"stack {given.stack} has no container {unknown[0]}; it has {' '.join(sorted(there))}.")
    try:
        for entry in sorted(as_one(found), key=lambda each: each.time):
            print(entry)
        sys.stdout.flush()
    except BrokenPipeError:
        # A pager that was left early. Python would complain of the same when it ends.
        sys.stderr.close()
    return 0


def seconds(duration: str) -> float:
    """Return the seconds of a duration: a number with one of s, m, h, d.

    Raises:
        ValueError: it is none; with what it should look like.
    """
    found = _DURATION.fullmatch(duration)
    if not found:
        raise ValueError(f"SINCE={duration} is no duration: give a number and one of s, m, h, d, such as 10m.")
    return int(found[1]) * UNITS[found[2]]


def gathered(
    stack: str, wanted: list[str], since: float, pattern: re.Pattern[str]
) -> tuple[dict[str, Written], list[str]]:
    """Return what was written on each host of a stack, and what could not be read.

    Args:
        stack: the stack.
        wanted: of which containers; of all, where there is no name.
        since: seconds since the epoch.
        pattern: what one of an entry's lines has to match.

    Raises:
        Refused: when it isn't known how the other hosts are reached.
        OSError: when the engine here can't be asked.
    """
    keeper = names.keeper(stack)
    asked = {"keeper": keeper, "names": wanted, "since": since, "pattern": pattern.pattern}
    with ThreadPoolExecutor(1) as pool:
        elsewhere = pool.submit(lambda: places.ask(places.others(stack), stack, "logs", asked))
        here = logs.written(stack, Path(paths.stack_directory(stack)), keeper, wanted, since, pattern)
        answers = elsewhere.result()
    found = {HERE: here, **{host: parse(host, told) for host, told in answers.told.items()}}
    return found, [*(fault for each in found.values() for fault in each.faults), *answers.faults]


def parse(host: str, told: Mapping[str, Any]) -> Written:
    """Return what the tool of another host tells of it."""
    faults = [f"{host}: {fault}" for fault in told["faults"]]
    entries = [Entry(**{**each, "lines": tuple(each["lines"])}) for each in told["entries"]]
    return Written(told["containers"], entries, faults)


def as_one(found: Mapping[str, Written]) -> Iterable[Entry]:
    """Return the entries of all hosts; keepers, which have one name everywhere, are told apart by their hosts."""
    counted = Counter(name for each in found.values() for name in each.containers)

    def renamed(host: str, entries: Iterable[Entry]) -> Iterator[Entry]:
        for entry in entries:
            told_apart = host != HERE and counted[entry.container] > 1
            yield replace(entry, container=f"{host}/{entry.container}") if told_apart else entry

    return [entry for host, each in found.items() for entry in renamed(host, each.entries)]


def _refuse(sentence: str) -> int:
    print(f"make logs: {sentence}", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
