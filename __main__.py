"""The program that ``pulumi preview`` and ``pulumi up`` run: read the configuration, check it, build the lab."""

import gc

# The program makes many objects and drops few, so that looking for garbage would be a quarter of its work.
gc.set_threshold(100_000)

import pulumi  # noqa: E402

from components import program  # noqa: E402

pulumi.run(program.main)
