"""Wires the dashboard together: settings, URLs and the ASGI application. Nobody imports it but Django."""
