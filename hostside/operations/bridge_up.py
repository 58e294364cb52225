"""The bridge that joins a host's containers."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from hostside import bridge, ports
from hostside.operations.base import Operation, Record

if TYPE_CHECKING:
    from hostside.inspection import Inspection


@dataclass(frozen=True)
class BridgeUp(bridge.Bridge, Operation):
    """A bridge is there, with the host's address on it."""

    NAME = "bridge-up"
    UNDO = "bridge-down"

    def run(self, directory: Path) -> dict[str, object]:
        with ports.locked([bridge.LOCK], directory / "locks"):
            return {"datapath": bridge.up(self._bridge())}

    def undo(self, directory: Path) -> None:
        with ports.locked([bridge.LOCK], directory / "locks"):
            bridge.down(self._bridge())

    def record(self) -> Record:
        return vars(self._bridge())

    @classmethod
    def drift(cls, inspection: Inspection, record: Record) -> str:
        wanted = bridge.Bridge(**record)
        if wanted.name not in inspection.bridges:
            return f"bridge {wanted.name} is gone"
        return "" if bridge.is_up(wanted) else f"bridge {wanted.name} is down, or lacks the host's address"

    def _bridge(self) -> bridge.Bridge:
        return bridge.Bridge(self.name, self.stack, self.network, self.address, self.mtu)


OPERATION = BridgeUp
