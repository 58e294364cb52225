"""The quota driver. As the real one, it lacks what Neutron 2025.1 sets and deletes quotas by."""

from __future__ import annotations

# The real one reports errors by it; Python has none since 3.13.
import cgitb  # noqa: F401
import uuid
from typing import Any

from neutron.db.quota import api as quota_api

from neutron_plugin_contrail.common.utils import Backend

UNLIMITED = -1
Quotas = dict[str, Any]


class QuotaDriver:
    """Quotas are those of the config API's project; nothing is counted here."""

    @classmethod
    def get_default_quotas(cls, context: Any, resources: Quotas, tenant_id: str | None = None) -> Quotas:
        """Return what a project has that has no quotas of its own."""
        return dict.fromkeys(resources, UNLIMITED)

    @classmethod
    def get_project_quotas(cls, context: Any, resources: Quotas, tenant_id: str) -> Quotas:
        """Return what a project has."""
        project = Backend().read("project", str(uuid.UUID(tenant_id)))
        own = (project or {}).get("quota") or {}
        return {**cls.get_default_quotas(context, resources), **{k: v for k, v in own.items() if k in resources}}

    def make_reservation(self, context: Any, tenant_id: str, resources: Quotas, deltas: Quotas, plugin: Any) -> Any:
        """Reserve nothing: it is the config API that refuses what is too much."""
        return quota_api.ReservationInfo("fake", None, None, None)

    def commit_reservation(self, context: Any, reservation_id: str) -> None:
        """Do nothing."""

    def cancel_reservation(self, context: Any, reservation_id: str) -> None:
        """Do nothing."""
