"""`make status`, on a lab that works and on one in which this and that was broken."""

from __future__ import annotations

import json
import shlex
import subprocess
from typing import Any

import pytest

from tests.lab.conftest import Lab
from tests.lab.harness import PROJECT, eventually, inside, inspect, run

pytestmark = pytest.mark.lab


def status(stack: str) -> tuple[int, dict[str, Any]]:
    """Return the exit status and what is told to programs; make's own status is another."""
    done = run("python3", "-m", "commands.status", stack, "--json", check=False)
    return done.returncode, json.loads(done.stdout)


def test_a_lab_that_works_is_told_in_a_line_for_each_container(lab: Lab) -> None:
    lab.await_healthy()
    eventually("all agents report", lambda: status(lab.stack)[0] == 0, interval=2)
    said = run("make", "status", f"STACK={lab.stack}").stdout
    lines = [line.split() for line in said.splitlines()]
    for name, address in lab.addresses.items():
        assert [name, address, lab.services[name]["role"], "works"] in lines
    assert said.splitlines()[-1] == "All works."


def test_what_is_broken_is_told_with_the_command_that_mends_it(lab: Lab) -> None:
    cache, placement = lab.of_role("memcached"), lab.of_role("placement")
    run("docker", "stop", placement)
    inside(cache, "supervisorctl", "stop", "memcached")
    eventually("haproxy has noticed", lambda: "placement" in subjects(lab), interval=1)

    code, told = status(lab.stack)
    assert (code, told["works"]) == (1, False)
    assert {row["name"] for row in told["containers"] if not row["works"]} == {placement, cache}
    faults = {fault["subject"]: fault for fault in told["faults"]}
    assert "the container is exited" in faults[placement]["reason"]
    assert "its program memcached is STOPPED" in faults[cache]["reason"]
    assert "503" in faults["placement"]["reason"]
    assert run("make", "status", f"STACK={lab.stack}", check=False).returncode != 0
    # Docker's own health tells it too.
    eventually(f"{cache} is unhealthy", lambda: inspect(cache)["State"]["Health"]["Status"] == "unhealthy", interval=1)
    assert "memcached STOPPED" in inspect(cache)["State"]["Health"]["Log"][-1]["Output"]

    for subject in (placement, cache):
        subprocess.run(shlex.split(faults[subject]["mend"]), cwd=PROJECT, check=True, capture_output=True)
    eventually("all works again", lambda: status(lab.stack)[0] == 0, interval=2)


def subjects(lab: Lab) -> set[str]:
    return {fault["subject"] for fault in status(lab.stack)[1]["faults"]}


def test_a_stack_that_is_not_up_is_told_from_one_that_is_broken() -> None:
    done = run("python3", "-m", "commands.status", "nosuch", check=False)
    assert done.returncode == 2
    assert "make lab STACK=nosuch" in done.stderr
