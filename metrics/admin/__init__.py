"""The admin of metrics: where staff choose the sources, and history. Django imports this to register both."""

from metrics.admin import history, sources

__all__ = ["history", "sources"]
