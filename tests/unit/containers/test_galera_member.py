"""Who makes a Galera cluster, and who joins or waits, by what the members say of themselves; nothing runs here."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.unit.scripts import load

ONE, OTHER = "97dbea03-eb11-11f1-a5fe-578c9ff2bc77", "0f3a1f0e-eb11-11f1-a9a2-cedf30b96fcc"


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch) -> Any:
    return load("galera/bin/galera-member", monkeypatch)


@pytest.fixture
def members(script: Any) -> list[Any]:
    return [script.Member(f"10.87.0.3{number}", f"galera{number}") for number in (1, 2, 3)]


def waits(script: Any, seqno: int, *, last: bool = False, uuid: str = ONE) -> Any:
    """Return the position of a member that hasn't started, with data up to a transaction."""
    return script.Position("waits", uuid, seqno, last)


def of_each(script: Any, members: list[Any], positions: list[Any], born: int | None = None) -> list[tuple[str, str]]:
    """Return what each member decides that doesn't run, and why."""
    told = dict(zip(members, positions, strict=True))
    return [
        script.decide(me, told[me], {each: told[each] for each in members if each != me}, number == born)
        for number, me in enumerate(members)
        if told[me].phase == "waits"
    ]


def test_a_new_cluster_is_made_by_whom_it_was_told_to_and_by_nobody_else(script: Any, members: list[Any]) -> None:
    empty = [script.Position("waits")] * 3
    assert [what for what, _ in of_each(script, members, empty, born=0)] == ["make", "wait", "wait"]
    told = of_each(script, members, empty)
    assert told == [("wait", "no member has data, and none was told to make a new cluster")] * 3


def test_a_member_without_data_never_makes_a_cluster_beside_one_that_has(script: Any, members: list[Any]) -> None:
    told = of_each(script, members, [script.Position("waits"), waits(script, 7), waits(script, 7)], born=0)
    assert [what for what, _ in told] == ["wait", "make", "wait"]


@pytest.mark.parametrize("last", [0, 1, 2])
def test_who_ended_last_makes_the_cluster_again_even_if_another_is_missing(
    script: Any, members: list[Any], last: int
) -> None:
    positions = [waits(script, 7 + (number == last), last=number == last) for number in range(3)]
    assert [what for what, _ in of_each(script, members, positions)].count("make") == 1
    assert of_each(script, members, positions)[last][0] == "make"
    positions[last - 1] = script.Position("silent")
    assert ("make", "it ended last") in of_each(script, members, positions)


def test_after_a_crash_of_all_the_latest_transaction_leads_and_of_several_the_first(
    script: Any, members: list[Any]
) -> None:
    told = of_each(script, members, [waits(script, 5), waits(script, 9), waits(script, 7)])
    assert [what for what, _ in told] == ["wait", "make", "wait"]
    assert told[0][1] == "waits for galera2 (10.87.0.32), which has the latest data"
    told = of_each(script, members, [waits(script, 9)] * 3)
    assert [what for what, _ in told] == ["make", "wait", "wait"]


@pytest.mark.parametrize("phase", ["silent", "starts"])
def test_nobody_leads_before_all_have_answered(script: Any, members: list[Any], phase: str) -> None:
    told = of_each(script, members, [waits(script, 9), waits(script, 9), script.Position(phase)])
    assert [what for what, _ in told] == ["wait", "wait"]
    assert all("galera3 (10.87.0.33)" in reason for _, reason in told)


def test_whoever_can_joins_a_cluster_that_serves(script: Any, members: list[Any]) -> None:
    positions = [waits(script, 99, last=True), script.Position("silent"), script.Position("serves", ONE, 7, ready=True)]
    assert of_each(script, members, positions) == [("join", "")]


def test_histories_that_differ_are_for_a_person_to_judge(script: Any, members: list[Any]) -> None:
    told = of_each(script, members, [waits(script, 9), waits(script, 9, uuid=OTHER), script.Position("waits")])
    assert [what for what, _ in told] == ["wait"] * 3
    assert all(ONE in reason and OTHER in reason for _, reason in told)


def test_a_member_by_itself_needs_nobody(script: Any, members: list[Any]) -> None:
    for own in (script.Position("waits"), waits(script, -1)):
        assert script.decide(members[0], own, {}, False)[0] == "make"


def test_a_member_that_runs_leads_before_one_as_far_that_does_not(script: Any, members: list[Any]) -> None:
    apart = script.Position("apart", ONE, 9)
    assert script.leader(dict(zip(members, [waits(script, 9), apart, waits(script, 8)], strict=True))) == members[1]
    assert script.leader(dict(zip(members, [waits(script, 10), apart, apart], strict=True))) == members[0]


@pytest.mark.parametrize(
    ("uuid", "seqno", "flag", "position"),
    [
        (ONE, "12", "1", ("waits", ONE, 12, True)),
        (ONE, "-1", "0", ("waits", ONE, -1, False)),
        ("00000000-0000-0000-0000-000000000000", "-1", "0", ("waits", "", -1, False)),
    ],
)
def test_what_lies_on_the_volume_is_read(
    script: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, uuid: str, seqno: str, flag: str, position: Any
) -> None:
    monkeypatch.setattr(script, "GRASTATE", tmp_path / "grastate.dat")
    assert script.stored() == script.Position("waits")
    text = f"# GALERA saved state\nversion: 2.1\nuuid:    {uuid}\nseqno:   {seqno}\nsafe_to_bootstrap: {flag}\n"
    (tmp_path / "grastate.dat").write_text(text)
    assert script.stored() == script.Position(*position)


@pytest.fixture
def first(script: Any, members: list[Any], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    """Play a first member without data that is told of a birth."""
    for name in ("GRASTATE", "BIRTH"):
        monkeypatch.setattr(script, name, tmp_path / name)
    monkeypatch.setattr(script, "configured", lambda: (members[0], {each.address: each for each in members}))
    monkeypatch.setattr(script.time, "sleep", lambda _seconds: None)
    return script


def test_a_birth_is_noted_once_all_others_have_said_that_they_have_nothing(
    first: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers = [[first.Position("silent"), first.Position("waits")], [first.Position("waits")] * 2]
    monkeypatch.setattr(first, "ask_all", lambda addresses: dict(zip(addresses, answers.pop(0), strict=True)))
    first.birth()
    assert first.BIRTH.exists() and not answers


@pytest.mark.parametrize("other", [("waits", ONE, 7), ("serves",)])
def test_there_is_no_birth_beside_a_member_that_has_data(
    first: Any, monkeypatch: pytest.MonkeyPatch, other: tuple[Any, ...]
) -> None:
    found = [first.Position("silent"), first.Position(*other)]
    monkeypatch.setattr(first, "ask_all", lambda addresses: dict(zip(addresses, found, strict=True)))
    first.birth()
    assert not first.BIRTH.exists()


def test_a_birth_with_a_member_that_nobody_knows_of_fails(first: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(first, "ask_all", lambda addresses: dict.fromkeys(addresses, first.Position("silent")))
    monkeypatch.setattr(first, "BIRTH_SECONDS", -1)
    with pytest.raises(SystemExit, match=r"galera2 \(10\.87\.0\.32\), galera3"):
        first.birth()
    assert not first.BIRTH.exists()


def test_a_member_tells_of_itself_in_the_form_that_others_read(script: Any) -> None:
    position = waits(script, 7, last=True)
    assert script.Position(**json.loads(json.dumps(script.asdict(position)))) == position
