"""How a bridge is joined with its parts on other hosts: by tunnels, or by an interface to a segment that all share.

Tunnels are one VXLAN interface of the kernel for a bridge, whose broadcasts go to each of the other hosts. It passes
nothing on from one host to another, so however many hosts there are, there is no loop. What joins a bridge is recorded
in its external_ids, and so the keeper puts it back.
"""

from __future__ import annotations

import hashlib
import json
import re
import socket
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from hostside import ovs, ports
from hostside.process import run, succeeds

KEY = "dockstack-way"
"""Key of a bridge's external_ids that holds what joins it."""
PORT = 4789
"""UDP port of VXLAN: https://datatracker.ietf.org/doc/html/rfc7348, section 8."""
_ALL = "00:00:00:00:00:00"
"""What the kernel keeps the receivers of broadcasts under, in a VXLAN interface's table."""
_ARP = 0x0806


@dataclass(frozen=True)
class Way:
    """What joins a host's part of a bridge with the others."""

    bridge: str
    stack: str
    mtu: int
    """The largest packet that it has to carry, in bytes."""
    address: str = ""
    """The host's end of the tunnels."""
    peers: Sequence[str] = ()
    """The other hosts' ends."""
    uplink: str = ""
    """The interface that takes the place of tunnels, where there is one."""

    @property
    def link(self) -> str:
        """Return the interface that is a port of the bridge."""
        return self.uplink or link_name(self.stack, self.bridge)


def link_name(stack: str, bridge: str) -> str:
    """Return what the interface of a bridge's tunnels is called."""
    return f"{ports.link_prefix(stack)}v{_digest(bridge)[:8]}"


def _identifier(stack: str, bridge: str) -> int:
    """Return the number by which the tunnels of a bridge are told from those of others, on all hosts the same."""
    return int(_digest(f"{stack} {bridge}")[:6], 16) or 1


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def recorded(identifiers: Mapping[str, str]) -> Way | None:
    """Read from a bridge's external_ids what joins it; None for one that nothing joins."""
    return Way(**json.loads(identifiers[KEY])) if KEY in identifiers else None


def join(way: Way) -> None:
    """Join a bridge with its parts on the other hosts, and with none that it was joined with before.

    Raises:
        CommandFailed: when the kernel or Open vSwitch refuses.
    """
    before = recorded(ovs.bridges(way.stack).get(way.bridge, {}))
    if before is not None and before.link != way.link:
        _remove(before)
    note = json.dumps(json.dumps(asdict(way)))
    run(["ovs-vsctl", "--timeout=30", "set", "bridge", way.bridge, f"external_ids:{KEY}={note}"])
    restore(way)


def restore(way: Way) -> bool:
    """Put back what a restarted Open vSwitch or a rebooted host has lost; return whether anything was missing."""
    missing = lack(way)
    if not missing:
        return False
    if not way.uplink:
        if not _is_sound(way):
            succeeds(["ip", "link", "delete", way.link])
            # A port whose interface is another one by now works again only once it was away.
            run(["ovs-vsctl", "--timeout=30", "--if-exists", "del-port", way.link])
            identity = ("id", str(_identifier(way.stack, way.bridge)), "local", way.address, "dstport", str(PORT))
            run(["ip", "link", "add", way.link, "type", "vxlan", *identity])
        _lead_to(way)
        run(["ip", "link", "set", way.link, "mtu", str(way.mtu)])
    run(["ip", "link", "set", way.link, "up"])
    run(["ovs-vsctl", "--timeout=30", "--may-exist", "add-port", way.bridge, way.link])
    return True


def lack(way: Way) -> str:
    """Return what is missing of what joins a bridge, for people; nothing where all is there."""
    link = _look(way.link)
    if link is None:
        return f"interface {way.link} is gone"
    if "UP" not in link["flags"] or link["mtu"] < way.mtu or (not way.uplink and link["mtu"] != way.mtu):
        return f"interface {way.link} is down, or of another MTU"
    if not way.uplink and not _is_sound(way):
        return f"the tunnels of {way.link} begin elsewhere"
    if not way.uplink and _receivers(way.link) != set(way.peers):
        return f"the tunnels of {way.link} lead elsewhere"
    listed = run(["ovs-vsctl", "--timeout=30", "list-ports", way.bridge]).split()
    return "" if way.link in listed else f"interface {way.link} is not on bridge {way.bridge}"


def of(stack: str) -> list[Way]:
    """Return what joins the bridges of a stack here with their parts on other hosts."""
    found = map(recorded, ovs.bridges(stack).values())
    return [way for way in found if way is not None]


def block(stack: str) -> None:
    """Let nothing pass between a stack's bridges here and their parts on other hosts, until :func:`unblock`.

    The switch does so at the bridges' own ports: what the keeper looks after stays as it is, and the tunnels of other
    stacks go on. A restarted switch has forgotten it.

    Raises:
        CommandFailed: when Open vSwitch refuses.
    """
    _let(stack, "no-receive", "no-forward")


def unblock(stack: str) -> None:
    """Let all pass again that :func:`block` has kept back; where it has not, nothing changes.

    Raises:
        CommandFailed: when Open vSwitch refuses.
    """
    _let(stack, "receive", "forward")


def _let(stack: str, *words: str) -> None:
    for way in of(stack):
        for word in words:
            run(["ovs-ofctl", "--timeout=30", "mod-port", way.bridge, way.link, word])


def part(stack: str, bridge: str) -> None:
    """Remove what joins a bridge; nothing there is no error."""
    identifiers = ovs.bridges(stack).get(bridge)
    way = recorded(identifiers or {}) or Way(bridge, stack, 0)
    _remove(way)
    if identifiers is not None:
        run(["ovs-vsctl", "--timeout=30", "remove", "bridge", bridge, "external_ids", KEY])


def _remove(way: Way) -> None:
    run(["ovs-vsctl", "--timeout=30", "--if-exists", "del-port", way.link])
    if not way.uplink:
        remove_link(way.stack, way.bridge)


def remove_link(stack: str, bridge: str) -> None:
    """Remove the interface of a bridge's tunnels, if there is one."""
    if (ports.LINKS / link_name(stack, bridge)).exists():
        succeeds(["ip", "link", "delete", link_name(stack, bridge)])


def loose_links(stack: str) -> list[str]:
    """Return the interfaces that are called like those of a stack's tunnels, and that no bridge has."""
    found: list[dict[str, str]] = json.loads(run(["ip", "-j", "link", "show", "type", "vxlan"]) or "[]")
    called = re.compile(f"{ports.link_prefix(stack)}v[0-9a-f]{{8}}")
    held = {name for (name,) in ovs.rows("interface", "name")}
    return [link["ifname"] for link in found if called.fullmatch(link.get("ifname", "")) and link["ifname"] not in held]


def announce(attached: Iterable[ports.Port]) -> None:
    """Tell the other hosts that addresses are here now: who has moved keeps its Ethernet address.

    What can't be told is learned when the container itself says something.
    """
    for port in attached:
        way = recorded(ovs.bridges(port.stack).get(port.bridge, {})) if port.address else None
        if way is None:
            continue
        try:
            with socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as sending:
                sending.bind((way.link, _ARP))
                sending.send(_greeting(port.mac, port.address.partition("/")[0]))
        except OSError:
            continue


def _greeting(mac: str, address: str) -> bytes:
    """Return a gratuitous ARP request: https://datatracker.ietf.org/doc/html/rfc5227, section 3."""
    own, here = bytes.fromhex(mac.replace(":", "")), socket.inet_aton(address)
    ethernet = b"\xff" * 6 + own + _ARP.to_bytes(2, "big")
    return ethernet + bytes.fromhex("0001080006040001") + own + here + bytes(6) + here


def _look(link: str) -> dict[str, Any] | None:
    if not (ports.LINKS / link).exists():
        return None
    found: list[dict[str, Any]] = json.loads(run(["ip", "-j", "-d", "link", "show", "dev", link]))
    return found[0]


def _is_sound(way: Way) -> bool:
    """Say whether the interface of the tunnels is there, and is the one that it is to be."""
    link = _look(way.link)
    if link is None:
        return False
    told = link.get("linkinfo", {}).get("info_data", {})
    wanted = {"id": _identifier(way.stack, way.bridge), "local": way.address, "port": PORT}
    return {key: told.get(key) for key in wanted} == wanted


def _lead_to(way: Way) -> None:
    """Have broadcasts, and what nobody knows the place of, go to all other hosts and to no others."""
    there = _receivers(way.link)
    for peer in sorted(set(way.peers) - there):
        run(["bridge", "fdb", "append", _ALL, "dev", way.link, "dst", peer])
    for peer in sorted(there - set(way.peers)):
        run(["bridge", "fdb", "delete", _ALL, "dev", way.link, "dst", peer])


def _receivers(link: str) -> set[str]:
    entries: list[dict[str, Any]] = json.loads(run(["bridge", "-j", "fdb", "show", "dev", link]) or "[]")
    return {entry["dst"] for entry in entries if entry.get("mac") == _ALL and "dst" in entry}
