"""Django's handle on this app."""

import gc

from django.apps import AppConfig


class StreamingConfig(AppConfig):
    """Streaming: publisher, hub, consumer and health."""

    name = "streaming"

    def ready(self) -> None:
        """Everything is imported: from here on there may be garbage (manage.py has Python not look for it before)."""
        gc.enable()
