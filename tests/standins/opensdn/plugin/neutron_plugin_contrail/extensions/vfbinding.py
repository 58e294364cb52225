"""The extension vf-binding."""

from __future__ import annotations

from neutron_plugin_contrail.common.extension import Extension


class Vfbinding(Extension):
    """The extension."""

    NAME = "vf-binding"
