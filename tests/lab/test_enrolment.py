"""A certificate is for the container that has the secret for it, and for no other."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from components.secrets import enrolment_secret
from tests.lab.conftest import Lab
from tests.lab.harness import HOME, inside, inspect, network_of, run
from tests.lab.secrets_of_lab import master_secret

pytestmark = [pytest.mark.lab, pytest.mark.shares]

INTRUDER = "lab-intruder"
ROLE_EXTENSION = "1.3.6.1.4.1.34380.1.1.13"


@pytest.fixture
def intruder(lab: Lab) -> Iterator[str]:
    """A container on the lab's bridge that was never registered, with an agent."""
    image = inspect(lab.of_role("memcached"))["Image"]
    dns = lab.addresses[lab.of_role("dnsmasq")]
    rendered = HOME / f"stacks/{lab.stack}/volumes/{lab.of_role('memcached')}"
    run(
        "docker", "run", "-d", "--name", INTRUDER, "--network", "none", "--dns", dns, "--dns-search", "dockstack.lab",
        "-v", f"{rendered}:/etc/dockstack:ro", image, "sleep", "900",
    )  # fmt: skip
    try:
        run("ovs-docker", "add-port", "br-lab", "eth0", INTRUDER, "--ipaddress=10.87.0.199/24", "--gateway=10.87.0.1")
        run(*network_of(INTRUDER), "ethtool", "-K", "eth0", "tx", "off")
        yield INTRUDER
    finally:
        run("ovs-docker", "del-ports", "br-lab", INTRUDER, check=False)
        run("docker", "rm", "-f", INTRUDER)


def ask(certname: str, attributes: str) -> tuple[int, str]:
    """Ask for a certificate under a name with the given request attributes."""
    path = "/etc/puppet/csr_attributes.yaml"
    run("docker", "exec", "-i", INTRUDER, "sh", "-c", f"cat > {path}; rm -rf /var/lib/puppet/ssl", stdin=attributes)
    done = run(
        "docker", "exec", INTRUDER, "puppet", "ssl", "bootstrap", "--certname", certname, "--waitforcert", "0",
        "--http_keepalive_timeout", "0", check=False,
    )  # fmt: skip
    return done.returncode, done.stdout + done.stderr


def attributes(secret: str, role: str) -> str:
    return f"custom_attributes:\n  1.2.840.113549.1.9.7: {secret}\nextension_requests:\n  {ROLE_EXTENSION}: {role}\n"


def signed(lab: Lab) -> str:
    return run("docker", "exec", lab.of_role("puppet"), "puppetserver", "ca", "list", "--all").stdout


def test_nobody_gets_a_certificate_without_the_secret_made_for_that_name(lab: Lab, intruder: str) -> None:
    before = [line for line in signed(lab).splitlines() if "SHA256" in line]
    master = master_secret(lab.stack)
    other = enrolment_secret(master, f"{lab.of_role('galera')}.dockstack.lab")
    cases = {
        "an unknown name": ("intruder.dockstack.lab", attributes(other, "memcached")),
        # The authority keeps a refused request, and refuses the next one of that name without a look at it.
        "no secret": ("bare.dockstack.lab", "{}\n"),
        "a wrong secret": ("wrong.dockstack.lab", attributes("0" * 64, "memcached")),
    }
    try:
        for what, (name, request) in cases.items():
            status, said = ask(name, request)
            assert status != 0, f"{what}: {said}"
    finally:
        names = [name for name, _ in cases.values()]
        run("docker", "exec", lab.of_role("puppet"), "/etc/dockstack/bin/clean-certificates", *names)
    assert [line for line in signed(lab).splitlines() if "SHA256" in line] == before


def test_the_secret_of_one_container_is_of_no_use_under_the_name_of_another(lab: Lab, intruder: str) -> None:
    # The name is free for a moment, as it is when its container is replaced.
    victim = f"{lab.of_role('memcached')}.dockstack.lab"
    puppet = lab.of_role("puppet")
    master = master_secret(lab.stack)
    galera = enrolment_secret(master, f"{lab.of_role('galera')}.dockstack.lab")
    own = enrolment_secret(master, victim)
    policy = "/etc/dockstack/bin/autosign"
    key = "openssl req -new -newkey rsa:2048 -nodes -keyout /dev/null -config /dev/stdin"
    verdicts = {}
    for what, secret, role in (
        ("right", own, "memcached"),
        ("of another", galera, "memcached"),
        ("wrong role", own, "keystone"),
    ):
        config = (
            "[req]\nprompt=no\ndistinguished_name=d\nattributes=a\nreq_extensions=e\n"
            f"[d]\nCN={victim}\n[a]\nchallengePassword={secret}\n[e]\n{ROLE_EXTENSION}=ASN1:UTF8String:{role}\n"
        )
        request = run("docker", "exec", "-i", intruder, "sh", "-c", key, stdin=config).stdout
        done = run("docker", "exec", "-i", "-u", "puppet", puppet, policy, victim, stdin=request, check=False)
        verdicts[what] = done.returncode == 0
    assert verdicts == {"right": True, "of another": False, "wrong role": False}


def test_a_request_that_was_cut_off_before_its_answer_may_be_repeated(lab: Lab) -> None:
    name = lab.of_role("memcached")
    fqdn, server = f"{name}.dockstack.lab", f"{lab.of_role('puppet')}.dockstack.lab"
    certificate = f"/var/lib/puppet/ssl/certs/{fqdn}.pem"
    signed_before = inside(name, "cat", certificate)
    inside(name, "mv", certificate, f"{certificate}.away")
    secret = enrolment_secret(master_secret(lab.stack), fqdn)
    try:
        inside(name, "/etc/dockstack/bin/request-certificate", server, fqdn, "memcached", stdin=f"{secret}\n")
        assert inside(name, "cat", certificate) == signed_before
    finally:
        inside(name, "mv", f"{certificate}.away", certificate)


def test_a_request_that_is_refused_says_so_and_leaves_no_certificate(lab: Lab, intruder: str) -> None:
    request = ("docker", "exec", "-i", intruder, "/etc/dockstack/bin/request-certificate")
    name = "alien.dockstack.lab"
    try:
        done = run(*request, f"{lab.of_role('puppet')}.dockstack.lab", name, "memcached", stdin="wrong\n", check=False)
        assert done.returncode == 1
        assert f"no certificate for {name}" in done.stderr
        assert run("docker", "exec", intruder, "ls", "/var/lib/puppet/ssl/certs").stdout.split() == ["ca.pem"]
    finally:
        run("docker", "exec", lab.of_role("puppet"), "/etc/dockstack/bin/clean-certificates", name)
