"""The program that ``pulumi preview`` and ``pulumi up`` run: read the configuration, check it, build the lab."""

import pulumi

from components import program

pulumi.run(program.main)
