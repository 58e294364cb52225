"""What the config API keeps, in Cassandra: one row an object, in the keyspace that OpenSDN's own has."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from opensdn_standin.wire import Cassandra, any_of

KEYSPACE = "config_db_uuid"
TABLE = f"{KEYSPACE}.obj_stand_in"


def connect(servers: Sequence[str], user: str, password: str) -> Cassandra:
    """Connect to the first server that answers."""
    return Cassandra(any_of(servers), user, password)


def prepare(database: Cassandra, members: int) -> None:
    """Make keyspace and table; the keyspace has as many copies as there are servers, and keeps that."""
    replication = f"{{'class': 'SimpleStrategy', 'replication_factor': '{members}'}}"
    database.query(f"CREATE KEYSPACE IF NOT EXISTS {KEYSPACE} WITH REPLICATION = {replication}")
    columns = "kind text, uuid text, body text, PRIMARY KEY (kind, uuid)"
    database.query(f"CREATE TABLE IF NOT EXISTS {TABLE} ({columns})")


def objects(database: Cassandra, kind: str) -> list[dict[str, Any]]:
    """Return all objects of a kind."""
    return [json.loads(body) for (body,) in database.query(f"SELECT body FROM {TABLE} WHERE kind = ?", kind)]


def one(database: Cassandra, kind: str, uuid: str) -> dict[str, Any] | None:
    """Return an object, if it is there."""
    rows = database.query(f"SELECT body FROM {TABLE} WHERE kind = ? AND uuid = ?", kind, uuid)
    return dict(json.loads(rows[0][0])) if rows else None


def keep(database: Cassandra, kind: str, item: dict[str, Any]) -> None:
    """Write an object."""
    database.query(
        f"INSERT INTO {TABLE} (kind, uuid, body) VALUES (?, ?, ?)", kind, item["uuid"], json.dumps(item, sort_keys=True)
    )


def drop(database: Cassandra, kind: str, uuid: str) -> None:
    """Remove an object."""
    database.query(f"DELETE FROM {TABLE} WHERE kind = ? AND uuid = ?", kind, uuid)
