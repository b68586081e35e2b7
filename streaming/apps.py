"""Django's handle on this app."""

from django.apps import AppConfig


class StreamingConfig(AppConfig):
    """Streaming: publisher, hub, consumer and health."""

    name = "streaming"
