"""A stack's configuration, read from its file without Pulumi."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from typing import Any

import yaml

from components import paths
from components.configuration import environment

SECRET = "secure"
"""What marks a value in a stack's file that only its key opens."""

OTHER = "PULUMI_OPTION_CONFIG_FILE"
"""Set, this variable is Pulumi's option --config-file."""


def read(stack: str) -> dict[str, object]:
    """Return a stack's configuration as the program gets it, with something in the place of each secret.

    Raises:
        ValueError: when the file can't be read.
    """
    name = os.environ.get(OTHER) or f"Pulumi.{stack}.yaml"
    try:
        given = yaml.safe_load((paths.PROJECT / name).read_text()) or {}
        return environment.decode({key: _text(value) for key, value in given.get("config", {}).items()})
    except (OSError, AttributeError, yaml.YAMLError) as error:
        raise ValueError(f"{name} has no configuration to read: {error}") from error


def _text(value: Any) -> str:
    """Return a value as Pulumi hands it to the program."""
    plain = _opened(value)
    return plain if isinstance(plain, str) else json.dumps(plain)


def _opened(value: Any) -> Any:
    """Return a value with something in the place of each secret, which nothing that is read here depends on."""
    if isinstance(value, Mapping):
        return SECRET if set(value) == {SECRET} else {key: _opened(inner) for key, inner in value.items()}
    return [_opened(inner) for inner in value] if isinstance(value, list) else value
