"""How Cassandra and Redis are asked from outside their containers."""

from __future__ import annotations

import importlib.util
import socket
import sys
from typing import Any

from components import paths


def _client() -> Any:
    """Return the client of Cassandra's that its containers have."""
    spec = importlib.util.spec_from_file_location("cql", paths.DOCKERVOLUMES / "cassandra/bin/cql.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


sys.dont_write_bytecode = True
cql = _client()


def lets_in(address: str, user: str, password: str) -> bool:
    """Say whether a node of Cassandra's takes a password."""
    try:
        cql.Connection(address, user, password).close()
    except cql.BadCredentials:
        return False
    return True


def asked_of_redis(address: str, *words: str) -> bytes:
    """Return what Redis answers to a client that it doesn't know yet."""
    with socket.create_connection((address, 6379), timeout=10) as connection:
        connection.sendall("".join(f"{word}\r\n" for word in (*words, "QUIT")).encode())
        with connection.makefile("rb") as stream:
            return stream.read()
