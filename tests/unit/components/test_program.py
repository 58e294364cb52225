"""What the program leaves to the SDK when it ends."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import pulumi
import pytest

from commands import cleanup
from components import foresight, program, refusal, services
from components.configuration.environment import ConfiguredHost, Ssh
from components.configuration.faults import ConfigurationFaults, Fault
from components.configuration.preflight import HostFacts
from components.host import distance
from components.recorded import Recorded
from hostside import drift, present, runs

LAB = SimpleNamespace(vip="10.87.0.250", hosts={}, containers=(), may_lose=frozenset[str]())


@pytest.fixture(autouse=True)
def nothing_is_touched(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pulumi, "get_stack", lambda: "lab")
    monkeypatch.setattr(pulumi.runtime, "is_dry_run", lambda: True)
    monkeypatch.setattr(cleanup, "claim", lambda _stack, **_: None)
    monkeypatch.setattr(services, "for_lab", lambda _lab: {})
    monkeypatch.setattr(pulumi.log, "debug", pulumi.log.debug)
    monkeypatch.setattr(drift, "detect", lambda *_: {})
    monkeypatch.setattr(foresight, "everywhere", lambda *_: foresight.There(present.Present(), Recorded()))
    monkeypatch.setattr(cleanup, "resources", lambda _stack: [])


EXAMINED = SimpleNamespace(
    environment=SimpleNamespace(used_hosts=(ConfiguredHost(name="local"),), **vars(LAB)), facts={}
)


def test_registrations_have_begun_when_the_program_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    begun = []
    outputs = {"addresses": {"c1": "10.87.0.10"}, "endpoints": {}, "openrc": None, "clouds": None, "services": {}}

    def lab(*_: Any, **__: Any) -> SimpleNamespace:
        async def register() -> None:
            begun.append(True)

        tasks.append(asyncio.ensure_future(register()))
        return SimpleNamespace(**outputs, portal={})

    tasks: list[asyncio.Task[None]] = []
    monkeypatch.setattr(program, "configured", lambda _stack: EXAMINED)
    monkeypatch.setattr(program, "Lab", lab)

    async def run() -> tuple[dict[str, Any], list[bool]]:
        return await program.main(), list(begun)

    assert asyncio.run(run()) == (outputs, [True])


def test_faults_end_the_program_with_all_of_them_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(_stack: str) -> None:
        raise ConfigurationFaults(
            [Fault("common.vip", "it is missing", "Give one."), Fault("containers", "none", "Add.")]
        )

    monkeypatch.setattr(program, "configured", refused)
    with pytest.raises(pulumi.RunError, match=r"(?s)common\.vip.*containers"):
        asyncio.run(program.main())


@pytest.mark.parametrize("wanted", [False, True])
def test_the_engine_is_not_called_for_debug_messages_that_nobody_reads(
    monkeypatch: pytest.MonkeyPatch, wanted: bool
) -> None:
    told: list[Any] = []
    made = SimpleNamespace(addresses={}, endpoints={}, openrc=None, clouds=None, services={}, portal={})
    monkeypatch.setattr(pulumi.log, "get_engine", lambda: SimpleNamespace(Log=told.append))
    monkeypatch.setattr(program, "configured", lambda _stack: EXAMINED)
    monkeypatch.setattr(program, "Lab", lambda *_, **__: made)
    if wanted:
        monkeypatch.setenv(program.DEBUG, "true")
    else:
        monkeypatch.delenv(program.DEBUG, raising=False)
    asyncio.run(program.main())
    pulumi.log.debug("a message")
    pulumi.log.warn("a warning")
    assert [request.message for request in told] == (["a message"] if wanted else []) + ["a warning"]


@pytest.mark.parametrize("real", [False, True])
def test_a_preview_looks_at_the_host_while_it_checks_and_an_up_after_it_has_cleared(
    monkeypatch: pytest.MonkeyPatch, real: bool
) -> None:
    done: list[str] = []
    made = SimpleNamespace(addresses={}, endpoints={}, openrc=None, clouds=None, services={}, portal={})
    found = {("bridge-up", "br-lab"): object()}

    def look(*_: Any) -> dict[tuple[str, str], object]:
        done.append("look")
        return found

    monkeypatch.setattr(pulumi.runtime, "is_dry_run", lambda: not real)
    monkeypatch.setattr(runs, "end_orphans", lambda _directory: done.append("end"))
    monkeypatch.setattr(cleanup, "clear_unrecorded", lambda _stack, _recorded: done.append("clear"))
    monkeypatch.setattr(drift, "detect", look)

    def check(_stack: str) -> SimpleNamespace:
        done.append("check")
        return EXAMINED

    monkeypatch.setattr(program, "configured", check)
    monkeypatch.setattr(program, "Lab", lambda _lab, _roles, given, *_: made if given is found else None)
    asyncio.run(program.main())
    assert done == (["check", "end", "clear", "look"] if real else ["look", "check"])


def test_an_up_that_would_lose_data_is_refused_before_anything_is_touched(monkeypatch: pytest.MonkeyPatch) -> None:
    done: list[str] = []
    refused = Fault("dockstack:containers.galera2", "is no longer configured", "Put it back.")
    monkeypatch.setattr(pulumi.runtime, "is_dry_run", lambda: False)
    monkeypatch.setattr(program, "configured", lambda _stack: EXAMINED)
    monkeypatch.setattr(refusal, "faults", lambda _lost, _lab: [refused])
    monkeypatch.setattr(cleanup, "claim", lambda _stack, note: done.append("noted") if note else None)
    monkeypatch.setattr(cleanup, "clear_unrecorded", lambda *_: done.append("cleared"))
    monkeypatch.setattr(runs, "end_orphans", lambda _directory: done.append("ended"))
    monkeypatch.setattr(program, "Lab", lambda *_, **__: done.append("declared"))
    with pytest.raises(pulumi.RunError, match=r"containers\.galera2: is no longer configured\. Fix: Put it"):
        asyncio.run(program.main())
    assert done == []


@pytest.mark.parametrize("real", [False, True])
def test_hosts_behind_ssh_are_claimed_cleared_and_looked_at_and_one_that_is_silent_is_told(
    monkeypatch: pytest.MonkeyPatch, real: bool
) -> None:
    done: list[str] = []
    made = SimpleNamespace(addresses={}, endpoints={}, openrc=None, clouds=None, services={}, portal={})
    far, dead = (ConfiguredHost(name=name, ssh=Ssh(host=name), silent=name == "dead") for name in ("far", "dead"))
    facts = {"far": HostFacts(), "dead": HostFacts(unreachable="no route")}
    monkeypatch.setattr(pulumi.runtime, "is_dry_run", lambda: not real)
    monkeypatch.setattr(cleanup, "claim", lambda _stack, note: done.append("here") if note else None)
    monkeypatch.setattr(distance, "claim", lambda _stack, host, _facts: done.append(f"claim {host.name}"))
    monkeypatch.setattr(cleanup, "clear_unrecorded", lambda *_: None)
    monkeypatch.setattr(distance, "clear_unrecorded", lambda _stack, host, *_: done.append(f"clear {host.name}"))
    monkeypatch.setattr(runs, "end_orphans", lambda _directory: None)
    monkeypatch.setattr(pulumi.log, "warn", lambda text: done.append(text.split(";")[0]))
    monkeypatch.setattr(distance, "Findings", lambda host, _stack: done.append(f"look {host.name}"))
    examined = SimpleNamespace(environment=SimpleNamespace(used_hosts=(far, dead), **vars(LAB)), facts=facts)
    monkeypatch.setattr(program, "configured", lambda _stack: examined)
    monkeypatch.setattr(program, "Lab", lambda *_, **__: made)
    asyncio.run(program.main())
    told = "host dead doesn't answer: no route"
    # What no host of the lab is, has nothing of it.
    assert done == ["claim far", told, *(["clear far"] if real else []), "look far"]
