"""allauth's two views of OpenID Connect, except that a provider that is down is a page, not a failure of ours."""

import functools
from collections.abc import Callable

from allauth.socialaccount.adapter import get_adapter
from allauth.socialaccount.helpers import render_authentication_error
from allauth.socialaccount.providers.openid_connect import views
from django.http import HttpRequest, HttpResponse
from requests import RequestException

View = Callable[[HttpRequest, str], HttpResponse]


def survives_the_provider(view: View) -> View:
    """Decorate a view that asks the provider: where that does not answer, or nonsense, say so."""

    @functools.wraps(view)
    def surviving(request: HttpRequest, provider_id: str) -> HttpResponse:
        try:
            return view(request, provider_id)
        except (RequestException, KeyError) as error:  # KeyError: its discovery document lacks what it must have
            provider = get_adapter().get_provider(request, provider_id)
            answer: HttpResponse = render_authentication_error(request, provider, exception=error)
            return answer

    return surviving


login = survives_the_provider(views.login)
callback = survives_the_provider(views.callback)
