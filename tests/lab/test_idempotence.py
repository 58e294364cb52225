"""What is right already is left alone."""

from __future__ import annotations

import pytest

from tests.lab.conftest import Lab
from tests.lab.harness import PROJECT, run, started_at

pytestmark = pytest.mark.lab


def test_a_second_up_changes_nothing_and_restarts_nothing(lab: Lab) -> None:
    before = started_at(lab.stack)
    assert set(lab.addresses) < set(before)
    run("pulumi", "preview", "--stack", lab.stack, "--expect-no-changes", "--non-interactive")
    done = run("pulumi", "up", "--stack", lab.stack, "--yes", "--skip-preview", "--non-interactive")
    assert "unchanged" in done.stdout and " updated" not in done.stdout and "replaced" not in done.stdout
    assert started_at(lab.stack) == before


def test_a_refresh_finds_no_drift(lab: Lab) -> None:
    run("pulumi", "preview", "--refresh", "--stack", lab.stack, "--expect-no-changes", "--non-interactive")


def test_make_lab_from_a_second_clone_changes_nothing(lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> None:
    before = started_at(lab.stack)
    clone = tmp_path_factory.mktemp("second") / "dockstack"
    run("git", "clone", "--quiet", str(PROJECT), str(clone))
    dirty = run("git", "status", "--porcelain").stdout
    if dirty:
        # A checkout with changes is compared as it is, or the clone would be another lab.
        run(
            "sh",
            "-c",
            f"git -C {PROJECT} ls-files -com --exclude-standard | tar -C {PROJECT} -cT - | tar -C {clone} -x",
        )
    done = run("make", "lab", "STACK=lab", cwd=clone)
    assert "unchanged" in done.stdout and "Keystone issued a token" in done.stdout
    assert started_at(lab.stack) == before
    assert run("git", "status", "--porcelain", cwd=clone).stdout == dirty
