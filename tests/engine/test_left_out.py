"""What Dockstack's build of the engine leaves out says so by name, and what lies beside it works."""

from collections.abc import Callable

import pytest

from tests.engine.harness import Project

pytestmark = [pytest.mark.engine, pytest.mark.usefixtures("own_command")]


@pytest.fixture(scope="module")
def project(new_project: Callable[[str], Project]) -> Project:
    return new_project("left-out")


@pytest.mark.parametrize("url", ["s3://bucket", "gs://bucket", "azblob://container"])
def test_a_backend_that_is_left_out_is_refused_by_its_scheme(project: Project, url: str) -> None:
    scheme = url.partition("//")[0]
    refused = project.run("stack", "ls", PULUMI_BACKEND_URL=url)
    assert refused.status != 0
    assert f"built without the backend {scheme}//" in refused.output


@pytest.mark.parametrize("provider", ["awskms://alias/key?region=us-east-1", "hashivault://key"])
def test_a_secrets_provider_that_is_left_out_is_refused(project: Project, provider: str) -> None:
    refused = project.run("stack", "change-secrets-provider", provider)
    assert refused.status != 0
    assert "built without the secrets providers" in refused.output
    project.run("preview").require()


def test_a_command_that_is_left_out_says_so(project: Project) -> None:
    refused = project.run("api", "ls")
    assert refused.status != 0
    assert "built without `pulumi api`" in refused.output


def test_a_backend_in_postgres_is_there(project: Project) -> None:
    # Nothing listens there: what counts is that the driver tries.
    url = "postgres://nobody@127.0.0.1:1/state?sslmode=disable"
    refused = project.run("stack", "ls", PULUMI_BACKEND_URL=url)
    assert refused.status != 0
    assert "connection refused" in refused.output
