"""``make gophercloud``: what is left out, and what becomes of what `go test` prints."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.gophercloud import __main__ as gophercloud
from tests.gophercloud.__main__ import Outcome


def event(action: str, test: str = "", **more: Any) -> str:
    return json.dumps({"Action": action, "Package": "p", **({"Test": test} if test else {}), **more}) + "\n"


def test_every_test_that_is_left_out_has_its_reason_and_is_of_a_service_that_is_tested() -> None:
    left_out = gophercloud.excluded((gophercloud.HERE / "excluded").read_text())
    for package, tests in left_out.items():
        assert gophercloud.service(package) in gophercloud.SERVICES.values()
        assert all(name.startswith("Test") and reason for name, reason in tests.items())


def test_a_test_without_a_reason_is_not_left_out() -> None:
    assert gophercloud.excluded("# what this is\n\nimage/v2 TestA  # no x\n") == {"image/v2": {"TestA": "no x"}}
    with pytest.raises(ValueError, match="no reason is given for TestA"):
        gophercloud.excluded("image/v2 TestA\n")


def test_each_test_comes_to_one_thing_whatever_is_within_it() -> None:
    lines = [
        event("run", "TestA"),
        event("output", "TestA", Output="    a_test.go:3: at work\n"),
        event("fail", "TestA/inner", Elapsed=1.0),
        event("fail", "TestA", Elapsed=2.0),
        event("output", "TestB", Output="    conditions.go:24: this test requires bgp\n"),
        event("output", "TestB", Output="--- SKIP: TestB (0.00s)\n"),
        event("skip", "TestB", Elapsed=0.0),
        event("pass", "TestC", Elapsed=0.5),
        event("fail", Elapsed=3.0),
    ]
    found = list(gophercloud.outcomes_of("image/v2", lines))
    assert [(each.name, each.verdict, each.seconds) for each in found] == [
        ("TestA", "failed", 2.0),
        ("TestB", "skipped", 0.0),
        ("TestC", "passed", 0.5),
    ]
    assert found[0].said == ("    a_test.go:3: at work",)
    assert found[1].reason == "this test requires bgp"


@pytest.mark.parametrize(
    "lines",
    [
        [event("build-output", Output="undefined: x\n"), event("fail", Elapsed=0.0)],
        [event("run", "TestA"), event("output", Output="panic: test timed out\n"), event("fail", Elapsed=9.0)],
        ["go: no such package\n"],
    ],
    ids=["not built", "ended in the middle", "not begun"],
)
def test_a_package_that_was_not_tested_to_its_end_has_failed(lines: list[str]) -> None:
    found = list(gophercloud.outcomes_of("image/v2", lines))
    assert [(each.name, each.verdict) for each in found] == [("", "failed")]
    assert found[0].said


def test_the_table_counts_by_service_and_tells_what_explains_it() -> None:
    outcomes = [
        Outcome("image/v2", "TestA", "passed", 1.0, ()),
        Outcome("networking/v2/extensions/qos/rules", "TestB", "skipped", 0.0, ("    c.go:1: no qos",)),
        Outcome("networking/v2", "TestC", "failed", 1.0, ("    c.go:2: gone",)),
    ]
    said = gophercloud.report(outcomes, {"compute/v2": {"TestD": "no agent"}}).splitlines()
    rows = [" ".join(line.split()) for line in said]
    assert "| image | 1 | 0 | 0 | 0 |" in rows
    assert "| network | 0 | 1 | 1 | 0 |" in rows
    assert "| all | 1 | 1 | 1 | 1 |" in rows
    assert "excluded: compute/v2 TestD: no agent" in said and "skipped 1: no qos" in said
    assert "failed: networking/v2 TestC" in said


def test_the_labs_authority_is_gos_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OS_CACERT", raising=False)
    login = {"OS_USER_DOMAIN_NAME": "Default"}
    assert gophercloud.environment(login)["OS_DOMAIN_NAME"] == "Default"
    assert gophercloud.environment({**login, "OS_CACERT": "/ca.pem"})["SSL_CERT_FILE"] == "/ca.pem"
