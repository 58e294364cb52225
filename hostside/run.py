"""Entry point; copied to ``<stack directory>/tool/__main__.py``."""

import sys
from pathlib import Path

from hostside.cli import main

sys.exit(main(sys.argv[1:], Path(__file__).resolve().parent.parent))
