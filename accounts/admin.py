"""People and their rights. A user is never deleted: history names the id."""

from collections.abc import Callable
from typing import Any, cast
from urllib.parse import urlencode

from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from django import forms
from django.contrib import admin, messages
from django.contrib.auth.admin import GroupAdmin, UserAdmin
from django.contrib.auth.models import Group
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from unfold.admin import ModelAdmin
from unfold.decorators import action
from unfold.widgets import UnfoldAdminEmailInputWidget, UnfoldAdminTextInputWidget

from accounts import services
from accounts.models import User

# Sign-in keeps these; editing them by hand would part them from the user's own address, and let
# who may edit them go past the second step.
admin.site.unregister(EmailAddress)
admin.site.unregister(Authenticator)
admin.site.unregister(Group)


_REFUSALS = (services.CannotDeactivate, services.CannotReset, services.CannotSendLink)


@admin.register(Group)
class StyledGroupAdmin(GroupAdmin, ModelAdmin):  # type: ignore[misc]  # Unfold has no types
    pass


class NewPersonForm(forms.ModelForm):  # type: ignore[type-arg]
    """An account without a password: whose it is chooses one, by a link that is mailed."""

    class Meta:
        model = User
        fields = ("email", "name")
        widgets = {"email": UnfoldAdminEmailInputWidget, "name": UnfoldAdminTextInputWidget}

    def save(self, commit: bool = True) -> User:
        self.instance.set_unusable_password()
        user: User = super().save(commit)
        return user


@admin.register(User)
class PeopleAdmin(UserAdmin, ModelAdmin):  # type: ignore[misc,type-arg]
    """Users; only a superuser may give rights, or touch others who have some.

    Nobody sees a password, or sets somebody else's: who could, could act in his name.
    """

    form = forms.ModelForm
    add_form = NewPersonForm
    list_display = ("email", "name", "is_staff", "is_active", "date_joined", "last_login")
    list_filter = ("is_staff", "is_superuser", "is_active", "groups", "date_joined")
    search_fields = ("email", "name")
    ordering = ("email",)
    compressed_fields = False
    fieldsets = (
        (None, {"fields": ("email", "name", "customer", "has_password")}),
        (
            "Rights",
            {"fields": ("is_active", "is_staff", "is_superuser", "groups", "user_permissions")},
        ),
        ("History", {"fields": ("public_id", "date_joined", "last_login", "second_step")}),
    )
    actions_detail = ("send_password_link", "close_account", "reset_second_step")
    add_fieldsets = ((None, {"fields": ("email", "name")}),)

    def get_urls(self) -> list[URLPattern]:
        # Without Django's page on which one sets somebody else's password.
        return [url for url in super().get_urls() if url.name != "auth_user_password_change"]

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        fields: tuple[str, ...] = ("public_id", "date_joined", "last_login", "second_step")
        fields += ("customer", "has_password")
        if obj:
            # Sign-in knows the address from a table of its own.
            fields += ("email",)
        if not request.user.is_superuser:
            # Closing an account is a deed of its own, which leaves a trace.
            fields += ("is_active", "is_staff", "is_superuser", "groups", "user_permissions")
        return fields

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        may_change: bool = super().has_change_permission(request, obj)
        return may_change and (obj is None or cast(User, request.user).may_touch(obj))

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    @admin.display(description="Second step of sign-in")
    def second_step(self, user: User) -> str:
        app = Authenticator.objects.filter(user=user, type=Authenticator.Type.TOTP).first()
        return f"By an app, set up on {app.created_at:%d %B %Y}" if app else "None"

    @admin.display(description="Password")
    def has_password(self, user: User) -> str:
        return "Set" if user.has_usable_password() else "Not set"

    @admin.display(description="As a customer")
    def customer(self, user: User) -> SafeString:
        page = f"{reverse('customer')}?{urlencode({'email': user.email})}"
        return format_html('<a class="text-link" href="{}">Orders, value and notes</a>', page)

    def has_touch_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.has_perm("accounts.change_user")

    def has_reset_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.is_superuser

    @action(description="Mail a link to set a password", icon="key", permissions=["touch"])  # type: ignore[untyped-decorator]
    def send_password_link(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Ask, then mail somebody a link by which he sets a new password himself."""
        user = self._person(request, object_id)
        return self._in_two_steps(
            request,
            user,
            title=f"Mail {user} a link to set a password?",
            verb="Mail the link",
            sentences=[
                f"A mail with a link goes to {user.email}, and to nobody else.",
                "The password there is goes on until a new one is set by the link.",
            ],
            act=lambda by: services.send_password_link(user=user, by=by),
            done=f"The link is on its way to {user.email}.",
        )

    @action(description="Close the account", icon="person_off", permissions=["touch"])  # type: ignore[untyped-decorator]
    def close_account(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Ask, then close an account."""
        user = self._person(request, object_id)
        return self._in_two_steps(
            request,
            user,
            title=f"Close the account of {user}?",
            verb="Close it",
            sentences=[
                "Nobody can sign in to it, and every sign-in there is ends at once.",
                "Orders stay as they are, and go on. Personal data stay, too: to erase them is "
                "another deed, on the customer's page.",
                "Only a superuser opens it again.",
            ],
            act=lambda by: services.deactivate(user=user, by=by),
            done=f"The account of {user} is closed.",
        )

    @action(description="Reset the second step", icon="lock_reset", permissions=["reset"])  # type: ignore[untyped-decorator]
    def reset_second_step(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Ask, then take away the second step of somebody who has lost his phone and codes."""
        user = self._person(request, object_id)
        opens = ", but opens no page of the admin" if user.is_staff else ""
        return self._in_two_steps(
            request,
            user,
            title=f"Reset the second step of {user}?",
            verb="Reset it",
            sentences=[
                f"The app and the recovery codes of {user} are refused from now on.",
                f"Until a new app is set up, the password alone is enough to sign in{opens}. So "
                "make sure, by a call, that it is really this person who asks.",
                f"{user} is told by mail.",
            ],
            act=lambda by: services.reset_second_factor(user=user, by=by),
            done=f"The second step of {user} is reset, and he is told.",
        )

    def _person(self, request: HttpRequest, object_id: str) -> User:
        user: User | None = self.get_object(request, object_id)
        if user is None:
            raise Http404
        return user

    def _in_two_steps(
        self,
        request: HttpRequest,
        user: User,
        *,
        title: str,
        verb: str,
        sentences: list[str],
        act: Callable[[User], object],
        done: str,
    ) -> HttpResponse:
        """Say what a deed will do; do it by POST, in the name of who asks."""
        back = reverse("admin:accounts_user_change", args=[user.pk])
        if request.method != "POST":
            around = self.admin_site.each_context(request) | {"opts": self.opts, "original": user}
            said = {"title": title, "verb": verb, "sentences": sentences, "back": back}
            return TemplateResponse(request, "admin/accounts/deed.html", around | said)
        try:
            act(cast(User, request.user))
        except _REFUSALS as error:
            messages.error(request, str(error))
        except OSError:
            messages.error(request, "The mail server does not answer: nothing was sent.")
        else:
            messages.success(request, done)
        return HttpResponseRedirect(back)
