"""What a secret's readers can't be given: whatever it is written with, a program may lack the means to read it."""

from __future__ import annotations

import re
from dataclasses import dataclass


@dataclass(frozen=True)
class Reader:
    """A program that a secret ends up with, by its limits.

    `refused`: what it can't be given; `refusal`: the same in words, for the end of "has ...".  `longest`: bytes of
    UTF-8 that it takes.
    """

    name: str
    refused: re.Pattern[str] | None = None
    refusal: str = ""
    longest: int | None = None

    def complaints(self, secret: str) -> list[str]:
        """Why it can't read a secret, as ends of sentences that quote nothing of it."""
        found = []
        if self.refused and self.refused.search(secret):
            found.append(f"has {self.refusal}, which {self.name} can't read")
        length = len(secret.encode())
        if self.longest is not None and length > self.longest:
            found.append(f"has {length} bytes, of which {self.name} reads {self.longest}")
        return found


_BEYOND_ASCII = re.compile(r"[^ -~]")

KEYSTONE = Reader("Keystone", longest=4096)
"""``identity.max_password_length``, beyond which it leaves out the rest."""
PYMYSQL = Reader("PyMySQL", _BEYOND_ASCII, "a character beyond ASCII")
"""The database's client in all services. It sends Latin-1 where the server has the hash of UTF-8."""
MYSQL_HASH = Reader(
    "Puppet's MySQL module", re.compile(r"\*[0-9A-F]{40}\Z"), "a `*` and 40 hexadecimal digits at its end"
)
"""The function ``mysql::password``: it takes that for the hash of a password."""
OSLO_MESSAGING = Reader("oslo.messaging", re.compile("/"), "a `/`", longest=2048)
"""The broker's client in all services: it hands a `/` on bare, where it ends the host of a URL. Of whom it doesn't know
yet, a broker reads 4096 bytes, in which a client also tells who it is."""
ERLANG = Reader("Erlang", _BEYOND_ASCII, "a character beyond ASCII", longest=255)
"""The nodes of RabbitMQ: a cookie is an atom."""
KEEPALIVED = Reader("keepalived", re.compile(r'"|\\\Z'), 'a `"`, or a `\\` at its end', longest=8)
"""VRRP has no room for more, and a quoted word ends at the next quote, before which a backslash confuses it."""
OPENSDN = Reader("OpenSDN", re.compile(r"[^A-Za-z0-9]"), "a character other than letters and digits")
"""Its programs in C++ end a value at a `#`, and those in Python stumble over a `%`."""
BCRYPT = Reader("bcrypt", longest=72)
"""What Cassandra makes hashes with: it leaves out the rest."""
