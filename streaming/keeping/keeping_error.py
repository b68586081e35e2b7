"""What stops a command that keeps data."""


class KeepingError(Exception):
    """A sentence that says what is wrong, and what to do."""
