"""The extension service-interface."""

from __future__ import annotations

from neutron_plugin_contrail.common.extension import Extension


class Serviceinterface(Extension):
    """The extension."""

    NAME = "service-interface"
