"""Django's handle on this app."""

from django.apps import AppConfig


class MetricsConfig(AppConfig):
    """Metrics: the catalogue, the snapshot and its sources."""

    name = "metrics"
