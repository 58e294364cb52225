"""What joins a bridge with its parts on other hosts."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from hostside import bridge, ports, ways
from hostside.operations.base import Operation, Record

if TYPE_CHECKING:
    from hostside.inspection import Inspection


@dataclass(frozen=True)
class BridgeJoin(ways.Way, Operation):
    """A bridge reaches its parts on other hosts."""

    NAME = "bridge-join"
    UNDO = "bridge-part"

    def run(self, directory: Path) -> None:
        with ports.locked([bridge.LOCK], directory / "locks"):
            ways.join(self._way())

    def undo(self, directory: Path) -> None:
        with ports.locked([bridge.LOCK], directory / "locks"):
            ways.part(self.stack, self.bridge)

    def record(self) -> Record:
        return asdict(self._way())

    @classmethod
    def drift(cls, inspection: Inspection, record: Record) -> str:
        way = ways.Way(**record)
        if ways.recorded(inspection.bridges.get(way.bridge, {})) != way:
            return f"bridge {way.bridge} is not joined with the other hosts"
        return ways.lack(way)

    def _way(self) -> ways.Way:
        return ways.Way(self.bridge, self.stack, self.mtu, self.address, list(self.peers), self.uplink)


OPERATION = BridgeJoin
