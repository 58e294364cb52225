"""The outputs of a stack's last ``up``, for the commands beside Pulumi."""

from __future__ import annotations

import json
import subprocess
from typing import Any

from components import paths


def outputs_of(stack: str) -> dict[str, Any] | None:
    """Return a stack's outputs; None when there is no such stack, or nothing of it is up."""
    told = subprocess.run(
        ["pulumi", "stack", "output", "--json", "--stack", stack],
        cwd=paths.PROJECT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    outputs: dict[str, Any] = json.loads(told.stdout) if told.returncode == 0 else {}
    return outputs if "addresses" in outputs else None
