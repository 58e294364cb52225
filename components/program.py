"""From the stack's configuration to the lab and its outputs."""

from __future__ import annotations

import asyncio
from typing import Any

import pulumi

from components import environment, paths, preflight, remains, runs, services
from components.environment import Environment
from components.faults import ConfigurationFaults
from components.lab import Lab


async def main() -> dict[str, Any]:
    """Build the lab of the selected stack, and return its outputs.

    With faults in its configuration, report them all and build nothing.
    """
    stack, real = pulumi.get_stack(), not pulumi.runtime.is_dry_run()
    try:
        remains.claim(stack, note=False)
        lab = configured(stack)
    except (ConfigurationFaults, remains.ForeignStack) as error:
        # Shown without a traceback, which would hide what the person has to read.
        raise pulumi.RunError(str(error)) from None
    if real:
        remains.claim(stack, note=True)
        runs.begin(stack)
        remains.end_orphans()
        remains.clear_unrecorded(stack)
    made = Lab(lab, services.for_lab(lab))
    # Lets the registrations begin. Where the SDK finds none begun, it waits for the outputs of all resources instead,
    # and goes through all of them whenever one comes: with hundreds of containers a processor does nothing else.
    await asyncio.sleep(0)
    return {name: getattr(made, name) for name in ("addresses", "endpoints", "openrc", "services")}


def configured(stack: str) -> Environment:
    """Read and check the stack's configuration; notes on what was read differently than written go to the log."""
    config = environment.decode(pulumi.runtime.config.get_config_env())
    lab, notes = preflight.verify(config, stack=stack, roles=services.facts(), base_dir=paths.PROJECT)
    for note in notes:
        pulumi.info(str(note))
    return lab
