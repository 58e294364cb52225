"""How what a person or a generator has chosen is written down so that its reader reads the same.

Shells have :func:`shlex.quote`. What Puppet writes in a container is quoted by the functions ``dockstack::quote::*`` of
the Puppet environment; what cannot be written at all is for :mod:`components.configuration.readers`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import yaml


class _Dumper(yaml.SafeDumper):
    """Writes every text in double quotes, on one line.

    Bare, a text is what a reader's version of YAML makes of its looks: to Puppet's, ``:a`` is a symbol and ``1,000`` a
    number, which they are not to PyYAML.
    """


_Dumper.add_representer(str, lambda dumper, text: dumper.represent_scalar("tag:yaml.org,2002:str", text, style='"'))


def yaml_document(data: Mapping[str, Any]) -> str:
    """Return data as a document for any reader of YAML; the order of the keys is kept."""
    text = yaml.dump(data, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=float("inf"))
    return str(text)


def hiera_data(data: Mapping[str, Any]) -> str:
    """Return data as a file for Hiera's ``yaml_data``, by which ``%{`` in a text begins an interpolation.

    https://help.puppet.com/core/current/Content/PuppetCore/hiera_interpolation_functions.htm
    """
    return yaml_document({key: _literal(data[key]) for key in sorted(data)})


def _literal(value: Any) -> Any:
    if isinstance(value, str):
        return value.replace("%{", "%{literal('%')}{")
    if isinstance(value, Mapping):
        return {_literal(key): _literal(inner) for key, inner in value.items()}
    return [_literal(inner) for inner in value] if isinstance(value, list | tuple) else value
