"""People and their rights. A user is never deleted: history names the id."""

from typing import Any, cast

from allauth.account.models import EmailAddress
from django.contrib import admin
from django.contrib.auth.admin import GroupAdmin, UserAdmin
from django.contrib.auth.models import Group
from django.http import HttpRequest
from unfold.admin import ModelAdmin
from unfold.forms import AdminPasswordChangeForm, UserChangeForm, UserCreationForm

from accounts.models import User

# Sign-in keeps these; editing them by hand would part them from the user's own address.
admin.site.unregister(EmailAddress)
admin.site.unregister(Group)


@admin.register(Group)
class StyledGroupAdmin(GroupAdmin, ModelAdmin):  # type: ignore[misc]  # Unfold has no types
    pass


@admin.register(User)
class PeopleAdmin(UserAdmin, ModelAdmin):  # type: ignore[misc,type-arg]
    """Users; only a superuser may give rights, or touch others who have some."""

    form = UserChangeForm
    add_form = UserCreationForm
    change_password_form = AdminPasswordChangeForm
    list_display = ("email", "name", "is_staff", "is_active", "date_joined", "last_login")
    list_filter = ("is_staff", "is_superuser", "is_active", "groups", "date_joined")
    search_fields = ("email", "name")
    ordering = ("email",)
    compressed_fields = False
    fieldsets = (
        (None, {"fields": ("email", "name", "password")}),
        (
            "Rights",
            {"fields": ("is_active", "is_staff", "is_superuser", "groups", "user_permissions")},
        ),
        ("History", {"fields": ("public_id", "date_joined", "last_login")}),
    )
    add_fieldsets = ((None, {"fields": ("email", "usable_password", "password1", "password2")}),)

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        fields: tuple[str, ...] = ("public_id", "date_joined", "last_login")
        if obj:
            # Sign-in knows the address from a table of its own.
            fields += ("email",)
        if not request.user.is_superuser:
            fields += ("is_staff", "is_superuser", "groups", "user_permissions")
        return fields

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        may_change: bool = super().has_change_permission(request, obj)
        return may_change and (obj is None or cast(User, request.user).may_touch(obj))

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False
