"""From the stack's configuration to the lab and its outputs."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import Any

import pulumi

from commands import cleanup
from components import accounts, paths, services
from components.configuration import environment, preflight
from components.configuration.environment import Environment
from components.configuration.faults import ConfigurationFaults
from components.lab import Lab
from hostside import drift, runs
from hostside.process import complete_path

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
        # What an `up` may have to remove first, it looks at afterwards.
        found = {} if real else drift.look(directory, stack)
        lab = configured(stack)
    except (ConfigurationFaults, cleanup.ForeignStack) as error:
        # Shown without a traceback, which would hide what the person has to read.
        raise pulumi.RunError(str(error)) from None
    if real:
        cleanup.claim(stack, note=True)
        accounts.begin(stack)
        runs.note(directory)
        runs.end_orphans(directory)
        cleanup.clear_unrecorded(stack)
        found = drift.look(directory, stack)
    made = Lab(lab, services.for_lab(lab), found)
    # Lets the registrations begin. Where the SDK finds none begun, it waits for the outputs of all resources instead,
    # and goes through all of them whenever one comes: with hundreds of containers a processor does nothing else.
    await asyncio.sleep(0)
    return {name: getattr(made, name) for name in ("addresses", "endpoints", "openrc", "clouds", "services")}


def _keep_debug_messages() -> None:
    """Keep to ourselves what the SDK has to say to those who debug it, unless somebody does.

    It calls the engine for each of many hundred messages and waits for its answer, and the engine throws them away.
    """
    if DEBUG not in os.environ:
        pulumi.log.debug = lambda *_message, **_options: None


def configured(stack: str) -> Environment:
    """Read and check the stack's configuration; notes on what was read differently than written go to the log."""
    config = environment.decode(pulumi.runtime.config.get_config_env())
    lab, notes = preflight.verify(config, stack=stack, roles=services.facts(), base_dir=paths.PROJECT)
    for note in notes:
        pulumi.info(str(note))
    return lab
