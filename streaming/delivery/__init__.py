"""Brings the stream to whoever is connected to this process: hub, clients, and the consumer that lets them in."""
