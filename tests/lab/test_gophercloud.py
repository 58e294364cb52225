"""Gophercloud's acceptance tests, by which Terraform's provider stands or falls: `make gophercloud`."""

from __future__ import annotations

import pytest

from tests.lab.conftest import Lab
from tests.lab.harness import run

pytestmark = [pytest.mark.lab, pytest.mark.long_drill]

SECONDS = 3600


def test_all_pass_that_are_not_excluded_and_leave_the_lab_as_it_was(lab: Lab) -> None:
    said = run("make", "gophercloud", f"STACK={lab.stack}", timeout=SECONDS).stdout
    passed = next(line.split("|")[2] for line in said.splitlines() if line.startswith("| all "))
    assert int(passed) > 0
    assert lab.works()
