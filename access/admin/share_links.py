"""Share links: made, listed, copied and revoked by those who may share."""

from datetime import timedelta
from typing import TYPE_CHECKING, Any, ClassVar

from django import forms
from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString

from access.lookup import SHARE
from access.models import ShareLink
from metrics.catalogue import Group

if TYPE_CHECKING:
    ModelAdmin = admin.ModelAdmin[ShareLink]
    ModelForm = forms.ModelForm[ShareLink]
else:
    ModelAdmin, ModelForm = admin.ModelAdmin, forms.ModelForm  # not generic at run time

#: For how long a link works unless said otherwise.
USUAL_LIFE = timedelta(days=30)


def in_a_while() -> Any:
    """When a new link expires unless said otherwise."""
    return timezone.now() + USUAL_LIFE


class ShareLinkForm(ModelForm):
    """What a link shows; later only its end can be changed, for there are those who look at it."""

    groups = forms.MultipleChoiceField(
        choices=[(group.value, group.label) for group in sorted(Group, key=lambda group: group.page_place)],
        widget=forms.CheckboxSelectMultiple,
        help_text="Of other groups nothing is sent.",
    )

    class Meta:
        model = ShareLink
        fields = ("label", "groups", "shows_amounts", "expires_at")


@admin.register(ShareLink)
class ShareLinkAdmin(ModelAdmin):
    """Who may share sees all links, with their addresses: they show no more than is shared."""

    form = ShareLinkForm
    actions = ("revoke",)
    search_fields = ("label", "made_by__username")
    list_select_related = ("made_by",)

    class Media:
        js: ClassVar = ["access/copy.js"]

    def has_module_permission(self, request: HttpRequest) -> bool:
        """Whether links are among what this person may do."""
        return self.may_share(request)

    def may_share(self, request: HttpRequest, obj: ShareLink | None = None) -> bool:
        """One permission for all of it."""
        user: Any = request.user
        return bool(user.is_active and user.is_staff and user.has_perm(SHARE))

    has_view_permission = has_change_permission = has_delete_permission = may_share

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Whether this person may make links."""
        return self.may_share(request)

    def get_fields(self, request: HttpRequest, obj: ShareLink | None = None) -> tuple[Any, ...]:
        """A new link has no address yet."""
        if obj is None:
            return ("label", "groups", "shows_amounts", "expires_at")
        return ("label", "shown", "amounts", "expires_at", "state", "made_by", "created_at")

    def get_readonly_fields(self, request: HttpRequest, obj: ShareLink | None = None) -> tuple[Any, ...]:
        """What those who look at it have seen of it stays."""
        return () if obj is None else ("label", "shown", "amounts", "state", "made_by", "created_at")

    def get_form(self, request: HttpRequest, obj: ShareLink | None = None, change: bool = False, **kwargs: Any) -> Any:
        """Of a link that is there only the end can be changed."""
        if obj is None:
            return super().get_form(request, obj, change, **kwargs)
        return super().get_form(request, obj, change, form=forms.ModelForm, **kwargs)

    def get_changeform_initial_data(self, request: HttpRequest) -> dict[str, Any]:
        """What the form for a new link begins with."""
        return {"expires_at": in_a_while(), **super().get_changeform_initial_data(request)}

    def get_list_display(self, request: HttpRequest) -> tuple[Any, ...]:
        """The columns; the address is that of the site as this person sees it."""

        @admin.display(description="address")
        def address(link: ShareLink) -> str | SafeString:
            secret = link.secret if link.state == "active" else None
            if secret is None:
                return "—" if link.state != "active" else "made with another SECRET_KEY: it works, and cannot be shown"
            return format_html(
                '<input readonly size="14" value="{}" aria-label="Address of {}"> '
                '<button type="button" class="button" data-copy>Copy</button>',
                request.build_absolute_uri(reverse("share", args=(secret,))),
                link.label,
            )

        return ("label", address, "state", "shown", "amounts", "made_by", "expires_at")

    @admin.display(description="shows")
    def shown(self, link: ShareLink) -> str:
        return ", ".join(group.label for group in Group if group in link.groups)

    @admin.display(description="amounts")
    def amounts(self, link: ShareLink) -> str:
        if link.shows_amounts:
            return "shown"
        lacking = ", ".join(link.lacks_bases)
        return f"changes in percent; nothing to compare with: {lacking}" if lacking else "changes in percent"

    @admin.display(description="state")
    def state(self, link: ShareLink) -> str:
        return link.state

    def save_model(self, request: HttpRequest, obj: ShareLink, form: Any, change: bool) -> None:
        """Give a new link its address, and tell what it cannot show."""
        if change:
            obj.save(update_fields=["expires_at"])
            return
        obj.made_by = request.user  # type: ignore[assignment]  # nobody else gets here
        obj.begin()
        for label in obj.lacks_bases:
            self.message_user(
                request,
                f"{label}: none is known now, or it is too small to compare with, so its change stays empty. "
                "Make the link again when it is known.",
                messages.WARNING,
            )

    @admin.action(description="Revoke selected links: whoever looks at them is closed at once")
    def revoke(self, request: HttpRequest, queryset: QuerySet[ShareLink]) -> None:
        """End them; each is logged."""
        for link in queryset:
            if link.state == "revoked":
                continue
            link.revoke()
            self.log_change(request, link, "Revoked.")
            self.message_user(request, f"{link}: revoked.", messages.SUCCESS)
