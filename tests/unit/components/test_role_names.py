"""Roles are known by what they do: nothing outside their own modules goes by the name of one."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

from components import paths, services
from hostside.vip import HOLDER

ELSEWHERE = {
    ("components/configuration/rules.py", "puppet"): "what every Puppet agent calls its server",
    ("components/configuration/legacy.py", "haproxy"): "an action of a script of 2015",
    ("commands/reference.py", "config"): "a key of a stack's file",
    ("commands/stack_file.py", "config"): "a key of a stack's file",
    ("hostside/logs.py", "puppet"): "who has written a line",
    ("hostside/provisioning.py", "puppet"): "a program",
    ("hostside/vip.py", "haproxy"): "the label by which a host, which has no registry, knows who holds the VIP",
}
"""Words that are the name of a role as well, by file, and what they stand for there."""


def words(path: Path) -> Iterator[str]:
    return (
        node.value
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    )


def test_nothing_outside_the_roles_modules_goes_by_a_roles_name() -> None:
    found = {
        (str(path.relative_to(paths.PROJECT)), word)
        for directory in ("components", "commands", "hostside", "prepare")
        for path in (paths.PROJECT / directory).rglob("*.py")
        if not path.is_relative_to(paths.PROJECT / "components/services")
        for word in words(path)
        if word in services.ROLES
    }
    assert found == set(ELSEWHERE)


def test_who_holds_the_vip_is_called_the_same_by_the_program_and_by_the_hosts() -> None:
    assert [role.name for role in services.ROLES.values() if role.holds_vip] == [HOLDER]
