"""``make drill``: lose something of a running lab on purpose, and see what its users notice until all works again.

Requests go through the VIP all the while. The lab makes images and volumes before the loss, and users, messages and
rows during it as well, as far as it has the services; all that it has acknowledged are looked for at the end. It
refuses on a lab that doesn't work: nobody could tell what the drill had broken.
"""

from __future__ import annotations

import argparse
import fcntl
import signal
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from commands import drills, kept, loss_table, places, status
from commands.drills import Drill
from commands.kept import Kept
from commands.load import Load, Outcome, targets
from commands.loss_table import Result
from components import paths
from components.configuration.environment import ConfiguredHost
from components.outputs import outputs_of
from hostside.errors import Refused, StepError
from hostside.process import CommandFailed

QUIET_SECONDS = 3.0
"""How long the load goes on before the loss, and after all works again."""
RETURN_SECONDS = 600.0
"""How long the lab may take to work again."""
LOOK_SECONDS = 15.0
"""How long answers are waited for between two looks at the lab."""
REFUSED, INTERRUPTED = 2, 130
"""Exit statuses: a drill was not begun; somebody has ended it, as a shell has it."""
LOCK = "drill.lock"
"""In the stack's directory: held while a drill goes on, as a second one would find the lab broken by the first."""


@dataclass(frozen=True)
class Lab:
    """A stack that is up."""

    stack: str
    outputs: Mapping[str, Any]
    hosts: Sequence[ConfiguredHost] = ()
    """Its hosts behind ssh."""

    def faults(self) -> list[str]:
        """Return what doesn't work, for people."""
        return [f"{fault.subject}: {fault.reason}" for fault in status.find(self.stack, self.outputs, self.hosts)]


def main(arguments: list[str]) -> int:
    """Run drills one after the other, or list those that a lab can have.

    Returns:
        0; 1 when the lab did not return, or lost what it had acknowledged; 2 when a drill was not begun.
    """
    parser = argparse.ArgumentParser(prog="make drill", description=__doc__)
    parser.add_argument("stack")
    parser.add_argument("--name", default="")
    parser.add_argument("--list", action="store_true")
    parser.add_argument("--file", type=Path, help="a document whose table of losses gets a row for each drill")
    given = parser.parse_args(arguments)
    outputs = outputs_of(given.stack)
    if outputs is None:
        return _refuse(f"stack {given.stack} is not up here.")
    try:
        lab = Lab(given.stack, outputs, places.elsewhere(given.stack, outputs))
        if given.list:
            return _list(lab)
        wanted = drills.chosen(given.name, lab.stack, lab.outputs, lab.hosts)
        with _alone(lab.stack):
            return _run_all(lab, wanted, given.file)
    except (Refused, ValueError) as error:
        return _refuse(str(error))
    except (StepError, CommandFailed, OSError) as error:
        print(f"make drill: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("make drill: interrupted", file=sys.stderr)
        return INTERRUPTED


def _list(lab: Lab) -> int:
    known = drills.listed(lab.stack, lab.outputs, lab.hosts)
    width = max(map(len, known))
    for name, drill in known.items():
        print(f"{name:{width}}  {drill.says}" + (f" (not here: {drill.lacking})" if drill.lacking else ""))
    return 0


def _run_all(lab: Lab, wanted: Sequence[Drill], file: Path | None) -> int:
    """Run drills until one can't be begun, or the lab doesn't return."""
    results: list[Result] = []
    for drill in wanted:
        faults = lab.faults()
        faults += [f"{name}: make impair has made it worse" for name in status.impaired(lab.stack, lab.hosts)]
        if faults:
            return _refuse("\n  ".join(["the lab doesn't work as it is:", *faults]))
        result = run(lab, drill)
        results.append(result)
        if file:
            before = file.read_text(encoding="utf-8") if file.exists() else ""
            file.write_text(loss_table.merged(before, result), encoding="utf-8")
        if not result.returned:
            break
        print(flush=True)
    if len(wanted) > 1:
        print("\n".join(loss_table.table(results)))
    return 0 if all(result.well for result in results) else 1


@contextmanager
def _alone(stack: str) -> Iterator[None]:
    """Hold the drills' lock of a stack; raises ValueError while another one has it."""
    with Path(paths.stack_directory(stack), LOCK).open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise ValueError(f"another drill of stack {stack} goes on.") from error
        yield


def run(lab: Lab, drill: Drill) -> Result:
    """Lose something under load, and tell what became of it.

    Raises:
        ValueError: the lab did not make what it was to keep.
    """
    authority = Path(paths.authority(lab.stack))
    asked = targets(lab.outputs, str(authority) if authority.exists() else "")
    things = kept.kinds(lab.outputs, drills.here(lab.outputs, lab.hosts), drill.victim)
    going_on = [each for each in things if each.target]
    asked.update({each.target: each.add for each in going_on})
    print(f"{drill.name}: {drill.says}; load on {', '.join(asked)}", flush=True)
    try:
        _begin(things)
        with Load(asked, {each.target: each.pause for each in going_on}) as load:
            time.sleep(QUIET_SECONDS)
            since = time.monotonic()
            lose(drill)
            returned = await_return(lab, load, since)
            time.sleep(QUIET_SECONDS)
        result = Result(drill, load.outcomes(), returned, [each.find() for each in things])
    finally:
        _remove(things)
    _tell(result)
    return result


def _begin(things: Sequence[Kept]) -> None:
    """Have the lab make the first of each kind, all kinds at the same time."""
    with ThreadPoolExecutor(len(things) or 1) as pool:
        told = pool.map(lambda each: (each.kind, each.begin()), things)
        refusals = [f"{kind}: {why}" for kind, why in told if why]
    if refusals:
        raise ValueError("\n  ".join(["the lab doesn't make what it is to keep:", *refusals]))


def _remove(things: Sequence[Kept]) -> None:
    """Remove what the lab has made, and say so where it can't be done."""
    left: Mapping[str, str] = {each.kind: "not removed, as somebody has ended that" for each in things}
    try:
        left = kept.remove(things)
    finally:
        for kind, why in left.items():
            print(f"make drill: {kind} called {kept.NAME}... are left until the next drill: {why}", file=sys.stderr)


def lose(drill: Drill) -> None:
    """Lose something, and bring it back where the lab doesn't, however this ends."""
    try:
        drill.lose()
        time.sleep(drill.hold)
    finally:
        if drill.restore:
            drill.restore()


def await_return(lab: Lab, load: Load, since: float) -> float:
    """Wait until all requests are answered and `make status` finds nothing broken.

    Returns:
        The seconds since the loss; 0 when it took too long.
    """
    while time.monotonic() - since < RETURN_SECONDS:
        if load.await_well(since, LOOK_SECONDS):
            looked = time.monotonic()
            # A loss may go unnoticed for a moment: requests that begin after this look have to succeed, too.
            if not lab.faults() and load.await_well(looked, LOOK_SECONDS):
                return looked - since
        time.sleep(0.5)
    return 0.0


def _tell(result: Result) -> None:
    print("\n".join(table(result.outcomes)))
    returned = result.returned
    print(f"\n{f'all works again after {returned:.0f} s' if returned else f'broken after {RETURN_SECONDS:.0f} s'}")
    if result.found:
        print(f"acknowledged and lost: {', '.join(map(str, result.found))}", flush=True)


def table(outcomes: Sequence[Outcome]) -> list[str]:
    """Return the lines of a table in Markdown, which people read as well."""
    rows = [("Target", "requests", "failed", "seconds away", "the last failure")]
    rows += [
        (each.target, str(each.requests), str(each.failed), f"{each.away:.1f}" if each.failed else "-", each.last)
        for each in outcomes
    ]
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    padded = [[f"{cell:{width}}" for cell, width in zip(row, widths, strict=True)] for row in rows]
    lines = [f"| {' | '.join(row)} |" for row in padded]
    return [lines[0], "|" + "|".join("-" * (width + 2) for width in widths) + "|", *lines[1:]]


def _refuse(sentence: str) -> int:
    print(f"make drill: {sentence}", file=sys.stderr)
    return REFUSED


if __name__ == "__main__":
    # A signal cleans up as Ctrl-C does.
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.default_int_handler)
    sys.exit(main(sys.argv[1:]))
