"""The verbs that ``pulumi up`` and the keeper call; each reads one JSON object from standard input."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Container, Mapping
from pathlib import Path
from typing import Any

from hostside import notes, runs
from hostside.errors import StepError, raise_as_one
from hostside.process import CommandFailed, complete_path

# Each verb imports what it needs itself: a hundred ports are a hundred starts of this program.

Parameters = Mapping[str, Any]


def _attach(directory: Path, given: Parameters) -> object:
    from hostside import ports

    if ports.attach(given["container"], directory / "locks") == "none":
        raise StepError(given["container"], ports.STEP, "the container does not run")
    _prove(directory.name, [given["container"]])
    return None


def _attach_all(directory: Path, given: Parameters) -> object:
    from hostside import batch, leaving

    leaving.forget(directory)
    batch.attach_all(list(given["containers"]), directory / "locks")
    _prove(directory.name, given["containers"])
    return None


def _detach_all(directory: Path, given: Parameters) -> object:
    from hostside import batch, leaving

    leaving.note(directory, given["containers"].values())
    batch.release(list(given["containers"]), directory.name, directory / "locks")
    return None


def _prove(stack: str, containers: Container[str]) -> None:
    """Fail unless packets pass the ports of these containers."""
    from hostside import engine, passage, ports

    listed = [each for each in engine.containers(stack) if engine.name(each) in containers]
    raise_as_one([StepError(name, ports.STEP, reason) for name, reason in passage.blocked(listed).items()])


def _detach(directory: Path, given: Parameters) -> object:
    from hostside import ports

    ports.detach(given["container"], directory.name, directory / "locks")
    return None


def _bridge_up(directory: Path, given: Parameters) -> object:
    from hostside import bridge, ports

    with ports.locked([bridge.LOCK], directory / "locks"):
        return {"datapath": bridge.up(bridge.Bridge(**given))}


def _bridge_down(directory: Path, given: Parameters) -> object:
    from hostside import bridge, ports

    with ports.locked([bridge.LOCK], directory / "locks"):
        bridge.down(bridge.Bridge(**given))
    return None


def _write(_directory: Path, given: Parameters) -> object:
    from hostside import files

    files.write(Path(given["root"]), given["files"])
    return None


def _remove(_directory: Path, given: Parameters) -> object:
    from hostside import files

    files.remove(Path(given["root"]))
    return None


def _register(_directory: Path, given: Parameters) -> object:
    from hostside.registration import Registration

    Registration(**given).register()
    return None


def _withdraw(_directory: Path, given: Parameters) -> object:
    from hostside.registration import Registration

    Registration(**given).withdraw()
    return None


def _issue(_directory: Path, given: Parameters) -> object:
    from hostside import certificate

    certificate.issue(
        given["container"], fqdn=given["fqdn"], server=given["server"], role=given["role"], secret=given["secret"]
    )
    return None


def _grant(_directory: Path, given: Parameters) -> object:
    from hostside.grant import Grant

    Grant(**given).write()
    return None


def _withdraw_grant(_directory: Path, given: Parameters) -> object:
    from hostside.grant import Grant

    Grant(**given).withdraw()
    return None


def _issue_for_vip(_directory: Path, given: Parameters) -> object:
    from hostside import vip_certificate

    vip_certificate.issue(
        given["container"], fqdn=given["fqdn"], server=given["server"], secret=given["secret"], names=given["names"]
    )
    return None


def _withdraw_for_vip(_directory: Path, given: Parameters) -> object:
    from hostside import vip_certificate

    vip_certificate.withdraw(given["container"], fqdn=given["fqdn"])
    return None


def _publish_authority(_directory: Path, given: Parameters) -> object:
    from hostside import authority

    return {"certificate": authority.publish(Path(given["path"]), given["server"], given["certificate"])}


def _withdraw_authority(_directory: Path, given: Parameters) -> object:
    Path(given["path"]).unlink(missing_ok=True)
    return None


def _provision(directory: Path, given: Parameters) -> object:
    from hostside import provisioning

    provisioning.provision(given["container"], directory / "logs")
    return None


def _await_healthy(_directory: Path, given: Parameters) -> object:
    from hostside import health

    health.await_healthy(given["container"], given["checks"], given["seconds"])
    return None


def _join(_directory: Path, given: Parameters) -> object:
    from hostside import membership

    membership.join(given["container"], given["fqdn"], given["other"], given["join"])
    return None


def _leave(_directory: Path, given: Parameters) -> object:
    from hostside import membership

    membership.leave(given["container"], given["fqdn"], given["other"], given["leave"])
    return None


def _build(_directory: Path, given: Parameters) -> object:
    from hostside import image

    return image.build(given["tag"], given["parent"], given["files"], given["packages"])


def _publish(_directory: Path, given: Parameters) -> object:
    from hostside import access

    access.publish(
        given["stack"], Path(given["openrc"]), given["text"], given["address"], given["name"], given["clouds"]
    )
    return None


def _unpublish(_directory: Path, given: Parameters) -> object:
    from hostside import access

    access.withdraw(given["stack"], Path(given["openrc"]))
    return None


def _demo(directory: Path, given: Parameters) -> object:
    from hostside import demo

    demo.apply(directory, given["container"], given["image"], Path(given["key"]), given["wanted"], given["login"])
    return None


def _keep(directory: Path, given: Parameters) -> object:
    from hostside.keeper import Keeper

    Keeper(given["stack"], directory).run()
    return None


def _start_keeper(_directory: Path, given: Parameters) -> object:
    _mend_container(given)
    return None


def _mend_container(given: Parameters) -> None:
    """Start what was stopped, before its ports are attached."""
    from hostside import engine

    for name in given.get("containers") or [given["container"]]:
        engine.unpause(name)
        engine.start(name)


def _mend_certificate(given: Parameters) -> None:
    from hostside import certificate

    certificate.drop(given["container"], fqdn=given["fqdn"], server=given["server"])


def _mend_programs(given: Parameters) -> None:
    from hostside import containers

    containers.undo_changes(given["container"])


def _sweep(directory: Path, given: Parameters) -> object:
    from hostside.sweep import sweep

    sweep(given["stack"], directory)
    return None


DRIFT = "drift"
"""Key of the parameter by which a verb is planned again after a look has found its effect gone (see hostside.drift)."""
NAMED = ("keeper", "sweep")
"""Verbs that take the stack's name as their argument: these aren't given any input."""

MENDS: Mapping[str, Callable[[Parameters], None]] = {
    "certificate-issue": _mend_certificate,
    "health-await": _mend_programs,
    "port-attach": _mend_container,
    "ports-attach": _mend_container,
    "tls-issue": _mend_certificate,
}
"""What comes before a verb when a look at the host has found its effect gone, and repeating it alone would not do."""

VERBS: Mapping[str, Callable[[Path, Parameters], object]] = {
    "access-publish": _publish,
    "access-withdraw": _unpublish,
    "authority-publish": _publish_authority,
    "authority-withdraw": _withdraw_authority,
    "bridge-down": _bridge_down,
    "bridge-up": _bridge_up,
    "certificate-issue": _issue,
    "demo": _demo,
    "files-remove": _remove,
    "files-write": _write,
    "grant-withdraw": _withdraw_grant,
    "grant-write": _grant,
    "health-await": _await_healthy,
    "image-build": _build,
    "keeper": _keep,
    "keeper-start": _start_keeper,
    "member-join": _join,
    "member-leave": _leave,
    "port-attach": _attach,
    "port-detach": _detach,
    "ports-attach": _attach_all,
    "ports-detach": _detach_all,
    "provision": _provision,
    "register": _register,
    "sweep": _sweep,
    "tls-issue": _issue_for_vip,
    "tls-withdraw": _withdraw_for_vip,
    "withdraw": _withdraw,
}


def main(arguments: list[str], directory: Path) -> int:
    """Run one verb.

    Args:
        arguments: the verb, then words that only serve the reader of a preview or a process list, or the stack's name
            for the verbs without parameters.
        directory: the stack's directory on this host.

    Returns:
        The exit status: 0, or 1 with the error on standard error.
    """
    # What is mounted is read by users of the containers, however strict the umask is of who runs this.
    os.umask(0o022)
    complete_path()
    verb, subject = arguments[0], " ".join(arguments[1:])
    runs.note(directory)
    try:
        given: dict[str, Any] = {"stack": arguments[1]} if verb in NAMED else json.load(sys.stdin)
        count = given.pop(DRIFT, 0)
        if verb in MENDS and count > notes.count(directory, verb, subject):
            MENDS[verb](given)
        notes.undo(directory, verb, subject)
        result = VERBS[verb](directory, given)
        notes.keep(directory, verb, subject, given, count)
    except (StepError, CommandFailed, OSError) as error:
        print(error, file=sys.stderr)
        return 1
    if result is not None:
        print(json.dumps(result, sort_keys=True))
    return 0
