"""Programs of containers, which are scripts without a module's name, as modules."""

from __future__ import annotations

import sys
from importlib.machinery import SourceFileLoader
from importlib.util import module_from_spec, spec_from_loader
from typing import Any

import pytest

from components import paths


def load(name: str, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Load a script by its path below dockervolumes/, and leave nothing beside it."""
    monkeypatch.setattr("sys.dont_write_bytecode", True)
    path = paths.DOCKERVOLUMES / name
    monkeypatch.syspath_prepend(path.parent)
    loader = SourceFileLoader(path.name.replace("-", "_"), str(path))
    spec = spec_from_loader(loader.name, loader)
    assert spec is not None
    module = module_from_spec(spec)
    # Its data classes look for it there.
    monkeypatch.setitem(sys.modules, loader.name, module)
    loader.exec_module(module)
    return module
