"""Labs that many tests look at, recorded once."""

from __future__ import annotations

import pytest

from tests.unit.graph_recorder import Graph, config, record_lab, with_tls


@pytest.fixture(scope="session")
def lab() -> Graph:
    """Return the lab with every role as an `up` declares it."""
    return record_lab(config())


@pytest.fixture(scope="session")
def tls() -> Graph:
    """Return the same lab with TLS at the VIP: then it has all that there is."""
    return record_lab(with_tls())


@pytest.fixture(scope="session")
def previewed() -> Graph:
    """Return the same lab as a preview of the first `up` declares it."""
    return record_lab(config(), preview=True)
