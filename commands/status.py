"""``make status``: what each container of a stack does, what is broken, and the command that mends it.

It looks at the stack's hosts from the outside (the engine, Open vSwitch, supervisord, the APIs at the VIP, and what the
roles' own checks say) and changes nothing. What the stack should be, it reads from the outputs of its last ``up``.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import urllib.error
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, replace
from http import HTTPStatus
from pathlib import Path
from typing import Any

import openstack
from keystoneauth1.exceptions import ClientException
from openstack.exceptions import HttpException, NotFoundException, SDKException

from commands import places
from components import paths, services
from components.configuration.environment import ConfiguredHost
from components.host import distance, keeper
from components.login import session, settings
from components.outputs import outputs_of
from hostside import report, web
from hostside.errors import Refused
from hostside.impairment import Impairments
from hostside.report import Problem

WORKS, BROKEN, UNKNOWN_STACK = 0, 1, 2
"""The exit statuses."""
CLOUD_FAULTS = (SDKException, ClientException)
"""What the SDK raises, and what the library below it does where nobody answers."""
SECONDS = 10.0
"""How long an API may take to answer."""
SELF_CERTIFIED = frozenset(
    frontend.name for role in services.ROLES.values() for frontend in role.frontends if frontend.members_speak_tls
)
"""Endpoints that speak TLS in a lab without it, too: by a certificate that nobody vouches for."""
BESIDE_VIP = frozenset(name for role in services.ROLES.values() for name in role.endpoints)
"""Endpoints of a single container, which is looked into already, and whose certificate isn't for its address."""
IDENTITY = next(role.name for role in services.ROLES.values() if role.issues_tokens)


def main(arguments: list[str]) -> int:
    """Print a stack's status.

    Returns:
        0 when everything works, 1 when something is broken, 2 when there is no such stack.
    """
    parser = argparse.ArgumentParser(prog="make status", description=__doc__)
    parser.add_argument("stack")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    given = parser.parse_args(arguments)
    outputs = outputs_of(given.stack)
    if outputs is None:
        print(f"Stack {given.stack} is not up here. To bring it up: {report.again(given.stack)}", file=sys.stderr)
        return UNKNOWN_STACK
    hosts = _hosts(given.stack, outputs)
    problems = find(given.stack, outputs, hosts)
    worse = impaired(given.stack, hosts)
    rows = [_row(name, outputs, problems, worse.get(name, "")) for name in outputs["addresses"]]
    if given.json:
        listed = [asdict(problem) for problem in problems]
        told = {"stack": given.stack, "works": not problems, "containers": rows, "faults": listed}
        print(json.dumps(told, indent=2))
    else:
        _print(rows, problems)
    return BROKEN if problems else WORKS


def _hosts(stack: str, outputs: Mapping[str, Any]) -> list[ConfiguredHost]:
    """Return the hosts behind ssh of a stack that is on several hosts, as its file has them."""
    try:
        return places.elsewhere(stack, outputs)
    except Refused as error:
        print(f"make status: {error}; hosts behind ssh are not asked", file=sys.stderr)
        return []


def impaired(stack: str, hosts: Sequence[ConfiguredHost]) -> dict[str, str]:
    """Return what `make impair` does to containers, by name; of hosts behind ssh, those tell that answer."""
    found = {name: str(each) for name, each in Impairments(Path(paths.stack_directory(stack))).all().items()}
    for told in places.ask(hosts, stack, "impaired").told.values():
        found |= told["impaired"]
    return found


def find(stack: str, outputs: Mapping[str, Any], hosts: Iterable[ConfiguredHost] = ()) -> list[Problem]:
    """Return everything that is broken in a stack, the causes before what follows from them.

    Args:
        stack: the stack's name.
        outputs: the outputs of its last ``up``.
        hosts: its hosts behind ssh.
    """
    there = {host.name: host for host in hosts}
    placed = {name: each.get("host", "") for name, each in outputs["services"].items()}
    here = [name for name in outputs["addresses"] if placed.get(name, "") not in there]
    watcher = keeper.name(stack)
    with ThreadPoolExecutor(max_workers=8) as pool:
        asked = {
            host: pool.submit(_ask, there[host], stack, [watcher, *(n for n in placed if placed[n] == host)])
            for host in sorted(set(placed.values()) & there.keys())
        }
        mine = report.Report(stack, Path(paths.stack_directory(stack)))
        problems = mine.broken([watcher, *here]) if here or not asked else []
        if [problem.subject for problem in problems] == ["host"] and not asked:
            return problems
        answers = {host: each.result() for host, each in asked.items()}
        for broken, _ in answers.values():
            problems += broken
        file = Path(paths.authority(stack))
        authority = str(file) if file.exists() else ""
        endpoints = outputs["endpoints"].items()
        said = pool.map(lambda item: list(_endpoint(stack, item[0], item[1], authority)), endpoints)
        silent = [problem for found in said for problem in found]
    if problems:
        return problems + silent
    elsewhere = [each for _, failing in answers.values() for each in failing]
    # Without its API nobody knows what a service's agents do; why it fails, the checks may tell, of a database for one.
    if silent:
        return [*mine.failing(), *elsewhere, *silent]
    return list(_agents(stack, outputs)) or [*mine.failing(), *elsewhere]


def _ask(host: ConfiguredHost, stack: str, names: Sequence[str]) -> tuple[list[Problem], list[Problem]]:
    """Return what is broken on a host behind ssh, and which checks fail there, by the tool that it has."""
    assert host.ssh is not None
    login = f"ssh{f' -p {host.ssh.port}' if host.ssh.port != 22 else ''} {host.ssh.user}@{host.ssh.host}"
    try:
        told = distance.tool(host, stack, "report", names)
        found = [[Problem(*each) for each in told[kind]] for kind in ("broken", "failing")]
    except (OSError, subprocess.SubprocessError, ValueError, KeyError, TypeError) as error:
        return [Problem(f"host {host.name}", f"it can't be asked: {distance.told_of(error)}", "make hosts")], []
    broken, failing = (
        [
            replace(
                each,
                subject=f"host {host.name}" if each.subject == "host" else each.subject,
                mend=_from_here(each.mend, login),
            )
            for each in kind
        ]
        for kind in found
    )
    return broken, failing


def _from_here(mend: str, login: str) -> str:
    """Return the command that mends something on another host, to be given here."""
    return f"{login} {mend}" if mend.startswith("docker ") else mend


def _endpoint(stack: str, service: str, url: str, authority: str) -> Iterator[Problem]:
    if not url.startswith(("http://", "https://")) or service in BESIDE_VIP:
        return
    try:
        checked = bool(authority) or service not in SELF_CERTIFIED
        web.opener(authority, checked=checked).open(url, timeout=SECONDS).close()
    except urllib.error.HTTPError as error:
        # A refusal is an answer; from 500 on it's haproxy's or the service's own trouble.
        if error.code >= 500:
            yield Problem(service, f"{url} answers {error.code} {error.reason}", report.again(stack))
    except OSError as error:
        yield Problem(service, f"{url} does not answer: {error}", report.again(stack))


def _agents(stack: str, outputs: Mapping[str, Any]) -> Iterator[Problem]:
    """Ask the services' APIs which of their programs have gone silent."""
    endpoints = outputs["endpoints"]
    asked = [
        (role.name, role.agents)
        for role in services.ROLES.values()
        if role.agents and role.frontends[0].name in endpoints
    ]
    if not outputs.get("openrc") or not asked:
        return
    try:
        cloud = connect(outputs["openrc"])
        cloud.authorize()
    except CLOUD_FAULTS as error:
        yield Problem(IDENTITY, f"it gives no token: {error}", report.again(stack))
        return
    for service, agents in asked:
        rows: Iterable[Any] = ()
        try:
            # Only named here: the SDK refuses the mere name of a service that the lab has not.
            rows = list(getattr(getattr(cloud, agents.proxy), agents.listed)())
        except CLOUD_FAULTS as error:
            if not (agents.optional and isinstance(error, NotFoundException)):
                yield _refusal(stack, service, error, outputs["services"])
        for row in rows:
            if not agents.heard(row):
                container = _container_of(row.host, outputs["services"])
                yield Problem(container, f"{row.binary} has gone silent", f"docker restart {container}")


def _container_of(host: str, services: Mapping[str, Any]) -> str:
    """Return the container of a host as OpenStack calls it: HOST or HOST@BACKEND, where HOST may be a full name.

    Cinder's own is called after the role, since volumes belong to it whatever its container is called.
    """
    name = host.split("@")[0].split(".")[0]
    return name if name in services else next((each for each in services if services[each]["role"] == name), name)


def _refusal(stack: str, service: str, error: Exception, services: Mapping[str, Any]) -> Problem:
    """Return what is wrong with an API that fails with a token fresh from Keystone.

    A service checks tokens as a user of its own. Where that has been made anew, the service doesn't notice for an hour.
    """
    members = [name for name, each in services.items() if each["role"] == service]
    refused = isinstance(error, HttpException) and error.status_code == HTTPStatus.UNAUTHORIZED
    mend = f"docker restart {' '.join(members)}" if refused else report.again(stack)
    return Problem(service, f"its API fails: {error}", mend)


def connect(openrc: str) -> openstack.connection.Connection:
    """Return OpenStack as the user of an openrc file sees it, asked without any proxy."""
    login = settings(openrc)
    return openstack.connection.Connection(session=session(login, SECONDS), region_name=login.get("OS_REGION_NAME"))


def _row(name: str, outputs: Mapping[str, Any], problems: list[Problem], impaired: str) -> dict[str, object]:
    role = outputs["services"].get(name, {}).get("role", "")
    works = not any(problem.subject in (name, "host") for problem in problems)
    row: dict[str, object] = {"name": name, "role": role, "address": outputs["addresses"][name], "works": works}
    return {**row, "impaired": impaired} if impaired else row


def _print(rows: list[dict[str, object]], problems: list[Problem]) -> None:
    width = max((len(str(row["name"])) for row in rows), default=0)
    for row in rows:
        state = "works" if row["works"] else "BROKEN"
        state += f"  (make impair: {row['impaired']})" if "impaired" in row else ""
        print(f"{row['name']:{width}}  {row['address']:15}  {row['role']:10}  {state}")
    for problem in problems:
        print(f"\n{problem.subject}: {problem.reason}\n  to mend it: {problem.mend}")
    if not problems:
        print("\nAll works.")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
