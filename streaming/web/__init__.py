"""The stream over HTTP: the page, health, history, the newest snapshot."""
