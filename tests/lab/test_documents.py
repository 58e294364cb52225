"""What the documents tell to begin with: an example, reviewed by Pulumi, and a secret that is given to it."""

from __future__ import annotations

import pytest

from tests.lab.harness import Make, example

pytestmark = pytest.mark.lab

PASSWORD = "given-by-a-person"


def test_an_example_is_reviewed_and_its_secret_is_kept(stack: Make) -> None:
    names = (("id-", "t88-"), ("br-identity", "br-t88"), ("identity.lab", "t88.lab"))
    made = stack("t88", example("examples/Pulumi.identity.yaml", ("10.88.0.", "10.86.88."), *names))
    made.pulumi("config", "set", "--secret", "--path", "dockstack:common.passwords.keystone_admin", PASSWORD)
    assert PASSWORD not in (made.directory / "Pulumi.t88.yaml").read_text()
    said = made.preview().stdout
    assert "t88-keystone1-health" in said
    # What is given is not generated.
    assert "secret-keystone_database" in said and "secret-keystone_admin" not in said
    assert PASSWORD not in said
