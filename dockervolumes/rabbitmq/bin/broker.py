"""Has this container's broker run Erlang code, by Erlang's own tool: rabbitmqctl takes a second to start."""

import os
import socket
import subprocess
import sys
from pathlib import Path

SECONDS = 60
NODE = f"rabbit@{socket.gethostname()}"
# Under a name of its own, as several may ask at the same moment. Code, which may hold passwords, goes in on its
# standard input.
OWN_NAME = f"{Path(sys.argv[0]).name}-{os.getpid()}"
COMMAND = ("erl_call", "-sname", NODE, "-h", OWN_NAME, "-fetch_stdout", "-no_result_term", "-e")
COOKIE_DIRECTORY = "/var/lib/rabbitmq"
RUNS = "io:put_chars(atom_to_list(rabbit:is_running())).\n"
"""Prints whether the broker works."""


class Silent(Exception):
    """The broker didn't do what it was asked."""


def ask(code: str, seconds: float = SECONDS) -> str:
    """Returns what the code has printed."""
    done = subprocess.run(
        COMMAND, input=code, text=True, capture_output=True, timeout=seconds, check=False,
        env={**os.environ, "HOME": COOKIE_DIRECTORY},
    )  # fmt: skip
    # Where the code ends by an exception, that is all that is printed, and it may quote what it was given.
    if done.returncode != 0 or not done.stdout:
        raise Silent(f"the broker does not answer (erl_call ended with {done.returncode})")
    return done.stdout
