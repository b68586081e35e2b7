"""The admin of access: tokens, and the record. Django imports this to register both."""

from access.admin import record, tokens

__all__ = ["record", "tokens"]
