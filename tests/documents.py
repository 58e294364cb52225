"""Code and commands in the documents, as Markdown has them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from components import paths

DOCUMENTS = [
    *(paths.PROJECT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")),
    *sorted((paths.PROJECT / "docs").glob("*.md")),
]
_BLOCK = re.compile(r"^```(\w*)[ \t]*(\S*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Block:
    """A fenced block."""

    document: Path
    language: str
    file: str
    """The file that it is, or changes; the second word after the fence."""
    text: str


def blocks(document: Path) -> Iterator[Block]:
    """Yield the fenced blocks of a document, in their order."""
    for language, file, text in _BLOCK.findall(document.read_text()):
        yield Block(document, language, file, text)


def patched(text: str, difference: str) -> str:
    """Return a text with a difference applied, whose parts are divided by `@@` and name no lines.

    Raises:
        ValueError: when a part's lines are not there, or are there twice.
    """
    for part in re.split(r"^@@.*\n", difference, flags=re.MULTILINE):
        lines = part.splitlines(keepends=True)
        before = "".join(line[1:] for line in lines if line[0] in " -")
        after = "".join(line[1:] for line in lines if line[0] in " +")
        if text.count(before) != 1:
            raise ValueError(f"there {text.count(before)} times:\n{before}")
        text = text.replace(before, after)
    return text


def commands(document: Path) -> Iterator[str]:
    """Yield the commands of a document: the lines of its shell blocks without their comments, one continued as one."""
    for block in blocks(document):
        if block.language not in ("sh", "console"):
            continue
        for line in block.text.replace("\\\n", "").splitlines():
            # A console's other lines are what the commands print.
            shown = line.removeprefix("$ ") if block.language == "sh" or line.startswith("$ ") else ""
            if command := re.sub(r"(^|\s+)#\s.*", "", shown).strip():
                yield command
