"""Django's handle on this app."""

from django.apps import AppConfig


class AccessConfig(AppConfig):
    """Access: who may look at the dashboard, and who did what about it."""

    name = "access"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Have every change of who may look announced, and what happened written down."""
        from access import announcing, record

        announcing.connect()
        record.connect()
