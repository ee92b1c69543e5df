"""Sign-in and what belongs to it, under allauth's own names.

Only pages that the shop styles and links are mounted: not allauth's list of addresses, sign-in by
code, nor what it shows where confirming is mandatory.
"""

from allauth.account import views
from allauth.mfa.base import views as mfa
from allauth.mfa.recovery_codes import views as recovery_codes
from allauth.mfa.totp import views as totp
from django.urls import path, re_path

from accounts.views import RecoveryCodes, SetUpApp, account, confirm_again

urlpatterns = [
    path("", account, name="account"),
    path("login/", views.login, name="account_login"),
    path("login/code/", mfa.authenticate, name="mfa_authenticate"),
    path("logout/", views.logout, name="account_logout"),
    path("inactive/", views.account_inactive, name="account_inactive"),
    path("signup/", views.signup, name="account_signup"),
    path("confirm-email/", confirm_again, name="account_confirm_again"),
    path("confirm-email/<str:key>/", views.confirm_email, name="account_confirm_email"),
    path("again/", views.reauthenticate, name="account_reauthenticate"),
    path("again/code/", mfa.reauthenticate, name="mfa_reauthenticate"),
    # Where allauth leads to its own page about second steps, this is ours.
    path("", account, name="mfa_index"),
    path("two-steps/app/", SetUpApp.as_view(), name="mfa_activate_totp"),
    path("two-steps/off/", totp.deactivate_totp, name="mfa_deactivate_totp"),
    path("two-steps/codes/", RecoveryCodes.as_view(), name="mfa_view_recovery_codes"),
    path(
        "two-steps/codes/new/",
        recovery_codes.generate_recovery_codes,
        name="mfa_generate_recovery_codes",
    ),
    path(
        "two-steps/codes/download/",
        recovery_codes.download_recovery_codes,
        name="mfa_download_recovery_codes",
    ),
    path("password/change/", views.password_change, name="account_change_password"),
    path("password/reset/", views.password_reset, name="account_reset_password"),
    path("password/reset/done/", views.password_reset_done, name="account_reset_password_done"),
    path(
        "password/reset/key/done/",
        views.password_reset_from_key_done,
        name="account_reset_password_from_key_done",
    ),
    re_path(
        r"^password/reset/key/(?P<uidb36>[0-9A-Za-z]+)-(?P<key>[^/]+)/$",
        views.password_reset_from_key,
        name="account_reset_password_from_key",
    ),
]
