"""The admin of access: tokens, share links, and the record. Django imports this to register them."""

from access.admin import record, share_links, tokens

__all__ = ["record", "share_links", "tokens"]
