"""Wires the dashboard together: settings, URLs and the ASGI application. Nobody imports it but Django."""

#: The one place where the version stands (https://semver.org). Code reads it as `settings.VERSION`.
__version__ = "1.0.0"
