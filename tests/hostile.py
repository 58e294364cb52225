"""Secrets that somebody may choose and that mean something else to a reader for whom they aren't quoted."""

from __future__ import annotations

from collections.abc import Iterable

from components.configuration.readers import Reader

ASCII = [chr(code) for code in range(ord(" "), ord("~") + 1)]
LONGEST = 200


def _around(character: str) -> Iterable[str]:
    """A character where readers treat it differently: alone, twice, and at the beginning, inside and at the end."""
    return (character, character * 2, f"{character}x", f"x{character}y", f"x{character}", f"{character}x{character}")


# What the readers of this lab, or of others' labs, take for something else.
_WORDS = [
    "P@$$w0rd", "$$", "$x", "${x}", r"\$x", r"\\$x", r"\\", r"\n", r"x\u0041", "$(id)", "`id`", "$'x'", "~root",
    "%{x}", "%{literal('x')}", "%{", "%%{x}", "%s", "%(x)s", "%41", "{x}", "{{ x }}", "<%= x %>", "#{x}",
    "<SERVICE DEFAULT>", "true", "True", "NO", "null", "~", "undef", "0123", "1e3", "1,000", "1_000", "0x10",
    "12:30:45", "2026-11-28", ":x", "- x", "[x]", "[DEFAULT]", "x: y", "x = y", "x #y", "x ;y", "!x", "&x", "*x",
    "| x", "'x' \"y\"", "--x", "@x", "}", "x  y", "  x  ", "user:x@host/path?query#fragment,other@host",
    "*0123456789ABCDEF0123456789ABCDEF01234567",
]  # fmt: skip
_BEYOND_ASCII = ["é", "xé", "пароль", "密码", "𝄞", "e\u0301", "ß #$\"'\\"]
_LONG = [
    "x" * LONGEST,
    "".join(ASCII) * 2 + "0123456789",
    ("\\" * 7 + "$") * 25,
    "a b " * 49 + "a  b",
    "é" * LONGEST,
]

SECRETS = [
    secret
    for secret in dict.fromkeys([*(s for c in ASCII for s in _around(c)), *_WORDS, *_BEYOND_ASCII, *_LONG])
    if secret.strip(" ")
]
"""Each printable ASCII character in several places, and others, from 1 to 200 characters."""
_ALL = " '" + "".join(ASCII[:50]) + "é𝄞" + "".join(ASCII[50:]) + '\\$" '


def readable(*readers: Reader) -> list[str]:
    """Return the secrets that these readers can be given, by our own account."""
    return [secret for secret in SECRETS if not any(reader.complaints(secret) for reader in readers)]


def all_in_one(*readers: Reader) -> str:
    """Return one secret with as much of what these readers can be given as it can hold."""
    kept = "".join(character for character in _ALL if not any(reader.complaints(character) for reader in readers))
    longest = min((reader.longest for reader in readers if reader.longest is not None), default=len(kept))
    half = longest // 2
    return kept if len(kept) <= longest else kept[:half] + kept[-half:]
