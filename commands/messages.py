"""A durable queue at a lab's brokers; sent to a service's container, and run there by its Python.

``python3 - FILE ACTION QUEUE [NAME [SIZE]]``: FILE is the service's configuration, whose login it takes. ``declare``
makes the queue, ``publish`` puts a persistent message into it and waits for its confirmation, ``read`` prints the names
of all messages, and ``remove`` removes the queue; none there is no error.
"""

from __future__ import annotations

import configparser
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import unquote

import amqp

SECONDS = 20
"""How long a broker may take to answer."""


def brokers(url: str) -> list[tuple[str, str, str]]:
    """Return the brokers of a transport URL, each with its user and password."""
    members = url.partition("://")[2].partition("/")[0].split(",")
    found = []
    for member in members:
        login, _, place = member.rpartition("@")
        user, _, password = login.partition(":")
        found.append((place, unquote(user), unquote(password)))
    return found


@contextmanager
def channel(url: str) -> Iterator[Any]:
    """Give a channel to the first broker that answers; without one, the last one's error is raised."""
    virtual_host = unquote(url.partition("://")[2].partition("/")[2].partition("?")[0]) or "/"
    waits = {f"{what}_timeout": SECONDS for what in ("connect", "read", "write")}
    error: OSError | amqp.AMQPError | None = None
    for place, user, password in brokers(url):
        connection = amqp.Connection(place, user, password, virtual_host=virtual_host, confirm_publish=True, **waits)
        try:
            connection.connect()
        except (OSError, amqp.AMQPError) as refused:
            error = refused
            continue
        with connection:
            yield connection.channel()
        return
    raise error or OSError("there is no broker")


def main(file: str, action: str, queue: str, name: str = "", size: str = "0") -> None:
    """Do what is wanted, and fail by an exception."""
    settings = configparser.ConfigParser(interpolation=None, strict=False)
    settings.read(file)
    url = settings["DEFAULT"]["transport_url"]
    with channel(url) as opened:
        if action == "declare":
            # Of several brokers, more than one is to have it.
            kind = {"x-queue-type": "quorum"} if len(brokers(url)) > 1 else {}
            opened.queue_declare(queue, durable=True, auto_delete=False, arguments=kind)
        elif action == "publish":
            # A message to a queue that is gone would be confirmed as well.
            opened.queue_declare(queue, passive=True)
            message = amqp.Message(name + " " * int(size), delivery_mode=2)
            opened.basic_publish_confirm(message, routing_key=queue, confirm_timeout=SECONDS)
        elif action == "read":
            # Never acknowledged, so that they are in the queue again when the connection ends.
            while message := opened.basic_get(queue):
                print(message.body.strip())
        elif action == "remove":
            opened.queue_delete(queue)


if __name__ == "__main__":
    main(*sys.argv[1:])
