"""The database, as OpenStack's services expect it."""

from __future__ import annotations

import pytest

from tests.lab.conftest import Lab
from tests.lab.harness import inside

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
