"""Values with outputs in them, as JSON."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pulumi
import pytest

from components.promises import dumped


def resolved(value: Any) -> tuple[Any, bool, bool]:
    """Return the text, whether it is known, and whether it is a secret."""

    async def run() -> tuple[Any, bool, bool]:
        output = dumped(value() if callable(value) else value)
        return await output.future(with_unknowns=True), await output.is_known(), await output.is_secret()

    return asyncio.run(run())


@pytest.mark.parametrize("value", [{}, {"b": [1, {"a": None}], "a": "ü"}, {"n": {}}])
def test_what_is_known_is_the_same_as_from_the_standard_library(value: Any) -> None:
    assert resolved(value) == (json.dumps(value, sort_keys=True), True, False)


def test_outputs_are_found_at_any_depth_and_may_occur_twice() -> None:
    def value() -> dict[str, Any]:
        one, two = pulumi.Output.from_input("1"), pulumi.Output.from_input({"deep": [2]})
        return {"x": one, "list": [one, {"y": two}], "plain": True}

    text, known, secret = resolved(value)
    assert json.loads(text) == {"x": "1", "list": ["1", {"y": {"deep": [2]}}], "plain": True}
    assert (known, secret) == (True, False)


def test_a_secret_makes_the_whole_a_secret() -> None:
    text, _, secret = resolved(lambda: {"a": [pulumi.Output.secret("s3cret")], "b": 1})
    assert (json.loads(text), secret) == ({"a": ["s3cret"], "b": 1}, True)


def test_what_a_preview_does_not_know_makes_the_whole_unknown() -> None:
    def value() -> dict[str, Any]:
        unknown: asyncio.Future[bool] = asyncio.Future()
        unknown.set_result(False)
        nothing: asyncio.Future[str] = asyncio.Future()
        nothing.set_result("")
        return {"a": pulumi.Output(set(), nothing, unknown), "b": 1}

    assert resolved(value)[1] is False
