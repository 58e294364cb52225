"""With a proxy for the way out, what is on this host is spoken to without it, and what isn't, through it."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest

from hostside import image
from tests.lab.conftest import Lab
from tests.lab.harness import Make, inspect, plain, run

pytestmark = pytest.mark.lab

NUMBER = 31
SECRET = "s3cret-of-the-proxy"
PARENT = "dockstack/base:latest"
TAG = "dockstack/t31-proxied:1"
DOCKERFILE = """
ARG PARENT
FROM ${PARENT}
RUN bash -c 'exec 3<>/dev/tcp/127.0.0.1/${http_proxy##*:} && echo "GET http://archive.invalid/ HTTP/1.0" >&3'
"""


@dataclass
class Proxy:
    """A proxy on the host's loopback, which notes what it is asked for and answers nothing."""

    url: str
    asked: list[str] = field(default_factory=list)

    def environment(self, **more: str) -> dict[str, str]:
        """Return the environment of a host with this proxy."""
        own = {key: value for key, value in os.environ.items() if not key.lower().endswith("_proxy")}
        return {**own, "http_proxy": self.url, "HTTPS_PROXY": self.url, **more}


@pytest.fixture
def proxy() -> Iterator[Proxy]:
    """Listen, until the end of the test."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        made = Proxy(f"http://someone:{SECRET}@127.0.0.1:{server.getsockname()[1]}")

        def listen() -> None:
            while True:
                try:
                    connection, _ = server.accept()
                except OSError:
                    return
                with connection:
                    connection.settimeout(5)
                    made.asked.append(connection.recv(4096).decode(errors="replace").partition("\r\n")[0].strip())

        threading.Thread(target=listen, daemon=True).start()
        yield made
        server.shutdown(socket.SHUT_RDWR)


@pytest.mark.parametrize("bypass", [{}, {"no_proxy": "localhost"}], ids=["without no_proxy", "with localhost alone"])
def test_the_lab_is_asked_for_its_status_and_a_token_without_the_proxy(
    lab: Lab, proxy: Proxy, bypass: dict[str, str]
) -> None:
    environment = proxy.environment(**bypass)
    run("make", "status", f"STACK={lab.stack}", env=environment)
    run("sh", "-euc", '. ./activate; . "$0"; openstack token issue', lab.openrc, env=environment)
    run("pulumi", "preview", "--stack", lab.stack, "--non-interactive", env=environment)
    assert proxy.asked == []


def test_a_stack_comes_and_goes_without_the_proxy_and_its_containers_know_none(stack: Make, proxy: Proxy) -> None:
    made = stack(f"t{NUMBER}", plain(NUMBER, 1))
    made.env = {**made.env, **proxy.environment(), **{k: v for k, v in made.env.items() if k.startswith("PULUMI")}}
    made.up()
    for name in (f"t{NUMBER}-p1", f"t{NUMBER}-keeper"):
        assert not [each for each in inspect(name)["Config"]["Env"] if "proxy" in each.lower()]
    made.preview("--expect-no-changes")
    made.destroy()
    assert proxy.asked == []


def test_a_build_goes_through_a_proxy_on_the_hosts_loopback_and_keeps_nothing_of_it(
    proxy: Proxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in proxy.environment().items():
        monkeypatch.setenv(name, value)
    try:
        image.build(TAG, PARENT, {"Dockerfile": {"content": DOCKERFILE, "mode": "644"}}, ())
        told = run("docker", "history", "--no-trunc", TAG).stdout + run("docker", "image", "inspect", TAG).stdout
        environment = run("docker", "run", "--rm", "--network=none", "--entrypoint=env", TAG).stdout
    finally:
        run("docker", "image", "rm", "--force", TAG, TAG.replace(":1", ":latest"), check=False)
    assert proxy.asked == ["GET http://archive.invalid/ HTTP/1.0"]
    assert SECRET not in told
    assert "proxy" not in environment.lower()
