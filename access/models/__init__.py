"""What the database keeps of who may look."""

from access.models.access_token import AccessToken

__all__ = ["AccessToken"]
