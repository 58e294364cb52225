"""What the extensions have in common that Neutron looks for in the plugin's directory; here they add nothing."""

from __future__ import annotations

from neutron_lib.api.extensions import ExtensionDescriptor


class Extension(ExtensionDescriptor):  # type: ignore[misc]
    """An extension."""

    NAME: str

    @classmethod
    def get_name(cls) -> str:
        """Return its name."""
        return cls.NAME

    @classmethod
    def get_alias(cls) -> str:
        """Return what a plugin says that it knows it by."""
        return cls.NAME

    @classmethod
    def get_description(cls) -> str:
        """Return what it is."""
        return "stand-in, made by Dockstack's tests"

    @classmethod
    def get_updated(cls) -> str:
        """Return when it was changed."""
        return "2026-01-01T00:00:00-00:00"
