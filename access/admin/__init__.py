"""The admin's pages about access: tokens, share links, and the record of what happened."""

from django.contrib import admin

from access.admin import record, share_links, tokens

__all__ = ["record", "share_links", "tokens"]

# One at a time: of several that go at once, Django tells nobody, and so nothing would be in the record.
admin.site.disable_action("delete_selected")
