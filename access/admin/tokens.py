"""Tokens in the admin: made, listed, revoked. A token itself is shown once, when it is made."""

from typing import TYPE_CHECKING, Any

from django import forms
from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse

from access.models import AccessToken
from access.viewer import Scope

if TYPE_CHECKING:
    ModelAdmin = admin.ModelAdmin[AccessToken]
    TokenModelForm = forms.ModelForm[AccessToken]
else:
    ModelAdmin = admin.ModelAdmin  # not generic at run time
    TokenModelForm = forms.ModelForm


class TokenForm(TokenModelForm):
    """A new token."""

    scopes = forms.MultipleChoiceField(
        choices=[(scope, scope.capitalize()) for scope in Scope],
        widget=forms.CheckboxSelectMultiple,
        initial=sorted(Scope),
        help_text="What it may read.",
    )

    class Meta:
        model = AccessToken
        fields = ("name", "owner", "scopes", "expires_at")


@admin.register(AccessToken)
class AccessTokenAdmin(ModelAdmin):
    """Whoever may add tokens makes them for themselves; superusers for anybody."""

    form = TokenForm
    list_display = ("name", "owner", "reads", "begins_with", "state", "last_used_at", "expires_at", "created_at")
    list_filter = ("owner",)
    search_fields = ("name", "begins_with")
    actions = ("revoke",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[AccessToken]:
        """One's own tokens; superusers see all."""
        tokens = super().get_queryset(request).select_related("owner")
        return tokens if request.user.is_superuser else tokens.filter(owner=request.user.pk)

    def has_change_permission(self, request: HttpRequest, obj: AccessToken | None = None) -> bool:
        """What a token may read never changes: make another one."""
        return obj is None and super().has_change_permission(request, obj)

    def has_delete_permission(self, request: HttpRequest, obj: AccessToken | None = None) -> bool:
        """Revoked tokens stay in the list."""
        return False

    def get_exclude(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        """Only superusers make tokens for somebody else."""
        return () if request.user.is_superuser else ("owner",)

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        """The form, with oneself as the owner."""
        form = super().get_form(request, obj, change, **kwargs)
        if "owner" in form.base_fields:
            form.base_fields["owner"].initial = request.user.pk
        return form

    def save_model(self, request: HttpRequest, obj: AccessToken, form: Any, change: bool) -> None:
        """Give it its token, which `response_add` shows."""
        if not request.user.is_superuser:
            obj.owner_id = int(request.user.pk or 0)
        request.new_token = obj.begin()  # type: ignore[attr-defined]

    def response_add(
        self, request: HttpRequest, obj: AccessToken, post_url_continue: str | None = None
    ) -> HttpResponse:
        """Show the token, this once: not by a message, which is kept until it is shown."""
        context = {
            **self.admin_site.each_context(request),
            "title": f"The token “{obj.name}”",
            "opts": self.opts,
            "token": request.new_token,  # type: ignore[attr-defined]
            "made": obj,
        }
        response = TemplateResponse(request, "admin/access/accesstoken/made.html", context)
        response["Cache-Control"] = "no-store"
        return response

    @admin.display(description="reads")
    def reads(self, token: AccessToken) -> str:
        """Its scopes."""
        return ", ".join(token.scopes)

    @admin.action(description="Revoke selected tokens", permissions=["change"])
    def revoke(self, request: HttpRequest, queryset: QuerySet[AccessToken]) -> None:
        """End them: whatever reads with them is closed within a second."""
        for token in queryset:
            token.revoke()
        self.message_user(request, f"{len(queryset)} revoked. What read with them is cut off.", messages.SUCCESS)
