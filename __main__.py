"""The program that ``pulumi preview`` and ``pulumi up`` run: read the configuration, check it, build the lab."""

from components import program

program.main()
