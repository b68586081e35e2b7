"""Django's handle on this app."""

from django.apps import AppConfig
from django.db.models.signals import post_migrate

from metrics.first_choices import create_missing_rows


class MetricsConfig(AppConfig):
    """Metrics: the catalogue, the snapshot and its sources."""

    name = "metrics"

    def ready(self) -> None:
        """Have every group get its row when the database is migrated."""
        post_migrate.connect(create_missing_rows, sender=self)
