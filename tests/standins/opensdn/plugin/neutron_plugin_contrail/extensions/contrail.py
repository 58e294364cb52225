"""The extension contrail."""

from __future__ import annotations

from neutron_plugin_contrail.common.extension import Extension


class Contrail(Extension):
    """The extension."""

    NAME = "contrail"
