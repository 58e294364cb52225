"""The service plugin that has Neutron tell when things were made and changed."""

from __future__ import annotations

from neutron_lib.services import base


class TimeStampPlugin(base.ServicePluginBase):  # type: ignore[misc]
    """It only says that the times are told: they come from the config API."""

    supported_extension_aliases = ["standard-attr-timestamp"]  # noqa: RUF012

    @classmethod
    def get_plugin_type(cls) -> str:
        """Return the type that Neutron knows it by."""
        return "timestamp_core"

    def get_plugin_description(self) -> str:
        """Return what it is for."""
        return "Times of OpenSDN's objects"
