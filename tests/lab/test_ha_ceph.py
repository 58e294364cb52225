"""Three members of Ceph: what was written outlives each of them and all of them, and members come, go and are lost."""

from __future__ import annotations

import contextlib
import json
import subprocess
from collections.abc import Iterator
from typing import Any

import pytest

from tests.lab import harness
from tests.lab.harness import Stack, eventually, inside, run

pytestmark = [pytest.mark.lab, pytest.mark.drill, harness.long_drill]

STACK = "t178"
MEMBERS = [f"{STACK}-ceph{number}" for number in (1, 2, 3)]
STALL_SECONDS = 60.0
"""How long a write may wait: others look for 20 s for an OSD that is gone, beside the monitors' election."""
# As a guest's disk is: by client.cinder, whose key a member has to know, as the services that have it aren't here.
CLIENT = """
import hashlib, json, sys, threading, time
import rados, rbd

action, name = sys.argv[1:]
key = json.load(open("/etc/ceph/settle.json"))["clients"]["cinder"]["key"]
conf = {"client_mount_timeout": "60", "key": key}
BLOCK = 1 << 16


def block(number):
    return hashlib.sha256(f"{name} {number}".encode()).digest() * (BLOCK // 32)


with (
    rados.Rados(conffile="/etc/ceph/ceph.conf", name="client.cinder", conf=conf) as cluster,
    cluster.open_ioctx("volumes") as pool,
):
    if name not in rbd.RBD().list(pool):
        rbd.RBD().create(pool, name, 1 << 28)
    with rbd.Image(pool, name) as image:
        if action == "write":
            for number in range(1024):
                image.write(block(number), number * BLOCK)
            image.flush()
        elif action == "read":
            print([number for number in range(1024) if image.read(number * BLOCK, BLOCK) != block(number)])
        else:
            ending = threading.Event()
            threading.Thread(target=lambda: (sys.stdin.read(), ending.set()), daemon=True).start()
            number, worst = 0, 0.0
            print("begun", flush=True)
            while not ending.is_set():
                begun = time.monotonic()
                image.write(block(number), number % 1024 * BLOCK)
                image.flush()
                assert image.read(number % 1024 * BLOCK, BLOCK) == block(number)
                worst = max(worst, time.monotonic() - begun)
                number += 1
                time.sleep(0.05)
            print(json.dumps({"operations": number, "worst": round(worst, 1)}))
"""


def configuration(members: int = 3) -> dict[str, Any]:
    """Return a lab of so many members, which nobody but the test uses."""
    one_each = {f"{STACK}-{role}1": {"role": role} for role in ("dnsmasq", "puppet")}
    return harness.config(178, one_each | {name: {"role": "ceph"} for name in MEMBERS[:members]})


@pytest.fixture(scope="module")
def made(before: dict[str, list[str]], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """Bring the lab up; what a test changes, it changes back."""
    with harness.brought_up(STACK, tmp_path_factory.mktemp("stacks"), configuration()) as made:
        client("write", "kept")
        yield made


def client(action: str, name: str, at: str = MEMBERS[0]) -> str:
    """Write or read a disk, as a client in one of the containers does that knows all monitors."""
    return inside(at, "timeout", "120", "python3", "-c", CLIENT, action, name)


def damaged(at: str = MEMBERS[0]) -> list[int]:
    """Return the parts of the disk that aren't as they were written in the beginning."""
    return list(json.loads(client("read", "kept", at)))


@contextlib.contextmanager
def written_meanwhile(at: str, what: str) -> Iterator[None]:
    """Write to a disk and read it again all the time; no operation may fail, or wait for long."""
    command = ["docker", "exec", "-i", at, "python3", "-c", CLIENT, "go-on", "busy"]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "begun\n"
        yield
        said, errors = process.communicate("", timeout=STALL_SECONDS * 2)
    assert process.returncode == 0, errors
    told = json.loads(said)
    print(f"\n{what}: {told['operations']} writes and reads, the longest took {told['worst']} s", flush=True)
    assert told["operations"] > 0 and told["worst"] < STALL_SECONDS


def asked(command: str, at: str = MEMBERS[0]) -> Any:
    """Return what the cluster answers by one of its members."""
    return json.loads(inside(at, "timeout", "60", "ceph", *command.split(), "--format=json"))


def health(at: str = MEMBERS[0]) -> str:
    """Return the cluster's health in its own words; nothing while it can't be asked."""
    told = inside(at, "timeout", "20", "ceph", "health", "--format=json", check=False)
    return str(json.loads(told)["status"]) if told else ""


def whole(at: str = MEMBERS[0]) -> bool:
    """Say whether all three members are there, and everything is kept threefold."""
    return health(at) == "HEALTH_OK" and all(check(name) == "" for name in MEMBERS) and known(at) == of(*MEMBERS)


def check(name: str) -> str:
    """Return what a member's own health check says against it, or nothing."""
    done = run("docker", "exec", name, "/etc/dockstack/bin/ceph-settle", "check", "recovered", check=False)
    return (done.stderr or f"it ended with {done.returncode}") if done.returncode else ""


def known(at: str = MEMBERS[0]) -> dict[str, set[str]]:
    """Return what the cluster knows of its members: monitors, OSDs' hosts, and keys."""
    return {
        "monitors": {mon["name"] for mon in asked("mon dump", at)["mons"]},
        "hosts": {node["name"] for node in asked("osd tree", at)["nodes"] if node["type"] == "host"},
        "managers": {each["entity"] for each in asked("auth ls", at)["auth_dump"] if each["entity"].startswith("mgr.")},
    }


def of(*members: str) -> dict[str, set[str]]:
    """Return what a cluster of these members knows."""
    return {"monitors": set(members), "hosts": set(members), "managers": {f"mgr.{name}" for name in members}}


def test_three_members_are_one_cluster_that_keeps_everything_apart(made: Stack) -> None:
    eventually("all is well", whole, interval=1)
    sizes = {(pool["pool_name"], pool["size"], pool["min_size"]) for pool in asked("osd pool ls detail")}
    assert sizes == {("volumes", 3, 2), ("backups", 3, 2)}
    assert all(len(set(group["acting"])) == 3 for group in asked("pg dump pgs_brief")["pg_stats"])
    assert damaged() == []


def test_a_second_update_and_a_second_run_of_puppet_change_nothing(made: Stack) -> None:
    made.preview("--expect-no-changes")
    ended = harness.puppet_runs(MEMBERS, "--test")
    assert {name: done.stdout + done.stderr for name, done in ended.items() if done.returncode} == {}


@pytest.mark.parametrize("number", [0, 1, 2])
def test_a_disk_is_written_and_read_while_a_member_is_gone(made: Stack, number: int) -> None:
    gone, *others = MEMBERS[number:] + MEMBERS[:number]
    with written_meanwhile(others[0], f"{gone} killed"):
        run("docker", "kill", gone)
        assert damaged(others[0]) == []
        for name in others:
            inside(name, "/etc/dockstack/bin/ceph-settle", "check")
        run("docker", "start", gone)
        eventually("it is back, and has what it missed", lambda: whole(others[0]), 300, 1)
    assert damaged(gone) == []


def test_a_disk_is_written_and_read_while_a_member_is_started_anew(made: Stack) -> None:
    with written_meanwhile(MEMBERS[0], "stopped and started"):
        run("docker", "restart", MEMBERS[1])
        eventually("it is back", whole, 300, 1)
    with written_meanwhile(MEMBERS[0], "killed, and started again by Docker"):
        harness.kill_container(MEMBERS[2])
        eventually("it is back", whole, 300, 1)


def test_all_were_killed_and_come_back_in_another_order(made: Stack) -> None:
    run("docker", "kill", *MEMBERS)
    last, *first = (MEMBERS[0], MEMBERS[2], MEMBERS[1])
    for name in first:
        run("docker", "start", name)
    eventually("two of three have the data back", lambda: "HEALTH" in health(first[0]), 300, 1)
    with written_meanwhile(first[0], "the third comes"):
        assert damaged(first[1]) == []
        run("docker", "start", last)
        eventually("all are back", whole, 300, 1)


def test_a_member_whose_volume_was_lost_comes_again_with_everything(made: Stack) -> None:
    lost = MEMBERS[0]
    run("docker", "stop", lost)
    where = run("docker", "volume", "inspect", "--format", "{{.Mountpoint}}", f"{lost}-data").stdout.strip()
    run("find", where, "-mindepth", "1", "-delete")
    run("docker", "start", lost)
    with written_meanwhile(MEMBERS[1], f"the volume of {lost} lost, and the update"):
        made.up()
    eventually("all are there", whole, interval=1)
    # By its copies alone, one after the other.
    assert damaged() == []


def test_another_key_of_the_administrator_reaches_all_members(made: Stack) -> None:
    before = inside(MEMBERS[0], "cat", "/etc/ceph/ceph.client.admin.keyring")
    made.rotate("ceph_admin")
    after = {inside(name, "cat", "/etc/ceph/ceph.client.admin.keyring") for name in MEMBERS}
    assert len(after) == 1 and before not in after
    assert all(check(name) == "" for name in MEMBERS)


def test_members_that_go_alive_or_dead_leave_nothing_and_lose_nothing_and_come_again(made: Stack) -> None:
    started = harness.started_at(STACK)
    run("docker", "kill", MEMBERS[1])
    made.configure(configuration(members=1))
    with written_meanwhile(MEMBERS[0], "from three to one, of which one is dead"):
        made.up()
    assert known() == of(MEMBERS[0])
    assert {(pool["size"], pool["crush_rule"]) for pool in asked("osd pool ls detail")} == {(1, 0)}
    assert damaged() == []
    eventually("the cluster is well", lambda: health() == "HEALTH_OK", interval=1)
    made.preview("--expect-no-changes")

    made.configure(configuration())
    with written_meanwhile(MEMBERS[0], "from one to three"):
        made.up()
    eventually("all is well", whole, interval=1)
    assert damaged() == []
    stayed = [name for name in started if name not in MEMBERS[1:]]
    assert [harness.started_at(STACK)[name] for name in stayed] == [started[name] for name in stayed]


def test_nothing_is_left_of_it(made: Stack, before: dict[str, list[str]]) -> None:
    made.destroy()
    assert harness.left_since(before, harness.OF_LABS) == {}
