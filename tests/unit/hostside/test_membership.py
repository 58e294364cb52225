"""Who is told of a container's coming and going, and what it hands over while it still works; the engine is played."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

import pytest

from hostside import containers, docker_api, health, membership
from hostside.errors import StepError
from hostside.inspection import Inspection
from hostside.operations.member_join import MemberJoin
from hostside.process import CommandFailed

OTHERS = ("nova1", "nova2", "nova3")
LEAVE, RETIRE = ["ring", "leave"], ["ring", "retire"]
HANDS_OVER, ENDS, IS_WITHDRAWN = (
    ("web1", *RETIRE, "web1", "web1.lab"), ("stop", "web1"), ("nova1", *LEAVE, "web1", "web1.lab"),
)  # fmt: skip


class World:
    """Plays containers that run, work, and do what they are told."""

    def __init__(self) -> None:
        self.running = {*OTHERS, "web1"}
        self.broken: set[str] = set()
        self.refusing: set[str] = set()
        self.told: list[tuple[str, ...]] = []
        self.says: dict[str, str] = {}

    def inspect(self, container: str) -> dict[str, Any] | None:
        return {"State": {"Running": container in self.running}}

    def stop(self, container: str, _seconds: int) -> None:
        self.told.append(("stop", container))

    def first_failure(self, container: str, _checks: Sequence[object]) -> str | None:
        return None if container in self.running - self.broken else "it does not work"

    def execute(self, container: str, arguments: Sequence[str], *, timeout: float) -> str:
        self.told.append((container, *arguments))
        if container in self.broken | self.refusing or container not in self.running:
            raise CommandFailed(f"{container} refuses")
        return self.says.get(container, f"said by {container}\n")


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    played = World()
    monkeypatch.setattr(docker_api, "inspect", played.inspect)
    monkeypatch.setattr(docker_api, "stop", played.stop)
    monkeypatch.setattr(health, "first_failure", played.first_failure)
    monkeypatch.setattr(containers, "execute", played.execute)
    monkeypatch.setattr(containers, "program_logs", lambda _container: [])
    return played


def test_the_first_member_that_works_is_told(world: World) -> None:
    world.running.remove("nova1")
    world.broken.add("nova2")
    membership.join("web1", "web1.lab", OTHERS, ["join"])
    membership.leave("web1", "web1.lab", OTHERS, ["leave"])
    assert world.told == [
        ("nova3", "join", "web1", "web1.lab"),
        ("stop", "web1"),
        ("nova3", "leave", "web1", "web1.lab"),
    ]


def test_a_member_that_works_and_refuses_is_an_error(world: World) -> None:
    world.refusing.add("nova1")
    with pytest.raises(StepError, match="nova1 ended badly"):
        membership.leave("web1", "web1.lab", OTHERS, ["leave"])
    with pytest.raises(StepError, match="nova1 ended badly"):
        membership.join("web1", "web1.lab", OTHERS, ["join"])


def test_where_none_works_nobody_is_told_of_a_removal(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    world.broken.update(OTHERS)
    membership.leave("web1", "web1.lab", OTHERS, ["leave"])
    assert "nova1 doesn't work and can't be told" in capsys.readouterr().err
    world.told.clear()
    world.running.clear()
    membership.leave("web1", "web1.lab", OTHERS, ["leave"])
    assert world.told == []


def test_any_member_that_answers_can_say_whether_a_container_is_one(world: World) -> None:
    world.broken.add("nova1")
    assert membership.absence("web1", "web1.lab", OTHERS, ["joined"]) == "said by nova2"
    world.broken.update(OTHERS)
    assert membership.absence("web1", "web1.lab", OTHERS, ["joined"]) == ""


def test_one_that_takes_part_in_its_leaving_goes_on_until_then(world: World) -> None:
    membership.leave("web1", "web1.lab", OTHERS, ["leave"], stops=False)
    assert world.told == [("nova1", "leave", "web1", "web1.lab")]


def retire() -> None:
    membership.leave("web1", "web1.lab", OTHERS, LEAVE, RETIRE)


def test_it_hands_over_then_ends_then_is_withdrawn(world: World) -> None:
    world.says["web1"] = ""
    retire()
    assert world.told == [HANDS_OVER, ENDS, IS_WITHDRAWN]


def test_one_that_stays_a_member_goes_on(world: World) -> None:
    world.says["web1"] = "it stays\n"
    retire()
    assert world.told == [HANDS_OVER]


def test_one_that_is_lost_is_withdrawn_without_having_handed_over(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    world.refusing.add("web1")
    retire()
    assert world.told[1:] == [ENDS, IS_WITHDRAWN]
    assert "web1: it goes without handing over: web1 refuses" in capsys.readouterr().err


def test_what_has_nothing_to_hand_over_is_described_as_it_always_was() -> None:
    given: dict[str, Any] = {
        "container": "web1", "fqdn": "web1.lab", "id": "1", "other": "nova1", "join": [], "leave": LEAVE, "joined": [],
    }  # fmt: skip
    plain = MemberJoin(**given)
    assert "retire" not in json.loads(plain.dumped())
    assert MemberJoin.parse(json.loads(plain.dumped())) == MemberJoin(**given, retire=())
    handing = MemberJoin(**given, retire=RETIRE)
    assert MemberJoin.parse(json.loads(handing.dumped())) == handing


def test_the_only_member_of_a_role_has_nobody_to_tell_and_is_not_ended(world: World, tmp_path: Path) -> None:
    alone = MemberJoin("web1", "web1.lab", "id", "", ["ring", "join"], LEAVE, ["ring", "joined"], retire=RETIRE)
    alone.run(tmp_path)
    alone.undo(tmp_path)
    assert world.told == []
    assert MemberJoin.failure(cast("Inspection", None), alone.record()) == ""
