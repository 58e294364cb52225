"""The examples for Terraform and Ansible: what they are pinned to, and that nothing secret is in them."""

from __future__ import annotations

import re

from components import paths

EXAMPLES = paths.PROJECT / "examples"


def found(pattern: str, name: str) -> str:
    """Return what an expression finds in a file, once."""
    (only,) = re.findall(pattern, (paths.PROJECT / name).read_text(), re.MULTILINE)
    return str(only)


def test_the_provider_that_is_built_is_the_one_that_terraform_asks_for() -> None:
    asked = found(r'^ +version = "(\S+)"$', "examples/terraform/main.tf")
    assert found(r"^require \S+ v(\S+)$", "examples/terraform/provider/go.mod") == asked


def test_the_lock_of_the_playbooks_has_what_is_wanted() -> None:
    for package in ("ansible", "openstacksdk"):
        wanted = found(rf"^{package}==(\S+)$", "examples/ansible/requirements.in")
        assert found(rf"^{package}==(\S+)", "examples/ansible/requirements.lock") == wanted


def test_no_example_has_a_password() -> None:
    read = [path.read_text() for name in ("terraform", "ansible") for path in (EXAMPLES / name).glob("*.[ty]*")]
    assert len(read) >= 6
    assert not [text for text in read if re.search("password|secret", text)]
