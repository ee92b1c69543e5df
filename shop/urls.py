"""Addresses of the catalog."""

from django.contrib.sitemaps.views import sitemap
from django.urls import path
from django.views.decorators.cache import cache_page
from django.views.generic import TemplateView

from shop import views
from shop.sitemaps import SITEMAPS

app_name = "shop"
# A large shop has a large one; robots need not have the latest.
SITEMAP_SECONDS = 3600
urlpatterns = [
    path("", views.home, name="home"),
    path("category/<slug:slug>/", views.category, name="category"),
    path("product/<slug:slug>/", views.product, name="product"),
    path("search/", views.search, name="search"),
    path(
        "sitemap.xml",
        cache_page(SITEMAP_SECONDS, cache="quick")(sitemap),
        {"sitemaps": SITEMAPS},
        name="sitemap",
    ),
    path(
        "robots.txt",
        TemplateView.as_view(template_name="shop/robots.txt", content_type="text/plain"),
        name="robots",
    ),
]
