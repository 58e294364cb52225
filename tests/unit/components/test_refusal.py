"""What an update would lose for good, by the stack's state; and what `up` says before it touches anything."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest

from commands import cleanup
from components import paths, recorded, refusal, services
from components.configuration import environment
from components.configuration.environment import ConfiguredHost, Environment
from components.consequences import Loss
from components.recorded import Recorded

TRIO = {"galera1": "galera", "galera2": "galera", "galera3": "galera"}


def trio(role: str) -> dict[str, str]:
    return {f"{role}{number}": role for number in (1, 2, 3)}


def lab(
    containers: dict[str, str], may_lose: Iterable[str] = (), silent: Iterable[str] = (), **hosts: str
) -> Environment:
    """Return a lab of some containers, each with its role; those that aren't said to be elsewhere are on this host."""
    given = {"dnsmasq1": "dnsmasq", "puppet1": "puppet", **containers}
    far = {name: {"ssh": {"host": f"{name}.example"}} for name in {"far", *hosts.values(), *silent} - {"local"}}
    config: dict[str, Any] = {
        "common": {"domain": "x.lab", "vip": "10.87.0.250", "mayLose": list(may_lose)},
        "containerHosts": {"local": {}, **far},
        "containerDefaults": {"mask": 24, "gateway": "10.87.0.1", "bridge": "br-x", "host": "local"},
        "containers": {
            name: {"role": role, "address": f"10.87.0.{10 + number}", "host": hosts.get(name, "local")}
            for number, (name, role) in enumerate(given.items())
        },
    }
    # What a role needs or can't have is checked elsewhere.
    made = environment.survey(config, stack="x", roles=services.facts(), base_dir=paths.PROJECT).environment
    assert made is not None
    known = {name: host.model_copy(update={"silent": name in silent}) for name, host in made.hosts.items()}
    return made.model_copy(update={"hosts": known})


def state(containers: dict[str, str], **hosts: str) -> Recorded:
    """Return the state of a stack of some containers, as Pulumi exports it, read."""
    resources = []
    for name, role in containers.items():
        provider = f"urn:pulumi:x::dockstack::pulumi:providers:docker::{hosts.get(name, 'local')}-docker::12-34"
        parent = f"urn:pulumi:x::dockstack::dockstack:index:Lab$dockstack:index:ServiceContainer::{name}"
        label = {"label": "dockstack.role", "value": role}
        common = {"parent": parent, "provider": provider}
        urn = f"urn:pulumi:x::dockstack::{cleanup.CONTAINER}::{name}"
        resources.append({"urn": urn, "type": cleanup.CONTAINER, "inputs": {"labels": [label]}, **common})
        for suffix in services.ROLES[role].data:
            urn = f"urn:pulumi:x::dockstack::{cleanup.VOLUME}::{name}-{suffix}"
            resources.append({"urn": urn, "type": cleanup.VOLUME, **common})
    return recorded.read(resources)


class Asked:
    """What the hosts are asked: containers run, but for some, and each that is asked says that it has something."""

    def __init__(self) -> None:
        self.scripts: list[str] = []
        self.dead: set[str] = set()

    def runner_for(self, host: ConfiguredHost) -> Callable[[str], str]:
        def run(script: str) -> str:
            self.scripts.append(f"{host.name}: {script}")
            if "docker exec" in script or any(f" {name})" in script for name in self.dead):
                raise subprocess.CalledProcessError(1, "docker")
            return ""

        return run


@pytest.fixture(autouse=True)
def asked(monkeypatch: pytest.MonkeyPatch) -> Asked:
    made = Asked()
    monkeypatch.setattr(refusal, "runner_for", made.runner_for)
    return made


def lost(there: Recorded, wanted: Environment) -> list[str]:
    return [each.what for each in refusal.found(there, wanted, services.for_lab(wanted))]


def refused(there: Recorded, wanted: Environment) -> list[str]:
    found: list[Loss] = refusal.found(there, wanted, services.for_lab(wanted))
    return [str(fault) for fault in refusal.faults(found, wanted)]


@pytest.mark.parametrize("role", ["galera", "rabbitmq", "ceph", "cassandra", "redis", "keystone", "cinder", "glance"])
def test_what_the_last_member_has_is_lost_with_it_also_where_another_takes_its_name(role: str) -> None:
    volumes = [f"volume {role}1-{suffix}" for suffix in sorted(services.ROLES[role].data)]
    there = state({f"{role}1": role})
    assert lost(there, lab({})) == volumes
    assert lost(there, lab({f"{role}2": role})) == volumes
    assert lost(there, lab({f"{role}1": role})) == []


@pytest.mark.parametrize("role", ["galera", "rabbitmq", "ceph", "cassandra"])
def test_one_of_three_goes_and_nothing_is_lost(role: str) -> None:
    for gone in trio(role):
        rest = {name: of for name, of in trio(role).items() if name != gone}
        assert lost(state(trio(role)), lab(rest)) == []
        assert lost(state(trio(role)), lab({**rest, f"{role}4": role})) == []


def test_two_of_three_that_hand_nothing_over_are_too_many_at_once() -> None:
    assert lost(state(TRIO), lab({"galera2": "galera"})) == ["volume galera1-data", "volume galera3-data"]
    five = {f"galera{number}": "galera" for number in range(1, 6)}
    assert lost(state(five), lab(TRIO)) == []
    assert lost(state(five), lab({"galera1": "galera"})) != []


@pytest.mark.parametrize("role", ["rabbitmq", "ceph", "cassandra"])
def test_members_that_hand_over_as_they_leave_may_go_down_to_one(role: str, asked: Asked) -> None:
    first, second, third = trio(role)
    assert lost(state(trio(role)), lab({first: role})) == []
    assert len(lost(state(trio(role)), lab({}))) == 3 * len(services.ROLES[role].data)
    assert lost(state(trio(role)), lab({f"{role}{number}": role for number in (4, 5, 6)})) != []
    # Those that have it stay, or run until they have handed it over.
    asked.dead = {second}
    assert lost(state(trio(role)), lab({first: role})) == []
    assert lost(state(trio(role)), lab({first: role, third: role})) == []
    asked.dead = {second, third}
    said = refused(state(trio(role)), lab({first: role}))[0]
    assert f"of 3 members of {role} that have it, 1 would be left or would hand it over, and it takes 2" in said
    assert f"Fix: Have {second} and {third} run before; or keep" in said
    # On a host that is no longer configured, nobody knows.
    assert lost(state(trio(role), **dict.fromkeys([second, third], "dropped")), lab({first: role})) != []


def test_what_is_left_has_to_answer() -> None:
    where = {"ceph1": "far"}
    assert lost(state(trio("ceph"), **where), lab({"ceph1": "ceph"}, **where)) == []
    one, other = refused(state(trio("ceph"), **where), lab({"ceph1": "ceph"}, silent=["far"], **where))
    assert "of 3 members of ceph that have it, none would be left" in one and "Have ceph1 run before" in other
    two = {"galera1": "galera", "galera3": "galera"}
    assert lost(state(TRIO, galera3="far"), lab(two, silent=["far"], galera3="far")) == ["volume galera2-data"]


@pytest.mark.parametrize("role", ["keystone", "glance", "cinder"])
def test_members_that_have_the_same_may_go_but_for_one(role: str) -> None:
    two = {f"{role}1": role, f"{role}2": role}
    for stays in two:
        assert lost(state(two), lab({stays: role})) == []


def test_guests_are_lost_with_their_compute_and_one_without_guests_goes(
    monkeypatch: pytest.MonkeyPatch, asked: Asked
) -> None:
    two = {"compute1": "compute", "compute2": "compute"}
    there, wanted = state(two, compute2="far"), lab({"compute1": "compute"})
    assert lost(there, wanted) == ["volume compute2-state"]
    (script,) = asked.scripts
    assert script.startswith("far: ") and "docker exec compute2 sh -c" in script
    assert lost(there, lab({"compute1": "compute"}, silent=["far"])) == ["volume compute2-state"]
    assert len(asked.scripts) == 1
    monkeypatch.setattr(refusal, "runner_for", lambda _host: lambda _script: "")
    assert lost(there, wanted) == []


def test_nobody_is_asked_whose_data_others_have(asked: Asked) -> None:
    two = {"glance1": "glance", "glance2": "glance"}
    assert lost(state({**two, **TRIO, **trio("ceph")}), lab({"glance1": "glance", **TRIO, **trio("ceph")})) == []
    assert asked.scripts == []


@pytest.mark.parametrize(("role", "path"), [("compute", "instances"), ("glance", "images"), ("cinder", "nfs")])
def test_a_container_says_itself_whether_its_volume_has_something(role: str, path: str, tmp_path: Path) -> None:
    given = services.ROLES[role]
    (directory,) = given.data.values()
    command = [word.replace(directory, str(tmp_path)) for word in given.vacant]
    assert str(tmp_path) in command[-1]
    assert subprocess.run(command, check=False).returncode == 0
    # What is made without any data: the cache of disks, and the directories themselves.
    (tmp_path / path).mkdir()
    assert subprocess.run(command, check=False).returncode == 0
    made = tmp_path / path / "0b9b0d7a-0c5e-4d1f-8a53-7d9f1f0e3c11"
    made.mkdir()
    (made / "disk").touch()
    assert subprocess.run(command, check=False).returncode == 1


def test_a_member_that_moves_begins_anew() -> None:
    assert lost(state(TRIO), lab(TRIO, galera3="far")) == []
    assert lost(state(trio("ceph")), lab(trio("ceph"), ceph3="far")) == []
    # What is made anew elsewhere hands nothing over.
    for role in ("galera", "ceph"):
        moved = {f"{role}1": "far", f"{role}2": "far"}
        one, other = refused(state(trio(role)), lab(trio(role), **moved))
        key, reason = f"dockstack:containers.{role}1.host", "moves it to host far, where it begins anew, and volume"
        assert one.startswith(f"{key}: {reason}")
        assert "Fix: Move one at a time, with an update for each; or keep" in other
    (alone,) = refused(state({"redis1": "redis"}), lab({"redis1": "redis"}, redis1="far"))
    assert "nobody else in the lab has it. Fix: Leave it there;" in alone


def test_a_lab_that_moves_as_a_whole_would_lose_all_that_it_keeps() -> None:
    there = state({"dnsmasq1": "dnsmasq", "puppet1": "puppet", **TRIO}, **dict.fromkeys(["puppet1", *TRIO], "dropped"))
    assert lost(there, lab(TRIO)) == [*(f"volume {name}-data" for name in TRIO), "volume puppet1-ca"]


def test_databases_go_with_the_last_container_of_their_service() -> None:
    there = state({"galera1": "galera", "nova1": "nova", "nova2": "nova"})
    assert lost(there, lab({"galera1": "galera", "nova3": "nova"})) == []
    names = ["nova", "nova_api", "nova_cell0"]
    assert lost(there, lab({"galera1": "galera"})) == [f"database {name}" for name in names]
    # With the database, all that is in it goes.
    assert lost(there, lab({})) == ["volume galera1-data"]
    (said,) = refused(there, lab({"galera1": "galera"}, ["nova1"]))
    assert said == (
        "dockstack:containers.nova2: is no longer configured, and database nova, database nova_api and database"
        " nova_cell0 would be removed with all that is in them: no container of role nova is left. Fix: Put one back;"
        " or keep what is needed by `make backup`, and name nova2 in dockstack:common.mayLose."
    )


def test_a_refusal_names_key_reason_and_fix_and_what_may_be_lost_goes() -> None:
    there, wanted = state(TRIO), {"galera1": "galera"}
    one, other = refused(there, lab(wanted))
    assert one == (
        "dockstack:containers.galera2: is no longer configured, and volume galera2-data would be removed with all that"
        " is in it: of 3 members of galera that have it, 1 would be left, and it takes 2 to have everything for"
        " certain. Fix: Put it back; or keep what is needed by `make backup`, and name galera2 and galera3 in"
        " dockstack:common.mayLose."
    )
    assert other.startswith("dockstack:containers.galera3: ")
    assert len(refused(there, lab(wanted, ["galera2"]))) == 1
    assert refused(there, lab(wanted, ["galera2", "galera3"])) == []
    seven = {f"galera{number}": "galera" for number in range(1, 8)}
    assert "Fix: Remove one at a time, with an update for each; or" in refused(state(seven), lab(TRIO))[0]


def test_what_is_told_in_a_preview_says_whether_an_up_goes_on() -> None:
    there, wanted = state({"redis1": "redis"}), lab({}, ["redis1"])
    (loss,) = refusal.found(there, wanted, services.for_lab(wanted))
    told = "loses data: volume redis1-data of redis1 is removed, with all that is in it. "
    assert loss.sentence(()) == (
        told + "`make backup` keeps it. `pulumi up` refuses this unless dockstack:common.mayLose names redis1."
    )
    assert loss.sentence(wanted.may_lose) == told + "dockstack:common.mayLose allows it."


def test_a_name_that_is_not_needed_is_harmless_and_noted() -> None:
    there = state({**TRIO, "redis1": "redis"})
    wanted = lab(TRIO, ["redis1", "galera1", "galera9"])
    found = refusal.found(there, wanted, services.for_lab(wanted))
    assert refusal.faults(found, wanted) == []
    (note,) = refusal.unneeded(found, wanted)
    assert str(note).startswith("dockstack:common.mayLose: nothing of galera1 and galera9 would be lost; take them out")
    assert refusal.unneeded(found, lab(TRIO, ["redis1"])) == []


def test_an_up_that_failed_on_its_way_is_gone_on_with() -> None:
    # One of two that leave has gone, with its volume or without, and then the other.
    rest = {"ceph1": "ceph", "ceph3": "ceph"}
    for there in (state(rest), replace_volumes(state(rest), state(trio("ceph"))), state({"ceph1": "ceph"})):
        assert lost(there, lab({"ceph1": "ceph"})) == []
    four = {**TRIO, "galera4": "galera"}
    for there in (state({**four, "galera5": "galera"}), state(four), replace_volumes(state(TRIO), state(four))):
        assert lost(there, lab(TRIO)) == []
    # The database goes before the containers do, and the last of these before its volume.
    assert lost(replace_volumes(state({}), state({"redis1": "redis"})), lab({})) == []


def replace_volumes(there: Recorded, other: Recorded) -> Recorded:
    return Recorded(there.roles, there.hosts, other.volumes)


def test_what_the_engine_is_about_to_delete_anyhow_is_none_any_more() -> None:
    urn = f"urn:pulumi:x::dockstack::{cleanup.VOLUME}::redis1-data"
    assert recorded.read([{"urn": urn, "type": cleanup.VOLUME, "delete": True}]) == Recorded()
    assert recorded.read([]) == Recorded()


def test_a_first_up_loses_nothing() -> None:
    wanted = lab(TRIO, ["galera1"])
    assert refused(Recorded(), wanted) == []
