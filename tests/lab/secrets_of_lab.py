"""Every secret that a stack has, from its state."""

from __future__ import annotations

import json

from components.secrets import MASTER, enrolment_secret
from tests.lab.harness import run

DOMAIN = "dockstack.lab"


class Secrets(dict[str, str]):
    """Secrets by name; a failing test shows the names alone."""

    def __repr__(self) -> str:
        return f"Secrets({sorted(self)})"


def generated(stack: str) -> Secrets:
    """Return the generated secrets by name."""
    return exported(run("pulumi", "stack", "export", "--show-secrets", "--stack", stack).stdout)


def exported(told: str) -> Secrets:
    """Return the generated secrets by name, from a state as it is exported with its secrets shown."""
    found = Secrets()
    for resource in json.loads(told)["deployment"]["resources"]:
        name = resource["urn"].rsplit("::", 1)[1]
        if name.startswith("secret-"):
            plain = resource["outputs"]["stdout"]
            found[name.removeprefix("secret-")] = json.loads(plain["plaintext"]) if isinstance(plain, dict) else plain
    return found


def master_secret(stack: str) -> str:
    """Return the secret that the enrolment secrets are derived from."""
    return generated(stack)[MASTER]


def all_secrets(stack: str, containers: list[str]) -> Secrets:
    """Return the generated secrets and each container's own."""
    found = generated(stack)
    return Secrets({**found, **{name: enrolment_secret(found[MASTER], f"{name}.{DOMAIN}") for name in containers}})


def leaked(secrets: Secrets, text: str) -> list[str]:
    """Return the names of the secrets that a text has in clear."""
    return sorted(name for name, value in secrets.items() if value in text)
