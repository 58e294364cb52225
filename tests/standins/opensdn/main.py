"""The way into the archive that the stand-ins of compiled programs carry: its first argument is the program."""

import sys

from opensdn_standin.programs import main

main(sys.argv[1], sys.argv[2:])
