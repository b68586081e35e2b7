"""Django's handle on this app."""

from django.apps import AppConfig
from django.db.backends.signals import connection_created
from django.db.models.signals import post_migrate

from metrics.first_choices import create_missing_rows
from metrics.private_files import keep_database_private


class MetricsConfig(AppConfig):
    """Metrics: the catalogue, the snapshot and its sources."""

    name = "metrics"

    def ready(self) -> None:
        """Have every group get its row when the database is migrated, and an SQLite file kept to its owner."""
        connection_created.connect(keep_database_private, dispatch_uid="private files")
        post_migrate.connect(create_missing_rows, sender=self)
