"""What the programs of a member share: who the members are, and how their cluster is asked."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Any

import rados

MEMBERS = Path("/etc/dockstack/ceph/members")
"""Address and name of each configured member, one a line."""
ROOT = Path("/var/lib/ceph")
MADE = ROOT / "bootstrapped"
"""Lies there once the volume has a monitor, a manager and an OSD."""
DAEMONS = Path("/etc/ceph/daemons.conf")
"""What these read."""
MONITOR_PORT = 3300
MEMBERS_KEY = "dockstack/members"
"""Under which the monitors keep the members that the lab is meant to have, address by name."""
COPIES = 3
"""How often several members keep everything, if there are as many."""
ROOT_BUCKET = "default"
USUAL_SIZE = "osd_pool_default_size"
INTERVAL_SECONDS = 0.3
COMMAND_SECONDS = 20


class Refused(Exception):
    """The cluster didn't do what it was asked, or can't: why."""


def configured() -> dict[str, str]:
    """Returns the address of each member, by name."""
    return {name: address for address, name in (line.split() for line in MEMBERS.read_text().splitlines())}


def own_name() -> str:
    """Returns the name of this member, which CRUSH knows its OSD by."""
    return socket.gethostname()


def own_id(kind: str) -> str:
    """Returns the name of this member's mon, mgr or osd: that of the directory that it was made in."""
    (directory,) = (ROOT / kind).glob("ceph-*")
    return directory.name.removeprefix("ceph-")


def connect(seconds: int, name: str = "client.admin", **options: str) -> rados.Rados:
    """Returns the cluster as its administrator has it, or another of its users; a `with` opens and closes it.

    No question to it takes longer than these seconds.
    """
    limits = ("client_mount_timeout", "rados_mon_op_timeout", "rados_osd_op_timeout")
    conf = {**dict.fromkeys(limits, str(seconds)), **options}
    return rados.Rados(conffile="/etc/ceph/ceph.conf", name=name, conf=conf)


def connect_as_monitor(seconds: int) -> rados.Rados:
    """Returns the cluster as this member's monitor has it, whose key is on its volume and never another."""
    return connect(seconds, "mon.", keyring=str(ROOT / "mon" / f"ceph-{own_id('mon')}" / "keyring"))


def tell(cluster: rados.Rados, prefix: str, given: bytes = b"", **arguments: Any) -> bytes:
    """Gives the monitors a command and returns what they answer."""
    return _answer(cluster.mon_command, prefix, given, arguments)


def ask(cluster: rados.Rados, prefix: str, given: bytes = b"", **arguments: Any) -> Any:
    """Gives the monitors a command and returns their answer as it is read from JSON."""
    answer = tell(cluster, prefix, given, **arguments)
    return json.loads(answer) if answer.strip() else None


def recorded(cluster: rados.Rados) -> dict[str, str]:
    """Returns the members that the lab is meant to have, as the monitors keep them."""
    try:
        return dict(ask(cluster, "config-key get", key=MEMBERS_KEY))
    except Refused:
        return {}


def buckets(cluster: rados.Rados) -> dict[str, list[dict[str, Any]]]:
    """Returns the OSDs of each member, by the member's name, as CRUSH has them."""
    nodes = {node["id"]: node for node in ask(cluster, "osd tree")["nodes"]}
    return {
        node["name"]: [nodes[child] for child in node["children"]] for node in nodes.values() if node["type"] == "host"
    }


def serving(cluster: rados.Rados, members: dict[str, str]) -> list[str]:
    """Returns the members whose OSDs are up and in."""
    return [
        name
        for name, osds in buckets(cluster).items()
        if name in members and any(osd["status"] == "up" and osd["reweight"] > 0 for osd in osds)
    ]


def ask_manager(cluster: rados.Rados, prefix: str, **arguments: Any) -> Any:
    """Gives the manager that works a command and returns its answer as it is read from JSON."""
    answer = _answer(cluster.mgr_command, prefix, b"", arguments)
    # One that has just begun may say nothing yet.
    return json.loads(answer) if answer.strip() else {}


def _answer(
    command: Callable[..., tuple[int, bytes, str]], prefix: str, given: bytes, arguments: Mapping[str, Any]
) -> bytes:
    request = json.dumps({"prefix": prefix, "format": "json", **arguments})
    status, answer, message = command(request, given, timeout=COMMAND_SECONDS)
    if status != 0:
        raise Refused(f"{prefix}: {message or status}")
    return bytes(answer)


def fault_of_copies(cluster: rados.Rados, without: Collection[int] = ()) -> str:
    """Says that not everything is kept as often as it has to be, on other OSDs than some, or nothing."""
    pools = {pool["pool"]: pool for pool in ask(cluster, "osd dump")["pools"]}
    try:
        groups = ask_manager(cluster, "pg dump", dumpcontents=["pgs_brief"]).get("pg_stats", [])
    except Refused as refused:
        return str(refused)
    # What the manager was told before a change shows by the number of OSDs.
    whole = [
        group
        for group in groups
        if {"active", "clean"} <= set(group["state"].split("+"))
        and (pool := pools.get(int(group["pgid"].partition(".")[0]))) is not None
        and len(group["acting"]) == pool["size"]
        and not set(group["acting"]) & set(without)
    ]
    number = sum(pool["pg_num"] for pool in pools.values())
    return "" if len(whole) == number else f"{number - len(whole)} of {number} placement groups lack copies"


def wait(problem: Callable[[], str], seconds: float) -> None:
    """Waits until nothing is the matter any more.

    Raises:
        Refused: with what it is, after these seconds.
    """
    deadline = time.monotonic() + seconds
    while said := problem():
        if time.monotonic() > deadline:
            raise Refused(said)
        time.sleep(INTERVAL_SECONDS)
