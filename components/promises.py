"""Values that have outputs of resources in them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pulumi


def dumped(value: Any) -> pulumi.Output[str]:
    """Return a value as JSON, its keys sorted.

    Pulumi's own function for it makes an output of each leaf, and a lab has some thousands, nearly all of them known.
    """
    promised = list(_promised(value))

    def write(come: list[Any]) -> str:
        known = {id(output): each for output, each in zip(promised, come, strict=True)}
        return json.dumps(value, sort_keys=True, default=lambda output: known[id(output)])

    return pulumi.Output.all(*promised).apply(write)


def _promised(value: Any) -> Iterator[pulumi.Output[Any]]:
    """Yield the outputs in a value."""
    if isinstance(value, pulumi.Output):
        yield value
    elif isinstance(value, dict):
        for each in value.values():
            yield from _promised(each)
    elif isinstance(value, (list, tuple)):
        for each in value:
            yield from _promised(each)
