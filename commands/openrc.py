"""``make openrc``: an openrc file for a user of the lab other than the administrator."""

from __future__ import annotations

import argparse
import getpass
import os
import sys
from pathlib import Path

from keystoneauth1.exceptions import ClientException
from keystoneauth1.exceptions.http import HTTPClientError

from components import login
from components.outputs import outputs_of
from hostside import files

SECONDS = 20.0
"""How long Keystone may take to answer."""


def main(arguments: list[str]) -> int:
    """Print a user's openrc file, or write it where only its owner reads it; Keystone is asked whether it is right.

    The password is taken from ``OS_PASSWORD``, or asked for on the terminal.

    Returns:
        0, or 1 with a sentence on standard error.
    """
    parser = argparse.ArgumentParser(prog="make openrc", description=__doc__)
    parser.add_argument("stack")
    parser.add_argument("--project", default="")
    parser.add_argument("--user", default="")
    parser.add_argument("--file", type=Path)
    given = parser.parse_args(arguments)
    if not given.project or not given.user:
        return _refuse("Say whose: make openrc PROJECT=... USER=...; the administrator's is made by the lab itself.")
    openrc = (outputs_of(given.stack) or {}).get("openrc")
    if not openrc:
        return _refuse(f"Stack {given.stack} is not up here, or has no Keystone.")
    try:
        password = _password(given.user)
        own = {"OS_USERNAME": given.user, "OS_PASSWORD": password, "OS_PROJECT_NAME": given.project}
        wanted = {**login.settings(openrc), **own}
        text = login.text(wanted) + login.rest(openrc)
        login.session(wanted, SECONDS).get_token()
    except (EOFError, OSError) as error:
        return _refuse(f"{error}".strip() or "No password was given.")
    except HTTPClientError as error:
        hint = " Its password was taken from OS_PASSWORD; unset that to be asked for it." if _given() else ""
        return _refuse(f"Keystone lets {given.user} not into project {given.project}: {error.message}{hint}")
    except ClientException as error:
        print(f"make openrc: not tried, as Keystone does not answer: {error}", file=sys.stderr)
    if given.file is None:
        print(text, end="")
    else:
        files.put(given.file.absolute(), text, 0o600)
    return 0


def _given() -> str:
    return os.environ.get("OS_PASSWORD", "")


def _password(user: str) -> str:
    """Return the password from the environment, or from the terminal without showing it.

    Raises:
        OSError: where there is no terminal.
        EOFError: when none is given.
    """
    if password := _given():
        return password
    if not sys.stdin.isatty():
        raise OSError("There is no terminal to ask for the password on: give it in OS_PASSWORD.")
    if password := getpass.getpass(f"Password of {user}: "):
        return password
    raise EOFError


def _refuse(sentence: str) -> int:
    print(f"make openrc: {sentence}", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
