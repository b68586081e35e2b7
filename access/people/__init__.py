"""People who log in: their sessions, passwords, second factors and groups. django-allauth does the most of it."""
