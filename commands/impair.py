"""``make impair``: delay, loss and a limited rate at a container's ports, in both directions, until they are cleared.

The keeper of the container's host impairs them again after each restart of the container; `make status` tells of them;
with the lab they go.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import asdict
from pathlib import Path

from commands import places
from components import paths
from hostside import impairment
from hostside.errors import Refused, StepError
from hostside.impairment import Impairment
from hostside.process import CommandFailed


def main(arguments: list[str]) -> int:
    """Impair the ports of a container, or let one's, or all, be as they were.

    Returns:
        0, or 1 with a sentence on standard error for each thing that is wrong.
    """
    parser = argparse.ArgumentParser(prog="make impair", description=__doc__)
    parser.add_argument("stack")
    parser.add_argument("--container", default="")
    parser.add_argument("--clear", action="store_true")
    for name in ("delay", "jitter", "loss", "rate"):
        parser.add_argument(f"--{name}", default="")
    given = parser.parse_args(arguments)
    wanted = Impairment(given.delay, given.jitter, given.loss, given.rate)
    try:
        if given.clear and str(wanted):
            return _refuse(["CLEAR=1 takes no other value."])
        if given.clear:
            return _clear(given.stack, given.container)
        if faults := wanted.faults():
            return _refuse(faults)
        impose(given.stack, given.container, wanted)
    except (Refused, StepError, CommandFailed, OSError) as error:
        return _refuse([str(error)])
    print(f"{given.container}: {wanted}, each way, until: make impair CLEAR=1")
    return 0


def impose(stack: str, container: str, wanted: Impairment) -> None:
    """Impair the ports of a container, whichever host it is on.

    Raises:
        Refused: when it can't be done.
        StepError: when the kernel refuses.
        OSError: when the engine can't be asked.
    """
    host = places.host_of(stack, container, "impair")
    if host is None:
        impairment.impose(stack, Path(paths.stack_directory(stack)), container, wanted)
    else:
        places.have(host, stack, "impair", {"container": container, "wanted": asdict(wanted)})


def _clear(stack: str, container: str) -> int:
    cleared = impairment.relieve(Path(paths.stack_directory(stack)), container)
    answers = places.ask(places.others(stack), stack, "relieve", {"container": container})
    cleared += [name for told in answers.told.values() for name in told["cleared"]]
    for name in cleared:
        print(f"{name}: as it was")
    if container and not cleared:
        answers.faults.insert(0, f"nothing of {container} is impaired.")
    return _refuse(answers.faults) if answers.faults else 0


def _refuse(sentences: list[str]) -> int:
    for sentence in sentences:
        print(f"make impair: {sentence}", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
