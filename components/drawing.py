"""The picture of a lab: what is in it, and how that is written for Graphviz and for Mermaid.

Containers of one role on one bridge are one box, so that a hundred stay readable. A line says that the one needs the
other; one that follows from others is left out, and so are those to the Puppet server and to dnsmasq, which all have.
"""

from __future__ import annotations

import html
import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import pairwise

from components import services
from components.configuration.environment import Environment
from components.consequences import Change, Fate
from components.services.topology import Topology
from hostside.process import run

COLOURS = {
    Fate.ADDED: "#009e73",
    Fate.REPLACED: "#d55e00",
    Fate.RESTARTED: "#e69f00",
    Fate.PROVISIONED: "#56b4e9",
    Fate.REMOVED: "#cc79a7",
}
"""Okabe and Ito's, which the colour-blind tell apart. The words stand there as well."""
ROWS = 12
"""How many containers stand in one column of a box."""
LINE = 96
"""About how many characters of a warning stand in a line."""


@dataclass(frozen=True)
class Box:
    """The containers of one role on one bridge."""

    key: str
    role: str
    host: str
    bridge: str
    containers: tuple[tuple[str, str], ...]
    """Names and addresses."""


@dataclass(frozen=True)
class Picture:
    """A lab, and what a change does to it."""

    topology: Topology
    change: Change = field(default_factory=Change)
    gone: Mapping[str, str] = field(default_factory=dict)
    """Containers that the change removes, which the configuration doesn't have any more: name to role."""
    warnings: tuple[str, ...] = ()

    @property
    def lab(self) -> Environment:
        """Return the lab as configured."""
        return self.topology.environment

    def boxes(self) -> list[Box]:
        """Return the boxes, in the order of the configuration."""
        found: dict[tuple[str, str, str], list[tuple[str, str]]] = {}
        for container in self.lab.containers:
            key = (container.host, container.bridge, container.role)
            found.setdefault(key, []).append((container.name, str(container.address)))
        if self.lab.containers:
            first = self.lab.containers[0]
            for name, role in self.gone.items():
                found.setdefault((first.host, first.bridge, role), []).append((name, ""))
        return [
            Box(f"box{number}", role, host, bridge, tuple(containers))
            for number, ((host, bridge, role), containers) in enumerate(found.items())
        ]

    def lines(self) -> list[tuple[str, str, bool]]:
        """Return who needs whom, by the keys of boxes, and whether the configuration says so rather than the role."""
        boxes = self.boxes()
        by_role: dict[str, list[Box]] = {}
        for box in boxes:
            by_role.setdefault(box.role, []).append(box)
        needs = {
            role.name: {
                need
                for need in services.needs_of(role)
                if need in by_role and need not in services.IMPLIED_NEEDS and need != role.name
            }
            for role in self.topology.used_roles
        }
        found = [
            (box.key, other.key, False)
            for box in boxes
            for need in sorted(reduced(needs).get(box.role, ()))
            for other in by_role[need]
        ]
        box_of = {name: box.key for box in boxes for name, _ in box.containers}
        own = [(c.name, need) for c in self.lab.containers for need in c.needs]
        found += [(box_of[name], box_of[need], True) for name, need in own if box_of[name] != box_of[need]]
        return list(dict.fromkeys(found))

    def joined(self) -> list[tuple[Box, Box]]:
        """Return boxes whose bridges are parts of one: the first on each host, with that on the host before."""
        firsts: dict[str, dict[str, Box]] = {}
        for box in self.boxes():
            firsts.setdefault(box.bridge, {}).setdefault(box.host, box)
        return [pair for parts in firsts.values() for pair in pairwise(parts.values())]

    def fate(self, name: str) -> Fate | None:
        """Return what becomes of a container."""
        return self.change.fate(name)

    def fates(self) -> list[Fate]:
        """Return what there is to explain of the change."""
        names = [name for box in self.boxes() for name, _ in box.containers]
        told = {self.fate(name) for name in names}
        return [fate for fate in Fate if fate in told]

    def holders(self) -> list[Box]:
        """Return the boxes that the VIP is in."""
        roles = self.topology.roles
        return [box for box in self.boxes() if box.role in roles and roles[box.role].holds_vip]


def reduced(needs: Mapping[str, set[str]]) -> dict[str, set[str]]:
    """Return needs without those that follow from others: who needs nova needs what nova needs."""

    def reached(start: str, without: str) -> set[str]:
        found: set[str] = set()
        ahead = [need for need in needs.get(start, ()) if need != without]
        while ahead:
            name = ahead.pop()
            if name not in found:
                found.add(name)
                ahead += needs.get(name, ())
        return found

    return {name: {need for need in wanted if need not in reached(name, need)} for name, wanted in needs.items()}


def dot(picture: Picture) -> str:
    """Return the picture as Graphviz's text."""
    lines = [
        "digraph lab {",
        "  graph [rankdir=LR, newrank=true, compound=true];",
        '  graph [ranksep=0.9, nodesep=0.25, fontname="sans-serif", fontsize=14];',
        '  node [shape=plain, fontname="sans-serif", fontsize=11];',
        '  edge [color="#666666", arrowsize=0.6];',
        f"  label=<{_legend(picture)}>; labelloc=b; labeljust=l;",
    ]
    for host, bridges in _places(picture).items():
        lines.append(f"  subgraph {_quoted(f'cluster {host}')} {{")
        lines.append(f'    label={_quoted(f"host {host}")}; style=rounded; color="#999999";')
        for bridge, boxes in bridges.items():
            lines.append(f"    subgraph {_quoted(_cluster(host, bridge))} {{")
            lines.append(f'      label={_quoted(_network(picture, bridge))}; style="rounded,filled"; color="#f2f2f2";')
            lines += [f"      {box.key} [label=<{_table(picture, box)}>];" for box in boxes]
            lines.append("    }")
        lines.append("  }")
    if holders := picture.holders():
        lines.append(f'  vip [shape=box, style="rounded,filled", fillcolor="#ffffff", label={_quoted(_vip(picture))}];')
        lines += [f'  vip -> {box.key} [style=bold, color="#000000"];' for box in holders]
    lines += [f"  {one} -> {other}{' [style=dashed]' if own else ''};" for one, other, own in picture.lines()]
    for box, other in picture.joined():
        tail, head = (_quoted(_cluster(each.host, each.bridge)) for each in (box, other))
        lines.append(
            f"  {box.key} -> {other.key} [ltail={tail}, lhead={head}, dir=none, style=dotted, penwidth=3, label=joined,"
            f' fontname="sans-serif", fontsize=11];'
        )
    return "\n".join([*lines, "}", ""])


def svg(picture: Picture) -> str:
    """Return the picture as SVG.

    Raises:
        CommandFailed: Graphviz isn't installed, or refuses.
    """
    return run(["dot", "-Tsvg"], stdin=dot(picture))


def mermaid(picture: Picture) -> str:
    """Return the picture as Mermaid's text."""
    lines = ["flowchart LR"]
    parts: dict[tuple[str, str], str] = {}
    for place, (host, bridges) in enumerate(_places(picture).items()):
        lines.append(f'  subgraph host{place}["host {_escaped(host)}"]')
        for number, (bridge, boxes) in enumerate(bridges.items()):
            part = parts[host, bridge] = f"bridge{place}_{number}"
            lines.append(f'    subgraph {part}["{_escaped(_network(picture, bridge))}"]')
            for box in boxes:
                lines.append(f'      subgraph {box.key}["{_escaped(box.role)}"]')
                for name, address in box.containers:
                    fate = picture.fate(name)
                    told = "<br/>".join(_escaped(each) for each in (name, address, fate or "") if each)
                    lines.append(f'        {_node(name)}["{told}"]' + (f":::{fate.name.lower()}" if fate else ""))
                lines.append("      end")
            lines.append("    end")
        lines.append("  end")
    if holders := picture.holders():
        lines.append(f'  vip(["{_escaped(_vip(picture))}"])')
        lines += [f"  vip ==> {box.key}" for box in holders]
    lines += [f"  {one} {'-.->' if own else '-->'} {other}" for one, other, own in picture.lines()]
    for box, other in picture.joined():
        lines.append(f"  {parts[box.host, box.bridge]} -. joined .- {parts[other.host, other.bridge]}")
    lines += [f"  classDef {fate.name.lower()} fill:{COLOURS[fate]},color:#000000" for fate in picture.fates()]
    if picture.warnings:
        told = "<br/>".join(_escaped(sentence) for sentence in picture.warnings)
        lines.append(f'  warnings["This change:<br/>{told}"]')
    return "\n".join([*lines, ""])


FORMATS: Mapping[str, Callable[[Picture], str]] = {"svg": svg, "mermaid": mermaid}
"""What a picture can be written as."""


def _places(picture: Picture) -> dict[str, dict[str, list[Box]]]:
    """Return the boxes by host and bridge."""
    found: dict[str, dict[str, list[Box]]] = {}
    for box in picture.boxes():
        found.setdefault(box.host, {}).setdefault(box.bridge, []).append(box)
    return found


def _cluster(host: str, bridge: str) -> str:
    return f"cluster {host} {bridge}"


def _network(picture: Picture, bridge: str) -> str:
    one = next(container for container in picture.lab.containers if container.bridge == bridge)
    return f"{bridge}, {one.network}"


def _vip(picture: Picture) -> str:
    return f"{picture.topology.vip_name} {picture.lab.vip}"


def _table(picture: Picture, box: Box) -> str:
    columns = math.ceil(len(box.containers) / ROWS)
    rows = math.ceil(len(box.containers) / columns)
    cells = [_cell(picture, name, address) for name, address in box.containers]
    body = "".join(f"<tr>{''.join(cells[row::rows])}</tr>" for row in range(rows))
    title = f'<tr><td colspan="{columns}" align="left"><b>{html.escape(box.role)}</b></td></tr>'
    return f'<table border="1" cellborder="0" cellspacing="1" bgcolor="#ffffff" color="#666666">{title}{body}</table>'


def _cell(picture: Picture, name: str, address: str) -> str:
    fate = picture.fate(name)
    told = f"{name} {address}".strip() + (f" ({fate})" if fate else "")
    colour = f' bgcolor="{COLOURS[fate]}"' if fate else ""
    return f'<td align="left"{colour}>{html.escape(told)}</td>'


def _legend(picture: Picture) -> str:
    rows = [f"stack {picture.lab.stack}: a line goes to what is needed; what follows from others is left out"]
    rows += [line for sentence in picture.warnings for line in _broken(f"This change {sentence}")]
    cells = "".join(f'<tr><td align="left">{html.escape(row)}</td></tr>' for row in rows)
    colours = "".join(
        f'<tr><td align="left" bgcolor="{COLOURS[fate]}">{html.escape(fate)}</td></tr>' for fate in picture.fates()
    )
    return f'<table border="0" cellborder="0">{cells}{colours}</table>'


def _broken(sentence: str) -> Iterator[str]:
    """Break a sentence into lines."""
    line = ""
    for word in sentence.split():
        if line and len(line) + len(word) >= LINE:
            yield line
            line = ""
        line = f"{line} {word}".strip()
    yield line


def _node(name: str) -> str:
    return "c_" + "".join(letter if letter.isalnum() else f"_{ord(letter):x}_" for letter in name)


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _escaped(text: str) -> str:
    return html.escape(text, quote=True)
