"""The root of all addresses."""

from allauth.account.decorators import secure_admin_login
from django.contrib import admin
from django.urls import URLPattern, URLResolver, include, path, re_path

from backoffice.admin import customers
from config.doctor.page import page as doctor
from config.health import deep, health
from config.media import media
from payments.webhooks import WebhookView

# Staff sign in where everybody does, under the same limits.
admin.site.login = secure_admin_login(admin.site.login)  # type: ignore[method-assign]

# dj-stripe's own name for its address, so that its admin and commands keep finding it.
webhook_urls = [
    path("webhook/<uuid:uuid>/", WebhookView.as_view(), name="djstripe_webhook_by_uuid"),
]
handler400 = "config.errors.bad_request"
handler500 = "config.errors.server_error"
urlpatterns: list[URLPattern | URLResolver] = [
    path("", include("shop.urls")),
    path("cart/", include("cart.urls")),
    path("", include("payments.urls")),
    path("accounts/", include("accounts.urls")),
    path("admin/doctor/", admin.site.admin_view(doctor), name="doctor"),
    path("admin/customers/", admin.site.admin_view(customers.search), name="customers"),
    path(
        "admin/customers/export/",
        admin.site.admin_view(customers.export_customers),
        name="export_customers",
    ),
    path("admin/customers/one/", admin.site.admin_view(customers.customer), name="customer"),
    path(
        "admin/customers/one/export/",
        admin.site.admin_view(customers.export_customer),
        name="export_customer",
    ),
    path(
        "admin/customers/one/erase/",
        admin.site.admin_view(customers.erase_customer),
        name="erase_customer",
    ),
    path("admin/", admin.site.urls),
    path("stripe/", include((webhook_urls, "djstripe"))),
    path("api/", include("config.api_urls")),
    path("health", health, name="health"),
    path("health/deep", deep, name="health_deep"),
    # Pictures that staff uploaded; a proxy or a bucket may take this over.
    re_path(r"^media/(?P<path>.*)$", media),
]
