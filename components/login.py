"""A login as an openrc file has it: written for shells, and read by the commands beside Pulumi."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from pathlib import Path

import requests
from keystoneauth1.identity import v3
from keystoneauth1.session import Session

_SETTING = "export OS_"


def text(login: Mapping[str, str]) -> str:
    """Return the lines of an openrc file that set variables, for any POSIX shell."""
    return "".join(f"export {name}={shlex.quote(value)}\n" for name, value in login.items())


def settings(openrc: str) -> dict[str, str]:
    """Return the variables of the form ``OS_*`` that an openrc file sets.

    Raises:
        OSError: when there is no such file.
    """
    lines = Path(openrc).read_text(encoding="utf-8").splitlines()
    given = (shlex.split(line)[1].partition("=") for line in lines if line.startswith(_SETTING))
    return {name: value for name, _, value in given}


def rest(openrc: str) -> str:
    """Return the other lines of an openrc file, which are the same for everybody.

    Raises:
        OSError: when there is no such file.
    """
    lines = Path(openrc).read_text(encoding="utf-8").splitlines(keepends=True)
    return "".join(line for line in lines if not line.startswith(_SETTING))


def user(login: Mapping[str, str]) -> v3.Password:
    """Return whoever a login, as :func:`settings` returns it, is for Keystone."""
    return v3.Password(
        login["OS_AUTH_URL"],
        username=login["OS_USERNAME"],
        password=login["OS_PASSWORD"],
        user_domain_name=login["OS_USER_DOMAIN_NAME"],
        project_name=login["OS_PROJECT_NAME"],
        project_domain_name=login["OS_PROJECT_DOMAIN_NAME"],
    )


def session(login: Mapping[str, str], seconds: float) -> Session:
    """Return a session with Keystone that asks no proxy: the lab is on this host.

    Args:
        login: what :func:`settings` returns.
        seconds: how long an answer may take.
    """
    requester = requests.Session()
    # Or it would read the proxies from the environment, which may know nothing of the lab.
    requester.trust_env = False
    return Session(auth=user(login), session=requester, timeout=seconds, verify=login.get("OS_CACERT", True))
