"""Django's handle on this app."""

from django.apps import AppConfig
from django.contrib.auth.signals import user_logged_in
from django.db.models.signals import post_migrate


class AccessConfig(AppConfig):
    """Access: who may look at the dashboard, and who did what about it."""

    name = "access"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Have what happens announced and written down, sessions begin with a login, and the first groups made."""
        from access import announcing, record
        from access.people import groups, sessions

        announcing.connect()
        record.connect()
        user_logged_in.connect(sessions.note_login, dispatch_uid="access")
        post_migrate.connect(groups.create_missing_groups, sender=self)
