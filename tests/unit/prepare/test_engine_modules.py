"""The engine's Go modules: what its executables have in common is compiled once where they name the same versions."""

from __future__ import annotations

import re
from itertools import combinations

import pytest

from components import paths

ENGINE = paths.PROJECT / "engine"
OLD = {"github.com/pulumi/pulumi/sdk/v3"}
"""Modules that the language host, which is the last of its kind, needs in an old version."""


def versions(directory: str) -> dict[str, str]:
    text = (ENGINE / directory / "go.mod").read_text()
    return dict(re.findall(r"^(?:require )?\s*(\S+\.\S+/\S+|\S+\.\S+) (v\S+)", text, re.MULTILINE))


@pytest.mark.parametrize(("one", "other"), list(combinations(("cli", "command", "docker", "language-host"), 2)))
def test_two_executables_name_the_same_version_of_each_module(one: str, other: str) -> None:
    first, second = versions(one), versions(other)
    common = (first.keys() & second.keys()) - (OLD if "language-host" in (one, other) else set())
    assert len(common) > 20
    assert {name: first[name] for name in common} == {name: second[name] for name in common}


def test_what_stands_in_for_a_part_of_a_module_is_used_by_the_build() -> None:
    script = (ENGINE / "modules.sh").read_text()
    stand_ins = [path.parent for path in ENGINE.glob("*/instead/**/*.go")]
    named = re.findall(r"^ +(?:without|replace) (\S+) (\S+)", script, re.MULTILINE)
    places = [ENGINE / directory / "instead" / module for directory, module in named]
    assert stand_ins
    assert all(any(place in (path, *path.parents) for place in places) for path in stand_ins)
