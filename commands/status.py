"""``make status``: what each container of a stack does, what is broken, and the command that mends it.

It looks at this host from the outside (the engine, Open vSwitch, supervisord, the APIs at the VIP, and what the roles'
own checks say) and changes nothing. What the stack should be, it reads from the outputs of its last ``up``.
"""

from __future__ import annotations

import argparse
import json
import sys
import urllib.error
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Any

import openstack
from keystoneauth1.exceptions import ClientException
from openstack.exceptions import HttpException, SDKException

from components import paths
from components.host import keeper
from components.login import session, settings
from components.outputs import outputs_of
from hostside import applied, bridge, engine, ovs, passage, ports, programs, web
from hostside.errors import StepError
from hostside.operations import named
from hostside.process import CommandFailed

WORKS, BROKEN, UNKNOWN_STACK = 0, 1, 2
"""The exit statuses."""
CLOUD_FAULTS = (SDKException, ClientException)
"""What the SDK raises, and what the library below it does where nobody answers."""
SECONDS = 10.0
"""How long an API may take to answer."""


@dataclass(frozen=True)
class Fault:
    """Something that doesn't work: what, why, and the command that mends it."""

    subject: str
    """A container, a bridge, an endpoint, or ``host``."""
    reason: str
    mend: str


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
        print(f"Stack {given.stack} is not up here. To bring it up: {_again(given.stack)}", file=sys.stderr)
        return UNKNOWN_STACK
    faults = find(given.stack, outputs)
    rows = [_row(name, outputs, faults) for name in outputs["addresses"]]
    if given.json:
        told = {"stack": given.stack, "works": not faults, "containers": rows, "faults": [asdict(f) for f in faults]}
        print(json.dumps(told, indent=2))
    else:
        _print(rows, faults)
    return BROKEN if faults else WORKS


def find(stack: str, outputs: Mapping[str, Any]) -> list[Fault]:
    """Return everything that is broken in a stack, the causes before what follows from them.

    Args:
        stack: the stack's name.
        outputs: the outputs of its last ``up``.
    """
    try:
        held, bridges = ovs.ports_by_container(), ovs.bridges(stack)
        listed = {engine.name(summary): summary for summary in engine.containers(stack)}
    except (CommandFailed, OSError) as error:
        return [Fault("host", str(error).splitlines()[0], _again(stack))]
    faults = [
        Fault(name, "the host's address is not on the bridge", f"docker restart {keeper.name(stack)}")
        for name, identifiers in bridges.items()
        if not bridge.is_up(bridge.Bridge.recorded(name, identifiers))
    ]
    with ThreadPoolExecutor(max_workers=8) as pool:
        names = [keeper.name(stack), *outputs["addresses"]]
        for found in pool.map(lambda name: list(_container(stack, name, name in listed, held.get(name, {}))), names):
            faults += found
        told = {fault.subject for fault in faults}
        blocked = passage.blocked([each for name, each in listed.items() if name not in told])
        faults += [Fault(name, reason, _again(stack)) for name, reason in blocked.items()]
        file = Path(paths.authority(stack))
        authority = str(file) if file.exists() else ""
        endpoints = outputs["endpoints"].items()
        for found in pool.map(lambda item: list(_endpoint(stack, item[0], item[1], authority)), endpoints):
            faults += found
    # Without its API nobody knows what a service's agents do, and the fault is told already.
    return faults or list(_agents(stack, outputs)) or _checks(stack)


def _container(stack: str, name: str, there: bool, held: ovs.Held) -> Iterator[Fault]:
    found = engine.inspect(name) if there else None
    if found is None:
        yield Fault(name, "the container is gone", _again(stack))
        return
    state = found["State"]
    if state["Paused"] or not state["Running"]:
        how = "unpause" if state["Paused"] else "start"
        yield Fault(name, f"the container is {state['Status']}", f"docker {how} {name}")
        return
    if ports.Port.of(name, found["Config"]["Labels"] or {}) and not ports.present(name, held):
        yield Fault(name, "it lacks its port, or has another address", _again(stack))
    if state.get("Health"):
        yield from _programs(name, state["Pid"])


def _programs(name: str, pid: int) -> Iterator[Fault]:
    """Ask a container's supervisord, which knows more, and sooner, than Docker's health."""
    try:
        listed = programs.listed(name, programs.SOCKET.format(pid=pid))
    except StepError as error:
        yield Fault(name, error.reason, f"docker restart {name}")
        return
    for program in listed:
        if not program.runs:
            yield Fault(name, f"its program {program}", f"docker exec {name} supervisorctl restart {program.name}")


def _endpoint(stack: str, service: str, url: str, authority: str) -> Iterator[Fault]:
    # The Puppet server's certificate isn't for its address, and its container is looked into already.
    if not url.startswith(("http://", "https://")) or service == "puppet":
        return
    try:
        web.opener(authority).open(url, timeout=SECONDS).close()
    except urllib.error.HTTPError as error:
        # A refusal is an answer; from 500 on it's haproxy's or the service's own trouble.
        if error.code >= 500:
            yield Fault(service, f"{url} answers {error.code} {error.reason}", _again(stack))
    except OSError as error:
        yield Fault(service, f"{url} does not answer: {error}", _again(stack))


def _agents(stack: str, outputs: Mapping[str, Any]) -> Iterator[Fault]:
    """Ask Nova, Neutron and Cinder which of their services and agents have gone silent."""
    endpoints = outputs["endpoints"]
    if not outputs.get("openrc") or not {"nova", "neutron", "cinder"} & endpoints.keys():
        return
    try:
        cloud = _connect(outputs["openrc"])
        cloud.authorize()
    except CLOUD_FAULTS as error:
        yield Fault("keystone", f"it gives no token: {error}", _again(stack))
        return
    for service, listed in (
        ("nova", cloud.compute.services),
        ("neutron", cloud.network.agents),
        ("cinder", cloud.block_storage.services),
    ):
        rows: Iterable[Any] = ()
        try:
            rows = list(listed()) if service in endpoints else ()
        except CLOUD_FAULTS as error:
            yield _refusal(stack, service, error, outputs["services"])
        for row in rows:
            if not (row.is_alive if service == "neutron" else row.state == "up"):
                container = _container_of(row.host, outputs["services"])
                yield Fault(container, f"{row.binary} has gone silent", f"docker restart {container}")


def _container_of(host: str, services: Mapping[str, Any]) -> str:
    """Return the container of a host as OpenStack calls it: HOST or HOST@BACKEND, where HOST may be a full name.

    Cinder's own is called after the role, since volumes belong to it whatever its container is called.
    """
    name = host.split("@")[0].split(".")[0]
    return name if name in services else next((each for each in services if services[each]["role"] == name), name)


def _checks(stack: str) -> list[Fault]:
    """Repeat the checks by which the last ``up`` took each container for healthy and for a member, as recorded here.

    They tell of what has no name in any list: a compute that Nova has forgotten, a program that ends again and again.
    """
    kept = applied.everything(Path(paths.stack_directory(stack)))
    with ThreadPoolExecutor(max_workers=8) as pool:
        failures = list(pool.map(lambda each: named(each.name).failure(each.record), kept))
    return [
        Fault(each.record["container"], f"it does not work: {failure}", _again(stack))
        for each, failure in zip(kept, failures, strict=True)
        if failure
    ]


def _refusal(stack: str, service: str, error: Exception, services: Mapping[str, Any]) -> Fault:
    """Return the fault of an API that fails with a token fresh from Keystone.

    A service checks tokens as a user of its own. Where that has been made anew, the service doesn't notice for an hour.
    """
    members = [name for name, each in services.items() if each["role"] == service]
    refused = isinstance(error, HttpException) and error.status_code == HTTPStatus.UNAUTHORIZED
    mend = f"docker restart {' '.join(members)}" if refused else _again(stack)
    return Fault(service, f"its API fails: {error}", mend)


def _connect(openrc: str) -> openstack.connection.Connection:
    login = settings(openrc)
    return openstack.connection.Connection(session=session(login, SECONDS), region_name=login.get("OS_REGION_NAME"))


def _again(stack: str) -> str:
    """Return the command that mends what is gone: a look at what there is, and an ``up``."""
    return "make lab" if stack == "lab" else f"make lab STACK={stack}"


def _row(name: str, outputs: Mapping[str, Any], faults: list[Fault]) -> dict[str, object]:
    role = outputs["services"].get(name, {}).get("role", "")
    works = not any(fault.subject in (name, "host") for fault in faults)
    return {"name": name, "role": role, "address": outputs["addresses"][name], "works": works}


def _print(rows: list[dict[str, object]], faults: list[Fault]) -> None:
    width = max((len(str(row["name"])) for row in rows), default=0)
    for row in rows:
        print(f"{row['name']:{width}}  {row['address']:15}  {row['role']:10}  {'works' if row['works'] else 'BROKEN'}")
    for fault in faults:
        print(f"\n{fault.subject}: {fault.reason}\n  to mend it: {fault.mend}")
    if not faults:
        print("\nAll works.")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
