"""People who come in by an OpenID Connect provider (OIDC_SERVER_URL)."""

import logging
from typing import Any

from allauth.socialaccount.adapter import DefaultSocialAccountAdapter
from allauth.socialaccount.models import SocialLogin
from django.conf import settings
from django.contrib.auth.models import Group
from django.http import HttpRequest

logger = logging.getLogger(__name__)


class SingleSignOnAdapter(DefaultSocialAccountAdapter):
    """allauth's; whoever the provider lets in becomes a user here, in the group OIDC_GROUP."""

    def is_open_for_signup(self, request: HttpRequest, sociallogin: SocialLogin) -> bool:
        """The provider decides who comes in; what they may do, staff."""
        return bool(settings.OIDC_SERVER_URL)

    def pre_social_login(self, request: HttpRequest, sociallogin: SocialLogin) -> None:
        """Take no address for proof of who somebody is here: a user of the same address stays another one."""
        sociallogin.email_addresses = []

    def save_user(self, request: HttpRequest, sociallogin: SocialLogin, form: Any = None) -> Any:
        """Save a user who comes for the first time."""
        user = super().save_user(request, sociallogin, form)
        if settings.OIDC_GROUP:
            group = Group.objects.filter(name=settings.OIDC_GROUP).first()
            if group is None:
                logger.error("There is no group %r (OIDC_GROUP): %s is in none.", settings.OIDC_GROUP, user)
            else:
                user.groups.add(group)
        return user

    def on_authentication_error(self, request: HttpRequest, provider: Any, **about: Any) -> None:
        """Say in the log why somebody could not come in; the page only says that."""
        reason = about.get("exception") or about.get("error")
        logger.warning("Nobody can log in by %s: %s", settings.OIDC_NAME, reason)
