"""Builds the image that standard input describes, before its stack has a directory to keep records in."""

from __future__ import annotations

import json
import os
import sys

from hostside.cli import told
from hostside.operations.image_build import ImageBuild


def main() -> int:
    """Build the image.

    Returns:
        The exit status: 0, or 1 with the error on standard error.
    """
    os.umask(0o022)
    operation = ImageBuild.parse(json.load(sys.stdin))

    def build() -> None:
        operation.build()

    return told(build)


if __name__ == "__main__":
    sys.exit(main())
