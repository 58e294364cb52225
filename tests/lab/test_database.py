"""The database, as OpenStack's services expect it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.lab.conftest import Lab
from tests.lab.harness import PROJECT, eventually, inside, inspect, run

pytestmark = [pytest.mark.lab, pytest.mark.shares]

NAME = "test_transactions"
TRANSACTION = f"""
CREATE OR REPLACE DATABASE {NAME};
USE {NAME};
CREATE TABLE record (id INT PRIMARY KEY, mine INT, others INT) ENGINE=InnoDB;
INSERT INTO record VALUES (1, 0, 0);
START TRANSACTION;
SELECT * FROM record;
\\! mariadb {NAME} --execute 'UPDATE record SET others = 1'
UPDATE record SET mine = 1;
COMMIT;
SELECT mine, others FROM record;
"""


def test_a_row_that_somebody_else_has_changed_meanwhile_can_be_changed(lab: Lab) -> None:
    """Or a guest could not be deleted in the moment in which its floating address is taken from it."""
    galera = lab.of_role("galera")
    try:
        said = inside(galera, "mariadb", "--batch", "--skip-column-names", stdin=TRANSACTION)
        assert said.split() == ["1", "0", "0", "1", "1"]
    finally:
        inside(galera, "mariadb", "--execute", f"DROP DATABASE {NAME}")


HELD = """#!/bin/sh
/usr/bin/mariadb-install-db "$@" && rm /var/lib/mysql/mysql/[h-z]* && touch /held/half && exec sleep 600
"""


@pytest.fixture
def empty(lab: Lab) -> Iterator[str]:
    """Make a container like the database's, with an empty volume and nothing that runs."""
    name = "test-empty-database"
    image = inspect(lab.of_role("galera"))["Config"]["Image"]
    scripts = f"{PROJECT}/dockervolumes/galera/bin:/etc/dockstack/bin:ro"
    options = ("--name", name, "--network", "none", "--entrypoint", "sleep", "--volume", scripts)
    run("docker", "run", "--detach", *options, image, "600")
    yield name
    run("docker", "rm", "--force", "--volumes", name)


def test_an_installation_that_lost_its_power_is_made_anew(empty: str) -> None:
    """Half of the system tables would be taken for all of them, or keep the others from being made."""
    install = "/etc/dockstack/bin/install-database"
    # However fast the machine is, it is killed with half of the tables: the real program waits for that at its end.
    inside(empty, "sh", "-c", "mkdir /held && cat >/held/mariadb-install-db && chmod +x /held/*", stdin=HELD)
    run("docker", "exec", "--detach", "--env", "PATH=/held:/usr/sbin:/usr/bin:/sbin:/bin", empty, install)
    eventually("half is there", lambda: "half" in inside(empty, "ls", "/held"))
    run("docker", "kill", empty)
    run("docker", "start", empty)
    assert run("docker", "exec", empty, install, "check", check=False).returncode != 0
    inside(empty, install)
    inside(empty, install, "check")
    tables = inside(empty, "ls", "/var/lib/mysql/mysql")
    assert {"global_priv.frm", "proc.frm", "innodb_table_stats.frm"} <= set(tables.split())
