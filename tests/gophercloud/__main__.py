"""``make gophercloud``: Gophercloud's acceptance tests against a lab, through the VIP.

They are Go tests within the module that go.mod pins, and find the lab by the variables of an openrc file. What is not
run, and why, is in the file ``excluded``. What the tests leave in the lab is removed, and told.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from components import login
from components.outputs import outputs_of
from tests.gophercloud.inventory import Inventory, NoDemo, choices
from tests.lab.cloud import connect

HERE = Path(__file__).parent
MODULE = "github.com/gophercloud/gophercloud/v2"
TESTS = "internal/acceptance/openstack"
SERVICES = {
    "identity/v3": "identity",
    "image/v2": "image",
    "blockstorage/v3": "block storage",
    "networking/v2": "network",
    "placement/v1": "placement",
    "compute/v2": "compute",
}
"""Directories with tests of what a lab has, and what they are counted under."""
RELEASE = "stable/2025.1"
"""The tests differ from release to release of OpenStack."""
MINUTES = 40
"""How long the tests of a package may take."""
LAST_LINES = 20
"""How much of its log a failed test shows."""
VERDICTS = {"pass": "passed", "fail": "failed", "skip": "skipped"}


@dataclass(frozen=True)
class Outcome:
    """What a test came to."""

    package: str
    """Its directory below :data:`TESTS`."""
    name: str
    verdict: str
    seconds: float
    said: tuple[str, ...]
    """The lines of its log."""

    @property
    def reason(self) -> str:
        """Return the last thing that a test said, without the place."""
        found = [match[1] for line in self.said if (match := re.match(r"\s+\S+\.go:\d+: (.*)", line))]
        return found[-1] if found else ""


def main(arguments: list[str]) -> int:
    """Run the tests against a stack.

    Returns:
        0 when all passed that aren't excluded, and the lab is as it was; 1 when not; 2 when they could not be run.
    """
    parser = argparse.ArgumentParser(prog="make gophercloud", description=__doc__)
    parser.add_argument("stack")
    parser.add_argument("--run", default="", help="run only the tests whose name has this expression of Go's")
    given = parser.parse_args(arguments)
    openrc = (outputs_of(given.stack) or {}).get("openrc")
    if not openrc:
        print(f"make gophercloud: stack {given.stack} is not up here, or has no Keystone", file=sys.stderr)
        return 2
    cloud = connect(openrc)
    try:
        variables = {**login.settings(openrc), **choices(cloud)}
    except NoDemo as error:
        print(f"make gophercloud: {error}. Fix: set dockstack:demo to true and run `pulumi up`", file=sys.stderr)
        return 2
    inventory = Inventory(cloud)
    left_out = excluded((HERE / "excluded").read_text(encoding="utf-8"))
    outcomes: list[Outcome] = []
    try:
        module = source()
        for package in packages(module):
            outcomes += run(module, package, list(left_out.get(package, {})), given.run, variables)
    finally:
        left = inventory.put_back()
    print(report(outcomes, left_out))
    for line in left:
        print(f"left by the tests: {line}")
    failed = any(outcome.verdict == "failed" for outcome in outcomes)
    return 0 if outcomes and not failed and inventory.is_as_it_was() else 1


def excluded(text: str) -> dict[str, dict[str, str]]:
    """Return the tests that are not run, by package: name to reason.

    Args:
        text: lines of package, name and, after ``#``, the reason; lines that begin with ``#`` are comments.

    Raises:
        ValueError: for a line without one of these.
    """
    found: dict[str, dict[str, str]] = {}
    for line in text.splitlines():
        if not line.strip() or line.startswith("#"):
            continue
        test, _, reason = line.partition("#")
        package, name = test.split()
        if not reason.strip():
            raise ValueError(f"no reason is given for {name}")
        found.setdefault(package, {})[name] = reason.strip()
    return found


def source() -> Path:
    """Return the directory of the pinned module, which is downloaded where it isn't there and fits its sum."""
    told = _go("mod", "download", "-json", MODULE, directory=HERE)
    return Path(json.loads(told)["Dir"])


def packages(module: Path) -> list[str]:
    """Return the packages that have tests, as directories below :data:`TESTS`."""
    show = "{{if or .TestGoFiles .XTestGoFiles}}{{.ImportPath}}{{end}}"
    wanted = [f"./{TESTS}/{directory}/..." for directory in SERVICES]
    listed = _go("list", "-tags=acceptance", "-f", show, *wanted, directory=module).split()
    return [each.removeprefix(f"{MODULE}/{TESTS}/") for each in listed]


def run(
    module: Path, package: str, without: Iterable[str], only: str, variables: Mapping[str, str]
) -> Iterator[Outcome]:
    """Run a package's tests one after the other, and tell what each came to when it has.

    Args:
        module: where the module is.
        package: directory below :data:`TESTS`.
        without: names of tests to leave out.
        only: an expression of Go's that names have to have.
        variables: of the environment.
    """
    command = ["go", "test", "-json", "-count=1", "-vet=off", "-tags=acceptance", f"-timeout={MINUTES}m", "-run", only]
    if names := "|".join(without):
        command += ["-skip", f"^({names})$"]
    process = subprocess.Popen(
        [*command, f"./{TESTS}/{package}"],
        cwd=module,
        env=environment(variables),
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout
    with process, process.stdout:
        for outcome in outcomes_of(package, process.stdout):
            print(f"{outcome.verdict:7} {package} {outcome.name} ({outcome.seconds:.0f} s)", flush=True)
            if outcome.verdict == "failed":
                print("\n".join(outcome.said[-LAST_LINES:]), flush=True)
            yield outcome


def outcomes_of(package: str, lines: Iterable[str]) -> Iterator[Outcome]:
    """Read what ``go test -json`` prints: https://pkg.go.dev/cmd/test2json.

    Tests within a test are part of it. A package that could not be built or that ended in the middle is a failed test
    of no name.
    """
    said: dict[str, list[str]] = {}
    failed = ended = False
    for line in lines:
        try:
            event = json.loads(line)
        except ValueError:
            said.setdefault("", []).append(line.rstrip())
            continue
        test, action = event.get("Test", ""), event["Action"]
        name, _, inner = test.partition("/")
        if "Output" in event:
            said.setdefault(name, []).append(event["Output"].rstrip())
        if action not in VERDICTS or inner:
            continue
        if not name:
            ended = action != "fail" or failed
            continue
        failed |= action == "fail"
        yield Outcome(package, name, VERDICTS[action], event.get("Elapsed", 0.0), tuple(said.pop(name, ())))
    if not ended:
        yield Outcome(package, "", VERDICTS["fail"], 0.0, tuple(line for each in said.values() for line in each))


def service(package: str) -> str:
    """Return what the tests of a package are counted under."""
    return next(name for directory, name in SERVICES.items() if f"{package}/".startswith(f"{directory}/"))


def report(outcomes: Iterable[Outcome], left_out: Mapping[str, Mapping[str, str]]) -> str:
    """Return the table, and what explains it."""
    listed = list(outcomes)
    counts: Counter[tuple[str, str]] = Counter((service(each.package), each.verdict) for each in listed)
    for package, names in left_out.items():
        counts[service(package), "excluded"] += len(names)
    columns = (*VERDICTS.values(), "excluded")
    lines = ["", f"| {'Tests':13} | {' | '.join(columns)} |", f"|{'-' * 15}|{'--:|' * len(columns)}"]
    for name in SERVICES.values():
        lines.append(f"| {name:13} | {' | '.join(str(counts[name, column]) for column in columns)} |")
    sums = [sum(number for (_, verdict), number in counts.items() if verdict == column) for column in columns]
    lines.append(f"| {'all':13} | {' | '.join(map(str, sums))} |")
    lines += [
        f"excluded: {package} {name}: {reason}" for package in left_out for name, reason in left_out[package].items()
    ]
    reasons = Counter(each.reason for each in listed if each.verdict == "skipped")
    lines += [f"skipped {number}: {reason}" for reason, number in reasons.most_common()]
    for each in listed:
        if each.verdict == "failed":
            lines.append(f"failed: {each.package} {each.name}")
    return "\n".join(lines)


def environment(variables: Mapping[str, str]) -> dict[str, str]:
    """Return the environment of a Go program that asks the lab.

    Go has no variable of OpenStack's for a certificate authority, but one of its own.
    """
    given = {**os.environ, **variables, "OS_BRANCH": RELEASE, "GOWORK": "off"}
    given["OS_DOMAIN_NAME"] = given["OS_USER_DOMAIN_NAME"]
    if authority := given.get("OS_CACERT"):
        given["SSL_CERT_FILE"] = authority
    # The lab is on this host.
    given["NO_PROXY"] = given["no_proxy"] = "*"
    return given


def _go(*arguments: str, directory: Path) -> str:
    return subprocess.run(["go", *arguments], cwd=directory, check=True, stdout=subprocess.PIPE, text=True).stdout


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
