"""What the database keeps of who may look, and of what they did."""

from access.models.access_token import AccessToken
from access.models.record_entry import RecordEntry
from access.models.share_link import ShareLink

__all__ = ["AccessToken", "RecordEntry", "ShareLink"]
