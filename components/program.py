"""From the stack's configuration to the lab and its outputs."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

import pulumi

from commands import cleanup
from components import accounts, foresight, paths, recorded, refusal, services
from components.configuration import environment, names, preflight
from components.configuration.faults import ConfigurationFaults
from components.host import distance
from components.lab import Lab
from components.recorded import Recorded
from components.services.role import Role
from hostside import docker_api, drift, runs
from hostside.process import complete_path

T = TypeVar("T")
DEBUG = "PULUMI_OPTION_DEBUG"
"""Set, this variable is Pulumi's option --debug."""


async def main() -> dict[str, Any]:
    """Build the lab of the selected stack, and return its outputs.

    With faults in its configuration, report them all and build nothing.
    """
    complete_path()
    _keep_debug_messages()
    stack, real = pulumi.get_stack(), not pulumi.runtime.is_dry_run()
    directory = Path(paths.stack_directory(stack))
    try:
        cleanup.claim(stack, note=False)
        # An `up` may have to remove leftovers first, and looks for drift after that.
        found = {} if real else drift.detect(directory, stack)
        state = _begin(cleanup.resources, stack) if real else None
        examined = configured(stack)
        lab = examined.environment
        roles = services.for_lab(lab)
        far = [host for host in lab.used_hosts if host.ssh is not None and not host.silent]
        for host in far:
            distance.claim(stack, host, examined.facts[host.name])
        if state:
            _refuse_losses(recorded.read(state.result()), lab, roles)
    except (ConfigurationFaults, cleanup.ForeignStack) as error:
        # Shown without a traceback, which would hide what the person has to read.
        raise pulumi.RunError(str(error)) from None
    for host in lab.used_hosts:
        if host.silent:
            reason = examined.facts[host.name].unreachable
            pulumi.log.warn(f"host {host.name} doesn't answer: {reason}; what has to be changed there will fail")
    if state:
        ids = cleanup.ids_of_containers(state.result())
        accounts.begin(stack)
        if any(host.ssh is None for host in lab.used_hosts):
            cleanup.claim(stack, note=True)
        runs.end_orphans(directory)
        cleanup.clear_unrecorded(stack, ids)
        for host in far:
            distance.clear_unrecorded(stack, host, examined.facts[host.name], ids)
        found = drift.detect(directory, stack)
    findings = {host.name: distance.Findings(host, stack) for host in far}
    made = Lab(lab, roles, found, _standing(stack), findings)
    # Lets the registrations begin. Where the SDK finds none begun, it waits for the outputs of all resources instead,
    # and goes through all of them whenever one comes: with hundreds of containers a processor does nothing else.
    await asyncio.sleep(0)
    if not real:
        await foresight.warn(stack, made, roles, directory, lab)
    outputs = {name: getattr(made, name) for name in ("addresses", "endpoints", "openrc", "clouds", "services")}
    return {**outputs, **made.portal}


def _begin(asked: Callable[[str], T], stack: str) -> Future[T]:
    """Ask something about a stack while other things are done."""
    pool = ThreadPoolExecutor(1)
    answer = pool.submit(asked, stack)
    pool.shutdown(wait=False)
    return answer


def _refuse_losses(there: Recorded, lab: environment.Environment, roles: Mapping[str, Role]) -> None:
    """Refuse an update that would lose data for good, unless the configuration says that it may.

    Raises:
        ConfigurationFaults: with what would be lost.
    """
    lost = refusal.found(there, lab, roles)
    if faults := refusal.faults(lost, lab):
        raise ConfigurationFaults(faults)
    for note in refusal.unneeded(lost, lab):
        pulumi.info(str(note))


def _standing(stack: str) -> set[str]:
    """Return the names of a stack's containers that run on this host."""
    try:
        return {docker_api.name(found) for found in docker_api.containers(stack) if found["State"] == "running"}
    except docker_api.EngineError:
        # The first step that needs the engine fails with the engine's own words.
        return set()


def _keep_debug_messages() -> None:
    """Keep to ourselves what the SDK has to say to those who debug it, unless somebody does.

    It calls the engine for each of many hundred messages and waits for its answer, and the engine throws them away.
    """
    if DEBUG not in os.environ:
        pulumi.log.debug = lambda *_message, **_options: None


def configured(stack: str) -> preflight.Examined:
    """Read and check the stack's configuration; notes on what was read differently than written go to the log."""
    config = environment.decode(pulumi.runtime.config.get_config_env())
    examined = preflight.verify(
        config,
        stack=stack,
        roles=services.facts(),
        base_dir=paths.PROJECT,
        has=lambda host: any(r["urn"].endswith(f"::{host}{names.PROVIDER}") for r in cleanup.resources(stack)),
    )
    for note in examined.notes:
        pulumi.info(str(note))
    return examined
